/*
 * world STATE RUN CGROUP IMAGE_BYTES NET NAME=REFERENCE...: the helper as it is, with keepers and
 * the real runtime, driven by lines on standard input, for tests that are written as scripts. NET
 * is "net" where leases shall have a network. BACKEND in the environment is what runs them where
 * they name no offer; DOCKER_HOST is Docker's daemon.
 *
 *   start ID SPEC-FILE [OFFER]  -> "running", or "failed STAGE: WHY"; OFFER is a backend's name
 *   many COUNT SPEC-FILE    -> "running N failed N", all asked for at once, under ids from 1 on
 *   exec ID USER ARG...     -> "exec OUTCOME STATUS BYTES BYTES", then output and errors
 *                              (USER "-" is the lease's own)
 *   beside ID IMAGE ARG...  -> the same, of another image beside the lease's own
 *
 *   destroy ID              -> "erased", or "left: WHY"
 *
 *   pid                     -> the helper's process
 */
#include "../root/helper_world.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#define WORDS		 512
#define IMAGES		 64
#define OUTPUT		 65536
#define EXEC_MS		 60000
#define ADDR(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (c) << 8 | (d))

static const uint32_t RESOLVERS[] = {ADDR(9, 9, 9, 9)};
static const struct tenant_net NET = {.table = "leasedescape",
				      .link = "le",
				      .base = ADDR(10, 212, 0, 0),
				      .slots = 256,
				      .resolvers = RESOLVERS,
				      .nresolvers = ARRAY_SIZE(RESOLVERS),
				      .source = {.first = 20000, .each = 100},
				      .rate = 50000000};

static int read_spec(struct priv_start *m, const char *id, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_json struct json *j = NULL;

	*m = (struct priv_start){.generation = 1, .deadline = clock_wall() + 600};
	memcpy(m->owner, OWNER, sizeof(m->owner));
	memcpy(m->id, id, PRIV_ID_LEN + 1);
	if (fs_read(&text, path, e) != 0 || json_parse(&j, str_trim(buf_view(&text)), NULL, e) < 0)
		return -1;
	if (spec_read(&m->spec, j, e) < 0)
		return -1;
	m->volume_bytes = m->spec.limits.disk;
	return 0;
}

static void say_start(const struct answer *a)
{
	if (a->err.kind)
		printf("failed request: %s\n", a->err.msg);
	else if (a->r.start.outcome == PRIV_START_RUNNING)
		puts("running");
	else
		printf("failed %s: %s\n", priv_stage_name(a->r.start.stage), a->r.start.message);
}

static const struct helper_offer OFFERS[] = {{.name = "oci", .backend = "oci"},
					     {.name = "docker", .backend = "docker"}};

static void start(struct world *w, char **words)
{
	struct priv_start m;
	struct answer a;
	struct err err;

	if (strlen(words[1]) != PRIV_ID_LEN || read_spec(&m, words[1], words[2], &err) < 0) {
		printf("failed spec: %s\n", err.msg);
		return;
	}
	m.offer = words[3] ? words[3] : (char *)"";
	do_start(w, &m, &a);
	m.offer = NULL;
	say_start(&a);
	if (!a.err.kind)
		free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
}

struct crowd {
	unsigned running, failed;
};

static void one_of_many(void *ctx, const struct priv_start_reply *r, const struct err *e)
{
	struct crowd *c = ctx;

	if (r && !e && r->outcome == PRIV_START_RUNNING)
		c->running++;
	else
		c->failed++;
	if (e || r->outcome != PRIV_START_RUNNING)
		fprintf(stderr, "start: %s\n", e ? e->msg : r->message);
}

static void many(struct world *w, char **words)
{
	uint64_t n = 0;
	int64_t end = clock_mono_ms() + 4 * WAIT_MS;
	struct crowd c = {0};

	if (str_u64(str_of(words[1]), 1000, &n, NULL) < 0)
		n = 0;
	for (unsigned i = 0; i < n; i++) {
		auto_free char *id = mem_printf("%016x", i + 1);
		struct priv_start m;
		struct err err;

		if (read_spec(&m, id, words[2], &err) < 0) {
			printf("failed spec: %s\n", err.msg);
			return;
		}
		priv_client_start(w->client, &m, one_of_many, &c);
		spec_clear(&m.spec);
	}
	while (c.running + c.failed < n && clock_mono_ms() < end)
		loop_turn(w->loop, 100);
	printf("running %u failed %u\n", c.running, (unsigned)n - c.running);
}

