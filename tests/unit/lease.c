/* States, bills and rows of leases. */
#include "unit.h"

#include <unistd.h>

#include "base/secret.h"
#include "lease/store.h"

#define ID "0123456789abcdef"

/* --- states --- */

static void state_follows_only_where_the_table_says(void **state)
{
	static const enum lease_state may[][2] = {
		{LEASE_ASKED, LEASE_PAYING},   {LEASE_ASKED, LEASE_REFUSED},
		{LEASE_PAYING, LEASE_PAID},    {LEASE_PAYING, LEASE_REFUSED},
		{LEASE_PAYING, LEASE_ENDED},   {LEASE_PAID, LEASE_RUNNING},
		{LEASE_PAID, LEASE_STOPPING},  {LEASE_RUNNING, LEASE_STOPPING},
		{LEASE_STOPPING, LEASE_ENDED},
	};

	for (int from = LEASE_ASKED; from < LEASE_NSTATES; from++)
		for (int to = LEASE_ASKED; to < LEASE_NSTATES; to++) {
			bool want = false;

			for (size_t i = 0; i < ARRAY_SIZE(may); i++)
				want |= (int)may[i][0] == from && (int)may[i][1] == to;
			if (lease_may_become(from, to) != want)
				fail_msg("%s -> %s", lease_state_name(from), lease_state_name(to));
		}
}

/* The numbers are in databases: append only. */
static void numbers_and_words_are_stable(void **state)
{
	static const char *const states[] = {NULL,	 "asked",   "refused",	"paying",
					     "starting", "running", "stopping", "ended"};
	static const char *const whys[] = {
		"",	    "refused",	    "expired",	     "owner",
		"operator", "start_failed", "host_rebooted", "paid_late"};

	assert_int_equal(ARRAY_SIZE(states), LEASE_NSTATES);
	for (int s = LEASE_ASKED; s < LEASE_NSTATES; s++)
		assert_string_equal(lease_state_name(s), states[s]);
	for (int w = WHY_NONE; w <= WHY_PAID_LATE; w++)
		assert_string_equal(lease_why_name(w), whys[w]);
}

/* --- bills --- */

/* 100 sat at 1 sat a second, from 1000 on, with a refund key. */
static struct lease paid_lease(void)
{
	struct lease l = {.id = ID,
			  .state = LEASE_ASKED,
			  .request_id = "0123456789abcdef0123456789abcdef",
			  .offer = "small",
			  .price = {1000, 1},
			  .max_lease = 3600,
			  .start_timeout = 300,
			  .refund_min = SAT(2),
			  .image = "oci:a",
			  .mint = "https://mint.example",
			  .refund_key = "02",
			  .paid = MSAT(100000),
			  .started_at = 1000,
			  .expires_at = 1100,
			  .asked_at = 900,
			  .not_after = 990,
			  .exit_status = -1};

	return l;
}

static void check_bill(const struct lease *l, int64_t now, uint64_t used, uint64_t refund,
		       uint64_t kept)
{
	struct lease_bill b;

	lease_bill(&b, l, now);
	assert_int_equal(msat_raw(b.used), used);
	assert_int_equal(msat_raw(b.refund), refund);
	assert_int_equal(msat_raw(b.kept), kept);
	assert_int_equal(msat_raw(b.unused), refund + kept);
}

static void bill_counts_the_seconds_that_ran(void **state)
{
	struct lease l = paid_lease();

	assert_int_equal(lease_paid_seconds(&l), 100);
	check_bill(&l, 1000, 0, 100000, 0);
	check_bill(&l, 1001, 1000, 99000, 0);
	check_bill(&l, 1099, 99000, 0, 1000); /* below refund_min */
	check_bill(&l, 1098, 98000, 2000, 0);
	check_bill(&l, 1100, 100000, 0, 0);
	check_bill(&l, 9999, 100000, 0, 0);
	check_bill(&l, 500, 0, 100000, 0); /* the clock went back */
}

static void bill_of_a_lease_that_never_ran_is_nothing_used(void **state)
{
	struct lease l = paid_lease();

	l.started_at = l.expires_at = 0;
	check_bill(&l, 99999, 0, 100000, 0);
}

static void bill_without_a_refund_key_keeps_what_is_left(void **state)
{
	struct lease l = paid_lease();

	l.refund_key[0] = 0;
	check_bill(&l, 1050, 50000, 0, 50000);
}

static void bill_refunds_what_is_paid_beyond_the_longest_lease(void **state)
{
	struct lease l = paid_lease();

	l.max_lease = 60;
	l.expires_at = l.started_at + lease_paid_seconds(&l);
	assert_int_equal(l.expires_at, 1060);
	check_bill(&l, 1060, 60000, 40000, 0);
}

