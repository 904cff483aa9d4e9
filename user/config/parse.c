// SPDX-License-Identifier: GPL-2.0-only
/*
 * From YAML to the configuration. Owns the keys, and all that can be said
 * about a file without looking at the machine.
 */
#include "common/cgroup.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/text.h"
#include "config/config.h"
#include "config/lines.h"
#include "config/yaml.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

struct parse {
	struct cosched_config *config;
	yaml_node_t *classes, *tenants;	/* taken last, in this order */
	bool no_memory;
};

static struct parse *parse_of(struct cosched_yaml *y)
{
	return y->data;
}

/* "cpu.weight 0 is not accepted: ...": bounded whatever the file says. */
static void bad_value(struct cosched_yaml *y, yaml_node_t *node,
		      const char *what, const char *text, const char *accepted)
{
	char shown[128];

	cosched_yaml_problem(y, node, "%s: \"%s\" is not accepted; accepted: %s",
			     what, cosched_escape(text, shown, sizeof(shown)),
			     accepted);
}

static char *copy(struct cosched_yaml *y, const char *text)
{
	char *s = strdup(text);

	if (!s)
		parse_of(y)->no_memory = true;
	return s;
}

/* All of a list, or one text, as lines. False: a problem was added. */
static bool gather_lines(struct cosched_yaml *y, yaml_node_t *node,
			 const char *what, char *out, size_t size)
{
	yaml_node_item_t *item;
	size_t n = 0;

	out[0] = '\0';
	if (node->type != YAML_SEQUENCE_NODE)
		return false;
	for (item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		const char *text = cosched_yaml_text(
			y, cosched_yaml_node(y, *item), what);

		if (!text)
			return false;
		n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "\n" : "",
				      text);
		if (n >= size) {
			cosched_yaml_problem(y, node, "%s is too long", what);
			return false;
		}
	}
	return true;
}

static void take_setting(struct cosched_yaml *y, yaml_node_t *node,
			 struct cosched_qos *qos, enum cosched_setting setting)
{
	const struct cosched_setting_info *info = &cosched_settings[setting];
	char value[COSCHED_VALUE_MAX], lines[COSCHED_VALUE_MAX];
	const char *text = lines;

	if (!info->by_line || node->type != YAML_SEQUENCE_NODE)
		text = cosched_yaml_text(y, node, info->name);
	else if (!gather_lines(y, node, info->name, lines, sizeof(lines)))
		return;
	if (!text)
		return;
	if (strlen(text) >= COSCHED_VALUE_MAX ||
	    cosched_setting_parse(setting, text, value)) {
		bad_value(y, node, info->name, text, info->accepted);
		return;
	}
	qos->value[setting] = copy(y, value);
	qos->line[setting] = (unsigned int)node->start_mark.line + 1;
}

