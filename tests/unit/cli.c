/* The buyer's choice of an offer, its book, and what it prints. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

#include "base/clock.h"
#include "base/secret.h"
#include "cli/book.h"
#include "cli/fundmint.h"
#include "cli/market.h"
#include "cli/order.h"
#include "cli/out.h"
#include "cli/qr.h"
#include "cli/registry_auth.h"

#define MINT "https://mint.example"

/* --- market --- */

static void add(struct market *m, const char *name, uint64_t msat, bool live)
{
	struct listing *l;

	m->v = mem_grow(m->v, m->n + 1, sizeof(*m->v));
	l = &m->v[m->n++];
	memset(l, 0, sizeof(*l));
	snprintf(l->offer.name, sizeof(l->offer.name), "%s", name);
	l->offer.provider.b[0] = (uint8_t)m->n;
	l->offer.price = (struct price){msat, 1};
	l->offer.cpu_millicores = 1000;
	l->offer.memory = 1 << 20;
	l->offer.max_lease = 3600;
	l->offer.nimages = l->offer.nmints = 1;
	snprintf(l->offer.images[0].name, OFFER_TEXT_MAX, "oci:a");
	snprintf(l->offer.mints[0].url, OFFER_TEXT_MAX, MINT);
	l->live = live;
}

static void assert_why(const struct market *m, const struct market_want *w, const char *why)
{
	struct err e = {0};

	assert_null(market_choose(m, w, &e));
	if (!strstr(e.msg, why))
		fail_msg("\"%s\" has no \"%s\"", e.msg, why);
}

static void cheapest_live_offer_is_chosen(void **state)
{
	auto_market struct market m = {0};
	const struct market_want w = {.image = "oci:a", .mint = MINT, .seconds = 600};
	struct err e;

	add(&m, "dear", 500, true);
	add(&m, "dead", 10, false);
	add(&m, "cheap", 100, true);
	add(&m, "same", 100, true);
	assert_string_equal(market_choose(&m, &w, &e)->offer.name, "cheap");
}

/* 2^53 msat a second cannot even be counted for an hour. */
static void offer_without_a_payable_price_is_never_chosen(void **state)
{
	auto_market struct market m = {0};
	const struct market_want w = {0};
	struct err e;

	add(&m, "cheap", 100, true);
	add(&m, "trap", AMOUNT_MSAT_MAX, true);
	assert_string_equal(market_choose(&m, &w, &e)->offer.name, "cheap");
	m.v[0].live = false;
	assert_null(market_choose(&m, &w, &e));
}

static void misfit_of_the_best_candidate_is_said(void **state)
{
	auto_market struct market m = {0};
	const char *hex = "0100000000000000000000000000000000000000000000000000000000000000";

	assert_why(&m, &(struct market_want){0}, "no relay has an offer");
	add(&m, "small", 100, true);
	assert_why(&m, &(struct market_want){.provider = "ffffffff"}, "that provider");
	assert_why(&m, &(struct market_want){.provider = hex, .offer = "big"}, "that name");
	assert_why(&m, &(struct market_want){.image = "oci:b"}, "that image");
	assert_why(&m, &(struct market_want){.mint = "https://other"}, "takes this mint");
	assert_why(&m, &(struct market_want){.cpu = 1001}, "that large");
	assert_why(&m, &(struct market_want){.memory = 2 << 20}, "that large");
	assert_why(&m, &(struct market_want){.seconds = 3601}, "so long");
	m.v[0].live = false;
	add(&m, "other", 1, true); /* looked at later, but further away */
	m.v[1].offer.nimages = 0;
	assert_why(&m, &(struct market_want){.image = "oci:a"}, "does not answer");
}

