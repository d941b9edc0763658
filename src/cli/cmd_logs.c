/* lease logs: what a lease's command wrote, all or a part of it, once or for as long as it runs. */
#include "base/clock.h"
#include "cli/attach.h"
#include "cli/verbs.h"

#define AGO_MAX (365 * 86400) /* seconds */

/* Docker's: so long ago ("10m"), or a moment. A plain number is seconds since 1970. */
static int read_moment(int64_t *ms, const char *text, const char *option, struct err *e)
{
	int64_t ago;

	if (!text)
		return 0;
	if (clock_parse(ms, str_of(text), CLOCK_LOCAL, e) == 0)
		return 0;
	if (str_duration(str_of(text), AGO_MAX, &ago, NULL) == 0) {
		*ms = clock_wall_ms() - ago * 1000;
		return 0;
	}
	return err_set(e, ERRK_INPUT, "%s: want 10m, 2026-11-22T17:41:00Z or seconds since 1970",
		       option);
}

static int read_tail(struct attach *t, const char *text, struct err *e)
{
	if (!text || str_is(str_of(text), "all"))
		return 0;
	if (str_u64(str_of(text), 1000000, &t->tail, e) < 0)
		return err_wrap(e, "--tail");
	if (t->tail == 0)
		t->since_ms = clock_wall_ms();
	return 0;
}

static void say_plain(const struct attach *t, const struct logs_options *o)
{
	if (t->plain && (o->tail || o->since || o->until || o->timestamps))
		app_failf(0, "this provider is older: it knows no --since, --until and "
			     "--timestamps, and --tail is not exact");
}

int verb_logs(void *ctx, const void *options, int argc, char **argv)
{
	const struct logs_options *o = options;
	struct app *a = ctx;
	auto_session struct session *s = NULL;
	struct book_entry b;
	struct attach t = {.app = a,
			   .entry = &b,
			   .follow = o->follow,
			   .timestamps = o->timestamps,
			   .exit_status = -1};
	struct err e;
	int rc;

	if (argc != 1)
		return app_failf(EXIT_USAGE, "want one NAME");
	if (read_moment(&t.since_ms, o->since, "--since", &e) < 0 ||
	    read_tail(&t, o->tail, &e) < 0 || read_moment(&t.until_ms, o->until, "--until", &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	rc = cli_find_running(a, argv[0], &b);
	if (rc)
		return rc;
	if (session_open(&s, a, &b.provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	t.session = s;
	rc = attach_run(&t);
	if (rc == 0)
		say_plain(&t, o);
	return rc;
}
