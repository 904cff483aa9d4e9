// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plan on trees made up here: what it writes, what it refuses, and on
 * random trees that no write ever leaves a cgroup outside its parent.
 * Usage: test_qosplan [SEED]
 */
#include "common/cleanup.h"
#include "config/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"

#define NR(a) COSCHED_ARRAY_SIZE(a)
#define ALL ((1U << COSCHED_NR_CONTROLLERS) - 1)

static struct cosched_cgroup node(const char *path, int parent, unsigned int depth)
{
	return (struct cosched_cgroup){
		.path = strdup(path), .id = 100, .parent = parent, .depth = depth,
		.tenant = -1, .has = ALL, .gives = ALL,
	};
}

static struct cosched_tree make_tree(const struct cosched_cgroup *nodes, size_t n)
{
	struct cosched_tree tree = { malloc(n * sizeof(*nodes)), n };
	size_t i;

	memcpy(tree.node, nodes, n * sizeof(*nodes));
	for (i = 0; i < n; i++)
		tree.node[i].id = 100 + i;
	return tree;
}

static struct cosched_config configure(const char *text)
{
	struct cosched_problems p = {};
	struct cosched_config c = {};
	int r = cosched_config_parse(text, strlen(text), &c, &p);

	if (r)
		printf("# %d %s\n", r, p.n ? p.problem[0].text : "");
	cosched_problems_free(&p);
	return c;
}

static struct cosched_plan plan_for(const struct cosched_config *c,
				    struct cosched_tree *tree,
				    const struct cosched_state *state,
				    struct cosched_plan_options options)
{
	struct cosched_plan plan = {};
	int r;

	cosched_tree_match(tree, c, NULL);
	r = cosched_plan_make(c, tree, state, &options, &plan);
	if (r)
		printf("# plan: %d\n", r);
	return plan;
}

static bool is_write(const struct cosched_plan *p, size_t i, size_t at,
		     int setting, const char *old, const char *new)
{
	const struct cosched_write *w = &p->write[i];

	return i < p->nr_writes && w->node == at && w->setting == setting &&
	       !strcmp(w->old, old) && !strcmp(w->new, new);
}

static void set(struct cosched_cgroup *n, int setting, const char *value)
{
	free(n->value[setting]);
	n->value[setting] = strdup(value);
}

/* Carry out the first @n writes. */
static void carry_out(struct cosched_tree *tree, const struct cosched_plan *p,
		      size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p->write[i].setting < COSCHED_NR_SETTINGS)
			set(&tree->node[p->write[i].node], p->write[i].setting,
			    p->write[i].new);
}

static void take_state(struct cosched_state *state, struct cosched_plan *p)
{
	cosched_state_free(state);
	*state = p->next;
	p->next = (struct cosched_state){};
	cosched_plan_free(p);
}

