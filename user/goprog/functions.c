// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions of the runtime by name, from the table that the runtime itself uses
 * for tracebacks. Stripping cannot remove it.
 *
 * The table, since Go 1.18: a header with offsets of the parts; one entry for each
 * function, of where it begins, relative to the start of the code, and where its
 * record is; records with an offset into the names. Since 1.26 the header does not
 * tell the start of the code: the runtime's own description of the program does,
 * which is found by the pointer to the table that it begins with.
 */
#include "goprog/image.h"

#include "common/cleanup.h"

#include <string.h>

#define MAGIC_118	0xfffffff0U
#define MAGIC_120	0xfffffff1U

#define FUNCTIONS_MOST	4000000
#define NAME_MOST	64

/* Where the description has the start of the code: since 1.18 in all versions. */
#define MODULE_TEXT	176

struct header {
	__u32 magic;
	__u8 pad[2], quantum, pointer;
	__u64 nr_functions, nr_files, text;
	__u64 names, units, files, tables, functions;
};

struct entry {
	__u32 code, record;
};

struct table {
	__u64 addr, size;
	struct header header;
	__u64 text;
};

static bool is_header(const struct header *h)
{
	return (h->magic == MAGIC_118 || h->magic == MAGIC_120) &&
	       !h->pad[0] && !h->pad[1] && h->quantum == 1 &&
	       h->pointer == 8 && h->nr_functions &&
	       h->nr_functions < FUNCTIONS_MOST;
}

static bool take_table(const struct image *im, __u64 addr, struct table *ret)
{
	const void *p = image_at(im, addr, sizeof(ret->header));

	if (!p)
		return false;
	memcpy(&ret->header, p, sizeof(ret->header));
	ret->addr = addr;
	ret->size = image_bytes_at(im, addr);
	return is_header(&ret->header);
}

/* Where no section tells: at the start of a word in a segment that has data. */
static bool scan_table(const struct image *im, struct table *ret)
{
	size_t s;

	for (s = 0; s < im->nr_segments; s++) {
		const GElf_Phdr *ph = &im->segments[s];
		const char *data;
		__u64 i;

		if (ph->p_type != PT_LOAD || ph->p_flags & PF_X)
			continue;
		data = image_at(im, ph->p_vaddr, ph->p_filesz);
		for (i = 0; data && i + sizeof(struct header) <= ph->p_filesz;
		     i += 8) {
			__u32 magic;

			memcpy(&magic, data + i, sizeof(magic));
			if ((magic == MAGIC_118 || magic == MAGIC_120) &&
			    take_table(im, ph->p_vaddr + i, ret))
				return true;
		}
	}
	return false;
}

static bool find_table(const struct image *im, struct table *ret)
{
	GElf_Shdr sh;

	if (image_section(im, ".gopclntab", &sh) ||
	    image_section(im, ".data.rel.ro.gopclntab", &sh))
		return take_table(im, sh.sh_addr, ret);
	return scan_table(im, ret);
}

static bool is_code(const struct image *im, __u64 addr)
{
	size_t i;

	for (i = 0; i < im->nr_segments; i++) {
		const GElf_Phdr *ph = &im->segments[i];

		if (ph->p_type == PT_LOAD && ph->p_flags & PF_X &&
		    addr >= ph->p_vaddr && addr - ph->p_vaddr < ph->p_filesz)
			return true;
	}
	return false;
}

/* A pointer to the table, and what is said of the code behind it. */
static __u64 text_by_pointer(const struct image *im, __u64 table)
{
	size_t s;

	for (s = 0; s < im->nr_segments; s++) {
		const GElf_Phdr *ph = &im->segments[s];
		const char *data;
		__u64 i, word;

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_W))
			continue;
		data = image_at(im, ph->p_vaddr, ph->p_filesz);
		for (i = 0; data && i + MODULE_TEXT + 8 <= ph->p_filesz; i += 8) {
			memcpy(&word, data + i, sizeof(word));
			if (word != table)
				continue;
			memcpy(&word, data + i + MODULE_TEXT, sizeof(word));
			if (is_code(im, word))
				return word;
		}
	}
	return 0;
}

