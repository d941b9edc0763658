/* lease verify: what a receipt proves, and what it does not, without asking anybody. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "nostr/nip19.h"

#define FILE_MAX    65536
#define WORD_MAX    64
#define TEXT_MAX    512
#define CLOCK_SLACK 300 /* seconds: a host's clock may be set back */

/* A receipt, and what it must agree with. */
struct record {
	struct buf text;
	struct nostr_event *event;
	struct json *j;		 /* its content */
	struct book_entry lease; /* where it was named … */
	bool named, has_provider;
	struct pubkey provider; /* … or this key */
};

static void record_clear(struct record *r)
{
	json_free(r->j);
	nostr_event_free(r->event);
	buf_free(&r->text);
}
#define auto_record __attribute__((cleanup(record_clear)))

/* --- where it comes from --- */

static int read_lease(struct record *r, struct app *a, const char *name)
{
	struct err e;
	int rc;

	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	rc = book_get(a->db, name, &r->lease, &e);
	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	if (rc)
		return app_failf(EXIT_NOT_FOUND, "no such file or lease: %s", name);
	rc = book_receipt(a->db, name, &r->text, &e);
	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	if (rc)
		return app_failf(EXIT_NOT_FOUND,
				 "%s has no receipt yet: it comes when the lease is erased", name);
	r->named = r->has_provider = true;
	r->provider = r->lease.provider;
	return 0;
}

static int read_record(struct record *r, struct app *a, const char *from)
{
	struct err e;
	int rc = strcmp(from, "-") == 0 ? fs_read_fd(&r->text, STDIN_FILENO, "standard input", &e)
					: fs_read(&r->text, from, &e);

	if (rc < 0)
		return app_fail(EXIT_OTHER, &e);
	return rc == FS_NOT_FOUND ? read_lease(r, a, from) : 0;
}

/* --- is it genuine, and does it agree with itself? --- */

static int check_event(struct record *r, struct err *e)
{
	if (nostr_event_parse(&r->event, str_trim(buf_view(&r->text)), e) < 0 ||
	    nostr_event_verify(r->event, e) < 0)
		return -1;
	if (r->event->kind != LEASE_KIND_RECEIPT)
		return err_set(e, ERRK_INPUT, "an event of kind %u is no receipt", r->event->kind);
	if (r->has_provider && !pubkey_eq(&r->event->pubkey, &r->provider))
		return err_set(e, ERRK_DENIED, "it is signed by another key than the provider's");
	return 0;
}

static int check_lease(const struct record *r, struct err *e)
{
	struct str id;

	if (json_str(r->j, "lease", LEASE_ID_HEX, &id, e) < 0)
		return -1;
	if (r->named && !str_is(id, r->lease.lease))
		return err_set(e, ERRK_DENIED, "lease: it is the receipt of another one, %.*s",
			       (int)id.n, id.p);
	return 0;
}

static int check_money(const struct record *r, struct err *e)
{
	uint64_t paid, used, due, kept;

	if (json_u64(r->j, "paid_msat", AMOUNT_MSAT_MAX, &paid, e) < 0 ||
	    json_u64(r->j, "used_msat", AMOUNT_MSAT_MAX, &used, e) < 0 ||
	    json_u64(r->j, "refund_due_msat", AMOUNT_MSAT_MAX, &due, e) < 0 ||
	    json_u64(r->j, "kept_msat", AMOUNT_MSAT_MAX, &kept, e) < 0)
		return -1;
	if (used + due + kept != paid)
		return err_set(e, ERRK_INPUT,
			       "paid_msat: it is not what was used, refunded and kept");
	return 0;
}

static int check_times(const struct record *r, const struct json *erased, struct err *e)
{
	uint64_t ended, at;

	if (json_u64(r->j, "ended_at", JSON_INT_MAX, &ended, e) < 0 ||
	    json_u64(erased, "at", JSON_INT_MAX, &at, e) < 0)
		return -1;
	if (at + CLOCK_SLACK < ended)
		return err_set(e, ERRK_INPUT, "erased.at: before the lease's end");
	return 0;
}

static int check(struct record *r, struct err *e)
{
	const struct json_limits limits = {.bytes = FILE_MAX, .depth = 4, .nodes = 256};
	const struct json *erased;

	if (check_event(r, e) < 0 || json_parse(&r->j, r->event->content, &limits, e) < 0 ||
	    json_child(r->j, "erased", JSON_OBJECT, &erased, e) < 0)
		return -1;
	return check_lease(r, e) < 0 || check_money(r, e) < 0 ? -1 : check_times(r, erased, e);
}

/* --- in words --- */

struct step {
	const char *field, *done, *missing;
	bool must;    /* no lease has ended without it */
	bool of_keys; /* means something where data was encrypted */
};

