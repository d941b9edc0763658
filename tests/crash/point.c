/* One run of the crash matrix: see point.h. */
#include "point.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define RECOVER	   "lease recover"
#define RECOVERS   4
#define LONG_S	   (4 * 3600 + 600) /* all locks have ended by then */
#define RESTART_S  900
#define SETTLING_S 5

/* The beginning of a fault's JSON (devnet/faults.h). */
const struct wire_fault mint_faults[] = {
	{"request lost", "{\"fault\":\"drop\"", ""},
	{"answer lost", "{\"fault\":\"forget\"", ""},
	{"answered late", "{\"fault\":\"delay\",\"ms\":20000", ""},
	{"done twice", "{\"fault\":\"duplicate\"", ""},
	{"503", "{\"fault\":\"status\"", ""},
	{"429", "{\"fault\":\"status\",\"status\":429", ""},
	{"left pending", "{\"fault\":\"pending\"", "/v1/swap"},
	{"left pending", "{\"fault\":\"pending\"", "/v1/melt/bolt11"},
};
const size_t mint_faults_n = ARRAY_SIZE(mint_faults);

const struct wire_fault relay_faults[] = {
	{"wrap lost", "{\"fault\":\"drop\",\"frame\":\"OUT\",\"kind\":1059", ""},
	{"wrap kept for itself", "{\"fault\":\"shadow\",\"frame\":\"EVENT\",\"kind\":1059", ""},
	{"OK lost", "{\"fault\":\"forget\",\"frame\":\"EVENT\",\"kind\":1059", ""},
	{"wrap refused", "{\"fault\":\"refuse\",\"frame\":\"EVENT\",\"kind\":1059", ""},
	{"wrap twice", "{\"fault\":\"duplicate\",\"frame\":\"OUT\",\"kind\":1059", ""},
	{"wrap late", "{\"fault\":\"delay\",\"ms\":20000,\"frame\":\"EVENT\",\"kind\":1059", ""},
};
const size_t relay_faults_n = ARRAY_SIZE(relay_faults);

static const char *actor_name(enum actor a)
{
	return a == BUYER ? "buyer" : "provider";
}

void point_text(char *out, size_t size, const struct crash_point *p)
{
	const char *name = p->scenario->name;

	switch (p->kind) {
	case POINT_NONE:
		snprintf(out, size, "%s", name);
		return;
	case POINT_KILL:
		snprintf(out, size, "%s: kill -9 of the %s at %s:%u%s%s", name,
			 actor_name(p->actor), step_name(p->death.step), p->death.passing,
			 p->second.passing ? ", then at " : "",
			 p->second.passing ? step_name(p->second.step) : "");
		return;
	case POINT_MINT:
		snprintf(out, size, "%s: mint, %s #%u, %s", name, p->path, p->skip + 1,
			 mint_faults[p->fault].name);
		return;
	case POINT_RELAY:
		snprintf(out, size, "%s: relay, wrap #%u, %s", name, p->skip + 1,
			 relay_faults[p->fault].name);
		return;
	}
}

/* --- what goes over the wire --- */

static void count_asked(struct asked out[static PATHS_MAX], struct stage *s)
{
	auto_buf struct buf text = BUF(8192);
	auto_json struct json *j = NULL;
	const struct json *n;
	size_t i = 0;
	struct err e;

	mint_node_stats(&text, s->mint);
	if (json_parse(&j, buf_view(&text), NULL, &e) < 0)
		stage_die("statistics: %s", e.msg);
	for (n = json_first(json_get(j, "asked")); n && i < PATHS_MAX; n = json_next(n), i++) {
		struct str path = json_key(n);

		snprintf(out[i].path, sizeof(out[i].path), "%.*s", (int)path.n, path.p);
		if (!json_as_u64(n, &out[i].n))
			stage_die("statistics: no number");
	}
}

static void subtract_asked(struct asked v[static PATHS_MAX],
			   const struct asked before[static PATHS_MAX])
{
	for (size_t i = 0; i < PATHS_MAX; i++)
		for (size_t k = 0; k < PATHS_MAX; k++)
			if (v[i].path[0] && !strcmp(v[i].path, before[k].path))
				v[i].n -= before[k].n;
}

static uint32_t count_wraps(struct stage *s)
{
	auto_buf struct buf text = BUF(8192);
	auto_json struct json *j = NULL;
	uint64_t n = 0;
	struct err e;

	relay_node_stats(&text, s->relay);
	if (json_parse(&j, buf_view(&text), NULL, &e) < 0 ||
	    json_u64(j, "wraps", UINT32_MAX, &n, &e) < 0)
		stage_die("statistics: %s", e.msg);
	return (uint32_t)n;
}

/* --- the run --- */

static void arm(struct stage *s, const struct crash_point *p)
{
	auto_free char *json = NULL;

	memset((void *)s->shared->passed, 0, sizeof(s->shared->passed));
	memset(s->deaths, 0, sizeof(s->deaths));
	switch (p->kind) {
	case POINT_NONE:
		return;
	case POINT_KILL:
		s->next[p->actor] = p->second;
		s->shared->armed[p->actor] = p->death;
		return;
	case POINT_MINT:
		json = mem_printf("%s,\"path\":\"%s\",\"skip\":%u}", mint_faults[p->fault].json,
				  p->path, p->skip);
		stage_fault(mint_node_faults(s->mint), json);
		return;
	case POINT_RELAY:
		json = mem_printf("%s,\"skip\":%u}", relay_faults[p->fault].json, p->skip);
		stage_fault(relay_node_faults(s->relay), json);
		return;
	}
}