static void exec_inside(struct world *w, char **words, size_t n)
{
	bool beside = strcmp(words[0], "beside") == 0;
	struct priv_exec m = {.argv = {words + 3, n - 3},
			      .image = beside ? words[2] : (char *)"",
			      .user = beside || strcmp(words[2], "-") == 0 ? (char *)"" : words[2],
			      .cwd = (char *)"",
			      .timeout_ms = EXEC_MS,
			      .output_max = OUTPUT};
	struct answer a;

	memcpy(m.id, words[1], PRIV_ID_LEN + 1);
	name_exec(&m);
	do_exec(w, &m, &a);
	if (a.err.kind) {
		printf("exec refused 0 0 %zu\n%s", strlen(a.err.msg), a.err.msg);
		return;
	}
	printf("exec %d %u %zu %zu\n", (int)a.r.exec.outcome, a.r.exec.exit_status, a.r.exec.out.n,
	       a.r.exec.err.n);
	fwrite(a.r.exec.out.p, 1, a.r.exec.out.n, stdout);
	fwrite(a.r.exec.err.p, 1, a.r.exec.err.n, stdout);
	free_answer(&a, PRIV_BOX_EXEC);
}

static void destroy(struct world *w, char **words)
{
	struct priv_destroy m;
	struct answer a;

	memcpy(m.id, words[1], PRIV_ID_LEN + 1);
	do_destroy(w, &m, &a);
	if (a.err.kind)
		printf("left: %s\n", a.err.msg);
	else if (a.r.destroy.erased)
		puts("erased");
	else
		printf("left: %s\n", a.r.destroy.message);
	if (!a.err.kind)
		free_answer(&a, PRIV_BOX_DESTROY);
}

static void obey(struct world *w, char *line)
{
	char *words[WORDS + 1] = {NULL};
	size_t n = 0;

	while (*line && n < WORDS) {
		size_t length = strcspn(line, " \n");

		words[n++] = line;
		line += length;
		if (*line)
			*line++ = '\0';
	}
	if (n >= 3 && strcmp(words[0], "start") == 0)
		start(w, words);
	else if (n >= 3 && strcmp(words[0], "many") == 0)
		many(w, words);
	else if (n >= 4 && (strcmp(words[0], "exec") == 0 || strcmp(words[0], "beside") == 0))
		exec_inside(w, words, n);
	else if (n >= 2 && strcmp(words[0], "destroy") == 0)
		destroy(w, words);
	else if (n >= 1 && strcmp(words[0], "pid") == 0)
		printf("%d\n", (int)w->helper);
	else
		puts("failed: not a command");
	puts("."); /* the end of an answer */
	fflush(stdout);
}

static size_t take_images(struct helper_image *images, char **args)
{
	size_t n = 0;

	for (; *args && n < IMAGES; args++, n++) {
		char *mark = strchr(*args, '=');

		if (!mark)
			return 0;
		*mark = '\0';
		images[n] = (struct helper_image){*args, mark + 1};
	}
	return n;
}

int main(int argc, char **argv)
{
	struct helper_image images[IMAGES];
	const char *build = getenv("BUILD_DIR"), *runtime = getenv("LEASED_TEST_RUNTIME");
	const char *backend = getenv("BACKEND");
	auto_buf struct buf why = BUF(900);
	struct world w = {0};
	uint64_t image_bytes;
	struct err err;
	char *text = NULL;
	size_t size = 0;

	if (argc < 7 || str_u64(str_of(argv[4]), INT64_MAX, &image_bytes, NULL) < 0)
		return 2;
	w.c = (struct helper_config){.state_dir = argv[1],
				     .run_dir = argv[2],
				     .libexec_dir = build ? build : ".",
				     .runtime = runtime ? runtime : "runc",
				     .cgroup = argv[3],
				     .allow_cgroup_v1 = true,
				     .images = images,
				     .nimages = take_images(images, argv + 6),
				     .image_bytes = image_bytes,
				     .net = strcmp(argv[5], "net") == 0 ? &NET : NULL,
				     .backend = backend,
				     .docker_host = getenv("DOCKER_HOST")};
	if (w.c.docker_host) {
		w.c.offers = OFFERS;
		w.c.noffers = ARRAY_SIZE(OFFERS);
	}
	if (helper_fit(&w.c, &why, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	helper_up(&w);
	while (getline(&text, &size, stdin) > 0)
		obey(&w, text);
	free(text);
	helper_down(&w, SIGTERM);
	return 0;
}