static void listing_that_was_tried_is_not_chosen_again(void **state)
{
	auto_market struct market m = {0};
	const struct market_want w = {0};
	struct err e;

	add(&m, "cheap", 100, true);
	add(&m, "dear", 500, true);
	m.v[0].use = LISTING_TRIED;
	assert_string_equal(market_choose(&m, &w, &e)->offer.name, "dear");
	m.v[1].use = LISTING_SEEN;
	assert_null(market_choose(&m, &w, &e));
}

/* --- the price, in one payment or two --- */

static void assert_split(const struct offer *o, int64_t seconds, int64_t max_first,
			 struct order_price want)
{
	struct order_price p;
	struct err e;

	assert_int_equal(order_split(&p, o, seconds, max_first, &e), 0);
	assert_int_equal(sat_raw(p.amount), sat_raw(want.amount));
	assert_int_equal(sat_raw(p.first), sat_raw(want.first));
	assert_int_equal(sat_raw(p.later), sat_raw(want.later));
}

#define PRICE(a, b, c) ((struct order_price){SAT(a), SAT(b), SAT(c)})

static void first_payment_to_an_unknown_provider_is_capped(void **state)
{
	struct offer o = {.price = {1000, 1}, .min_payment = SAT(10)};

	assert_split(&o, 7200, 600, PRICE(7200, 600, 6600));
	assert_split(&o, 7200, 0, PRICE(7200, 7200, 0)); /* known */
	assert_split(&o, 600, 600, PRICE(600, 600, 0));
	assert_split(&o, 601, 600, PRICE(601, 600, 1));
	assert_split(&o, 5, 600, PRICE(10, 10, 0)); /* the offer's smallest */
	o.price = (struct price){10000, 3600};	    /* 10 sat/h: ten minutes are two */
	assert_split(&o, 7200, 600, PRICE(20, 10, 10));
	assert_split(&o, 3600, 600, PRICE(10, 10, 0));
	o.min_payment = SAT(50);
	assert_split(&o, 7200, 600, PRICE(50, 50, 0));
}

static void time_that_cannot_be_paid_has_no_price(void **state)
{
	const struct offer o = {.price = {AMOUNT_MSAT_MAX, 1}};
	struct order_price p;
	struct err e;

	assert_int_equal(order_split(&p, &o, 600, 10, &e), -1);
	assert_int_equal(order_split(&p, &o, 1, 0, &e), 0);
}

/* --- which mint to fund --- */

static struct offer *offer_of(struct market *m, uint8_t provider, const char *mint)
{
	struct offer *o;

	add(m, "small", 100, true);
	o = &m->v[m->n - 1].offer;
	o->provider.b[0] = provider;
	snprintf(o->mints[0].url, OFFER_TEXT_MAX, "%s", mint);
	return o;
}

static void mint_that_most_providers_take_comes_first(void **state)
{
	auto_market struct market m = {0};
	auto_votes struct mint_votes v = {0};

	offer_of(&m, 1, "https://one.example");
	offer_of(&m, 2, "https://two.example");
	offer_of(&m, 3, "https://two.example/");
	offer_of(&m, 4, "no mint");
	mint_votes_count(&v, &m);
	mint_votes_sort(&v);
	assert_int_equal(v.n, 2);
	assert_int_equal(v.providers, 4);
	assert_string_equal(v.v[0].url, "https://two.example");
	assert_int_equal(v.v[0].providers, 2);
}

/* Anybody can publish a hundred offers that name a mint of his own. */
static void provider_has_one_voice_and_a_dead_one_none(void **state)
{
	auto_market struct market m = {0};
	auto_votes struct mint_votes v = {0};

	offer_of(&m, 1, "https://evil.example");
	offer_of(&m, 1, "https://evil.example:443");
	offer_of(&m, 1, "HTTPS://EVIL.example");
	offer_of(&m, 9, "https://evil.example");
	m.v[3].live = false;
	offer_of(&m, 2, MINT);
	offer_of(&m, 3, MINT);
	mint_votes_count(&v, &m);
	mint_votes_sort(&v);
	assert_int_equal(v.providers, 3);
	assert_string_equal(v.v[0].url, MINT);
	assert_int_equal(v.v[1].providers, 1);
}

