/* See helper_world.h. */
#include "helper_world.h"

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "backend/cgroup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/secret.h"
#include "base/step.h"
#include "helper/helper.h"
#include "helper/record.h"
#include "priv/client.h"
#include "priv/logline.h"
#include "volume/overlay.h"

/* the helper, as a process */

int helper_fit(struct helper_config *c, struct buf *why, struct err *e)
{
	if (helper_choose_activation(&c->activation, why, e) < 0)
		return -1;
	if (overlay_probe_idmap(c->state_dir, e) == 0) {
		c->id_base = 1879048192u;
		c->id_slots = 256;
	}
	return 0;
}

static void helper_stop(void *ctx)
{
	loop_stop(ctx);
}

struct child {
	struct loop *loop;
	struct helper *helper;
};

static void on_term(void *ctx, int signo)
{
	struct child *ch = ctx;

	helper_shut_down(ch->helper, helper_stop, ch->loop);
}

static void helper_child(const struct helper_config *c, int fd)
{
	struct child ch = {0};
	struct err err;

	log_open("helper", LOGL_WARN);
	if (loop_new(&ch.loop, &err) < 0 ||
	    loop_signal_add(ch.loop, SIGTERM, on_term, &ch, &err) < 0 ||
	    helper_new(&ch.helper, ch.loop, c, &err) < 0 || helper_serve(ch.helper, fd, &err) < 0) {
		fprintf(stderr, "helper: %s\n", err.msg);
		_exit(1);
	}
	loop_run(ch.loop);
	helper_free(ch.helper);
	loop_free(ch.loop);
	_exit(0);
}

static void on_event(void *ctx, const struct priv_event *ev)
{
	struct world *w = ctx;

	w->event = *ev;
	w->events++;
}

void helper_up(struct world *w)
{
	struct priv_client_hooks hooks = {.event = on_event, .gone = NULL, .ctx = w};
	sigset_t term, old;
	struct err err;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	/* one that comes before it listens for it waits */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	w->helper = fork();
	if (w->helper == 0) {
		close(pair[0]);
		if (w->keeper_step)
			setenv("LEASED_TEST_KEEPER", w->keeper_step, 1);
		if (w->step && step_arm(w->step, &err) < 0)
			_exit(1);
		helper_child(&w->c, pair[1]);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(pair[1]);
	assert_int_equal(loop_new(&w->loop, &err), 0);
	assert_int_equal(priv_client_new(&w->client, w->loop, pair[0], &hooks, &err), 0);
}

void helper_down(struct world *w, int signal)
{
	int status;

	kill(w->helper, signal);
	waitpid(w->helper, &status, 0);
	if (signal == SIGTERM)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	priv_client_free(steal(&w->client));
	loop_free(steal(&w->loop));
}

/* requests, made to wait for their answers */

static void take_answer(struct answer *a, enum priv_kind k, const void *r, const struct err *e)
{
	auto_buf struct buf copy = BUF(PRIV_FRAME_MAX);
	struct err err;

	a->done = true;
	if (e) {
		a->err = *e;
		return;
	}
	assert_int_equal(wire_encode(&copy, priv_reply_table(k), r, &err), 0);
	assert_int_equal(wire_decode(&a->r, priv_reply_table(k), buf_view(&copy), &err), 0);
}

void wait_answer(struct world *w, struct answer *a)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	while (!a->done && clock_mono_ms() < end)
		loop_turn(w->loop, 100);
	assert_true(a->done);
}

