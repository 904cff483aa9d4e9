// SPDX-License-Identifier: GPL-2.0-only
/*
 * Varlink interface io.cosched.Qos. Owns who may do what: reading is for root,
 * and for the owner of a cgroup as far as that goes; changing is root's.
 */
#include "daemon/qos_control.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/proto.h"
#include "common/text.h"
#include "daemon/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-varlink-idl.h>

typedef sd_json_variant json;

#define _cleanup_json_ _cleanup_(sd_json_variant_unrefp)
#define _cleanup_result_ _cleanup_(cosched_reload_result_free)

/* A reply has to stay of a size. */
#define WRITES_SHOWN	20000
#define MEMBERS_SHOWN	20000

#define COMMENT(text) SD_VARLINK_FIELD_COMMENT(text)
#define FIELD(name, type) SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_##type, 0)
#define OPTIONAL(name, type) \
	SD_VARLINK_DEFINE_FIELD(name, SD_VARLINK_##type, SD_VARLINK_NULLABLE)

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Write,
	COMMENT("Path of the cgroup, from the root of the hierarchy"),
	FIELD(cgroup, STRING),
	COMMENT("cpu.weight, ..., or cgroup.subtree_control"),
	FIELD(file, STRING),
	FIELD(old, STRING),
	FIELD(new, STRING));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Note,
	COMMENT("error: nothing is written because of it; warning; drift: somebody "
		"else changed what was written here"),
	FIELD(kind, STRING),
	FIELD(cgroup, STRING),
	OPTIONAL(file, STRING),
	FIELD(text, STRING));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Problem,
	COMMENT("Where it is in the file, from 1"),
	FIELD(line, INT),
	FIELD(column, INT),
	FIELD(text, STRING));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Setting,
	COMMENT("Name of the file"),
	FIELD(file, STRING),
	COMMENT("What it was before it was configured"),
	FIELD(original, STRING),
	COMMENT("What was written"),
	FIELD(written, STRING),
	COMMENT("What somebody else made of it; null when nobody did"),
	OPTIONAL(drifted, STRING));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Member,
	FIELD(cgroup, STRING),
	COMMENT("Id of the cgroup"),
	FIELD(cgroup_id, INT),
	COMMENT("Name of the tenant"),
	FIELD(tenant, STRING),
	COMMENT("Name of its class"),
	OPTIONAL(class, STRING),
	COMMENT("Its canary group"),
	OPTIONAL(canary, STRING),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(settings, Setting, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(
	Reload,
	COMMENT("Say what would be written, write nothing"),
	SD_VARLINK_DEFINE_INPUT(dry_run, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	COMMENT("Write what somebody else changed, too"),
	SD_VARLINK_DEFINE_INPUT(revert, SD_VARLINK_BOOL, SD_VARLINK_NULLABLE),
	COMMENT("Only tenants of this canary group"),
	SD_VARLINK_DEFINE_INPUT(canary, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	COMMENT("Name of the configuration"),
	SD_VARLINK_DEFINE_OUTPUT(file, SD_VARLINK_STRING, 0),
	COMMENT("In this order; at most 20000"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(writes, Write, SD_VARLINK_ARRAY),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(notes, Note, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(
	GetTenants,
	COMMENT("Name of the configuration, and whether it was accepted when last read"),
	SD_VARLINK_DEFINE_OUTPUT(file, SD_VARLINK_STRING, 0),
	SD_VARLINK_DEFINE_OUTPUT(valid, SD_VARLINK_BOOL, 0),
	COMMENT("Group that a newer configuration is in force for; null: none"),
	SD_VARLINK_DEFINE_OUTPUT(canary, SD_VARLINK_STRING, SD_VARLINK_NULLABLE),
	COMMENT("All for root, for others the cgroups that they own"),
	SD_VARLINK_DEFINE_OUTPUT_BY_TYPE(members, Member, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_ERROR(
	ConfigInvalid,
	COMMENT("All that is wrong with the file; nothing was written"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(problems, Problem, SD_VARLINK_ARRAY));
static SD_VARLINK_DEFINE_ERROR(
	PlanRefused,
	COMMENT("Why it cannot be carried out; nothing was written"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(notes, Note, SD_VARLINK_ARRAY));
static SD_VARLINK_DEFINE_ERROR(
	WriteFailed,
	COMMENT("What failed; what was written before is as it was"),
	SD_VARLINK_DEFINE_FIELD_BY_TYPE(write, Write, SD_VARLINK_NULLABLE),
	COMMENT("In words"),
	FIELD(reason, STRING));
static SD_VARLINK_DEFINE_ERROR(NotRunning);

static const sd_varlink_interface interface = {
	.name = COSCHED_QOS_INTERFACE,
	.symbols = {
		SD_VARLINK_INTERFACE_COMMENT("Classes of service for cgroups: see "
					     "cosched-config(5)."),
		SD_VARLINK_SYMBOL_COMMENT("One write to a cgroup"),
		&vl_type_Write,
		SD_VARLINK_SYMBOL_COMMENT("What is to be known about a plan"),
		&vl_type_Note,
		SD_VARLINK_SYMBOL_COMMENT("What is wrong with the configuration"),
		&vl_type_Problem,
		SD_VARLINK_SYMBOL_COMMENT("A value that was written"),
		&vl_type_Setting,
		SD_VARLINK_SYMBOL_COMMENT("A cgroup of a tenant"),
		&vl_type_Member,
		SD_VARLINK_SYMBOL_COMMENT("Read the configuration again and apply "
					  "it, all or nothing. For root."),
		&vl_method_Reload,
		SD_VARLINK_SYMBOL_COMMENT("Which cgroups belong to tenants, and what "
					  "was written there"),
		&vl_method_GetTenants,
		&vl_error_ConfigInvalid,
		&vl_error_PlanRefused,
		&vl_error_WriteFailed,
		SD_VARLINK_SYMBOL_COMMENT("The daemon cannot use cgroups, its log says "
					  "why"),
		&vl_error_NotRunning,
		NULL,
	},
};

/* One daemon, one QoS: a connection's userdata is its timer. */
static struct cosched_qos_daemon *the_qos;

void cosched_qos_control_set(struct cosched_qos_daemon *qos)
{
	the_qos = qos;
}

static void identify(sd_varlink *link, struct cosched_asker *asker)
{
	char path[64], comm[64];
	pid_t pid = 0;
	uid_t uid = (uid_t)-1;

	*asker = (struct cosched_asker){ .uid = (__u32)-1, .comm = "unknown" };
	if (sd_varlink_get_peer_uid(link, &uid) >= 0)
		asker->uid = uid;
	if (sd_varlink_get_peer_pid(link, &pid) < 0 || pid <= 0)
		return;
	asker->pid = (__u32)pid;
	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (cosched_file_read(path, comm, sizeof(comm)) > 0)
		cosched_escape(comm, asker->comm, sizeof(asker->comm));
}

static int build_write(const struct cosched_reload_result *r, size_t i, json **ret)
{
	const struct cosched_write *w = &r->plan.write[i];

	return sd_json_buildo(
		ret,
		SD_JSON_BUILD_PAIR_STRING("cgroup", r->tree.node[w->node].path),
		SD_JSON_BUILD_PAIR_STRING("file", cosched_write_file(w)),
		SD_JSON_BUILD_PAIR_STRING("old", w->old),
		SD_JSON_BUILD_PAIR_STRING("new", w->new));
}

static int build_note(const struct cosched_reload_result *r, size_t i, json **ret)
{
	static const char *const kinds[] = { "error", "warning", "drift" };
	const struct cosched_note *n = &r->plan.note[i];

	return sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_STRING("kind", kinds[n->kind]),
		SD_JSON_BUILD_PAIR_STRING("cgroup", r->tree.node[n->node].path),
		SD_JSON_BUILD_PAIR_CONDITION(
			n->setting >= 0, "file",
			SD_JSON_BUILD_STRING(n->setting < 0 ? "" :
				cosched_settings[n->setting].name)),
		SD_JSON_BUILD_PAIR_STRING("text", n->text));
}

static int build_problem(const struct cosched_reload_result *r, size_t i,
			 json **ret)
{
	const struct cosched_problem *p = &r->problems.problem[i];

	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_UNSIGNED("line", p->line),
			      SD_JSON_BUILD_PAIR_UNSIGNED("column", p->column),
			      SD_JSON_BUILD_PAIR_STRING("text", p->text));
}

/* @n elements, built at once: appending one by one copies all before it. */
static int build_array(const struct cosched_reload_result *r, size_t n,
		       int (*build)(const struct cosched_reload_result *r,
				    size_t i, json **ret),
		       json **ret)
{
	_cleanup_free_ json **items = calloc(n + 1, sizeof(*items));
	size_t i;
	int e = items ? 0 : -ENOMEM;

	for (i = 0; i < n && e >= 0; i++)
		e = build(r, i, &items[i]);
	if (e >= 0)
		e = sd_json_variant_new_array(ret, items, n);
	for (i = 0; items && i < n; i++)
		(void)sd_json_variant_unref(items[i]);
	return e;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int reply_failure(sd_varlink *link, const struct cosched_reload_result *r)
{
	_cleanup_json_ json *v = NULL;
	int e = 0;

	if (r->outcome == COSCHED_RELOAD_INVALID) {
		e = build_array(r, r->problems.n, build_problem, &v);
		return e < 0 ? e : sd_varlink_errorbo(
			link, COSCHED_QOS_INTERFACE ".ConfigInvalid",
			SD_JSON_BUILD_PAIR_VARIANT("problems", v));
	}
	if (r->outcome == COSCHED_RELOAD_REFUSED) {
		e = build_array(r, least(r->plan.nr_notes, WRITES_SHOWN), build_note,
				&v);
		return e < 0 ? e : sd_varlink_errorbo(
			link, COSCHED_QOS_INTERFACE ".PlanRefused",
			SD_JSON_BUILD_PAIR_VARIANT("notes", v));
	}
	if (r->failed < r->plan.nr_writes)
		e = build_write(r, r->failed, &v);
	return e < 0 ? e : sd_varlink_errorbo(
		link, COSCHED_QOS_INTERFACE ".WriteFailed",
		SD_JSON_BUILD_PAIR_CONDITION(!!v, "write",
					     SD_JSON_BUILD_VARIANT(v)),
		SD_JSON_BUILD_PAIR_STRING("reason", strerror(-r->error)));
}

static int reply_reload(sd_varlink *link, const struct cosched_reload_result *r)
{
	_cleanup_json_ json *writes = NULL, *notes = NULL;
	struct cosched_qos_view view;
	int e;

	if (r->outcome)
		return reply_failure(link, r);
	cosched_qos_look(the_qos, &view);
	e = build_array(r, least(r->plan.nr_writes, WRITES_SHOWN), build_write,
			&writes);
	if (e >= 0)
		e = build_array(r, least(r->plan.nr_notes, WRITES_SHOWN), build_note,
				&notes);
	return e < 0 ? e : sd_varlink_replybo(
		link, SD_JSON_BUILD_PAIR_STRING("file", view.file),
		SD_JSON_BUILD_PAIR_VARIANT("writes", writes),
		SD_JSON_BUILD_PAIR_VARIANT("notes", notes));
}

static int reload(sd_varlink *link, json *parameters,
		  sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {
		{ "dry_run", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		  offsetof(struct cosched_reload, dry_run), SD_JSON_NULLABLE },
		{ "revert", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		  offsetof(struct cosched_reload, revert), SD_JSON_NULLABLE },
		{ "canary", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		  offsetof(struct cosched_reload, canary), SD_JSON_NULLABLE },
		{}
	};
	_cleanup_result_ struct cosched_reload_result result = {};
	struct cosched_reload how = {};
	struct cosched_asker asker;
	int r;

	(void)flags;
	(void)userdata;
	cosched_control_touch(link);
	r = sd_varlink_dispatch(link, parameters, fields, &how);
	if (r)
		return r;
	identify(link, &asker);
	if (asker.uid)
		return sd_varlink_error(link, SD_VARLINK_ERROR_PERMISSION_DENIED,
					NULL);
	if (!the_qos)
		return sd_varlink_error(link, COSCHED_QOS_INTERFACE ".NotRunning",
					NULL);
	cosched_qos_reload(the_qos, &how, &asker, &result);
	return reply_reload(link, &result);
}

static int build_settings(const struct cosched_state *state, __u64 id, json **ret)
{
	json *items[COSCHED_NR_SETTINGS] = {};
	size_t n = 0, i;
	int s, r = 0;

	for (s = 0; s < COSCHED_NR_SETTINGS && r >= 0; s++) {
		const struct cosched_owned *o = cosched_state_find(state, id, s);

		if (!o)
			continue;
		r = sd_json_buildo(
			&items[n],
			SD_JSON_BUILD_PAIR_STRING("file", cosched_settings[s].name),
			SD_JSON_BUILD_PAIR_STRING("original", o->original),
			SD_JSON_BUILD_PAIR_STRING("written", o->written),
			SD_JSON_BUILD_PAIR_CONDITION(
				!!o->reported, "drifted",
				SD_JSON_BUILD_STRING(o->reported)));
		n += r >= 0;
	}
	if (r >= 0)
		r = sd_json_variant_new_array(ret, items, n);
	for (i = 0; i < n; i++)
		(void)sd_json_variant_unref(items[i]);
	return r;
}

static int build_member(const struct cosched_qos_view *view,
			const struct cosched_member *m, json **ret)
{
	const struct cosched_tenant *t = &view->config->tenants[m->tenant];
	const char *canary = cosched_config_canary(view->config, t);
	_cleanup_json_ json *settings = NULL;
	int r = build_settings(view->state, m->id, &settings);

	return r < 0 ? r : sd_json_buildo(
		ret, SD_JSON_BUILD_PAIR_STRING("cgroup", m->path),
		SD_JSON_BUILD_PAIR_UNSIGNED("cgroup_id", m->id),
		SD_JSON_BUILD_PAIR_STRING("tenant", t->name),
		SD_JSON_BUILD_PAIR_CONDITION(
			t->class >= 0, "class",
			SD_JSON_BUILD_STRING(t->class < 0 ? "" :
				view->config->classes[t->class].name)),
		SD_JSON_BUILD_PAIR_CONDITION(!!canary, "canary",
					     SD_JSON_BUILD_STRING(canary)),
		SD_JSON_BUILD_PAIR_VARIANT("settings", settings));
}

/* Those that @uid may see. */
static int build_members(const struct cosched_qos_view *view, __u32 uid, json **ret)
{
	_cleanup_free_ json **items = calloc(view->nr_members + 1, sizeof(*items));
	size_t i, n = 0;
	int r = items ? 0 : -ENOMEM;

	for (i = 0; i < view->nr_members && n < MEMBERS_SHOWN && r >= 0; i++) {
		if (uid && uid != view->member[i].uid)
			continue;
		r = build_member(view, &view->member[i], &items[n]);
		n += r >= 0;
	}
	if (r >= 0)
		r = sd_json_variant_new_array(ret, items, n);
	for (i = 0; i < n; i++)
		(void)sd_json_variant_unref(items[i]);
	return r;
}

static int get_tenants(sd_varlink *link, json *parameters,
		       sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field none[] = { {} };
	_cleanup_json_ json *members = NULL;
	struct cosched_qos_view view;
	struct cosched_asker asker;
	int r;

	(void)flags;
	(void)userdata;
	cosched_control_touch(link);
	r = sd_varlink_dispatch(link, parameters, none, NULL);
	if (r)
		return r;
	if (!the_qos)
		return sd_varlink_error(link, COSCHED_QOS_INTERFACE ".NotRunning",
					NULL);
	identify(link, &asker);
	cosched_qos_look(the_qos, &view);
	r = build_members(&view, asker.uid, &members);
	return r < 0 ? r : sd_varlink_replybo(
		link, SD_JSON_BUILD_PAIR_STRING("file", view.file),
		SD_JSON_BUILD_PAIR_BOOLEAN("valid", view.valid),
		SD_JSON_BUILD_PAIR_CONDITION(!!view.canary, "canary",
					     SD_JSON_BUILD_STRING(view.canary)),
		SD_JSON_BUILD_PAIR_VARIANT("members", members));
}

int cosched_qos_control_bind(sd_varlink_server *server)
{
	int r = sd_varlink_server_add_interface(server, &interface);

	return r < 0 ? r : sd_varlink_server_bind_method_many(
		server, COSCHED_QOS_RELOAD, reload, COSCHED_QOS_GET_TENANTS,
		get_tenants);
}