static void mint_of_the_configuration_comes_before_strangers(void **state)
{
	auto_market struct market m = {0};
	auto_votes struct mint_votes v = {0};

	offer_of(&m, 1, "https://evil.example");
	offer_of(&m, 2, "https://evil.example");
	mint_votes_count(&v, &m);
	v.v = mem_grow(v.v, 2, sizeof(*v.v));
	v.v[v.n++] = (struct mint_vote){.url = MINT, .configured = true};
	mint_votes_sort(&v);
	assert_string_equal(v.v[0].url, MINT);
}

/* --- QR --- */

static void qr_code_has_its_finder_and_a_quiet_zone(void **state)
{
	auto_buf struct buf out = BUF(1 << 16);
	size_t columns = 0, lines = 0;
	struct str rest, line;
	struct err e;

	assert_int_equal(qr_draw(&out, &columns, STR("lnbc1x"), &e), 0);
	assert_int_equal(columns, 21 + 8); /* version 1: capitals are alphanumeric */
	rest = buf_view(&out);
	while (str_cut(&rest, '\n', &line)) {
		if (lines == 2) /* upper edge of the finder: dark over light */
			assert_true(str_starts(line, "\033[97;40m████ ▄▄▄▄▄ █"));
		lines += line.n > 0;
	}
	assert_int_equal(lines, (21 + 8 + 1) / 2);
}

/* --- book --- */

static int open_book(void **state)
{
	const struct secret key = {{1}};
	struct db *d = NULL;
	struct err e;

	if (db_open(&d, ":memory:", &e) < 0)
		fail_msg("%s", e.msg);
	db_set_key(d, &key);
	if (book_migrate(d, &e) < 0)
		fail_msg("%s", e.msg);
	*state = d;
	return 0;
}

static int close_book(void **state)
{
	db_close(*state);
	return 0;
}

static int put(struct db *d, const char *name, const char *lease)
{
	struct book_entry b = {.state = BOOK_ASKED, .price = {1, 1}, .exit_status = -1};
	auto_tx struct tx *tx = NULL;
	int rc;

	snprintf(b.name, sizeof(b.name), "%s", name);
	snprintf(b.lease, sizeof(b.lease), "%s", lease);
	assert_int_equal(db_begin(&tx, d, NULL), 0);
	rc = book_add(tx, &b, NULL);
	return rc ? rc : db_commit(&tx, NULL);
}

static void book_finds_by_name_and_by_what_is_unique_of_an_id(void **state)
{
	struct db *d = *state;
	struct book_entry b;

	assert_int_equal(put(d, "one", "aaaabbbbccccdddd"), 0);
	assert_int_equal(put(d, "two", "aaaabbbbcccceeee"), 0);
	assert_int_equal(put(d, "two", "ffffffffffffffff"), BOOK_TAKEN);
	assert_int_equal(book_get(d, "two", &b, NULL), 0);
	assert_string_equal(b.lease, "aaaabbbbcccceeee");
	assert_int_equal(book_get(d, "aaaabbbbccccd", &b, NULL), 0);
	assert_string_equal(b.name, "one");
	assert_int_equal(book_get(d, "aaaabbbb", &b, NULL), BOOK_NONE); /* both */
	assert_int_equal(book_get(d, "aaa", &b, NULL), BOOK_NONE);
	assert_int_equal(book_get(d, "____", &b, NULL), BOOK_NONE); /* no pattern */
}

static int count_ask(void *ctx, const struct book_ask *a)
{
	++*(int *)ctx;
	return 0;
}