#define X(upper, lower)                                                                            \
	static void on_##lower(void *ctx, const struct priv_##lower##_reply *r,                    \
			       const struct err *e)                                                \
	{                                                                                          \
		take_answer(ctx, PRIV_##upper, r, e);                                              \
	}                                                                                          \
                                                                                                   \
	void do_##lower(struct world *w, const struct priv_##lower *m, struct answer *a)           \
	{                                                                                          \
		memset(a, 0, sizeof(*a));                                                          \
		priv_client_##lower(w->client, m, on_##lower, a);                                  \
		wait_answer(w, a);                                                                 \
		if (a->err.kind)                                                                   \
			print_message("%s: %s\n", #lower, a->err.msg);                             \
	}
PRIV_KINDS(X)
#undef X

void wait_line(struct world *w, const char *id, const char *line)
{
	for (int64_t end = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end; pause_ms(20)) {
		auto_free char *out = read_log(w, id, LOG_STDOUT);

		if (strstr(out, line))
			return;
	}
	fail_msg("%s was never written", line);
}

void begin_exec(struct world *w, const struct priv_exec *m, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	priv_client_exec(w->client, m, on_exec, a);
}

void free_answer(struct answer *a, enum priv_kind k)
{
	wire_clear(&a->r, priv_reply_table(k));
}

void pause_ms(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

void fill_start(struct priv_start *m, const char *id, const char *script)
{
	struct err err;

	*m = (struct priv_start){
		.generation = 1, .deadline = clock_wall() + 600, .volume_bytes = VOLUME};
	memcpy(m->id, id, PRIV_ID_LEN + 1);
	memcpy(m->owner, OWNER, sizeof(m->owner));
	m->spec.limits =
		(struct spec_limits){.cpu = 500, .memory = 64 << 20, .pids = 64, .disk = VOLUME};
	assert_int_equal(spec_set_image(&m->spec, STR("busybox"), &err), 0);
	assert_int_equal(spec_set_env(&m->spec, STR("SECRET"), STR("swordfish"), &err), 0);
	assert_int_equal(spec_add_arg(&m->spec, STR("sh"), &err), 0);
	assert_int_equal(spec_add_arg(&m->spec, STR("-c"), &err), 0);
	assert_int_equal(spec_add_arg(&m->spec, str_of(script), &err), 0);
}

void start_ok(struct world *w, struct priv_start *m)
{
	struct answer a;

	do_start(w, m, &a);
	assert_int_equal(a.err.kind, 0);
	if (a.r.start.outcome != PRIV_START_RUNNING)
		print_message("start: %s: %s\n", priv_stage_name(a.r.start.stage),
			      a.r.start.message);
	assert_int_equal(a.r.start.outcome, PRIV_START_RUNNING);
	assert_true(a.r.start.started_ms > 0);
	print_message("# image %u volume %u bundle %u keeper %u create %u start %u us%s\n",
		      a.r.start.image_us, a.r.start.volume_us, a.r.start.bundle_us,
		      a.r.start.keeper_us, a.r.start.create_us, a.r.start.start_us,
		      a.r.start.prepared ? " (prepared)" : "");
	free_answer(&a, PRIV_BOX_START);
}

void run_script(struct world *w, const char *id, const char *script)
{
	struct priv_start m;

	fill_start(&m, id, script);
	start_ok(w, &m);
	spec_clear(&m.spec);
}

struct priv_inspect_reply inspect(struct world *w, const char *id)
{
	struct priv_inspect m;
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	do_inspect(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	return a.r.inspect;
}

struct priv_inspect_reply wait_stopped(struct world *w, const char *id)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	struct priv_inspect_reply r;

	while ((r = inspect(w, id)).state == PRIV_BOX_RUNNING && clock_mono_ms() < end)
		pause_ms(20);
	assert_int_equal(r.state, PRIV_BOX_STOPPED);
	return r;
}

/* The whole log as text of one stream. */
char *read_log(struct world *w, const char *id, enum log_stream stream)
{
	auto_buf struct buf out = BUF(64 << 20);
	struct priv_logs m = {.max = PRIV_OUTPUT_MAX};
	struct answer a;
	bool more = true;

	memcpy(m.id, id, sizeof(m.id));
	while (more) {
		struct log_line l;
		struct str rest;

		do_logs(w, &m, &a);
		assert_int_equal(a.err.kind, 0);
		rest = (struct str){(char *)a.r.logs.bytes.p, a.r.logs.bytes.n};
		while (log_line_next(&rest, &l)) {
			if (l.stream != stream)
				continue;
			buf_str(&out, l.text);
			if (!l.partial)
				buf_byte(&out, '\n');
		}
		more = a.r.logs.bytes.n > 0 && !a.r.logs.eof;
		m.offset = a.r.logs.next;
		free_answer(&a, PRIV_BOX_LOGS);
	}
	buf_byte(&out, 0);
	return buf_steal(&out);
}

void name_exec(struct priv_exec *m)
{
	uint8_t name[PRIV_EXEC_LEN / 2];

	rand_bytes(name, sizeof(name));
	hex_encode(m->name, name, sizeof(name));
}

void exec_sh(struct world *w, const char *id, const char *script, struct answer *a)
{
	char *argv[] = {"sh", "-c", (char *)script, NULL};
	struct priv_exec m = {.argv = {argv, 3},
			      .input = {(uint8_t *)"input", 5},
			      .timeout_ms = 50000,
			      .output_max = 65536};

	memcpy(m.id, id, sizeof(m.id));
	name_exec(&m);
	do_exec(w, &m, a);
	assert_int_equal(a->err.kind, 0);
	if (a->r.exec.outcome != PRIV_EXEC_DONE)
		print_message("exec: outcome %d: %s\n", (int)a->r.exec.outcome, a->r.exec.message);
	if (a->r.exec.err.n)
		print_message("exec: %.*s\n", (int)a->r.exec.err.n, a->r.exec.err.p);
}

void assert_out(const struct answer *a, const char *want)
{
	assert_int_equal(a->r.exec.out.n, strlen(want));
	assert_memory_equal(a->r.exec.out.p, want, strlen(want));
}

/* nothing is left */

bool mentions(const char *file, const char *what)
{
	auto_buf struct buf text = BUF(4 << 20);
	struct err err;

	assert_int_equal(fs_read(&text, file, &err), 0);
	return memmem(text.p, text.n, what, strlen(what)) != NULL;
}

void assert_nothing_left(struct world *w, const char *id)
{
	auto_free char *dir = record_dir(&w->c, id);
	auto_free char *mounts = mem_printf("%s/volumes/%s", w->run, id);
	auto_free char *payload = mem_printf("%s/volumes/%s", w->state, id);
	auto_free char *box = mem_printf("%s/%s", w->cgroup, id);
	auto_free char *keeper = mem_printf("%s/%s.keeper", w->cgroup, id);
	auto_free char *runtime = mem_printf("%s/runtime/%s", w->run, id);
	auto_free char *group = mem_printf("/sys/fs/cgroup/pids%s", box);
	struct err err;
	unsigned n;

	assert_false(fs_exists(dir));
	assert_false(fs_exists(payload));
	assert_false(fs_exists(runtime));
	assert_false(fs_exists(group));
	assert_false(mentions("/proc/self/mountinfo", dir));
	assert_false(mentions("/proc/self/mountinfo", mounts));
	assert_int_equal(cgroup_count(box, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(cgroup_count(keeper, &n, &err), 0);
	assert_int_equal(n, 0);
}

void destroy_ok(struct world *w, const char *id)
{
	struct priv_destroy m;
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	do_destroy(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	if (!a.r.destroy.erased)
		print_message("destroy: %s\n", a.r.destroy.message);
	assert_true(a.r.destroy.erased);
	assert_true(a.r.destroy.killed);
	free_answer(&a, PRIV_BOX_DESTROY);
	assert_nothing_left(w, id);
	assert_int_equal(inspect(w, id).state, PRIV_BOX_GONE);
}

int set_up(void **state)
{
	struct world *w = mem_zero(sizeof(*w));
	const char *source = getenv("SOURCE_DIR"), *build = getenv("BUILD_DIR");
	const char *runtime = getenv("LEASED_TEST_RUNTIME");
	const char *docker = getenv("LEASED_TEST_DOCKER"); /* its daemon */
	auto_free char *script = mem_printf("%s/tests/system/make-image", source ? source : ".");
	auto_free char *layout = NULL;
	auto_buf struct buf why = BUF(900);
	struct err err;

	memcpy(w->dir, "/tmp/leased-helper-XXXXXX", 26);
	if (!mkdtemp(w->dir) || chmod(w->dir, 0711) < 0)
		return -1;
	w->state = mem_printf("%s/state", w->dir);
	w->run = mem_printf("%s/run", w->dir);
	w->cgroup = mem_printf("/leased-test-%d", (int)getpid());
	layout = mem_printf("%s/layout", w->dir);
	w->ref = mem_printf("oci:%s:latest", layout);
	const char *const argv[] = {script, layout, NULL};
	if (fs_mkdirs(w->state, 0700, &err) < 0 || fs_mkdirs(w->run, 0711, &err) < 0 ||
	    proc_check(argv, 60000, &err) < 0 ||
	    mount("tmpfs", w->run, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711") < 0) {
		print_message("set up: %s\n", err.msg);
		return -1;
	}
	w->image = (struct helper_image){"busybox", w->ref};
	w->c = (struct helper_config){.state_dir = w->state,
				      .run_dir = w->run,
				      .libexec_dir = build ? build : ".",
				      .runtime = runtime ? runtime : "runc",
				      .backend = docker ? "docker" : NULL,
				      .docker_host = docker,
				      .cgroup = w->cgroup,
				      .allow_cgroup_v1 = true,
				      .images = &w->image,
				      .nimages = 1};
	if (helper_fit(&w->c, &why, &err) < 0)
		return -1;
	print_message("# %s, %s\n", volume_activation_name(w->c.activation), why.p);
	helper_up(w);
	*state = w;
	return 0;
}

int tear_down(void **state)
{
	struct world *w = *state;
	struct priv_list list = {(char *)"", PRIV_LIST_MAX};
	struct answer a;
	struct err err;

	/* Also after a failed test nothing stays. */
	do_list(w, &list, &a);
	for (size_t i = 0; i < a.r.list.items.n; i++) {
		struct priv_destroy m;
		struct answer gone;

		memcpy(m.id, priv_list_at(&a.r.list, i)->id, sizeof(m.id));
		do_destroy(w, &m, &gone);
		free_answer(&gone, PRIV_BOX_DESTROY);
	}
	free_answer(&a, PRIV_BOX_LIST);
	helper_down(w, SIGTERM);
	if (cgroup_remove(w->cgroup, &err) < 0)
		print_message("%s\n", err.msg);
	if (umount(w->run) < 0)
		print_message("umount: %s\n", strerror(errno));
	if (fs_remove_tree(w->dir, &err) < 0)
		print_message("%s\n", err.msg);
	free(w->state);
	free(w->run);
	free(w->ref);
	free(w->cgroup);
	free(w);
	return 0;
}