static void test_life(void)
{
	struct cosched_tree tree = make_tree((struct cosched_cgroup[]){
		node("/", -1, 0), node("/t", 0, 1), node("/t/a", 1, 2),
		node("/t/b", 1, 2) }, 4);
	struct cosched_config c = configure(
		"tenants: {a: {cgroup: /t/a, cpu.weight: 900}, "
		"b: {cgroup: /t/*, cpu.weight: 50, memory.high: 1G}}");
	struct cosched_config none = configure("version: 1");
	struct cosched_state state = {};
	struct cosched_plan p;

	tree.node[1].gives = 1U << COSCHED_CTL_CPU;
	tree.node[3].has = 1U << COSCHED_CTL_CPU;
	set(&tree.node[2], COSCHED_SET_CPU_WEIGHT, "100");
	set(&tree.node[3], COSCHED_SET_CPU_WEIGHT, "50");
	p = plan_for(&c, &tree, &state, (struct cosched_plan_options){});
	CHECK(p.nr_writes == 3 && !p.nr_errors, "three writes: %zu", p.nr_writes);
	CHECK(is_write(&p, 0, 1, COSCHED_WRITE_CONTROLLERS, "-memory", "+memory"),
	      "the controller first");
	CHECK(is_write(&p, 1, 2, COSCHED_SET_CPU_WEIGHT, "100", "900"),
	      "the first tenant that matches");
	CHECK(is_write(&p, 2, 3, COSCHED_SET_MEMORY_HIGH, "max", "1073741824"),
	      "a file that comes with its controller");
	carry_out(&tree, &p, p.nr_writes);
	take_state(&state, &p);
	CHECK(state.n == 3 && state.generation == 1, "three are owned");

	p = plan_for(&c, &tree, &state, (struct cosched_plan_options){});
	CHECK(p.nr_writes == 1 && !p.nr_notes, "again: only the controller's");
	take_state(&state, &p);

	set(&tree.node[2], COSCHED_SET_CPU_WEIGHT, "7");
	tree.node[1].gives = ALL;
	p = plan_for(&c, &tree, &state, (struct cosched_plan_options){});
	CHECK(!p.nr_writes && p.nr_notes == 1 &&
	      p.note[0].kind == COSCHED_NOTE_DRIFT, "drift is told, and left");
	take_state(&state, &p);
	p = plan_for(&c, &tree, &state, (struct cosched_plan_options){});
	CHECK(!p.nr_writes && !p.nr_notes, "... once");
	cosched_plan_free(&p);
	p = plan_for(&c, &tree, &state, (struct cosched_plan_options){ .revert = true });
	CHECK(is_write(&p, 0, 2, COSCHED_SET_CPU_WEIGHT, "7", "900"), "or reverted");
	carry_out(&tree, &p, p.nr_writes);
	take_state(&state, &p);

	set(&tree.node[3], COSCHED_SET_CPU_WEIGHT, "60");
	p = plan_for(&none, &tree, &state, (struct cosched_plan_options){});
	CHECK(p.nr_writes == 2 &&
	      is_write(&p, 0, 2, COSCHED_SET_CPU_WEIGHT, "900", "100") == 0 &&
	      p.nr_notes == 1 && !p.next.n,
	      "unconfigured: originals are back, not over somebody else's");
	carry_out(&tree, &p, p.nr_writes);
	CHECK(!strcmp(tree.node[2].value[COSCHED_SET_CPU_WEIGHT], "100") &&
	      !strcmp(tree.node[3].value[COSCHED_SET_MEMORY_HIGH], "max") &&
	      !strcmp(tree.node[3].value[COSCHED_SET_CPU_WEIGHT], "60"),
	      "each as it was");
	cosched_plan_free(&p);
	cosched_state_free(&state);
	cosched_config_free(&c);
	cosched_config_free(&none);
	cosched_tree_free(&tree);
}

static void test_canary(void)
{
	struct cosched_tree tree = make_tree((struct cosched_cgroup[]){
		node("/", -1, 0), node("/a", 0, 1), node("/b", 0, 1) }, 3);
	struct cosched_config c = configure(
		"classes: {x: {cpu.weight: 5, canary: early}}\n"
		"tenants: {a: {cgroup: /a, class: x}, b: {cgroup: /b, cpu.weight: 6}}");
	struct cosched_state state = {};
	struct cosched_plan p;

	set(&tree.node[1], COSCHED_SET_CPU_WEIGHT, "100");
	set(&tree.node[2], COSCHED_SET_CPU_WEIGHT, "100");
	p = plan_for(&c, &tree, &state,
		     (struct cosched_plan_options){ .canary = "early" });
	CHECK(p.nr_writes == 1 && p.write[0].node == 1, "the canary group only");
	take_state(&state, &p);
	p = plan_for(&c, &tree, &state,
		     (struct cosched_plan_options){ .not_canary = "early" });
	CHECK(p.nr_writes == 1 && p.write[0].node == 2 && p.next.n == 2,
	      "all but it; what it owns stays owned");
	cosched_plan_free(&p);
	p = plan_for(&c, &tree, &state, (struct cosched_plan_options){
		.skip = (const __u64[]){ 102 }, .nr_skip = 1, .revert = true });
	CHECK(p.nr_writes == 1 && p.write[0].node == 1, "one that is left out");
	cosched_plan_free(&p);
	cosched_state_free(&state);
	cosched_config_free(&c);
	cosched_tree_free(&tree);
}