/* A name may be used again when its lease was refused and nothing of it is open. */
static void name_of_a_refused_lease_is_free(void **state)
{
	const struct book_ask a = {.request_id = "0123456789abcdef0123456789abcdef", .name = "one"};
	struct db *d = *state;
	struct book_entry b;
	auto_tx struct tx *tx = NULL;

	assert_int_equal(book_name_free(d, "one", NULL), 1);
	assert_int_equal(put(d, "one", ""), 0);
	assert_int_equal(book_name_free(d, "one", NULL), 0);
	assert_int_equal(book_get(d, "one", &b, NULL), 0);
	b.state = BOOK_REFUSED;
	assert_int_equal(db_begin(&tx, d, NULL), 0);
	assert_int_equal(book_save(tx, &b, NULL), 0);
	assert_int_equal(book_ask_add(tx, &a, STR("secret"), NULL), 0);
	assert_int_equal(db_commit(&tx, NULL), 0);
	assert_int_equal(book_name_free(d, "one", NULL), 0); /* its token is not back */
	assert_int_equal(put(d, "one", ""), BOOK_TAKEN);
	assert_int_equal(db_begin(&tx, d, NULL), 0);
	assert_int_equal(book_ask_close(tx, a.request_id, NULL), 0);
	assert_int_equal(db_commit(&tx, NULL), 0);
	assert_int_equal(book_name_free(d, "one", NULL), 1);
	assert_int_equal(put(d, "one", "aaaabbbbccccdddd"), 0);
}

/* One that has ended keeps it, and that is said. */
static void name_of_an_ended_lease_is_its_own(void **state)
{
	struct db *d = *state;
	auto_tx struct tx *tx = NULL;
	struct book_entry b;
	struct err e;

	assert_int_equal(put(d, "one", "aaaabbbbccccdddd"), 0);
	assert_int_equal(book_name_free(d, "one", &e), 0);
	assert_non_null(strstr(e.msg, "already"));
	assert_int_equal(book_get(d, "one", &b, NULL), 0);
	b.state = BOOK_ENDED;
	assert_int_equal(db_begin(&tx, d, NULL), 0);
	assert_int_equal(book_save(tx, &b, NULL), 0);
	assert_int_equal(db_commit(&tx, NULL), 0);
	assert_int_equal(book_name_free(d, "one", &e), 0);
	assert_non_null(strstr(e.msg, "has ended"));
	assert_int_equal(put(d, "one", ""), BOOK_TAKEN);
}

static void runs(struct db *d, const char *name, uint64_t volume, int64_t from, int64_t until)
{
	auto_tx struct tx *tx = NULL;
	struct book_entry b;

	assert_int_equal(put(d, name, name), 0);
	assert_int_equal(book_get(d, name, &b, NULL), 0);
	b.state = BOOK_RUNNING;
	b.volume = volume;
	b.started_at = from;
	b.expires_at = until;
	assert_int_equal(db_begin(&tx, d, NULL), 0);
	assert_int_equal(book_save(tx, &b, NULL), 0);
	assert_int_equal(db_commit(&tx, NULL), 0);
}

static void what_ends_soon_is_named(void **state)
{
	int64_t now = clock_wall();
	auto_buf struct buf said = BUF(4096);
	auto_close int out = dup(2);
	struct app a = {.db = *state};
	char path[] = "/tmp/cli-said-XXXXXX";
	auto_close int file = mkstemp(path);

	runs(a.db, "box", 0, now - 3500, now + 200);
	runs(a.db, "data", 1 << 24, now - 864000, now + 80000);
	runs(a.db, "far", 1 << 24, now - 864000, now + 90000);
	runs(a.db, "brief", 0, now - 300, now + 20);
	runs(a.db, "over", 0, now - 3700, now - 100);
	assert_true(file >= 0 && dup2(file, 2) == 2);
	assert_int_equal(out_endings(&a, NULL), 0);
	assert_true(dup2(out, 2) == 2);
	assert_int_equal(fs_read(&said, path, NULL), 0);
	(void)unlink(path);
	assert_non_null(strstr(said.p, "box ends in 3m"));
	assert_non_null(strstr(said.p, "lease topup box"));
	assert_non_null(strstr(said.p, "lease volume extend data"));
	assert_null(strstr(said.p, "far"));
	assert_null(strstr(said.p, "brief"));
	assert_null(strstr(said.p, "over"));
}