static const struct step STEPS[] = {
	{"processes_gone", "its processes are gone", "its processes are not gone", true, false},
	{"unmounted", "its file system is not mounted any more", "its file system is still mounted",
	 true, false},
	{"detached", "its disk is closed", "its disk is still open", true, false},
	{"key_slots_destroyed", "the header's key slots are overwritten",
	 "the header's key slots are not overwritten", true, true},
	{"header_destroyed", "header and key are overwritten and removed",
	 "header and key are still there", true, true},
	{"opening_refused", "opening it with its key was tried then, and failed",
	 "opening it with its key was not tried: nothing was left to try with", false, true},
	{"discarded", "its blocks were given back to the host's disk",
	 "its blocks were not given back to the host's disk", false, false},
	{"file_removed", "its file is removed", "its file is still there", true, false},
};

static bool flag(const struct json *j, const char *key)
{
	bool value = false;

	return json_as_bool(json_get(j, key), &value) && value;
}

/* How many steps that must be are not. */
static int count_missing(const struct json *erased)
{
	int missing = 0;

	for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++)
		missing += STEPS[i].must && !flag(erased, STEPS[i].field) &&
			   (!STEPS[i].of_keys || flag(erased, "encrypted"));
	return missing;
}

static void print_steps(const struct json *erased)
{
	bool encrypted = flag(erased, "encrypted");

	for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++) {
		const struct step *s = &STEPS[i];
		bool done = flag(erased, s->field);

		if ((s->of_keys && !encrypted) || (!s->must && !json_get(erased, s->field)))
			continue;
		printf("  %-4s  %s\n", done ? "yes" : "no", done ? s->done : s->missing);
	}
}

static void print_text(const char *label, const struct json *j, const char *key)
{
	struct str s = {NULL, 0};
	char text[TEXT_MAX];

	if (!json_as_str(json_get(j, key), &s) || !s.n)
		return;
	str_printable(text, sizeof(text), s);
	printf("%-10s  %s\n", label, text);
}

static void print_time(const char *label, const struct json *j, const char *key)
{
	uint64_t at = 0;
	char text[21];

	if (!json_as_u64(json_get(j, key), &at) || !at || at > INT32_MAX * UINT64_C(100))
		return;
	clock_format(text, (int64_t)at);
	printf("%-10s  %s\n", label, text);
}

static uint64_t sats(const struct json *j, const char *key)
{
	uint64_t msat = 0;

	json_as_u64(json_get(j, key), &msat);
	return msat / 1000;
}

static void print_volume(const struct json *erased)
{
	char volume[WORD_MAX], header[WORD_MAX];
	struct str v = STR("unknown"), h = STR("unknown");

	if (!flag(erased, "encrypted")) {
		printf("%-10s  not encrypted\n", "data");
		return;
	}
	json_as_str(json_get(erased, "volume"), &v);
	json_as_str(json_get(erased, "header"), &h);
	str_printable(volume, sizeof(volume), v);
	str_printable(header, sizeof(header), h);
	printf("%-10s  encrypted (%s); header and key lay %s\n", "data", volume,
	       str_is(h, "memory") ? "in the host's memory, never on its disk"
	       : str_is(h, "disk") ? "on the host's disk"
				   : "at a place that it does not name");
}

static void print_record(const struct record *r)
{
	const struct json *erased = json_get(r->j, "erased");
	auto_buf struct buf npub = BUF(128);

	nip19_npub(&npub, &r->event->pubkey);
	printf("%-10s  %s\n", "signed by", npub.p);
	print_text("lease", r->j, "lease");
	print_text("image", r->j, "image");
	print_time("started", r->j, "started_at");
	print_time("ended", r->j, "ended_at");
	print_text("because", r->j, "why");
	printf("%-10s  %" PRIu64 " sat, %" PRIu64 " used, %" PRIu64 " refunded, %" PRIu64 " kept\n",
	       "paid", sats(r->j, "paid_msat"), sats(r->j, "used_msat"),
	       sats(r->j, "refund_due_msat"), sats(r->j, "kept_msat"));
	print_volume(erased);
	print_time("erased", erased, "at");
	print_steps(erased);
	print_text("not proven", erased, "not_proven");
	printf("%-10s  all of this is the provider's word: the signature shows who gave it\n", "");
}

int verb_verify(void *ctx, const void *options, int argc, char **argv)
{
	const struct verify_options *o = options;
	auto_record struct record r = {.text = BUF(FILE_MAX)};
	struct app *a = ctx;
	struct err e;
	int rc, missing;

	if (argc != 1)
		return app_failf(EXIT_USAGE, "want one RECORD: a file, - or a lease's name");
	rc = read_record(&r, a, argv[0]);
	if (rc)
		return rc;
	if (o->provider && nip19_parse_key(&r.provider, str_of(o->provider), &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	r.has_provider = r.has_provider || o->provider;
	if (check(&r, &e) < 0)
		return app_fail(EXIT_VERIFY, &e);
	if (a->g.json) {
		out_text(r.event->content);
		putchar('\n');
	} else {
		print_record(&r);
	}
	missing = count_missing(json_get(r.j, "erased"));
	return missing ? app_failf(EXIT_VERIFY, "steps of the erasure that are missing: %d",
				   missing)
		       : 0;
}
