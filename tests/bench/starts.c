/*
 * starts STATE RUN CGROUP LAYOUT PREPARED [ACTIVATION]: what `make bench` measures of the helper
 * alone, with its keepers and the real runtime. Commands come on standard input, one a line; each
 * is answered by one line on standard output, "failed WHY" or "ok MICROSECONDS" with what there is
 * to add:
 *
 *   start N     N leases, all asked for at once: from the first request's leaving to the last
 *               reply that a lease runs. Added are the stages of the last one (priv_start_reply)
 *   end         all of these leases (not timed)
 *   ready       wait until PREPARED volumes are (not timed)
 *   run ARG...  any program, to its end
 *
 * A lease has a user namespace, the filter of system calls, a network with its own source ports,
 * bandwidth limits and counters, and limits of processor, memory, processes and disk.
 */
#include "../root/helper_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#define IMAGE		 "bench"
#define DISK		 ((uint64_t)1 << 30)
#define MEMORY		 ((uint64_t)512 << 20)
#define READY_MS	 120000
#define WORDS		 32
#define ADDR(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (c) << 8 | (d))

static const uint32_t RESOLVERS[] = {ADDR(9, 9, 9, 9)};
static struct tenant_net net = {.table = "leasedbench",
				.link = "lb",
				.base = ADDR(10, 212, 0, 0),
				.slots = 256,
				.resolvers = RESOLVERS,
				.nresolvers = ARRAY_SIZE(RESOLVERS),
				.source = {.first = 20000, .each = 100},
				.rate = 50000000};

struct bench {
	struct world w;
	unsigned leases;	       /* of the last start */
	char digest[SPEC_DIGEST_SIZE]; /* of the image, as core pins it; empty: not known yet */
};

/* --- starts --- */

struct crowd {
	unsigned answers;
	int64_t last_us;
	struct priv_start_reply last;
	struct err failed; /* kind 0: none */
};

static void one_runs(void *ctx, const struct priv_start_reply *r, const struct err *e)
{
	struct crowd *c = ctx;

	c->last_us = clock_mono_us();
	c->answers++;
	if (e)
		c->failed = *e;
	else if (r->outcome != PRIV_START_RUNNING)
		err_set(&c->failed, ERRK_PEER, "%s: %s", priv_stage_name(r->stage), r->message);
	else
		c->last = *r;
}

static void name_lease(char id[static PRIV_ID_LEN + 1], unsigned n)
{
	snprintf(id, PRIV_ID_LEN + 1, "%016x", n + 1);
}

/* What core asks before it takes money. */
static int pin(struct bench *b, struct err *e)
{
	struct priv_image m = {.name = (char *)IMAGE};
	struct answer a;

	do_image(&b->w, &m, &a);
	if (a.err.kind || a.r.image.outcome != PRIV_IMAGE_FOUND)
		return err_set(e, ERRK_PEER, "image: %s",
			       a.err.kind ? a.err.msg : a.r.image.message);
	if (!spec_is_digest(str_of(a.r.image.digest)))
		return err_set(e, ERRK_PEER, "image: no digest");
	memcpy(b->digest, a.r.image.digest, sizeof(b->digest));
	free_answer(&a, PRIV_IMAGE);
	return 0;
}

static int fill(struct priv_start *m, const struct bench *b, unsigned n, struct err *e)
{
	*m = (struct priv_start){
		.generation = 1, .deadline = clock_wall() + 600, .volume_bytes = DISK};
	name_lease(m->id, n);
	memcpy(m->owner, OWNER, sizeof(m->owner));
	m->spec.limits =
		(struct spec_limits){.cpu = 1000, .memory = MEMORY, .pids = 256, .disk = DISK};
	memcpy(m->spec.digest, b->digest, sizeof(m->spec.digest));
	if (spec_set_image(&m->spec, STR(IMAGE), e) < 0 ||
	    spec_add_arg(&m->spec, STR("sleep"), e) < 0)
		return -1;
	return spec_add_arg(&m->spec, STR("1000"), e);
}

static int start(struct bench *b, char **words, struct err *e)
{
	int64_t from, end = clock_mono_ms() + READY_MS;
	struct crowd c = {0};
	uint64_t n;

	if (str_u64(str_of(words[0]), 200, &n, e) < 0 || (!*b->digest && pin(b, e) < 0))
		return -1;
	b->leases = (unsigned)n;
	from = clock_mono_us();
	for (unsigned i = 0; i < n; i++) {
		struct priv_start m;

		if (fill(&m, b, i, e) < 0)
			return -1;
		priv_client_start(b->w.client, &m, one_runs, &c);
		spec_clear(&m.spec);
	}
	while (c.answers < n && clock_mono_ms() < end)
		loop_turn(b->w.loop, 100);
	if (c.answers < n)
		return err_set(e, ERRK_PEER, "%u of %u starts answered", c.answers, b->leases);
	if (c.failed.kind)
		return err_set(e, ERRK_PEER, "%s", c.failed.msg);
	printf("ok %lld image %u volume %u bundle %u keeper %u create %u start %u%s\n",
	       (long long)(c.last_us - from), c.last.image_us, c.last.volume_us, c.last.bundle_us,
	       c.last.keeper_us, c.last.create_us, c.last.start_us,
	       c.last.prepared ? " prepared 1" : "");
	return 0;
}

