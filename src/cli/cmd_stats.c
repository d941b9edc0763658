/* lease stats: what leases use now, once or again and again. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/verbs.h"

#define ANSWER_MS  30000
#define BETWEEN_MS 1000 /* two looks: how busy its processor is */
#define AGAIN_MS   2000
#define LEASES_MAX 64

struct watched {
	struct book_entry entry;
	struct session *session;
	struct reply *now, *before; /* NULL: none */
	bool gone;		    /* it was said why */
};

struct stats {
	struct app *app;
	struct watched v[LEASES_MAX];
	size_t n;
	bool named; /* else all that run: one that does not is left out */
};

static void stats_clear(struct stats *s)
{
	for (size_t i = 0; i < s->n; i++) {
		session_free(s->v[i].session);
		reply_free(s->v[i].now);
		reply_free(s->v[i].before);
	}
	free(s);
}
DEFINE_AUTO(struct stats, stats_clear)

/* --- which --- */

static int add_entry(void *ctx, const struct book_entry *b)
{
	struct stats *s = ctx;

	if (!b->volume && b->state == BOOK_RUNNING && b->expires_at > clock_wall() &&
	    s->n < LEASES_MAX)
		s->v[s->n++].entry = *b;
	return 0;
}

static int find_leases(struct stats *s, int argc, char **argv)
{
	struct err e;
	int rc;

	if (argc > LEASES_MAX)
		return app_failf(EXIT_USAGE, "at most %d leases", LEASES_MAX);
	if (app_wallet(s->app, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	s->named = argc > 0;
	if (argc == 0)
		return book_each(s->app->db, add_entry, s, &e) < 0 ? app_fail(EXIT_STATE, &e) : 0;
	for (int i = 0; i < argc; i++) {
		rc = cli_find_running(s->app, argv[i], &s->v[s->n].entry);
		if (rc)
			return rc;
		s->n++;
	}
	return 0;
}

static int open_sessions(struct stats *s)
{
	struct err e;

	for (size_t i = 0; i < s->n; i++)
		if (session_open(&s->v[i].session, s->app, &s->v[i].entry.provider, 0, &e) < 0)
			return app_fail(EXIT_RELAYS, &e);
	return 0;
}

/* --- look --- */

static int look_at(struct watched *w)
{
	auto_request struct request *req = request_new(REQUEST_STATS);
	auto_reply struct reply *r = NULL;
	struct err e;
	int rc;

	memcpy(req->lease, w->entry.lease, sizeof(req->lease));
	rc = session_call(w->session, req, ANSWER_MS, &r, &e);
	if (rc)
		return rc < 0 ? app_fail(EXIT_OTHER, &e) : session_failed(rc);
	if (r->stage == REPLY_STAGE_REFUSED && r->code == REPLY_MALFORMED)
		return app_failf(EXIT_REFUSED, "%s: this provider is older and has no stats",
				 w->entry.name);
	if (r->stage == REPLY_STAGE_REFUSED)
		return app_failf(r->code == REPLY_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_REFUSED,
				 "%s: %s", w->entry.name, r->message);
	reply_free(w->before);
	w->before = w->now;
	w->now = steal(&r);
	return 0;
}

static int look(struct stats *s)
{
	size_t left = 0;
	int rc, last = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct watched *w = &s->v[i];

		rc = w->gone ? last : look_at(w);
		if (rc && (s->named || s->app->interrupted))
			return rc;
		w->gone |= rc != 0;
		left += !w->gone;
		last = rc;
	}
	return left ? 0 : last;
}

/* --- print --- */

static uint64_t busy(const struct watched *w)
{
	return w->before ? spec_usage_cpu(w->now->usage.cpu_us, w->before->usage.cpu_us,
					  w->now->at_ms - w->before->at_ms)
			 : 0;
}

static void print_row(const struct watched *w)
{
	auto_buf struct buf row = BUF(1024);
	char up[32] = "-", left[32];

	spec_usage_row(&row, &w->now->usage, busy(w));
	if (w->now->since_ms)
		out_left(up, sizeof(up), (w->now->at_ms - w->now->since_ms) / 1000);
	out_left(left, sizeof(left), w->now->expires_at - clock_wall());
	printf("%-16s  %-8s  %-9s  %s\n", w->entry.name, up, left, row.p);
}

static void print_json(const struct watched *w)
{
	auto_buf struct buf text = BUF(65536);
	struct jsonw j = JSONW(&text);

	jsonw_object(&j, NULL);
	jsonw_text(&j, "name", w->entry.name);
	jsonw_text(&j, "lease", w->entry.lease);
	jsonw_text(&j, "state", w->now->state);
	jsonw_i64(&j, "at_ms", w->now->at_ms);
	jsonw_i64(&j, "since_ms", w->now->since_ms);
	jsonw_i64(&j, "expires_at", w->now->expires_at);
	jsonw_u64(&j, "cpu_permille", busy(w));
#define X(name) jsonw_u64(&j, #name, w->now->usage.name);
	SPEC_USAGE(X)
#undef X
	jsonw_end_object(&j);
	out_line(&text);
}

enum screen { SCREEN_KEEP, SCREEN_CLEAR };

static void print(const struct stats *s, enum screen screen)
{
	auto_buf struct buf head = BUF(1024);

	if (screen == SCREEN_CLEAR && isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", stdout);
	spec_usage_head(&head);
	if (!s->app->g.json)
		printf("%-16s  %-8s  %-9s  %s\n", "NAME", "UP", "LEFT", head.p);
	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].gone)
			(s->app->g.json ? print_json : print_row)(&s->v[i]);
	fflush(stdout);
}

static int run(struct stats *s, bool follow)
{
	int rc = look(s);

	if (!rc && app_wait(s->app, BETWEEN_MS) == APP_INTERRUPTED)
		return 130;
	for (;;) {
		rc = rc ? rc : look(s);
		if (rc)
			return rc;
		print(s, follow ? SCREEN_CLEAR : SCREEN_KEEP);
		if (!follow)
			return 0;
		if (app_wait(s->app, AGAIN_MS) == APP_INTERRUPTED)
			return 130;
	}
}

int verb_stats(void *ctx, const void *options, int argc, char **argv)
{
	const struct stats_options *o = options;
	AUTO(stats_clear) struct stats *s = mem_zero(sizeof(*s));
	int rc;

	s->app = ctx;
	rc = find_leases(s, argc, argv);
	if (!rc)
		rc = open_sessions(s);
	return rc ? rc : run(s, o->follow);
}
