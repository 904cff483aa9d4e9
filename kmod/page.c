// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page that programs map to see whether somebody listens: struct
 * cosched_page. A rank that reads 0 there makes no system call at all.
 *
 * The kernel tells when the first listener of a trace event comes and when the
 * last one has gone, whatever kind it is: perf, ftrace or a BPF program. Which
 * of them are there is kept here and nowhere else.
 *
 * Trace events can be listened to before init and after exit of the module:
 * hence the static bits, which the page gets when it is made.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/spinlock.h>

#include "internal.h"

static DEFINE_SPINLOCK(listeners_lock);
static u32 listeners;		/* listeners_lock; COSCHED_LISTENS_* */
static struct page *page;	/* listeners_lock; NULL: not yet, not any more */

/* The kernel holds a mutex, but one for each of the events would do as well. */
void cosched_page_listens(u32 which, bool listens)
{
	struct cosched_page *content;

	spin_lock(&listeners_lock);
	if (listens)
		listeners |= which;
	else
		listeners &= ~which;
	if (page) {
		content = page_address(page);
		WRITE_ONCE(content->listeners, listeners);
	}
	spin_unlock(&listeners_lock);
}

/*
 * The mapping holds the device's file, and so the module; the page is counted
 * by who maps it besides.
 */
int cosched_page_map(struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE ||
	    !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	return vm_insert_page(vma, vma->vm_start, page);
}

int cosched_page_init(void)
{
	struct page *new_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct cosched_page *content;

	if (!new_page)
		return -ENOMEM;
	content = page_address(new_page);
	content->abi_version = COSCHED_ABI_VERSION;
	spin_lock(&listeners_lock);
	content->listeners = listeners;
	page = new_page;
	spin_unlock(&listeners_lock);
	return 0;
}

void cosched_page_exit(void)
{
	struct page *old_page;

	spin_lock(&listeners_lock);
	old_page = page;
	page = NULL;
	spin_unlock(&listeners_lock);
	__free_page(old_page);
}