#define TAKE_SETTING(lower, setting)					\
	static void take_##lower(struct cosched_yaml *y, yaml_node_t *node, \
				 void *object)				\
	{								\
		take_setting(y, node, object, COSCHED_SET_##setting);	\
	}

TAKE_SETTING(cpu_weight, CPU_WEIGHT)
TAKE_SETTING(cpu_max, CPU_MAX)
TAKE_SETTING(cpuset_cpus, CPUSET_CPUS)
TAKE_SETTING(cpuset_mems, CPUSET_MEMS)
TAKE_SETTING(memory_min, MEMORY_MIN)
TAKE_SETTING(memory_low, MEMORY_LOW)
TAKE_SETTING(memory_high, MEMORY_HIGH)
TAKE_SETTING(memory_max, MEMORY_MAX)
TAKE_SETTING(io_weight, IO_WEIGHT)
TAKE_SETTING(io_max, IO_MAX)
TAKE_SETTING(dmem_min, DMEM_MIN)
TAKE_SETTING(dmem_low, DMEM_LOW)
TAKE_SETTING(dmem_max, DMEM_MAX)
TAKE_SETTING(profile, PROFILE)
TAKE_SETTING(reserved, RESERVED)

static void take_numa_node(struct cosched_yaml *y, yaml_node_t *node,
			   void *object)
{
	struct cosched_qos *qos = object;
	const char *text = cosched_yaml_text(y, node, "numa.node");
	__u64 value;

	if (!text)
		return;
	if (cosched_parse_u64(text, 0, 1023, &value)) {
		bad_value(y, node, "numa.node", text, "a number from 0 to 1023");
		return;
	}
	qos->numa_node = (int)value;
	qos->numa_line = (unsigned int)node->start_mark.line + 1;
}

/* A word of letters, digits and - _ . : , as names here are. */
static bool is_word(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");

	return n && !text[n] && n < COSCHED_NAME_MAX;
}

#define WORD_ACCEPTED "up to 63 letters, digits, \"-\", \"_\", \".\" and \":\""

static char *take_word(struct cosched_yaml *y, yaml_node_t *node,
		       const char *what)
{
	const char *text = cosched_yaml_text(y, node, what);

	if (!text)
		return NULL;
	if (!is_word(text)) {
		bad_value(y, node, what, text, WORD_ACCEPTED);
		return NULL;
	}
	return copy(y, text);
}

static void take_numa_device(struct cosched_yaml *y, yaml_node_t *node,
			     void *object)
{
	struct cosched_qos *qos = object;

	qos->numa_device = take_word(y, node, "numa.device");
	qos->numa_line = (unsigned int)node->start_mark.line + 1;
}

static void take_canary(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	struct cosched_qos *qos = object;

	qos->canary = take_word(y, node, "canary");
}

static void take_high_most(struct cosched_yaml *y, yaml_node_t *node,
			   void *object)
{
	struct cosched_qos *qos = object;
	const char *text = cosched_yaml_text(y, node, "memory.high.most");
	__u64 bytes;

	if (!text)
		return;
	if (cosched_parse_bytes(text, &bytes) || bytes == UINT64_MAX || !bytes)
		bad_value(y, node, "memory.high.most", text,
			  "a number of bytes, such as 6G");
	else
		qos->high_most = bytes;
	qos->high_line = (unsigned int)node->start_mark.line + 1;
}

#define QOS_KEYS							\
	{ "cpu.weight", take_cpu_weight }, { "cpu.max", take_cpu_max },	\
	{ "cpuset.cpus", take_cpuset_cpus },				\
	{ "cpuset.mems", take_cpuset_mems },				\
	{ "memory.min", take_memory_min }, { "memory.low", take_memory_low }, \
	{ "memory.high", take_memory_high },				\
	{ "memory.high.most", take_high_most },				\
	{ "memory.max", take_memory_max }, { "io.weight", take_io_weight }, \
	{ "io.max", take_io_max }, { "dmem.min", take_dmem_min },	\
	{ "dmem.low", take_dmem_low }, { "dmem.max", take_dmem_max },	\
	{ "profile", take_profile }, { "reserved", take_reserved },	\
	{ "numa.node", take_numa_node }, { "numa.device", take_numa_device }, \
	{ "canary", take_canary }

static const struct cosched_yaml_key class_keys[] = { QOS_KEYS, {} };

static __u64 bytes_of(const struct cosched_qos *qos, enum cosched_setting s,
		      __u64 otherwise)
{
	__u64 bytes = otherwise;

	if (qos->value[s])
		(void)cosched_parse_bytes(qos->value[s], &bytes);
	return bytes;
}

/* What contradicts itself within one mapping. */
static void check_qos(struct cosched_yaml *y, const struct cosched_qos *qos,
		      bool is_class, const char *what)
{
	static const enum cosched_setting limits[] = { COSCHED_SET_MEMORY_HIGH,
						       COSCHED_SET_MEMORY_MAX };
	__u64 min = bytes_of(qos, COSCHED_SET_MEMORY_MIN, 0);
	bool numa = qos->numa_node >= 0 || qos->numa_device;
	size_t i;

	for (i = 0; i < COSCHED_ARRAY_SIZE(limits); i++)
		if (min > bytes_of(qos, limits[i], UINT64_MAX))
			cosched_problem_add(y->problems,
					    qos->line[COSCHED_SET_MEMORY_MIN], 1,
					    "%s: memory.min is above %s", what,
					    cosched_settings[limits[i]].name);
	if (qos->high_most && !qos->value[COSCHED_SET_MEMORY_HIGH] && is_class)
		cosched_problem_add(y->problems, qos->high_line, 1,
				    "%s: memory.high.most needs memory.high, which it "
				    "moves up from", what);
	else if (qos->high_most && qos->value[COSCHED_SET_MEMORY_HIGH] &&
		 bytes_of(qos, COSCHED_SET_MEMORY_HIGH, 0) > qos->high_most)
		cosched_problem_add(y->problems,
				    qos->line[COSCHED_SET_MEMORY_HIGH], 1,
				    "%s: memory.high is above memory.high.most", what);
	if (qos->numa_node >= 0 && qos->numa_device)
		cosched_problem_add(y->problems, qos->numa_line, 1,
				    "%s: numa.node and numa.device: one of them is "
				    "accepted", what);
	if (numa && (qos->value[COSCHED_SET_CPUSET_CPUS] ||
		     qos->value[COSCHED_SET_CPUSET_MEMS]))
		cosched_problem_add(y->problems, qos->numa_line, 1,
				    "%s: a node sets cpuset.cpus and cpuset.mems: leave "
				    "these or the node out", what);
}

/* Each pair of a mapping is a name and what it names. */
static void take_named(struct cosched_yaml *y, yaml_node_t *node,
		       const char *what, size_t most,
		       void (*add)(struct cosched_yaml *y, yaml_node_t *key,
				   const char *name, yaml_node_t *value))
{
	yaml_node_pair_t *pair;
	size_t n = 0;

	if (node->type != YAML_MAPPING_NODE) {
		cosched_yaml_problem(y, node, "%s has to be names with settings",
				     what);
		return;
	}
	for (pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = cosched_yaml_node(y, pair->key);
		const char *name = cosched_yaml_text(y, key, "a name");

		if (name && !is_word(name))
			bad_value(y, key, what, name, WORD_ACCEPTED);
		if (!name || !is_word(name))
			continue;
		if (n++ == most) {
			cosched_yaml_problem(y, key, "%s: more than %zu", what, most);
			return;
		}
		add(y, key, name, cosched_yaml_node(y, pair->value));
	}
}

static int find_class(const struct cosched_config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->nr_classes; i++)
		if (!strcmp(config->classes[i].name, name))
			return (int)i;
	return -ENOENT;
}

