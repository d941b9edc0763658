/*
 * What every backend must do, run on each: the fake one always, the real one (backend_oci) as root.
 * tests/contract/backend_fake.c and backend_oci.c bring the box and main.
 */
#include "backend.h"

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

static enum backend_status status_of(const struct contract *c, bool *created)
{
	struct backend_state s;
	struct err err = {0};

	c->backend->inspect(&c->box, &s, &err);
	if (s.status == BACKEND_UNKNOWN)
		print_message("unknown: %s\n", err.msg);
	*created = s.created;
	return s.status;
}

static void assert_status(const struct contract *c, enum backend_status want)
{
	bool created;

	assert_int_equal(status_of(c, &created), want);
}

static void wait_status(const struct contract *c, enum backend_status want)
{
	int64_t end = clock_mono_ms() + 10000;
	bool created;

	while (status_of(c, &created) != want && clock_mono_ms() < end)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	assert_status(c, want);
}

static void do_ok(int result, const struct err *e)
{
	if (result < 0)
		print_message("%s\n", e->msg);
	assert_int_equal(result, 0);
}

static void create_and_start(const struct contract *c)
{
	int output = memfd_create("output", MFD_CLOEXEC);
	struct backend_streams io = {.out = output, .err = output};
	struct stat before, after;
	struct err err;
	bool created;
	struct backend_made made = {-1, -1};

	assert_int_equal(stat("/dev/null", &before), 0);
	do_ok(c->backend->prepare(&c->box, &err), &err);
	do_ok(c->backend->create(&c->box, &io, &made, &err), &err);
	close(output);
	assert_int_equal(stat("/dev/null", &after), 0); /* the host's stays its own */
	assert_int_equal(after.st_uid, before.st_uid);
	assert_true(made.first >= 0 && made.child >= 0);
	assert_int_equal(status_of(c, &created), BACKEND_RUNNING);
	assert_true(created);
	do_ok(c->backend->start(&c->box, &err), &err);
	assert_int_equal(status_of(c, &created), BACKEND_RUNNING);
	assert_false(created);
}

void contract_probe(void **state)
{
	struct contract *c = *state;
	auto_buf struct buf version = BUF(200);
	struct err err;

	do_ok(c->backend->probe(&c->box, &version, &err), &err);
	assert_true(version.n > 0);
}

void contract_absent(void **state)
{
	struct contract *c = *state;
	struct err err;

	assert_status(c, BACKEND_GONE);
	do_ok(c->backend->stop(&c->box, SIGKILL, &err), &err);
	do_ok(c->backend->destroy(&c->box, &err), &err);
}

void contract_life(void **state)
{
	struct contract *c = *state;
	struct err err;

	create_and_start(c);
	do_ok(c->backend->stop(&c->box, SIGKILL, &err), &err);
	wait_status(c, BACKEND_STOPPED);
	do_ok(c->backend->stop(&c->box, SIGKILL, &err), &err); /* again */
	do_ok(c->backend->destroy(&c->box, &err), &err);
	assert_status(c, BACKEND_GONE);
	do_ok(c->backend->destroy(&c->box, &err), &err); /* again */
}

/* What runs is destroyed all the same, and the name is free for another. */
void contract_destroy_running(void **state)
{
	struct contract *c = *state;
	struct err err;

	create_and_start(c);
	do_ok(c->backend->destroy(&c->box, &err), &err);
	assert_status(c, BACKEND_GONE);
	create_and_start(c);
	do_ok(c->backend->destroy(&c->box, &err), &err);
}

void contract_create_needs_prepare(void **state)
{
	struct contract *c = *state;
	struct backend_streams io = {.out = -1, .err = -1};
	struct err err;
	struct backend_made made;

	assert_int_equal(c->backend->create(&c->box, &io, &made, &err), -1);
	do_ok(c->backend->destroy(&c->box, &err), &err);
}

/* The master comes back, and nothing of how it came is left. */
void contract_terminal(void **state)
{
	struct contract *c = *state;
	struct spec with = c->box.spec ? *c->box.spec : (struct spec){0};
	struct backend_streams io = {.out = -1, .err = -1, .tty = true, .terminal = -1};
	struct box box = c->box;
	auto_free char *socket = mem_printf("%s/console.sock", box.dir);
	struct err err;
	struct backend_made made;

	with.tty = true;
	box.spec = c->box.spec ? &with : NULL;
	do_ok(c->backend->prepare(&box, &err), &err);
	do_ok(c->backend->create(&box, &io, &made, &err), &err);
	assert_true(isatty(io.terminal));
	assert_false(fs_exists(socket));
	do_ok(c->backend->start(&box, &err), &err);
	assert_status(c, BACKEND_RUNNING);
	do_ok(c->backend->destroy(&box, &err), &err);
	close(io.terminal);
}

void contract_exec(void **state)
{
	struct contract *c = *state;
	const char *const argv[] = {"echo", "a b", "c", NULL};
	struct backend_exec x = {.name = "c0", .argv = argv, .timeout_ms = 5000};
	struct backend_exec_result r = {.out = BUF(100), .err = BUF(100)};
	bool delivered = true;
	struct err err;

	create_and_start(c);
	do_ok(c->backend->exec(&c->box, &x, &r, &err), &err);
	assert_int_equal(r.status, 0);
	assert_true(str_is(str_trim(buf_view(&r.out)), c->echo));
	buf_free(&r.out);
	buf_free(&r.err);
	if (c->backend->exec_signal(&c->box, "c0", SIGKILL, &delivered, &err) < 0)
		assert_int_equal(err.kind, ERRK_STATE); /* a runtime that cannot says so */
	assert_false(delivered);			/* it has ended */
	do_ok(c->backend->destroy(&c->box, &err), &err);
	r = (struct backend_exec_result){.out = BUF(100), .err = BUF(100)};
	assert_true(c->backend->exec(&c->box, &x, &r, &err) < 0 || r.status != 0);
	buf_free(&r.out);
	buf_free(&r.err);
}
