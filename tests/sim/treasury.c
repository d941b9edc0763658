/* The provider's treasury in the engine's world: caps, earnings, the audit of leases. */
#include "../unit/unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "world.h"

#include "base/clock.h"
#include "base/json.h"
#include "lease/treasury.h"
#include "wallet/audit.h"

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void reopen(struct world *w, struct engine_treasury t)
{
	world_close(w);
	w->treasury = t;
	world_open(w);
}

static void run(struct world *w, uint64_t sat, char id[LEASE_ID_HEX + 1])
{
	auto_request struct request *r = world_spawn(w, sat);
	auto_reply struct reply *got = NULL;

	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_RUNNING);
	memcpy(id, got->lease, LEASE_ID_HEX + 1);
}

/* --- caps --- */

struct heard { /* what is logged, and where it went before */
	int log, screen;
};

static struct heard listen_log(void)
{
	struct heard h = {memfd_create("log", MFD_CLOEXEC), dup(STDERR_FILENO)};

	assert_true(h.log >= 0 && h.screen >= 0 && dup2(h.log, STDERR_FILENO) >= 0);
	return h;
}

static void listen_end(struct heard *h, struct buf *text)
{
	auto_free char *path = mem_printf("/proc/self/fd/%d", h->log);

	assert_true(dup2(h->screen, STDERR_FILENO) >= 0);
	assert_int_equal(fs_read(text, path, NULL), 0);
	close(h->log);
	close(h->screen);
}

static unsigned times(const struct buf *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = buf_view(text).p; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void cap_warns_and_goes_on(void **state)
{
	struct world *w = *state;
	auto_buf struct buf said = BUF(1 << 20);
	char id[LEASE_ID_HEX + 1];
	struct heard h;

	reopen(w, (struct engine_treasury){.exposure_cap = SAT(120)});
	h = listen_log();
	assert_int_equal(engine_cap_of(w->engine, w->mint->url), ENGINE_CAP_UNDER);
	run(w, 101, id);
	assert_int_equal(engine_cap_of(w->engine, w->mint->url), ENGINE_CAP_NEAR);
	run(w, 101, id);
	assert_int_equal(engine_cap_of(w->engine, w->mint->url), ENGINE_CAP_OVER);
	run(w, 101, id);
	listen_end(&h, &said);
	assert_int_equal(times(&said, "80 % of its exposure_cap"), 1);
	assert_int_equal(times(&said, "its exposure_cap is reached"), 1);
	world_audit(w);
}

static void cap_refuses_and_releases(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	auto_request struct request *r = NULL;
	auto_reply struct reply *got = NULL;

	reopen(w, (struct engine_treasury){.exposure_cap = SAT(120), .refuse_at_cap = true});
	run(w, 101, id);
	r = world_spawn(w, 101);
	world_send(w, r);
	got = world_must(w, r, REPLY_STAGE_REFUSED);
	assert_string_equal(reply_code_name(got->code), "mint_full");
	assert_int_equal(got->token, REPLY_TOKEN_UNSPENT);
	assert_true(got->nrelease > 0);
	assert_int_equal(w->mint->swaps, 1);
	world_audit(w);
}

static void cap_that_is_reached_shows_in_the_offer(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];
	uint8_t before[32];

	reopen(w, (struct engine_treasury){.exposure_cap = SAT(100), .refuse_at_cap = true});
	memcpy(before, w->engine->offers[0].id, sizeof(before));
	run(w, 101, id);
	world_turn(w, 50);
	assert_int_equal(engine_cap_of(w->engine, w->mint->url), ENGINE_CAP_OVER);
	assert_memory_not_equal(before, w->engine->offers[0].id, sizeof(before));
}

/* --- a mint that limits our requests --- */

static enum lease_state state_of(struct world *w, const struct request *r)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT state FROM lease WHERE request_id = ?");

	db_bind_text(s, 1, str_of(r->request_id));
	return db_step(s, NULL) == DB_ROW ? (enum lease_state)db_i64(s, 0) : (enum lease_state)0;
}

static bool until(struct world *w, const struct request *r, enum lease_state s)
{
	for (int i = 0; i < 300 && state_of(w, r) != s; i++)
		world_turn(w, 10);
	return state_of(w, r) == s;
}

/* Its place among all postings. */
static int64_t paid_at(struct world *w, const struct request *r)
{
	auto_stmt struct stmt *s = db_query(w->db, "SELECT min(posting.id) FROM posting JOIN lease"
						   " ON lease.id = ref WHERE request_id = ?");

	db_bind_text(s, 1, str_of(r->request_id));
	assert_int_equal(db_step(s, NULL), DB_ROW);
	return db_i64(s, 0);
}

