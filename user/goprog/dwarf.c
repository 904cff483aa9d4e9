// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layout of the runtime's structs from debug information, which libdw reads,
 * compressed or not. Go's linker puts all types, and the package's constants, into
 * units that are called "runtime".
 */
#include "goprog/image.h"

#include "common/cleanup.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <string.h>

/* Bounds that no real program comes near: a ring of siblings must end. */
#define UNITS_MOST	100000
#define DIES_MOST	20000000
#define MEMBERS_MOST	4096
#define DEBUG_BYTES_MOST (2ULL << 30)

#define FIELD(member) offsetof(struct cosched_go_layout, member)

const struct cosched_go_field cosched_go_fields[] = {
	{ "g.m", FIELD(g_m), false },
	{ "g.atomicstatus", FIELD(g_status), false },
	{ "g.goid", FIELD(g_goid), false },
	{ "g.waitreason", FIELD(g_reason), false },
	{ "g.inMarkAssist", FIELD(g_assist), true },
	{ "g.labels", FIELD(g_labels), false },
	{ "m.procid", FIELD(m_procid), false },
	{ "m.gsignal", FIELD(m_gsignal), false },
	{ "m.tls", FIELD(m_tls), false },
	{ "m.mstartfn", FIELD(m_mstartfn), false },
	{ "m.curg", FIELD(m_curg), false },
	{ "m.p", FIELD(m_p), false },
	{ "m.nextp", FIELD(m_nextp), false },
	{ "m.spinning", FIELD(m_spinning), false },
	{ "m.blocked", FIELD(m_blocked), false },
	{ "m.incgo", FIELD(m_incgo), false },
	{ "m.lockedg", FIELD(m_lockedg), false },
	{ "p.runqhead", FIELD(p_runqhead), false },
	{ "p.runqtail", FIELD(p_runqtail), false },
	{ "p.runnext", FIELD(p_runnext), false },
	{ "p.gcMarkWorkerMode", FIELD(p_worker), false },
	{ "schedt.gcwaiting", FIELD(sched_gcwaiting), false },
	{ "waitReasonGCWorkerActive", FIELD(reason_worker), true },
	{ "waitReasonStoppingTheWorld", FIELD(reason_stw), true },
};

const size_t cosched_go_nr_fields = COSCHED_ARRAY_SIZE(cosched_go_fields);

static __u16 *slot_of(struct cosched_go_layout *l, size_t i)
{
	return (__u16 *)((char *)l + cosched_go_fields[i].offset);
}

static bool has_debug(const struct image *im)
{
	static const char *const names[] = { ".debug_info", ".debug_abbrev",
					     ".debug_str", ".debug_line" };
	size_t strings, n = 0, i;
	Elf_Scn *scn = NULL;
	__u64 sum = 0;
	bool found = false;

	if (elf_getshdrstrndx(im->elf, &strings))
		return false;
	while ((scn = elf_nextscn(im->elf, scn)) && n++ < IMAGE_SECTIONS) {
		const char *name;
		GElf_Chdr ch;
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh))
			continue;
		name = elf_strptr(im->elf, strings, sh.sh_name);
		for (i = 0; name && i < COSCHED_ARRAY_SIZE(names); i++)
			if (!strcmp(name, names[i]))
				break;
		if (!name || i == COSCHED_ARRAY_SIZE(names))
			continue;
		found |= i == 0;
		/* What it says of its size is what libelf would allocate. */
		sum += sh.sh_flags & SHF_COMPRESSED && gelf_getchdr(scn, &ch) ?
			       ch.ch_size : sh.sh_size;
		if (sum > DEBUG_BYTES_MOST)
			return false;
	}
	return found;
}

/* "runtime.g" and "m": is "g.m" a field that is wanted? */
static void take_member(const char *type, Dwarf_Die *die,
			struct cosched_go_layout *ret)
{
	const char *name = dwarf_diename(die);
	size_t i, length = strlen(type);
	Dwarf_Attribute attr;
	Dwarf_Word offset;