/* --- the rest --- */

static int end(struct bench *b, char **words, struct err *e)
{
	for (; b->leases > 0; b->leases--) {
		struct priv_destroy m;
		struct answer a;

		name_lease(m.id, b->leases - 1);
		do_destroy(&b->w, &m, &a);
		if (a.err.kind || !a.r.destroy.erased)
			return err_set(e, ERRK_PEER, "lease %s: %s", m.id,
				       a.err.kind ? a.err.msg : a.r.destroy.message);
		free_answer(&a, PRIV_BOX_DESTROY);
	}
	puts("ok 0");
	return 0;
}

static int ready(struct bench *b, char **words, struct err *e)
{
	int64_t until = clock_mono_ms() + READY_MS;
	unsigned want = b->w.prepared.count, have = 0;

	while (have < want && clock_mono_ms() < until) {
		const struct priv_node m = {0};
		struct answer a;

		do_node(&b->w, &m, &a);
		if (a.err.kind)
			return err_set(e, ERRK_PEER, "%s", a.err.msg);
		have = a.r.node.prepared;
		free_answer(&a, PRIV_NODE);
		pause_ms(20);
	}
	if (have < want)
		return err_set(e, ERRK_PEER, "%u of %u volumes are prepared", have, want);
	puts("ok 0");
	return 0;
}

static int run(struct bench *b, char **words, struct err *e)
{
	struct proc_spec spec = {
		.argv = (const char *const *)words, .in = -1, .out = -1, .err = -1};
	int64_t from = clock_mono_us();
	int status;
	pid_t pid;

	if (proc_start(&pid, &spec, e) < 0)
		return -1;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return err_set(e, ERRK_PEER, "%s %s failed", words[0], words[1]);
	printf("ok %lld\n", (long long)(clock_mono_us() - from));
	return 0;
}

static const struct {
	const char *name;
	size_t words; /* at least, after it */
	int (*run)(struct bench *b, char **words, struct err *e);
} commands[] = {{"start", 1, start}, {"end", 0, end}, {"ready", 0, ready}, {"run", 2, run}};

static void obey(struct bench *b, char *line)
{
	char *words[WORDS + 2] = {NULL}, *rest = line, *word;
	struct err err;
	size_t n = 0;

	while (n <= WORDS && (word = strsep(&rest, " \n")))
		if (*word)
			words[n++] = word;
	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, words[0]) || n - 1 < commands[i].words)
			continue;
		if (commands[i].run(b, words + 1, &err) < 0)
			printf("failed %s\n", err.msg);
		return;
	}
	puts("failed no such command");
}

/* One that is not encrypted runs beside one that is: with a network of its own. */
static int choose(struct bench *b, const char *activation, struct err *e)
{
	if (volume_activation_parse(&b->w.c.activation, str_of(activation), e) < 0 ||
	    volume_probe(b->w.c.activation, e) < 0)
		return -1;
	if (b->w.c.activation == VOLUME_PLAIN) {
		net.table = "leasedbench2";
		net.link = "lc";
		net.base = ADDR(10, 213, 0, 0);
		b->w.c.id_base += 256u << 16;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *build = getenv("BUILD_DIR");
	auto_buf struct buf why = BUF(900);
	struct bench b = {0};
	auto_free char *line = NULL;
	uint64_t prepared;
	size_t size = 0;
	struct err err;

	if (argc < 6 || argc > 7 || str_u64(str_of(argv[5]), 100, &prepared, NULL) < 0)
		return 2;
	b.w.ref = mem_printf("oci:%s:latest", argv[4]);
	b.w.image = (struct helper_image){IMAGE, b.w.ref};
	b.w.prepared = (struct helper_prepared){DISK, (unsigned)prepared};
	b.w.c = (struct helper_config){.state_dir = argv[1],
				       .run_dir = argv[2],
				       .libexec_dir = build ? build : ".",
				       .runtime = "runc",
				       .cgroup = argv[3],
				       .allow_cgroup_v1 = true,
				       .images = &b.w.image,
				       .nimages = 1,
				       .net = &net,
				       .prepared = &b.w.prepared,
				       .nprepared = 1};
	if (helper_fit(&b.w.c, &why, &err) < 0 || (argc == 7 && choose(&b, argv[6], &err) < 0)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	fprintf(stderr, "%s\n", why.p ? why.p : "");
	helper_up(&b.w);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (getline(&line, &size, stdin) > 0)
		obey(&b, line);
	helper_down(&b.w, SIGTERM);
	free(b.w.ref);
	return 0;
}