static void bill_rounds_down_to_whole_sats_and_keeps_the_rest(void **state)
{
	struct lease l = paid_lease();

	l.price = (struct price){1500, 1};
	check_bill(&l, 1001, 1500, 98000, 500);
}

/* Two prices one after the other: each for its time, and what is left buys at the second. */
static void a_higher_price_counts_from_its_moment_on(void **state)
{
	struct lease l = paid_lease();
	struct msat longest;

	lease_reprice(&l, (struct price){2000, 1}, 1020);
	assert_int_equal(msat_raw(l.spent), 20000);
	assert_int_equal(l.expires_at, 1060);
	check_bill(&l, 1010, 20000, 80000, 0);
	check_bill(&l, 1030, 40000, 60000, 0);
	check_bill(&l, 1060, 100000, 0, 0);
	lease_reprice(&l, (struct price){4000, 1}, 1030);
	assert_int_equal(l.expires_at, 1045);
	l.max_lease = 40;
	assert_int_equal(lease_paid_seconds(&l), 40);
	assert_true(lease_longest(&longest, &l));
	assert_int_equal(msat_raw(longest), 80000);
	l.max_lease = 3600;
	lease_reprice(&l, (struct price){1, 1}, 5000); /* after its end */
	assert_int_equal(l.priced_at, 1045);
}

static uint64_t draw(uint64_t most)
{
	uint64_t v;

	rand_bytes(&v, sizeof(v));
	return v % (most + 1);
}

static void bill_adds_up_for_whatever_values(void **state)
{
	for (int i = 0; i < 200000; i++) {
		struct lease l = paid_lease();
		struct lease_bill b;
		uint64_t sum;

		l.price.msat = draw(UINT64_C(1) << draw(53));
		l.price.per = 1 + draw(UINT64_C(1) << draw(24));
		l.paid.n = draw(UINT64_C(1) << draw(53));
		l.refund_min.n = draw(UINT64_C(1) << draw(20));
		l.max_lease = 1 + (int64_t)draw(31536000);
		l.started_at = draw(3) ? 1000 : 0;
		l.expires_at = l.started_at ? l.started_at + lease_paid_seconds(&l) : 0;
		if (l.started_at && !draw(2))
			lease_reprice(&l, (struct price){l.price.msat + draw(1000), l.price.per},
				      1000 + (int64_t)draw(10000));
		if (!draw(3))
			l.refund_key[0] = 0;
		lease_bill(&b, &l, (int64_t)draw(UINT64_C(1) << draw(33)));
		sum = msat_raw(b.used) + msat_raw(b.refund) + msat_raw(b.kept);
		if (sum != msat_raw(l.paid) || msat_raw(b.refund) % 1000 ||
		    (!l.refund_key[0] && msat_raw(b.refund)))
			fail_msg("paid %llu at %llu/%llu: %llu", (unsigned long long)l.paid.n,
				 (unsigned long long)l.price.msat, (unsigned long long)l.price.per,
				 (unsigned long long)sum);
	}
}

/* --- rows --- */

struct bed {
	char dir[32];
	struct db *db;
};

static int bed_open(void **state)
{
	struct bed *b = mem_zero(sizeof(*b));
	auto_free char *file = NULL;
	const struct secret key = {{1}};
	struct err e;

	memcpy(b->dir, "/tmp/lease-store-XXXXXX", sizeof("/tmp/lease-store-XXXXXX"));
	assert_non_null(mkdtemp(b->dir));
	file = mem_printf("%s/db", b->dir);
	if (db_open(&b->db, file, &e) < 0)
		fail_msg("%s", e.msg);
	db_set_key(b->db, &key);
	if (store_migrate(b->db, &e) < 0)
		fail_msg("%s", e.msg);
	*state = b;
	return 0;
}

static int bed_close(void **state)
{
	struct bed *b = *state;
	struct err e;

	db_close(b->db);
	assert_int_equal(fs_remove_tree(b->dir, &e), 0);
	free(b);
	return 0;
}

static struct tx *begin(struct bed *b)
{
	struct tx *tx = NULL;

	assert_int_equal(db_begin(&tx, b->db, NULL), 0);
	return tx;
}

static void insert(struct bed *b, const struct lease *l)
{
	auto_tx struct tx *tx = begin(b);

	assert_int_equal(lease_insert(tx, l, STR("{\"image\":\"oci:a\"}"), NULL), 0);
	assert_int_equal(lease_save(tx, l, NULL), 0);
	assert_int_equal(db_commit(&tx, NULL), 0);
}

static int move(struct bed *b, struct lease *l, enum lease_state to, enum lease_why why)
{
	auto_tx struct tx *tx = begin(b);
	int rc = lease_move(tx, l, to, why, NULL);

	return rc ? rc : db_commit(&tx, NULL);
}