static void play_before(struct stage *s, const struct scenario *c)
{
	for (size_t i = 0; i < LINES_MAX && c->before[i]; i++)
		if (scenario_play(s, c->before[i])) {
			stage_show_log(s);
			stage_die("\"%s\" failed before anything was disturbed", c->before[i]);
		}
}

static void play_tested(struct stage *s, const struct crash_point *p, struct result *r)
{
	const struct scenario *c = p->scenario;

	for (size_t i = 0; i < LINES_MAX && c->tested[i]; i++) {
		int status = scenario_play(s, c->tested[i]);

		if (s->deaths[BUYER])
			return; /* whoever gave the command does not go on */
		if (p->kind == POINT_NONE && status != c->status[i])
			books_say(r->why, "\"%s\": exit status %d", c->tested[i], status);
	}
}

static int recover(struct stage *s)
{
	int status = 0;

	for (unsigned i = 0; i < RECOVERS; i++) {
		status = stage_command(s, RECOVER);
		if (!status)
			break;
		stage_pass(s, SETTLING_S);
	}
	return status;
}

static bool settled(struct stage *s)
{
	struct outcome o;

	books_outcome(&o, s);
	return o.live == 0;
}

/* What buyer and provider do after a crash, until nothing is open. */
static void settle(struct stage *s, const struct scenario *c, struct result *r)
{
	struct err e;
	int status;

	faults_clear(mint_node_faults(s->mint));
	faults_clear(relay_node_faults(s->relay));
	if (mint_node_settle(s->mint, &e) < 0)
		stage_die("%s", e.msg);
	recover(s);
	for (size_t i = 0; i < LINES_MAX && c->after[i]; i++)
		scenario_play(s, c->after[i]);
	stage_pass_off(s, LONG_S);
	if (!stage_until(s, settled, RESTART_S))
		books_say(r->why, "leases do not end");
	status = recover(s);
	if (status)
		books_say(r->why, "\"" RECOVER "\": exit status %d", status);
	stage_pass(s, SETTLING_S);
	stage_provider_stop(s);
}

/* A lease that did not run, or a top-up that came when its lease had ended: that is no part of
 * what was paid for it. */
static bool paid_and_refunded(const struct outcome *a, const struct result *want)
{
	return (a->paid == want->after.paid || a->paid == want->before.paid) &&
	       a->given == want->after.given && a->refunds == want->before.refunds + 1;
}

/* One lease or one refund, each once, or neither. */
static bool ended_once(const struct outcome *a, const struct outcome *before)
{
	int64_t given = a->given - before->given, ran = a->ran - before->ran;
	int64_t refunds = a->refunds - before->refunds;

	return given ? given == 1 && ran + refunds == 1 && a->paid > before->paid
		     : !ran && !refunds && a->paid == before->paid;
}

/* One lease, one refund or one release: all of it, or nothing. */
static void judge(const struct crash_point *p, const struct result *want, struct result *r)
{
	const struct outcome *a = &r->after;

	if (outcome_same(a, &want->after))
		return;
	if (!(p->kind == POINT_KILL && p->actor == PROVIDER) &&
	    (outcome_same(a, &want->before) || paid_and_refunded(a, want)))
		return;
	if (p->scenario->ends == ENDS_ANY_WAY && ended_once(a, &want->before))
		return;
	books_say(r->why,
		  "came to %lld leases, %lld that ran, %lld msat paid, %lld refunds, %lld sat out; "
		  "undisturbed %lld, %lld, %lld, %lld, %lld",
		  (long long)a->given, (long long)a->ran, (long long)a->paid, (long long)a->refunds,
		  (long long)a->lost, (long long)want->after.given, (long long)want->after.ran,
		  (long long)want->after.paid, (long long)want->after.refunds,
		  (long long)want->after.lost);
}

static void keep_traffic(struct stage *s, const struct asked before[static PATHS_MAX],
			 uint32_t wraps, struct result *r)
{
	memcpy(r->passed, (const void *)s->shared->passed, sizeof(r->passed));
	count_asked(r->asked, s);
	subtract_asked(r->asked, before);
	r->wraps = count_wraps(s) - wraps;
}

void point_run(const struct crash_point *p, const struct result *want, struct result *r)
{
	struct asked asked[PATHS_MAX] = {0};
	struct books books = {0};
	struct stage s;
	uint32_t wraps;

	stage_open(&s, &r->shared);
	play_before(&s, p->scenario);
	stage_calm(&s); /* what is still under way is no part of what is tested */
	books_outcome(&r->before, &s);
	count_asked(asked, &s);
	wraps = count_wraps(&s);
	arm(&s, p);
	play_tested(&s, p, r);
	stage_pass(&s, SETTLING_S); /* what the provider does after its answer */
	if (p->kind == POINT_NONE)
		keep_traffic(&s, asked, wraps, r);
	settle(&s, p->scenario, r);
	if (p->kind == POINT_KILL) {
		memcpy(r->passed, (const void *)s.shared->passed, sizeof(r->passed));
		if (!s.deaths[p->actor])
			books_say(r->why, "nobody died there");
		r->spared = p->second.passing && s.deaths[p->actor] == 1;
	}
	books_close(&books, &s);
	r->after = books.outcome;
	books_say(r->why, "%s", books.why);
	if (want)
		judge(p, want, r);
	if (r->why[strspn(r->why, "\n")])
		stage_show_log(&s);
	else
		r->why[0] = 0;
	stage_close(&s);
	r->finished = true;
}
