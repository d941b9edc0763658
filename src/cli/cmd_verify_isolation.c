/* lease verify-isolation: what a lease is kept in by, seen from inside, beside what its offer says.
 */
#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/mem.h"
#include "cli/market.h"
#include "cli/out.h"
#include "cli/pieces.h"
#include "cli/verbs.h"
#include "spec/guard.h"

#define PROBE_MS   60000
#define SPARE_DISK ((uint64_t)64 << 20) /* what a file system may be larger than it was ordered */

/* One line of the probe: "WORD yes|no what was seen". */
struct finding {
	bool said, yes;
	char what[200];
};

static void take_line(struct finding *v, struct str line)
{
	struct str word, answer;
	uint32_t bit;

	if (!str_cut(&line, ' ', &word) || !str_cut(&line, ' ', &answer))
		return;
	bit = spec_guard_of(word);
	if (!bit)
		return;
	v[__builtin_ctz(bit)].said = true;
	v[__builtin_ctz(bit)].yes = str_is(answer, "yes");
	str_printable(v[__builtin_ctz(bit)].what, sizeof(v->what), line);
}

static void take_lines(struct finding *v, struct str text)
{
	struct str line;

	while (text.n > 0 && str_cut(&text, '\n', &line))
		take_line(v, line);
}

/* The disk must not be the host's own: it has the size that was sold. */
static void check_disk(struct finding *f, uint64_t sold)
{
	struct str rest = str_of(f->what), number;
	uint64_t bytes;

	if (f->yes && str_cut(&rest, ' ', &number) &&
	    str_u64(number, INT64_MAX, &bytes, NULL) == 0 && bytes > sold + SPARE_DISK)
		f->yes = false;
}

static bool is_kept(const struct finding *f, bool promised)
{
	return !promised || (f->said && f->yes);
}

static void print_table(const struct finding *v, uint32_t promised)
{
	printf("%-20s  %-8s  %-4s  %s\n", "GUARD", "PROMISED", "SEEN", "WHAT");
	for (unsigned g = 0; g < SPEC_GUARD_COUNT; g++)
		printf("%-20s  %-8s  %-4s  %s\n", spec_guard_word((enum spec_guard)g),
		       promised & spec_guard_bit((enum spec_guard)g) ? "yes" : "no",
		       !v[g].said ? "?"
		       : v[g].yes ? "yes"
				  : "no",
		       v[g].what);
}

static void print_json(const struct finding *v, uint32_t promised, bool kept)
{
	auto_buf struct buf text = BUF(65536);
	struct jsonw w = JSONW(&text);

	jsonw_object(&w, NULL);
	jsonw_bool(&w, "kept", kept);
	jsonw_array(&w, "guards");
	for (unsigned g = 0; g < SPEC_GUARD_COUNT; g++) {
		jsonw_object(&w, NULL);
		jsonw_text(&w, "guard", spec_guard_word((enum spec_guard)g));
		jsonw_bool(&w, "promised", promised & spec_guard_bit((enum spec_guard)g));
		jsonw_bool(&w, "seen", v[g].said && v[g].yes);
		jsonw_text(&w, "what", v[g].what);
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	printf("%.*s\n", (int)text.n, text.p);
}

/* The offer under which the lease was bought, as it is published now. */
static int find_offer(struct app *a, const struct book_entry *b, struct offer *out)
{
	auto_market struct market m = {0};
	struct err e;

	if (market_load(a, &m, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	for (size_t i = 0; i < m.n; i++) {
		const struct offer *o = &m.v[i].offer;

		if (memcmp(&o->provider, &b->provider, sizeof(o->provider)) == 0 &&
		    strcmp(o->name, b->offer) == 0) {
			*out = *o;
			return 0;
		}
	}
	return app_failf(EXIT_NOT_FOUND,
			 "the offer %s is not published any more: nothing to compare with",
			 b->offer);
}

static int run_probe(struct app *a, const struct book_entry *b, struct buf *text)
{
	auto_pieces struct pieces p = {.exit_status = -1, .keep = text};
	auto_request struct request *req = request_new(REQUEST_EXEC);
	auto_session struct session *s = NULL;
	struct err e;
	int rc;

	memcpy(req->lease, b->lease, sizeof(req->lease));
	if (spec_add_arg(&req->spec, STR(SPEC_PROBE), &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	if (session_open(&s, a, &b->provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	rc = pieces_ask(s, req, PROBE_MS, &p);
	if (rc || p.exit_status == 0)
		return rc;
	return app_failf(EXIT_VERIFY, "the probe " SPEC_PROBE " ended with %d", (int)p.exit_status);
}

/* What it has by now, where the offer lets it grow. */
static int find_disk(struct app *a, struct book_entry *b, const struct offer *o, uint64_t *bytes)
{
	auto_request struct request *req = request_new(REQUEST_STATUS);
	auto_reply struct reply *r = NULL;
	int rc = o->disk_max ? cli_ask_lease(a, b, req, PROBE_MS, &r) : 0;

	*bytes = r && r->disk > o->disk && r->disk <= o->disk_max ? r->disk : o->disk;
	return rc;
}

int verb_verify_isolation(void *ctx, const void *options, int argc, char **argv)
{
	auto_free struct offer *o = mem_zero(sizeof(*o));
	struct finding found[SPEC_GUARD_COUNT] = {0};
	auto_buf struct buf text = BUF(65536);
	struct app *a = ctx;
	struct book_entry b;
	uint64_t disk;
	bool kept = true;
	int rc;

	if ((rc = cli_find_lease(a, argc, argv, &b)) || (rc = find_offer(a, &b, o)) ||
	    (rc = run_probe(a, &b, &text)) || (rc = find_disk(a, &b, o, &disk)))
		return rc;
	take_lines(found, buf_view(&text));
	check_disk(&found[SPEC_GUARD_OWN_DISK], disk);
	for (unsigned g = 0; g < SPEC_GUARD_COUNT; g++)
		kept = kept && is_kept(&found[g], o->guards & spec_guard_bit((enum spec_guard)g));
	if (a->g.json)
		print_json(found, o->guards, kept);
	else
		print_table(found, o->guards);
	return kept ? 0 : app_failf(EXIT_VERIFY, "the lease is not kept in as its offer says");
}