static void lease_reads_back_as_it_was_stored(void **state)
{
	struct bed *b = *state;
	struct lease l = paid_lease(), back;

	memset(l.author.b, 7, sizeof(l.author.b));
	l.limits = (struct spec_limits){.cpu = 1, .memory = 2, .pids = 3, .disk = 4};
	l.fee = SAT(1);
	insert(b, &l);
	assert_int_equal(lease_load(b->db, ID, &back, NULL), 0);
	assert_string_equal(back.id, l.id);
	assert_true(pubkey_eq(&back.author, &l.author));
	assert_string_equal(back.request_id, l.request_id);
	assert_string_equal(back.mint, l.mint);
	assert_string_equal(back.refund_key, l.refund_key);
	assert_memory_equal(&back.limits, &l.limits, sizeof(l.limits));
	assert_memory_equal(&back.price, &l.price, sizeof(l.price));
	assert_int_equal(msat_raw(back.paid), msat_raw(l.paid));
	assert_int_equal(sat_raw(back.fee), sat_raw(l.fee));
	assert_int_equal(back.expires_at, l.expires_at);
	assert_int_equal(back.not_after, l.not_after);
	assert_int_equal(back.exit_status, -1);
	assert_int_equal(lease_load(b->db, "ffffffffffffffff", &back, NULL), STORE_NONE);
}

static void lease_moves_only_from_the_state_that_the_row_has(void **state)
{
	struct bed *b = *state;
	struct lease l = paid_lease(), old;

	insert(b, &l);
	old = l;
	assert_int_equal(move(b, &l, LEASE_PAYING, WHY_NONE), 0);
	assert_int_equal(l.state, LEASE_PAYING);
	assert_int_equal(move(b, &old, LEASE_REFUSED, WHY_REFUSED), -1);
	assert_int_equal(lease_load(b->db, ID, &old, NULL), 0);
	assert_int_equal(old.state, LEASE_PAYING);
	assert_int_equal(old.why, WHY_NONE);
}

static int64_t count(struct bed *b, const char *sql)
{
	auto_stmt struct stmt *s = db_query(b->db, sql);

	assert_int_equal(db_step(s, NULL), DB_ROW);
	return db_i64(s, 0);
}

static void final_lease_forgets_its_secrets_and_keeps_its_history(void **state)
{
	struct bed *b = *state;
	auto_buf struct buf spec = BUF(1024), token = BUF(1024);
	struct payment p = {.plan = 1, .kind = PAYMENT_SPAWN, .lease = ID}, back;
	struct lease l = paid_lease();
	auto_tx struct tx *tx = NULL;

	insert(b, &l);
	tx = begin(b);
	assert_int_equal(payment_insert(tx, &p, STR("cashuB"), NULL), 0);
	assert_int_equal(db_commit(&tx, NULL), 0);
	assert_int_equal(lease_load_spec(b->db, ID, &spec, NULL), 0);
	assert_int_equal(payment_load(b->db, 1, &back, &token, NULL), 0);
	assert_view(token, "cashuB");
	assert_int_equal(move(b, &l, LEASE_REFUSED, WHY_REFUSED), 0);
	assert_int_equal(lease_load_spec(b->db, ID, &spec, NULL), -1);
	assert_int_equal(count(b, "SELECT count(*) FROM lease WHERE spec IS NOT NULL"), 0);
	assert_int_equal(count(b, "SELECT count(*) FROM payment WHERE token IS NOT NULL"), 0);
	assert_int_equal(count(b, "SELECT count(*) FROM lease_history WHERE was=1 AND became=2"),
			 1);
}

static void secret_columns_hold_no_plain_text(void **state)
{
	struct bed *b = *state;
	struct lease l = paid_lease();

	insert(b, &l);
	assert_int_equal(count(b, "SELECT instr(spec, CAST('image' AS BLOB)) FROM lease"), 0);
}

static void request_is_known_reused_or_new(void **state)
{
	struct bed *b = *state;
	struct request_row r = {.request_id = "0123456789abcdef0123456789abcdef", .at = 5};
	auto_tx struct tx *tx = begin(b);

	assert_int_equal(request_find(b->db, &r, NULL), 0);
	assert_int_equal(request_insert(tx, &r, NULL), 0);
	assert_int_equal(request_insert(tx, &r, NULL), STORE_KNOWN);
	assert_int_equal(db_commit(&tx, NULL), 0);
	assert_int_equal(request_find(b->db, &r, NULL), STORE_KNOWN);
	r.hash[0] = 1;
	assert_int_equal(request_find(b->db, &r, NULL), STORE_REUSED);
	r.author.b[0] = 1; /* another author's ids are its own */
	assert_int_equal(request_find(b->db, &r, NULL), 0);
}