static void provider_is_known_once_it_gave_a_lease(void **state)
{
	struct db *d = *state;
	struct book_entry b;
	auto_tx struct tx *tx = NULL;

	assert_int_equal(put(d, "one", ""), 0);
	assert_int_equal(book_get(d, "one", &b, NULL), 0);
	assert_int_equal(book_knows(d, &b.provider, NULL), 0);
	b.started_at = 5;
	assert_int_equal(db_begin(&tx, d, NULL), 0);
	assert_int_equal(book_save(tx, &b, NULL), 0);
	assert_int_equal(db_commit(&tx, NULL), 0);
	assert_int_equal(book_knows(d, &b.provider, NULL), 1);
	b.provider.b[0] ^= 1;
	assert_int_equal(book_knows(d, &b.provider, NULL), 0);
}

/* Stored before its token is made: completed by it, or gone without a trace. */
static void intent_is_completed_or_dropped(void **state)
{
	struct book_ask a = {.request_id = "0123456789abcdef0123456789abcdef", .name = "one"};
	struct db *d = *state;
	auto_buf struct buf text = BUF(64);
	auto_tx struct tx *tx = NULL;
	int n = 0;

	assert_int_equal(db_begin(&tx, d, NULL), 0);
	assert_int_equal(book_ask_add(tx, &a, STR("intent"), NULL), 0);
	a.token_out = 7;
	assert_int_equal(book_ask_fill(tx, &a, STR("whole"), NULL), 0);
	assert_int_equal(book_ask_text(d, a.request_id, &text, NULL), 0);
	assert_view(text, "whole");
	assert_int_equal(book_ask_drop(tx, a.request_id, NULL), 0); /* it has a token: it stays */
	assert_int_equal(book_each_ask(d, count_ask, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(book_ask_close(tx, a.request_id, NULL), 0);
	assert_int_equal(book_ask_fill(tx, &a, STR("late"), NULL), -1);
	a = (struct book_ask){.request_id = "1123456789abcdef0123456789abcdef", .name = "two"};
	assert_int_equal(book_ask_add(tx, &a, STR("intent"), NULL), 0);
	assert_int_equal(book_ask_drop(tx, a.request_id, NULL), 0);
	assert_int_equal(book_each_ask(d, count_ask, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_commit(&tx, NULL), 0);
}

static void closed_request_is_blanked(void **state)
{
	const struct book_ask a = {.request_id = "0123456789abcdef0123456789abcdef", .name = "one"};
	struct db *d = *state;
	auto_buf struct buf text = BUF(64);
	auto_tx struct tx *tx = NULL;
	int n = 0;

	assert_int_equal(db_begin(&tx, d, NULL), 0);
	assert_int_equal(book_ask_add(tx, &a, STR("secret"), NULL), 0);
	assert_int_equal(book_each_ask(d, count_ask, &n, NULL), 0);
	assert_int_equal(book_ask_text(d, a.request_id, &text, NULL), 0);
	assert_view(text, "secret");
	assert_int_equal(book_ask_close(tx, a.request_id, NULL), 0);
	assert_int_equal(book_each_ask(d, count_ask, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(book_ask_text(d, a.request_id, &text, NULL), BOOK_NONE);
	assert_int_equal(db_commit(&tx, NULL), 0);
}

/* A stopped lease is one that runs no more for now, and forgets its exit status when it does again.
 */
static void book_learns_of_stop_and_start(void **state)
{
	struct book_entry b = {.state = BOOK_RUNNING, .exit_status = 3};
	struct reply r = {.stage = REPLY_STAGE_STATUS, .state = "halting", .exit_status = -1};

	book_learn(&b, &r);
	assert_true(b.halted);
	memcpy(r.state, "stopped", sizeof("stopped"));
	book_learn(&b, &r);
	assert_true(b.halted);
	assert_int_equal(b.state, BOOK_RUNNING);
	memcpy(r.state, "running", sizeof("running"));
	book_learn(&b, &r);
	assert_false(b.halted);
	assert_int_equal(b.exit_status, -1);
	r.stage = REPLY_STAGE_EXEC;
	memcpy(r.state, "stopped", sizeof("stopped"));
	book_learn(&b, &r);
	assert_false(b.halted);
}

/* What a provider says goes to a terminal sooner or later: C1 controls move its cursor, too. */
static void words_of_providers_do_not_control_a_terminal(void **state)
{
	struct book_entry b = {.state = BOOK_RUNNING};
	struct reply r = {.stage = REPLY_STAGE_ENDED,
			  .exit_status = -1,
			  .why = "a\xc2\x9b"
				 "b"};
	auto_buf struct buf line = BUF(64);
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, out = dup(STDOUT_FILENO);
	char got[64] = "";

	book_learn(&b, &r);
	assert_string_equal(b.why, "a?b");
	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	buf_json(&line, str_of("a\xc2\x9b"
			       "b"));
	fflush(stdout);
	assert_true(dup2(slave, STDOUT_FILENO) == STDOUT_FILENO);
	out_line(&line);
	fflush(stdout);
	assert_true(dup2(out, STDOUT_FILENO) == STDOUT_FILENO);
	assert_true(read(master, got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "\"a?b\"\r\n");
	close(out);
	close(slave);
	close(master);
}

static void book_learns_from_replies(void **state)
{
	struct book_entry b = {.state = BOOK_ASKED, .exit_status = -1};
	struct reply r = {.stage = REPLY_STAGE_RUNNING, .exit_status = -1, .expires_at = 9};

	memcpy(r.lease, "aaaabbbbccccdddd", sizeof(r.lease));
	book_learn(&b, &r);
	assert_int_equal(b.state, BOOK_RUNNING);
	assert_int_equal(b.expires_at, 9);
	r.stage = REPLY_STAGE_FAILED; /* of a top-up: the lease is not the one that failed */
	r.refund_due = MSAT(5000);
	book_learn(&b, &r);
	assert_int_equal(b.state, BOOK_RUNNING);
	r.stage = REPLY_STAGE_ENDED;
	book_learn(&b, &r);
	assert_int_equal(b.state, BOOK_ENDED);
}

/* --- print --- */

static void prices_sizes_and_times_are_for_people(void **state)
{
	char s[64];

	out_price(s, sizeof(s), (struct price){10000, 3600});
	assert_string_equal(s, "10 sat/h");
	out_price(s, sizeof(s), (struct price){1, 7});
	assert_string_equal(s, "1 msat/7s");
	out_bytes(s, sizeof(s), UINT64_C(512) << 20);
	assert_string_equal(s, "512Mi");
	out_bytes(s, sizeof(s), 1000);
	assert_string_equal(s, "1000");
	out_left(s, sizeof(s), 598);
	assert_string_equal(s, "9m58s");
	out_left(s, sizeof(s), 0);
	assert_string_equal(s, "-");
}

/* What out_text prints where standard output is `to`; `from` is the other end. */
static void print_to(int to, int from, struct str text, char *got, size_t size)
{
	int keep = dup(STDOUT_FILENO);
	ssize_t n;

	fflush(stdout);
	assert_true(keep >= 0 && dup2(to, STDOUT_FILENO) >= 0);
	out_text(text);
	fflush(stdout);
	assert_true(dup2(keep, STDOUT_FILENO) >= 0);
	close(keep);
	n = read(from, got, size - 1);
	assert_true(n >= 0);
	got[n] = '\0';
}

static void stranger_does_not_write_to_the_terminal(void **state)
{
	const struct str text = STR("a\033[2Jb\nc");
	auto_close int master = posix_openpt(O_RDWR | O_NOCTTY), slave = -1;
	int ends[2];
	char got[64];

	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	print_to(slave, master, text, got, sizeof(got));
	assert_string_equal(got, "a?[2Jb?c");
	assert_int_equal(pipe(ends), 0);
	print_to(ends[1], ends[0], text, got, sizeof(got));
	assert_string_equal(got, "a\033[2Jb\nc"); /* a program reads what was said */
	close(ends[0]);
	close(ends[1]);
}

#define book_test(f) cmocka_unit_test_setup_teardown(f, open_book, close_book)

/* Only the entry of the image's own registry leaves this machine. */
static void credentials_are_those_of_the_images_registry(void **state)
{
	static const char docker[] =
		"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"aHViOmE=\"},"
		"\"r.lan:5000\":{\"auth\":\"bGFuOmI=\"},\"empty.lan\":{}},"
		"\"credsStore\":\"desktop\"}";
	static const struct {
		const char *text, *image, *auth;
	} rows[] = {
		{"ali:sesame\n", "r.lan:5000/x", "YWxpOnNlc2FtZQ=="},
		{docker, "r.lan:5000/x:1", "bGFuOmI="},
		{docker, "docker.io/team/app", "aHViOmE="},
		{docker, "busybox", "aHViOmE="},
		{docker, "other.lan/x", NULL},
		{docker, "empty.lan/x", NULL},
		{docker, "oci:/srv/x", NULL},
		{"no colon\n", "r.lan:5000/x", NULL},
		{"ali:sesame\nbob:b\n", "r.lan:5000/x", NULL},
		{"", "r.lan:5000/x", NULL},
		{"{\"auths\":{\"r.lan:5000\":{\"auth\":\"!!\"}}}", "r.lan:5000/x", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *auth = NULL;
		struct err e;
		int r = registry_auth_parse(&auth, str_of(rows[i].text), rows[i].image, &e);

		assert_int_equal(r, rows[i].auth ? 0 : -1);
		if (rows[i].auth)
			assert_string_equal(auth, rows[i].auth);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cheapest_live_offer_is_chosen),
		cmocka_unit_test(offer_without_a_payable_price_is_never_chosen),
		cmocka_unit_test(misfit_of_the_best_candidate_is_said),
		cmocka_unit_test(listing_that_was_tried_is_not_chosen_again),
		cmocka_unit_test(first_payment_to_an_unknown_provider_is_capped),
		cmocka_unit_test(time_that_cannot_be_paid_has_no_price),
		cmocka_unit_test(mint_that_most_providers_take_comes_first),
		cmocka_unit_test(provider_has_one_voice_and_a_dead_one_none),
		cmocka_unit_test(mint_of_the_configuration_comes_before_strangers),
		cmocka_unit_test(qr_code_has_its_finder_and_a_quiet_zone),
		book_test(book_finds_by_name_and_by_what_is_unique_of_an_id),
		book_test(closed_request_is_blanked),
		book_test(name_of_a_refused_lease_is_free),
		book_test(name_of_an_ended_lease_is_its_own),
		book_test(what_ends_soon_is_named),
		book_test(provider_is_known_once_it_gave_a_lease),
		book_test(intent_is_completed_or_dropped),
		cmocka_unit_test(book_learns_of_stop_and_start),
		cmocka_unit_test(words_of_providers_do_not_control_a_terminal),
		cmocka_unit_test(book_learns_from_replies),
		cmocka_unit_test(credentials_are_those_of_the_images_registry),
		cmocka_unit_test(stranger_does_not_write_to_the_terminal),
		cmocka_unit_test(prices_sizes_and_times_are_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