/* 65 s of silence after a 429, whoever asks; then the locked token before the plain one. */
static void silence_is_kept_and_locked_tokens_go_first(void **state)
{
	struct world *w = *state;
	auto_request struct request *plain = world_spawn(w, 101), *locked = world_spawn(w, 101);
	unsigned swaps, states;

	free(plain->token);
	plain->token = sim_token(w->mint, 101, NULL);
	w->mint->fault = SIM_LIMIT;
	world_send(w, plain);
	assert_true(until(w, plain, LEASE_PAYING));
	world_turn(w, 100);
	swaps = w->mint->swaps;
	states = w->mint->states;
	assert_int_equal(swaps, 1);
	world_send(w, locked);
	assert_true(until(w, locked, LEASE_PAYING));
	world_pass(w, 60);
	world_turn(w, 300);
	assert_int_equal(w->mint->swaps, swaps);
	assert_int_equal(w->mint->states, states);
	for (int i = 0; i < 10 && state_of(w, locked) == LEASE_PAYING; i++) {
		world_pass(w, 1);
		world_turn(w, 200);
	}
	assert_true(until(w, locked, LEASE_RUNNING));
	world_pass(w, 30);
	assert_true(until(w, plain, LEASE_RUNNING));
	assert_true(paid_at(w, locked) < paid_at(w, plain));
	world_audit(w);
}

/* --- earnings --- */

static uint64_t earned(struct world *w, enum engine_earnings by, const char *key)
{
	auto_buf struct buf text = BUF(65536);
	auto_json struct json *root = NULL;
	const struct json *rows, *r;
	struct err e;
	uint64_t v = 0;
	struct str k;

	assert_int_equal(engine_report_earnings(w->engine, by, 0, &text, &e), 0);
	assert_int_equal(json_parse(&root, buf_view(&text), NULL, &e), 0);
	assert_int_equal(json_child(root, "earnings", JSON_ARRAY, &rows, &e), 0);
	for (r = json_first(rows); r; r = json_next(r))
		if (json_as_str(json_get(r, "key"), &k) && (!key || str_is(k, key)))
			assert_true(json_as_u64(json_get(r, "earned_msat"), &v));
	return v;
}

static void earnings_are_what_was_used(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];

	run(w, 101, id);
	assert_int_equal(earned(w, ENGINE_BY_OFFER, "small"), 0);
	world_pass(w, 200);
	assert_true(world_until_state(w, id, LEASE_ENDED));
	assert_int_equal(earned(w, ENGINE_BY_OFFER, "small"), 100000);
	assert_int_equal(earned(w, ENGINE_BY_MINT, w->mint->url), 100000);
	assert_int_equal(earned(w, ENGINE_BY_DAY, NULL), 100000);
	world_check_books(w, id);
}

/* --- audit --- */

static unsigned leases_broken(struct world *w)
{
	struct wallet_audit a = {0};
	struct err e;

	assert_int_equal(engine_audit(w->engine, &a, &e), 0);
	return (unsigned)a.broken;
}

static void write_sql(struct world *w, const char *sql)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	assert_int_equal(db_begin(&tx, w->db, &e), 0);
	assert_int_equal(tx_run(tx_write(tx, sql), NULL, &e), 0);
	assert_int_equal(db_commit(&tx, &e), 0);
}

static void lease_whose_row_was_changed_is_named(void **state)
{
	struct world *w = *state;
	char id[LEASE_ID_HEX + 1];

	run(w, 101, id);
	assert_int_equal(leases_broken(w), 0);
	write_sql(w, "UPDATE lease SET paid_msat = paid_msat + 1");
	assert_int_equal(leases_broken(w), 1);
	write_sql(w, "UPDATE lease SET paid_msat = paid_msat - 1");
	assert_int_equal(leases_broken(w), 0);
	write_sql(w, "UPDATE posting SET ref = 'nobody'");
	assert_int_equal(leases_broken(w), 2); /* the lease without, the money without */
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(cap_warns_and_goes_on),
		world_test(cap_refuses_and_releases),
		world_test(cap_that_is_reached_shows_in_the_offer),
		world_test(silence_is_kept_and_locked_tokens_go_first),
		world_test(earnings_are_what_was_used),
		world_test(lease_whose_row_was_changed_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
