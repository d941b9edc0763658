/*
 * kill -9 at a random step or moment of a volume's making, growing and erasing, again and again.
 * After each one a new process does what an agent does at its start, and then nothing of the volume
 * may be on the host. LEASED_KILLS says how often, LEASED_SEED repeats a run. The last line is
 * "kills N, left N".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/step.h"
#include "base/str.h"
#include "volume/bind.h"
#include "volume_place.h"

#define FULL_KILLS 500
#define FEW_KILLS  25

static const char *const STEPS[] = {
	"VOLUME_PAYLOAD",   "VOLUME_KEY",	"VOLUME_CREATED",    "VOLUME_SERVED",
	"VOLUME_ATTACHED",  "VOLUME_FORMATTED", "VOLUME_OPENED",     "VOLUME_UNMOUNTED",
	"VOLUME_DETACHED",  "VOLUME_CLOSED",	"VOLUME_SLOTS_GONE", "VOLUME_HEADER_GONE",
	"VOLUME_DISCARDED", "VOLUME_GROWN",	"VOLUME_GROWING",
};

struct round {
	struct volume v;
	const char *step;  /* NULL: at a moment … */
	int64_t moment_us; /* … after the beginning */
};

static int live(const struct volume *v, struct err *e)
{
	struct volume larger = *v;
	struct volume_erasure r;
	auto_free char *path = NULL;

	if (volume_open(v, NULL, e) < 0)
		return -1;
	path = place_file(v, "data");
	if (fs_write(path, "x", 1, 0600, e) < 0)
		return -1;
	larger.bytes *= 8;
	if (volume_grow(&larger, e) < 0)
		return -1;
	if (volume_close(&larger, e) < 0 || volume_open(&larger, NULL, e) < 0)
		return -1;
	return volume_erase(&larger, &r, e);
}

static void pause_us(int64_t us)
{
	nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
}

/* True where it was killed; false where it came to its end before. */
static bool die(const struct round *r)
{
	struct err e;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (r->step && step_arm(r->step, NULL) < 0)
			_exit(1);
		if (live(&r->v, &e) < 0) {
			fprintf(stderr, "# %s\n", e.msg);
			_exit(1);
		}
		_exit(0);
	}
	if (!r->step) {
		pause_us(r->moment_us);
		kill(pid, SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFSIGNALED(status);
}

static int erase_one(void *ctx, const char *id)
{
	struct volume v = *(const struct volume *)ctx;
	struct volume_erasure r;
	struct err e;

	v.id = id;
	if (volume_erase(&v, &r, &e) == 0)
		return 0;
	fprintf(stderr, "# %s\n", e.msg);
	return 1;
}

/* As the helper's sweep: nobody uses the volume. */
static bool start_again(const struct volume *v)
{
	struct err e;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(volume_each(v->state_dir, v->run_dir, erase_one, (void *)v, &e) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A setting's number; 0: not set. */
static uint64_t setting(const char *name)
{
	const char *text = getenv(name);
	uint64_t n = 0;
	struct err e;

	if (text && *text)
		must(str_u64(str_of(text), UINT32_MAX, &n, &e), &e);
	return n;
}

static unsigned how_many(void)
{
	const char *full = getenv("LEASED_FULL");
	uint64_t n = setting("LEASED_KILLS");

	return n ? (unsigned)n : full && *full ? FULL_KILLS : FEW_KILLS;
}

static uint64_t luck; /* repeatable: xorshift */

static void seed(void)
{
	luck = setting("LEASED_SEED");
	if (!luck)
		luck = (uint64_t)clock_mono_us() & UINT32_MAX;
	fprintf(stderr, "# seed %" PRIu64 "\n", luck);
}

static uint64_t draw(uint64_t below)
{
	luck ^= luck << 13;
	luck ^= luck >> 7;
	luck ^= luck << 17;
	return luck % below;
}

/* The second one: programs and libraries that a slow machine reads first are in memory then. */
static int64_t measure(const struct volume *v)
{
	int64_t from;
	struct err e;

	must(live(v, &e), &e);
	from = clock_mono_us();
	must(live(v, &e), &e);
	return clock_mono_us() - from;
}

/* Orphans of the killed ones (disk servers) end as our children. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void test_kills(void **state)
{
	enum volume_activation a =
		volume_probe(VOLUME_DM_CRYPT, NULL) == 0 ? VOLUME_DM_CRYPT : VOLUME_FUSE;
	struct round r = {.v = place_volume(*state, a)};
	int64_t life = measure(&r.v);
	unsigned left = 0, rounds = how_many(), killed = 0;

	seed();
	for (unsigned i = 0; i < rounds; i++) {
		auto_free char *found = NULL;

		r.v.survives = draw(2);
		r.step = draw(2) ? STEPS[draw(ARRAY_SIZE(STEPS))] : NULL;
		r.moment_us = (int64_t)draw((uint64_t)life);
		killed += die(&r);
		if (!start_again(&r.v))
			fprintf(stderr, "# round %u: the next start failed\n", i);
		reap();
		found = place_left(&r.v);
		if (!found)
			continue;
		left++;
		fprintf(stderr, "# round %u, %s %" PRId64 ": left %s\n", i,
			r.step ? r.step : "after us", r.moment_us, found);
	}
	printf("kills %u, left %u\n", rounds, left);
	assert_int_equal(left, 0);
	assert_true(killed * 2 >= rounds); /* else it tests little */
}

static _Noreturn void map_for_ever(void)
{
	const struct idmap map = {0, 100000, 65536};

	setsid();
	for (;;) {
		auto_close int fd = -1;

		if (idmap_open(&fd, &map, NULL) < 0)
			_exit(1);
	}
}

/* Whoever is left has the locks of who was killed. */
static bool somebody_is_left(void)
{
	int64_t end = clock_mono_ms() + 2000;
	pid_t pid = 0;

	while (pid >= 0 && clock_mono_ms() < end) {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid == 0)
			nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	return pid >= 0;
}

static void test_mapping(void **state)
{
	seed();
	for (unsigned i = 0; i < 40; i++) {
		pid_t pid = fork();
		bool left;
		int status;

		if (pid == 0)
			map_for_ever();
		nanosleep(&(struct timespec){0, (long)(5000000 + draw(2000000))}, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		left = somebody_is_left();
		kill(-pid, SIGKILL);
		assert_false(left);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_mapping),
					   cmocka_unit_test(test_kills)};
	struct err e;

	if (geteuid() != 0 ||
	    (volume_probe(VOLUME_DM_CRYPT, &e) < 0 && volume_probe(VOLUME_FUSE, &e) < 0)) {
		printf("1..0 # SKIP %s\n", geteuid() ? "not root" : e.msg);
		return 0;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return cmocka_run_group_tests_name("volume kills", tests, place_make, place_remove);
}
