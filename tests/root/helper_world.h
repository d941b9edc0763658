/* A helper in a process of its own, and requests to it that wait for their answers. */
#ifndef TESTS_ROOT_HELPER_WORLD_H
#define TESTS_ROOT_HELPER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/proc.h"
#include "helper/helper.h"
#include "helper/record.h"
#include "priv/client.h"
#include "priv/logline.h"

#define OWNER	"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define VOLUME	((uint64_t)64 << 20)
#define WAIT_MS 60000

struct world {
	char dir[64];
	char *state, *run, *ref, *cgroup;
	struct helper_image image;
	struct helper_prepared prepared;
	struct helper_config c;
	const char *step, *keeper_step; /* where the next helper's workers, its keepers die */
	pid_t helper;
	struct loop *loop;
	struct priv_client *client;
	struct priv_event event; /* the last one */
	unsigned events;
};

struct answer {
	bool done;
	struct err err; /* kind 0: none */
	union {
#define X(upper, lower) struct priv_##lower##_reply lower;
		PRIV_KINDS(X)
#undef X
	} r;
};

#define X(upper, lower)                                                                            \
	void do_##lower(struct world *w, const struct priv_##lower *m, struct answer *a);
PRIV_KINDS(X)
#undef X

/* Volumes and ids as this host has them. -1 where it can have no volumes; `why` they are no better.
 */
int helper_fit(struct helper_config *c, struct buf *why, struct err *e) MUST_CHECK;
void helper_up(struct world *w);
int helper_tests(void); /* all of helper.c; what main returns */
void helper_down(struct world *w, int signal);
void free_answer(struct answer *a, enum priv_kind k);
void pause_ms(int64_t ms);
void fill_start(struct priv_start *m, const char *id, const char *script);
void start_ok(struct world *w, struct priv_start *m);
void run_script(struct world *w, const char *id, const char *script);
struct priv_inspect_reply inspect(struct world *w, const char *id);
struct priv_inspect_reply wait_stopped(struct world *w, const char *id);
char *read_log(struct world *w, const char *id, enum log_stream stream);
/* Until its output has it. */
void wait_line(struct world *w, const char *id, const char *line);
/* Does not wait: `a` is filled while others are waited for. */
void begin_exec(struct world *w, const struct priv_exec *m, struct answer *a);
void wait_answer(struct world *w, struct answer *a);
void name_exec(struct priv_exec *m); /* a fresh one */
void exec_sh(struct world *w, const char *id, const char *script, struct answer *a);
void assert_out(const struct answer *a, const char *want);
bool mentions(const char *file, const char *what);
void assert_nothing_left(struct world *w, const char *id);
void destroy_ok(struct world *w, const char *id);
int set_up(void **state);
int tear_down(void **state);

#endif
