// SPDX-License-Identifier: GPL-2.0-only
/* All that a file tells, put together from the other files of this directory. */
#include "goprog/goprog.h"

#include "common/cleanup.h"
#include "goprog/image.h"

#include <errno.h>
#include <string.h>

static void cleanup_elf(Elf **elf)
{
	(void)elf_end(*elf);
}

const char *cosched_go_source_name(enum cosched_go_source source)
{
	switch (source) {
	case COSCHED_GO_DWARF:
		return "dwarf";
	case COSCHED_GO_TABLE:
		return "table";
	case COSCHED_GO_UNKNOWN:
		break;
	}
	return "unknown";
}

/* Digits at *@text, which is moved behind them. */
static int take_number(const char **text, unsigned int *ret)
{
	unsigned int n = 0, value = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++, n++) {
		if (n == 4)
			return -EINVAL;
		value = value * 10 + (unsigned int)(**text - '0');
	}
	if (!n)
		return -EINVAL;
	*ret = value;
	return 0;
}

int cosched_go_version_parse(const char *text, struct cosched_go_version *ret)
{
	struct cosched_go_version v = {};

	if (strncmp(text, "go", 2))
		return -EINVAL;
	text += 2;
	if (take_number(&text, &v.major) || *text++ != '.' ||
	    take_number(&text, &v.minor))
		return -EINVAL;
	if (*text == '.') {
		text++;
		if (take_number(&text, &v.patch))
			return -EINVAL;
	}
	v.exact = !*text;
	*ret = v;
	return 0;
}

/* Of g from the thread pointer, by the symbol and the TLS segment. */
static bool tls_by_symbol(const struct image *im, __u64 tlsg, __s64 *ret)
{
	const GElf_Phdr *tls = image_segment(im, PT_TLS);
	__u64 align, size;

	if (!tls || tlsg > tls->p_memsz || tls->p_memsz > 1 << 24)
		return false;
	align = tls->p_align ? tls->p_align : 1;
	if (align & (align - 1) || align > 1 << 20)
		return false;
	size = tls->p_memsz + ((0 - tls->p_vaddr - tls->p_memsz) & (align - 1));
	*ret = (__s64)tlsg - (__s64)size;
	return true;
}

/*
 * Without C code the runtime sets up the thread pointer itself, always alike.
 * With it, by the symbol, or by what the code does.
 */
static void find_tls(const struct image *im, const struct image_symbols *sym,
		     const struct image_functions *fn,
		     struct cosched_go_program *ret)
{
	ret->tls_offset = -8;
	ret->has_tls = true;
	if (!ret->cgo)
		return;
	if (sym->has_tlsg && tls_by_symbol(im, sym->tlsg, &ret->tls_offset))
		return;
	ret->has_tls = fn->mcall && !decode_tls(im, fn->mcall, &ret->tls_offset,
						&ret->tls_slot);
}

static void find_addresses(const struct image *im, struct cosched_go_program *ret)
{
	struct image_functions fn = {};
	struct image_symbols sym;

	image_symbols(im, &sym);
	ret->stripped = !sym.found;
	ret->sysmon = sym.sysmon;
	ret->sched = sym.sched;
	/* A TLS segment of its own may be there without C code, too: then
	 * nothing is lost but a read. */
	ret->cgo = sym.found ? sym.is_cgo :
			       image_needs_library(im) ||
			       (image_segment(im, PT_TLS) && ret->is_static);
	if (!sym.sysmon || !sym.sched || (ret->cgo && !sym.has_tlsg))
		image_functions(im, &fn);
	if (!ret->sysmon)
		ret->sysmon = fn.sysmon;
	/* It reads the word after the first. */
	if (!ret->sched && fn.wake_poller) {
		__u64 lastpoll = decode_operand(im, fn.wake_poller);

		ret->sched = lastpoll ? lastpoll - 8 : 0;
	}
	find_tls(im, &sym, &fn, ret);
}

static int read_elf(Elf *elf, struct cosched_go_program *ret)
{
	struct cosched_go_program p = {};
	struct image im;
	int r;

	r = image_open(&im, elf);
	if (!r)
		r = image_version(&im, p.text, sizeof(p.text));
	if (r)
		return r;
	(void)cosched_go_version_parse(p.text, &p.version);
	p.pie = im.ehdr.e_type == ET_DYN;
	p.is_static = !image_segment(&im, PT_INTERP);
	p.entry = im.ehdr.e_entry;
	find_addresses(&im, &p);
	if (!image_layout(&im, &p.layout))
		p.source = COSCHED_GO_DWARF;
	else if (!cosched_go_layout_find(&p.version, &p.layout))
		p.source = COSCHED_GO_TABLE;
	*ret = p;
	return 0;
}

int cosched_goprog_read(int fd, struct cosched_go_program *ret)
{
	_cleanup_(cleanup_elf) Elf *elf = NULL;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOEXEC;
	/* Not mapped: who cuts the file short would end us. */
	elf = elf_begin(fd, ELF_C_READ, NULL);
	return elf ? read_elf(elf, ret) : -EIO;
}

int cosched_goprog_parse(const void *image, size_t size,
			 struct cosched_go_program *ret)
{
	_cleanup_(cleanup_elf) Elf *elf = NULL;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOEXEC;
	elf = elf_memory((char *)image, size);
	return elf ? read_elf(elf, ret) : -ENOEXEC;
}