	if (!name || dwarf_tag(die) != DW_TAG_member ||
	    !dwarf_attr(die, DW_AT_data_member_location, &attr) ||
	    dwarf_formudata(&attr, &offset) || offset >= COSCHED_GO_NONE)
		return;
	for (i = 0; i < cosched_go_nr_fields; i++) {
		const char *field = cosched_go_fields[i].name;

		if (!strncmp(field, type, length) && field[length] == '.' &&
		    !strcmp(field + length + 1, name))
			*slot_of(ret, i) = (__u16)offset;
	}
}

static void take_type(Dwarf_Die *die, struct cosched_go_layout *ret)
{
	static const char *const types[] = { "g", "m", "p", "schedt" };
	const char *name = dwarf_diename(die);
	Dwarf_Die child;
	unsigned int n = 0;
	size_t i;

	if (!name || strncmp(name, "runtime.", 8))
		return;
	for (i = 0; i < COSCHED_ARRAY_SIZE(types); i++)
		if (!strcmp(name + 8, types[i]))
			break;
	if (i == COSCHED_ARRAY_SIZE(types) || dwarf_child(die, &child))
		return;
	do {
		take_member(types[i], &child, ret);
	} while (++n < MEMBERS_MOST && !dwarf_siblingof(&child, &child));
}

static void take_constant(Dwarf_Die *die, struct cosched_go_layout *ret)
{
	const char *name = dwarf_diename(die);
	Dwarf_Attribute attr;
	Dwarf_Word value;
	size_t i;

	if (!name || strncmp(name, "runtime.", 8))
		return;
	for (i = 0; i < cosched_go_nr_fields; i++)
		if (!strcmp(name + 8, cosched_go_fields[i].name))
			break;
	if (i < cosched_go_nr_fields &&
	    dwarf_attr(die, DW_AT_const_value, &attr) &&
	    !dwarf_formudata(&attr, &value) && value < COSCHED_GO_NONE)
		*slot_of(ret, i) = (__u16)value;
}

static void take_unit(Dwarf_Die *unit, struct cosched_go_layout *ret)
{
	unsigned int n = 0;
	Dwarf_Die die;

	if (dwarf_child(unit, &die))
		return;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_structure_type)
			take_type(&die, ret);
		else if (tag == DW_TAG_constant)
			take_constant(&die, ret);
	} while (++n < DIES_MOST && !dwarf_siblingof(&die, &die));
}

static bool is_complete(struct cosched_go_layout *l)
{
	size_t i;

	for (i = 0; i < cosched_go_nr_fields; i++)
		if (!cosched_go_fields[i].optional &&
		    *slot_of(l, i) == COSCHED_GO_NONE)
			return false;
	return true;
}

static int read_units(Dwarf *dw, struct cosched_go_layout *ret)
{
	Dwarf_CU *cu = NULL;
	unsigned int n = 0;
	Dwarf_Die unit;
	__u8 type;

	while (n++ < UNITS_MOST &&
	       !dwarf_get_units(dw, cu, &cu, NULL, &type, &unit, NULL)) {
		const char *name = dwarf_diename(&unit);

		/* Several have that name: functions, types, constants. */
		if (name && !strcmp(name, "runtime"))
			take_unit(&unit, ret);
	}
	return is_complete(ret) ? 0 : -ENOENT;
}

int image_layout(const struct image *im, struct cosched_go_layout *ret)
{
	struct cosched_go_layout layout;
	Dwarf *dw;
	int r;

	if (!has_debug(im))
		return -ENOENT;
	dw = dwarf_begin_elf(im->elf, DWARF_C_READ, NULL);
	if (!dw)
		return -ENOENT;
	memset(&layout, 0xff, sizeof(layout));
	r = read_units(dw, &layout);
	(void)dwarf_end(dw);
	if (!r)
		*ret = layout;
	return r;
}