/* Room for one more of @n, in steps that double. */
static void *grow(struct cosched_yaml *y, void *array, size_t n, size_t size)
{
	void *p = array;

	if (!n || (n >= 16 && !(n & (n - 1))))
		p = reallocarray(array, n ? n * 2 : 16, size);
	if (!p)
		parse_of(y)->no_memory = true;
	return p;
}

static void add_class(struct cosched_yaml *y, yaml_node_t *key, const char *name,
		      yaml_node_t *value)
{
	struct cosched_config *config = parse_of(y)->config;
	struct cosched_qos_class *class;
	char what[COSCHED_NAME_MAX + 16];
	void *p;

	if (find_class(config, name) >= 0) {
		cosched_yaml_problem(y, key, "class %s comes twice", name);
		return;
	}
	p = grow(y, config->classes, config->nr_classes, sizeof(*class));
	if (!p)
		return;
	config->classes = p;
	class = &config->classes[config->nr_classes];
	*class = (struct cosched_qos_class){
		.name = copy(y, name),
		.line = (unsigned int)key->start_mark.line + 1,
		.qos.numa_node = -1,
	};
	if (!class->name)
		return;
	config->nr_classes++;
	(void)snprintf(what, sizeof(what), "class %s", name);
	cosched_yaml_mapping(y, value, class_keys, what, &class->qos);
	check_qos(y, &class->qos, true, what);
}

static void take_classes(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	(void)object;
	parse_of(y)->classes = node;
}

/* Keys of a tenant get its settings; it is around them. */
#define TENANT(object) \
	((struct cosched_tenant *)(void *)((char *)(object) - \
					   offsetof(struct cosched_tenant, qos)))

static void take_tenant_class(struct cosched_yaml *y, yaml_node_t *node,
			      void *object)
{
	struct cosched_config *config = parse_of(y)->config;
	struct cosched_tenant *t = TENANT(object);
	const char *name = cosched_yaml_text(y, node, "class");
	char list[256] = "";
	size_t i, n = 0;

	if (!name)
		return;
	t->class = find_class(config, name);
	if (t->class >= 0)
		return;
	for (i = 0; i < config->nr_classes && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
				      i ? ", " : "", config->classes[i].name);
	bad_value(y, node, "class", name,
		  n ? list : "none, as there are no classes above");
}