static void test_refused(void)
{
	struct cosched_tree tree = make_tree((struct cosched_cgroup[]){
		node("/", -1, 0), node("/a", 0, 1), node("/a/b", 1, 2) }, 3);
	struct cosched_config c = configure(
		"tenants: {a: {cgroup: /a, cpuset.cpus: 0-1}, "
		"b: {cgroup: /a/b, memory.min: 1G, dmem.max: r 1}}");
	struct cosched_state state = {};
	struct cosched_plan p;
	int i;

	for (i = 1; i < 3; i++) {
		set(&tree.node[i], COSCHED_SET_CPUSET_CPUS, "1-2");
		set(&tree.node[i], COSCHED_SET_MEMORY_MIN, "0");
	}
	tree.node[0].has = ALL & ~(1U << COSCHED_CTL_DMEM);
	tree.node[2].has = tree.node[0].has;
	p = plan_for(&c, &tree, &state, (struct cosched_plan_options){});
	CHECK(p.nr_errors == 2 && p.nr_notes == 3, "what would not work: %zu %zu",
	      p.nr_errors, p.nr_notes);
	CHECK(strstr(p.note[0].text, "dmem"), "%s", p.note[0].text);
	CHECK(p.note[1].node == 2 && strstr(p.note[1].text, "would not be within"),
	      "%s", p.note[1].text);
	CHECK(p.note[2].kind == COSCHED_NOTE_WARNING &&
	      strstr(p.note[2].text, "above it"), "%s", p.note[2].text);
	cosched_plan_free(&p);
	tree.node[0].has = tree.node[2].has = ALL;
	tree.node[1].gives = tree.node[2].has = 0;
	tree.node[1].busy = true;
	p = plan_for(&c, &tree, &state, (struct cosched_plan_options){});
	CHECK(p.nr_errors && strstr(p.note[0].text, "processes of its own"), "%s",
	      p.note[0].text);
	cosched_plan_free(&p);
	cosched_config_free(&c);
	cosched_tree_free(&tree);
}

/* A random set of CPUs within @in (a mask), "" sometimes. */
static unsigned int random_within(unsigned int in)
{
	unsigned int mask = in & (unsigned int)random();

	return mask ? mask : in;
}

static const char *print_mask(unsigned int mask)
{
	static char text[64], out[COSCHED_VALUE_MAX];
	size_t n = 0;
	int i;

	for (i = 0; i < 8; i++)
		if (mask >> i & 1)
			n += (size_t)sprintf(text + n, "%s%d", n ? "," : "", i);
	(void)cosched_setting_parse(COSCHED_SET_CPUSET_CPUS, text, out);
	return out;
}

static bool fits(const struct cosched_tree *tree, size_t i)
{
	static const int nested[] = { COSCHED_SET_CPUSET_CPUS,
				      COSCHED_SET_MEMORY_HIGH,
				      COSCHED_SET_CPU_MAX };
	const struct cosched_cgroup *n = &tree->node[i];
	char join[COSCHED_VALUE_MAX];
	size_t k;

	for (k = 0; n->parent > 0 && k < NR(nested); k++) {
		const char *above = tree->node[n->parent].value[nested[k]];

		if (cosched_setting_join(nested[k], n->value[nested[k]], above,
					 join) || strcmp(join, above))
			return false;
	}
	return true;
}

#define NODES 24

struct shape {
	int parent[NODES];
	unsigned int cpus[NODES];
	unsigned long pages[NODES];
};

/* Values that fit into those of the parents. */
static void random_values(struct shape *s)
{
	int i;

	for (i = 1; i < NODES; i++) {
		int up = s->parent[i];

		s->cpus[i] = random_within(up ? s->cpus[up] : 0xff);
		s->pages[i] = 1 + (unsigned long)random() %
					  (up ? s->pages[up] : 100000);
	}
}