static void requests_are_pruned_by_age_and_number(void **state)
{
	struct bed *b = *state;
	struct request_row r = {.request_id = "0123456789abcdef0123456789abcdef"};
	auto_tx struct tx *tx = begin(b);

	for (r.at = 1; r.at <= 10; r.at++) {
		r.author.b[0] = (uint8_t)r.at;
		assert_int_equal(request_insert(tx, &r, NULL), 0);
	}
	assert_int_equal(request_prune(tx, 4, 100, NULL), 0);
	assert_int_equal(count(b, "SELECT min(at) FROM request"), 4);
	assert_int_equal(request_prune(tx, 0, 3, NULL), 0);
	assert_true(count(b, "SELECT count(*) FROM request") <= 4);
	assert_int_equal(count(b, "SELECT max(at) FROM request"), 10);
}

static void collect_id(void *ctx, const char *id)
{
	char *seen = ctx;

	seen[strlen(seen)] = id[0];
}

static void leases_are_listed_by_state_and_expiry(void **state)
{
	struct bed *b = *state;
	struct lease_use use;
	char seen[16] = "";
	int64_t next;

	for (char c = '1'; c <= '4'; c++) {
		struct lease l = paid_lease();

		l.id[0] = c;
		l.expires_at = 1000 + c;
		l.limits.cpu = 100;
		insert(b, &l);
		assert_int_equal(move(b, &l, LEASE_PAYING, WHY_NONE), 0);
		assert_int_equal(move(b, &l, LEASE_PAID, WHY_NONE), 0);
		if (c < '4')
			assert_int_equal(move(b, &l, LEASE_RUNNING, WHY_NONE), 0);
	}
	assert_int_equal(
		lease_each(b->db, LEASE_BIT(LEASE_RUNNING), 1000 + '2', collect_id, seen, NULL), 0);
	assert_string_equal(seen, "12");
	assert_int_equal(lease_next_expiry(b->db, &next, NULL), 0);
	assert_int_equal(next, 1000 + '1');
	assert_int_equal(lease_sum(b->db, &use, NULL), 0);
	assert_int_equal(use.leases, 4);
	assert_int_equal(use.running, 3);
	assert_int_equal(use.cpu, 400);
}

/* What the agent does all the time must not grow with the leases that have ended. */
static void ticks_do_not_read_ended_leases(void **state)
{
	static const char *const plans[] = {
		"EXPLAIN QUERY PLAN " LEASE_SQL_EXPIRY, "EXPLAIN QUERY PLAN " LEASE_SQL_ENDING,
		"EXPLAIN QUERY PLAN " LEASE_SQL_LIVE,	"EXPLAIN QUERY PLAN " LEASE_SQL_SUM,
		"EXPLAIN QUERY PLAN " LEASE_SQL_STATES,
	};
	struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
		auto_stmt struct stmt *s = db_query(b->db, plans[i]);

		assert_int_equal(db_step(s, NULL), DB_ROW);
		if (!strstr(db_text(s, 3).p, "lease_live"))
			fail_msg("%s: %s", plans[i], db_text(s, 3).p);
	}
}

static void meta_value_is_absent_set_and_set_again(void **state)
{
	struct bed *b = *state;
	auto_tx struct tx *tx = begin(b);
	int64_t v = 7;

	assert_int_equal(meta_get(b->db, "drain", &v, NULL), 0);
	assert_int_equal(v, 0);
	assert_int_equal(meta_set(tx, "drain", 1, NULL), 0);
	assert_int_equal(meta_set(tx, "drain", 2, NULL), 0);
	assert_int_equal(meta_get(b->db, "drain", &v, NULL), 0);
	assert_int_equal(v, 2);
}

#define bed_test(f) cmocka_unit_test_setup_teardown(f, bed_open, bed_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_follows_only_where_the_table_says),
		cmocka_unit_test(numbers_and_words_are_stable),
		cmocka_unit_test(bill_counts_the_seconds_that_ran),
		cmocka_unit_test(bill_of_a_lease_that_never_ran_is_nothing_used),
		cmocka_unit_test(bill_without_a_refund_key_keeps_what_is_left),
		cmocka_unit_test(bill_refunds_what_is_paid_beyond_the_longest_lease),
		cmocka_unit_test(bill_rounds_down_to_whole_sats_and_keeps_the_rest),
		cmocka_unit_test(a_higher_price_counts_from_its_moment_on),
		cmocka_unit_test(bill_adds_up_for_whatever_values),
		bed_test(lease_reads_back_as_it_was_stored),
		bed_test(lease_moves_only_from_the_state_that_the_row_has),
		bed_test(final_lease_forgets_its_secrets_and_keeps_its_history),
		bed_test(secret_columns_hold_no_plain_text),
		bed_test(request_is_known_reused_or_new),
		bed_test(requests_are_pruned_by_age_and_number),
		bed_test(leases_are_listed_by_state_and_expiry),
		bed_test(ticks_do_not_read_ended_leases),
		bed_test(meta_value_is_absent_set_and_set_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