static void take_cgroup(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	const char *text = cosched_yaml_text(y, node, "cgroup");
	char path[1024];

	if (!text)
		return;
	if (cosched_cgroup_normalise("/sys/fs/cgroup", text, path,
				     sizeof(path)) || !strcmp(path, "/"))
		bad_value(y, node, "cgroup", text,
			  "a path below the root, with * ? [] for parts of a name, such as "
			  "/tenants/a*");
	else
		TENANT(object)->cgroup = copy(y, path);
}

static bool is_unit(const char *text)
{
	static const char *const kinds[] = { ".service", ".scope", ".slice" };
	size_t i, len = strlen(text);

	for (i = 0; i < COSCHED_ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i]);

		if (len > n && len < 256 && !strcmp(text + len - n, kinds[i]))
			return !strchr(text, '/');
	}
	return false;
}

static void take_unit(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	const char *text = cosched_yaml_text(y, node, "unit");

	if (!text)
		return;
	if (!is_unit(text))
		bad_value(y, node, "unit", text,
			  "the name of a service, scope or slice, such as trainer@*.service");
	else
		TENANT(object)->unit = copy(y, text);
}

static void take_label(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	const char *text = cosched_yaml_text(y, node, "label");
	const char *equals = text ? strchr(text, '=') : NULL;
	char key[COSCHED_NAME_MAX];

	if (!text)
		return;
	(void)snprintf(key, sizeof(key), "%.*s",
		       equals ? (int)(equals - text < 63 ? equals - text : 0) : 0,
		       text);
	if (!equals || !is_word(key) || !is_word(equals + 1))
		bad_value(y, node, "label", text, "KEY=VALUE, such as tenant=a");
	else
		TENANT(object)->label = copy(y, text);
}

static const struct cosched_yaml_key tenant_keys[] = {
	{ "class", take_tenant_class },
	{ "cgroup", take_cgroup },
	{ "unit", take_unit },
	{ "label", take_label },
	QOS_KEYS,
	{}
};

static void add_tenant(struct cosched_yaml *y, yaml_node_t *key, const char *name,
		       yaml_node_t *value)
{
	struct cosched_config *config = parse_of(y)->config;
	struct cosched_tenant *t;
	char what[COSCHED_NAME_MAX + 16];
	size_t before = y->problems->n + y->problems->dropped;
	void *p = grow(y, config->tenants, config->nr_tenants, sizeof(*t));

	if (!p)
		return;
	config->tenants = p;
	t = &config->tenants[config->nr_tenants];
	*t = (struct cosched_tenant){
		.name = copy(y, name),
		.line = (unsigned int)key->start_mark.line + 1,
		.class = -1,
		.qos.numa_node = -1,
	};
	if (!t->name)
		return;
	config->nr_tenants++;
	(void)snprintf(what, sizeof(what), "tenant %s", name);
	cosched_yaml_mapping(y, value, tenant_keys, what, &t->qos);
	check_qos(y, &t->qos, false, what);
	if (y->problems->n + y->problems->dropped == before &&
	    !!t->cgroup + !!t->unit + !!t->label != 1)
		cosched_yaml_problem(y, key,
				     "tenant %s needs one of cgroup, unit and label, "
				     "to say which cgroups it has", name);
}

static void take_tenants(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	(void)object;
	parse_of(y)->tenants = node;
}

static void take_version(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	const char *text = cosched_yaml_text(y, node, "version");

	(void)object;
	if (text && strcmp(text, "1"))
		bad_value(y, node, "version", text, "1");
}

static void take_drift(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	struct cosched_config *config = parse_of(y)->config;
	const char *text = cosched_yaml_text(y, node, "drift");

	(void)object;
	if (!text)
		return;
	if (!strcmp(text, "revert"))
		config->drift = COSCHED_DRIFT_REVERT;
	else if (strcmp(text, "alert"))
		bad_value(y, node, "drift", text, "alert, revert");
}

/* "127.0.0.1:9464", "[::1]:9464". */
static bool parse_listen(const char *text, char *host, size_t size,
			 unsigned int *ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	unsigned char address[16];
	__u64 port;

	if (!n || n >= size || cosched_parse_u64(colon + 1, 1, 65535, &port))
		return false;
	*ret_port = (unsigned int)port;
	(void)snprintf(host, size, "%.*s", (int)n, text);
	if (host[0] != '[')
		return inet_pton(AF_INET, host, address) == 1;
	if (n < 3 || host[n - 1] != ']')
		return false;
	host[n - 1] = '\0';
	memmove(host, host + 1, n - 1);
	return inet_pton(AF_INET6, host, address) == 1;
}