static void assign(struct cosched_tree *tree, const struct shape *s)
{
	char text[64];
	int i;

	for (i = 1; i < NODES; i++) {
		struct cosched_cgroup *n = &tree->node[i];

		set(n, COSCHED_SET_CPUSET_CPUS, print_mask(s->cpus[i]));
		(void)sprintf(text, "%lu", s->pages[i] * 4096);
		set(n, COSCHED_SET_MEMORY_HIGH, text);
		(void)sprintf(text, "%lu 100000", s->pages[i] * 1000);
		set(n, COSCHED_SET_CPU_MAX, text);
	}
}

static struct cosched_config configure_shape(const struct cosched_tree *tree,
					     const struct shape *s)
{
	char *text = malloc(NODES * 256);
	struct cosched_config c;
	size_t n = (size_t)sprintf(text, "tenants:\n");
	int i;

	for (i = 1; i < NODES; i++)
		n += (size_t)sprintf(text + n, "  t%d: {cgroup: %s, cpuset.cpus: \"%s\", "
				     "memory.high: %lu, cpu.max: %lu/100ms}\n", i,
				     tree->node[i].path, print_mask(s->cpus[i]),
				     s->pages[i] * 4096, s->pages[i] * 1000);
	c = configure(text);
	free(text);
	return c;
}

static struct cosched_tree random_tree(struct shape *s)
{
	struct cosched_cgroup nodes[NODES] = { node("/", -1, 0) };
	char path[512];
	int i;

	for (i = 1; i < NODES; i++) {
		int up = (int)(random() % i);

		(void)snprintf(path, sizeof(path), "%s/n%d",
			       up ? nodes[up].path : "", i);
		s->parent[i] = up;
		nodes[i] = node(path, up, nodes[up].depth + 1);
	}
	return make_tree(nodes, NODES);
}

static bool holds_throughout(struct cosched_tree *tree,
			     const struct cosched_plan *p)
{
	size_t i, k;

	for (i = 0; i < p->nr_writes; i++) {
		const struct cosched_write *w = &p->write[i];

		if (strcmp(tree->node[w->node].value[w->setting], w->old))
			return false;
		set(&tree->node[w->node], w->setting, w->new);
		for (k = 1; k < tree->n; k++)
			if (!fits(tree, k))
				return false;
	}
	return true;
}

static void test_random(unsigned int rounds)
{
	unsigned int i, bad = 0, steps = 0, wrong = 0;

	for (i = 0; i < rounds; i++) {
		struct cosched_state state = {};
		struct shape s = {};
		struct cosched_tree tree = random_tree(&s);
		struct cosched_config c, none = configure("version: 1");
		struct cosched_plan p;
		size_t k;

		random_values(&s);
		assign(&tree, &s);
		random_values(&s);
		c = configure_shape(&tree, &s);
		p = plan_for(&c, &tree, &state, (struct cosched_plan_options){});
		for (k = 0; k < p.nr_writes; k++)
			steps += p.write[k].step;
		bad += p.nr_errors || !holds_throughout(&tree, &p);
		take_state(&state, &p);
		p = plan_for(&c, &tree, &state, (struct cosched_plan_options){});
		wrong += p.nr_writes != 0;
		cosched_plan_free(&p);
		p = plan_for(&none, &tree, &state, (struct cosched_plan_options){});
		bad += !holds_throughout(&tree, &p);
		cosched_plan_free(&p);
		cosched_state_free(&state);
		cosched_config_free(&c);
		cosched_config_free(&none);
		cosched_tree_free(&tree);
	}
	CHECK(!bad, "%u random trees: each cgroup stays within its parent, there "
		    "and back (%u bad)", rounds, bad);
	CHECK(!wrong, "a second plan has nothing to write");
	CHECK(steps, "some went in two steps (%u)", steps);
}

int main(int argc, char **argv)
{
	unsigned int seed = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) :
				       (unsigned int)time(NULL);

	printf("# seed %u\n", seed);
	srandom(seed);
	test_life();
	test_canary();
	test_refused();
	test_random(150);
	return check_done();
}
