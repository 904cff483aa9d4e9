// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ELF file: segments, sections, symbols. All access to its bytes goes
 * through here; libelf checks that they are in the file.
 */
#include "goprog/image.h"

#include <errno.h>
#include <string.h>

/* A symbol table has one entry of 24 bytes for each; millions are too many. */
#define SYMBOLS_MOST	4000000

int image_open(struct image *im, Elf *elf)
{
	size_t i, n;

	memset(im, 0, sizeof(*im));
	im->elf = elf;
	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &im->ehdr))
		return -ENOEXEC;
	if (im->ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    im->ehdr.e_ident[EI_DATA] != ELFDATA2LSB ||
	    im->ehdr.e_machine != EM_X86_64 ||
	    (im->ehdr.e_type != ET_EXEC && im->ehdr.e_type != ET_DYN))
		return -ENOEXEC;
	if (elf_getphdrnum(elf, &n))
		return -ENOEXEC;
	for (i = 0; i < n && im->nr_segments < IMAGE_SEGMENTS; i++)
		if (gelf_getphdr(elf, (int)i, &im->segments[im->nr_segments]))
			im->nr_segments++;
	return im->nr_segments ? 0 : -ENOEXEC;
}

const void *image_at_offset(const struct image *im, __u64 offset, size_t size)
{
	Elf_Data *data;

	if (!size || offset > INT64_MAX || size > INT64_MAX)
		return NULL;
	data = elf_getdata_rawchunk(im->elf, (int64_t)offset, size, ELF_T_BYTE);
	return data && data->d_size >= size ? data->d_buf : NULL;
}

static const GElf_Phdr *segment_of(const struct image *im, __u64 addr)
{
	size_t i;

	for (i = 0; i < im->nr_segments; i++) {
		const GElf_Phdr *ph = &im->segments[i];

		if (ph->p_type == PT_LOAD && addr >= ph->p_vaddr &&
		    addr - ph->p_vaddr < ph->p_filesz)
			return ph;
	}
	return NULL;
}

__u64 image_bytes_at(const struct image *im, __u64 addr)
{
	const GElf_Phdr *ph = segment_of(im, addr);

	return ph ? ph->p_filesz - (addr - ph->p_vaddr) : 0;
}

const void *image_at(const struct image *im, __u64 addr, size_t size)
{
	const GElf_Phdr *ph = segment_of(im, addr);
	__u64 offset;

	if (!ph || size > ph->p_filesz - (addr - ph->p_vaddr))
		return NULL;
	if (__builtin_add_overflow(ph->p_offset, addr - ph->p_vaddr, &offset))
		return NULL;
	return image_at_offset(im, offset, size);
}

const GElf_Phdr *image_segment(const struct image *im, __u32 type)
{
	size_t i;

	for (i = 0; i < im->nr_segments; i++)
		if (im->segments[i].p_type == type)
			return &im->segments[i];
	return NULL;
}

bool image_section(const struct image *im, const char *name, GElf_Shdr *ret)
{
	Elf_Scn *scn = NULL;
	size_t strings, n = 0;

	if (elf_getshdrstrndx(im->elf, &strings))
		return false;
	while ((scn = elf_nextscn(im->elf, scn)) && n++ < IMAGE_SECTIONS) {
		const char *s;
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh))
			continue;
		s = elf_strptr(im->elf, strings, sh.sh_name);
		if (s && !strcmp(s, name)) {
			*ret = sh;
			return true;
		}
	}
	return false;
}

/* The first section of a type, and its content. */
static Elf_Scn *section_of_type(const struct image *im, __u32 type,
				GElf_Shdr *ret)
{
	Elf_Scn *scn = NULL;
	size_t n = 0;

	while ((scn = elf_nextscn(im->elf, scn)) && n++ < IMAGE_SECTIONS)
		if (gelf_getshdr(scn, ret) && ret->sh_type == type)
			return scn;
	return NULL;
}

bool image_needs_library(const struct image *im)
{
	const GElf_Phdr *ph = image_segment(im, PT_DYNAMIC);
	const Elf64_Dyn *dyn;
	size_t i, n;

	if (!ph || ph->p_filesz > 1 << 20)
		return false;
	n = ph->p_filesz / sizeof(*dyn);
	dyn = n ? image_at_offset(im, ph->p_offset, n * sizeof(*dyn)) : NULL;
	for (i = 0; dyn && i < n; i++) {
		Elf64_Dyn d;

		memcpy(&d, &dyn[i], sizeof(d));
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_NEEDED)
			return true;
	}
	return false;
}

static void take_symbol(const char *name, const GElf_Sym *sym,
			struct image_symbols *ret)
{
	if (!strcmp(name, "runtime.sysmon")) {
		ret->sysmon = sym->st_value;
	} else if (!strcmp(name, "runtime.sched")) {
		ret->sched = sym->st_value;
	} else if (!strcmp(name, "runtime.tlsg")) {
		ret->tlsg = sym->st_value;
		ret->has_tlsg = true;
	} else if (!strcmp(name, "x_cgo_init")) {
		ret->is_cgo = true;
	}
}

void image_symbols(const struct image *im, struct image_symbols *ret)
{
	GElf_Shdr sh;
	Elf_Scn *scn = section_of_type(im, SHT_SYMTAB, &sh);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	size_t i, n;

	memset(ret, 0, sizeof(*ret));
	if (!data || !data->d_buf)
		return;
	n = data->d_size / sizeof(Elf64_Sym);
	for (i = 1; i < n && i < SYMBOLS_MOST; i++) {
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || !sym.st_name)
			continue;
		name = elf_strptr(im->elf, sh.sh_link, sym.st_name);
		if (name)
			take_symbol(name, &sym, ret);
	}
	ret->found = n > 1;
}