static bool section_data(const struct image *im, const char *name,
			 const char **ret_data, __u64 *ret_size)
{
	GElf_Shdr sh;

	if (!image_section(im, name, &sh) || sh.sh_type == SHT_NOBITS)
		return false;
	*ret_size = sh.sh_size;
	*ret_data = image_at_offset(im, sh.sh_offset, sh.sh_size);
	return *ret_data;
}

/* What the loader adds to the address of a word at @at, or of one with @value. */
static bool find_relocation(const char *data, __u64 size, bool by_value,
			    __u64 what, Elf64_Rela *ret)
{
	__u64 i;

	for (i = 0; i + sizeof(*ret) <= size; i += sizeof(*ret)) {
		memcpy(ret, data + i, sizeof(*ret));
		if (ELF64_R_TYPE(ret->r_info) == R_X86_64_RELATIVE &&
		    (by_value ? (__u64)ret->r_addend : ret->r_offset) == what)
			return true;
	}
	return false;
}

/* As text_by_pointer(), where pointers are filled in when it is loaded. */
static __u64 text_by_relocation(const struct image *im, __u64 table)
{
	Elf64_Rela rela;
	const char *data;
	__u64 size;

	if (!section_data(im, ".rela.dyn", &data, &size) &&
	    !section_data(im, ".rela", &data, &size))
		return 0;
	if (!find_relocation(data, size, true, table, &rela) ||
	    !find_relocation(data, size, false, rela.r_offset + MODULE_TEXT,
			     &rela))
		return 0;
	return is_code(im, (__u64)rela.r_addend) ? (__u64)rela.r_addend : 0;
}

static bool find_text(const struct image *im, struct table *t)
{
	t->text = t->header.text;
	if (!is_code(im, t->text))
		t->text = text_by_pointer(im, t->addr);
	if (!t->text)
		t->text = text_by_relocation(im, t->addr);
	return t->text;
}

/* @data: all of the table; the name of the function of an entry, or NULL. */
static const char *name_of(const struct table *t, const char *data,
			   const struct entry *e)
{
	__u64 record = t->header.functions + e->record, at;
	__u32 name;

	if (t->header.functions > t->size || record + 8 > t->size)
		return NULL;
	memcpy(&name, data + record + 4, sizeof(name));
	at = t->header.names + name;
	if (t->header.names > t->size || at >= t->size ||
	    t->size - at < NAME_MOST)
		return NULL;
	return data + at;
}

static void take_function(const char *name, __u64 addr,
			  struct image_functions *ret)
{
	if (strncmp(name, "runtime.", 8))
		return;
	name += 8;
	if (!strncmp(name, "sysmon", sizeof("sysmon")))
		ret->sysmon = addr;
	else if (!strncmp(name, "mcall", sizeof("mcall")))
		ret->mcall = addr;
	else if (!strncmp(name, "wakeNetPoller", sizeof("wakeNetPoller")))
		ret->wake_poller = addr;
}

void image_functions(const struct image *im, struct image_functions *ret)
{
	struct table t = {};
	const char *data;
	__u64 i;

	memset(ret, 0, sizeof(*ret));
	if (!find_table(im, &t) || !find_text(im, &t))
		return;
	data = image_at(im, t.addr, t.size);
	if (!data || t.header.functions > t.size)
		return;
	for (i = 0; i < t.header.nr_functions; i++) {
		__u64 at = t.header.functions + i * sizeof(struct entry);
		const char *name;
		struct entry e;

		if (at + sizeof(e) > t.size)
			return;
		memcpy(&e, data + at, sizeof(e));
		name = name_of(&t, data, &e);
		if (name)
			take_function(name, t.text + e.code, ret);
	}
}