static void take_listen(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	struct cosched_config *config = parse_of(y)->config;
	const char *text = cosched_yaml_text(y, node, "listen");
	char host[64];

	(void)object;
	if (!text || !strcmp(text, "off"))
		return;
	if (!parse_listen(text, host, sizeof(host), &config->metrics_port))
		bad_value(y, node, "listen", text,
			  "\"off\", or a numeric address and a port, such as "
			  "127.0.0.1:9464 or [::1]:9464");
	else
		config->metrics_address = copy(y, host);
}

static void take_most(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	const char *text = cosched_yaml_text(y, node, "tenants");
	__u64 value;

	(void)object;
	if (!text)
		return;
	if (cosched_parse_u64(text, 0, 2000, &value))
		bad_value(y, node, "tenants", text, "a number from 0 to 2000");
	else
		parse_of(y)->config->metrics_tenants = (unsigned int)value;
}

static void take_metrics(struct cosched_yaml *y, yaml_node_t *node, void *object)
{
	static const struct cosched_yaml_key keys[] = {
		{ "listen", take_listen }, { "tenants", take_most }, {}
	};

	cosched_yaml_mapping(y, node, keys, "metrics", object);
}

/* Classes before tenants, which name them, whatever their order is. */
static void take_root(struct cosched_yaml *y, yaml_node_t *root)
{
	static const struct cosched_yaml_key all[] = {
		{ "version", take_version }, { "drift", take_drift },
		{ "metrics", take_metrics }, { "classes", take_classes },
		{ "tenants", take_tenants }, {}
	};

	struct parse *parse = parse_of(y);

	cosched_yaml_mapping(y, root, all, "the file", NULL);
	if (parse->classes)
		take_named(y, parse->classes, "classes", COSCHED_CLASSES_MAX,
			   add_class);
	if (parse->tenants)
		take_named(y, parse->tenants, "tenants", COSCHED_TENANTS_MAX,
			   add_tenant);
}

static int by_name(const void *a, const void *b)
{
	const struct cosched_tenant *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order ? order : (*x)->line < (*y)->line ? -1 : 1;
}

/* By sorting: there may be many. */
static int check_tenants(struct cosched_yaml *y)
{
	struct cosched_config *config = parse_of(y)->config;
	_cleanup_free_ struct cosched_tenant **sorted =
		calloc(config->nr_tenants + 1, sizeof(*sorted));
	size_t i;

	if (!sorted)
		return -ENOMEM;
	for (i = 0; i < config->nr_tenants; i++)
		sorted[i] = &config->tenants[i];
	qsort(sorted, config->nr_tenants, sizeof(*sorted), by_name);
	for (i = 1; i < config->nr_tenants; i++)
		if (!strcmp(sorted[i]->name, sorted[i - 1]->name))
			cosched_problem_add(y->problems, sorted[i]->line, 1,
					    "tenant %s comes twice, first in line %u",
					    sorted[i]->name, sorted[i - 1]->line);
	return 0;
}

int cosched_config_parse_all(const char *text, size_t size,
			 struct cosched_config *ret_config,
			 struct cosched_problems *problems)
{
	struct cosched_config config = { .metrics_tenants = 200 };
	struct parse parse = { .config = &config };
	struct cosched_yaml y = { .problems = problems, .data = &parse };
	yaml_node_t *root;
	int r = cosched_yaml_load(&y, text, size);

	if (r)
		return r;
	root = yaml_document_get_root_node(&y.document);
	if (root)
		take_root(&y, root);
	else
		cosched_problem_add(problems, 1, 1, "the file is empty");
	r = check_tenants(&y);
	yaml_document_delete(&y.document);
	if (parse.no_memory)
		r = -ENOMEM;
	cosched_problems_sort(problems);
	if (!r && problems->n + problems->dropped)
		r = -EINVAL;
	*ret_config = config;
	return r;
}

int cosched_config_parse(const char *text, size_t size,
			 struct cosched_config *ret_config,
			 struct cosched_problems *problems)
{
	struct cosched_config config = {};
	int r = cosched_config_parse_all(text, size, &config, problems);

	if (r)
		cosched_config_free(&config);
	else
		*ret_config = config;
	return r;
}
