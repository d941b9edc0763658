/* The bench of the wallet's tests. */
#include "wallet_bench.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "wallet/audit.h"

static void must(int rc, const struct err *e)
{
	if (rc == 0)
		return;
	fprintf(stderr, "# %d %s\n", rc, e->msg);
	abort();
}

static int on_settled(void *ctx, struct tx *tx, const struct wallet_plan *p, struct err *e)
{
	struct bench *b = ctx;

	(void)tx;
	if (b->heard.fail > 0) {
		b->heard.fail--;
		return err_set(e, ERRK_STATE, "the caller is not ready");
	}
	b->heard.settled++;
	b->heard.last = *p;
	snprintf(b->heard.ref, sizeof(b->heard.ref), "%s", p->ref);
	return 0;
}

static int on_rejected(void *ctx, struct tx *tx, const struct wallet_plan *p, struct err *e)
{
	struct bench *b = ctx;

	(void)tx;
	(void)e;
	b->heard.rejected++;
	b->heard.last = *p;
	return 0;
}

static void on_closed(void *ctx, const struct wallet_plan *p)
{
	struct bench *b = ctx;

	(void)p;
	b->heard.closed++;
	loop_stop(b->loop);
}

static void on_waiting(void *ctx, const struct wallet_plan *p, const char *why)
{
	struct bench *b = ctx;

	(void)p;
	(void)why;
	b->heard.waiting++;
}

static int on_refund(void *ctx, struct tx *tx, const struct wallet_refund *r, struct err *e)
{
	struct bench *b = ctx;

	(void)tx;
	if (b->heard.fail > 0) {
		b->heard.fail--;
		return err_set(e, ERRK_STATE, "the caller is not ready");
	}
	assert(r->token.n < sizeof(b->heard.refund));
	b->heard.refunds++;
	memcpy(b->heard.refund, r->token.p, r->token.n);
	b->heard.refund[r->token.n] = 0;
	b->heard.refund_sat = r->token_sat;
	b->heard.refund_fee = r->fee;
	return 0;
}

static void on_refund_done(void *ctx, const struct wallet_refund *r)
{
	struct bench *b = ctx;

	(void)r;
	b->heard.refunds_done++;
	loop_stop(b->loop);
}

static const struct wallet_ops ops = {
	on_settled, on_rejected, on_closed, on_waiting, on_refund, on_refund_done,
};

void bench_open(struct bench *b)
{
	const struct wallet_mint mint = {b->sim->url, true};
	struct wallet_setup s = {.loop = b->loop,
				 .seed = &b->seed,
				 .instance = str_of(b->instance),
				 .mints = &mint,
				 .nmints = b->removed ? 0 : 1,
				 .ops = &ops,
				 .ctx = b};
	struct secret key = {{1}};
	struct err e;

	must(http_new(&b->http, b->loop, &e), &e);
	must(http_load(b->http, &e), &e); /* tests give the first call little time */
	must(db_open(&b->db, b->path, &e), &e);
	db_set_key(b->db, &key);
	s.db = b->db;
	s.http = b->http;
	must(wallet_open(&b->w, &s, &e), &e);
}

void bench_close(struct bench *b)
{
	wallet_close(b->w);
	db_close(b->db);
	b->db = NULL;
	http_free(b->http);
	b->w = NULL;
	b->http = NULL;
}

void bench_copy(const char *to, const char *from)
{
	auto_buf struct buf all = BUF(64 << 20);
	struct err e;

	must(fs_read(&all, from, &e), &e);
	must(fs_write(to, all.p, all.n, 0600, &e), &e);
}

void bench_restart(struct bench *b)
{
	struct err e;

	bench_close(b);
	bench_open(b);
	must(wallet_resume(b->w, &e), &e);
}

struct bench *bench_new(enum bench_side side, uint32_t ppk)
{
	struct bench *b = mem_zero(sizeof(*b));
	struct err e;
	int fd;

	snprintf(b->path, sizeof(b->path), "/tmp/wallet-test-XXXXXX");
	fd = mkstemp(b->path);
	assert(fd >= 0);
	close(fd);
	unlink(b->path);
	rand_bytes(b->seed.b, sizeof(b->seed.b));
	if (side == BENCH_SELLER)
		memcpy(b->instance, "agent", 6);
	must(loop_new(&b->loop, &e), &e);
	must(ws_context_new(&b->ws, b->loop, &e), &e);
	b->sim = sim_new(b->ws, ppk);
	b->screen = -1;
	bench_open(b);
	return b;
}

void bench_listen(struct bench *b)
{
	b->log = memfd_create("log", MFD_CLOEXEC);
	b->screen = dup(STDERR_FILENO);
	assert(b->log >= 0 && b->screen >= 0 && dup2(b->log, STDERR_FILENO) >= 0);
}

static void read_log(struct bench *b, struct buf *all)
{
	auto_free char *path = mem_printf("/proc/self/fd/%d", b->log);

	assert(fs_read(all, path, NULL) >= 0);
}

unsigned bench_alarms(struct bench *b)
{
	auto_buf struct buf all = BUF(1 << 20);
	unsigned n = 0;
	const char *at;

	read_log(b, &all);
	buf_byte(&all, '\0');
	for (at = strstr((char *)all.p, " broken: "); at; at = strstr(at + 1, " broken: "))
		n++;
	return n;
}

static void bench_unlisten(struct bench *b)
{
	auto_buf struct buf all = BUF(1 << 20);

	if (b->screen < 0)
		return;
	assert(dup2(b->screen, STDERR_FILENO) >= 0);
	read_log(b, &all);
	fprintf(stderr, "%.*s", (int)all.n, (char *)all.p);
	close(b->screen);
	close(b->log);
	b->screen = -1;
}

static int64_t wall_ahead(void *ctx)
{
	struct bench *b = ctx;
	struct timespec t;

	timespec_get(&t, TIME_UTC);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000 + b->ahead_ms;
}

static int64_t mono_ahead(void *ctx)
{
	struct bench *b = ctx;
	auto_tx struct tx *tx = NULL;

	b->clock_in_tx += b->db && db_begin(&tx, b->db, NULL) < 0;
	return clock_mono_us() / 1000 + b->ahead_ms;
}

void bench_later(struct bench *b, int64_t seconds)
{
	const struct clock_source source = {wall_ahead, mono_ahead, b};

	b->ahead_ms += seconds * 1000;
	clock_replace(&source);
}

void bench_free(struct bench *b)
{
	char other[80];

	bench_close(b);
	clock_replace(NULL);
	bench_unlisten(b);
	sim_free(b->sim);
	ws_context_free(b->ws);
	loop_free(b->loop);
	unlink(b->path);
	snprintf(other, sizeof(other), "%s-wal", b->path);
	unlink(other);
	snprintf(other, sizeof(other), "%s-shm", b->path);
	unlink(other);
	free(b);
}

static void over(void *ctx)
{
	struct bench *b = ctx;

	b->timed_out = true;
	loop_stop(b->loop);
}

void bench_run(struct bench *b, int64_t ms)
{
	struct loop_timer *t = loop_timer_add(b->loop, ms, over, b);

	b->timed_out = false;
	loop_run(b->loop);
	if (!b->timed_out)
		loop_timer_del(t);
}

static void on_ready(void *ctx, const struct err *error)
{
	struct bench *b = ctx;

	if (error)
		fprintf(stderr, "# refresh: %s\n", error->msg);
	loop_stop(b->loop);
}

void bench_ready(struct bench *b)
{
	wallet_refresh(b->w, b->sim->url, on_ready, b);
	bench_run(b, BENCH_PATIENCE);
}

void bench_job(void *ctx, const struct wallet_news *n)
{
	struct bench *b = ctx;
	struct told *t = &b->told;

	if (n->stage == WALLET_INVOICE)
		t->invoices++;
	if (n->stage == WALLET_WAITING)
		t->waits++;
	if (n->stage == WALLET_INVOICE || n->stage == WALLET_WAITING)
		return;
	t->done = true;
	t->stage = n->stage;
	t->amount = n->amount;
	t->missing = n->missing;
	t->open = n->open;
	t->limit = n->limit;
	t->left = n->left;
	t->token_out = n->token_out;
	snprintf(t->text, sizeof(t->text), "%.*s", (int)n->text.n, n->text.p ? n->text.p : "");
	snprintf(t->error, sizeof(t->error), "%s", n->error ? n->error->msg : "");
	loop_stop(b->loop);
}

struct lock bench_lock(struct bench *b)
{
	struct lock l = {.has_refund = true, .locktime = clock_wall() + 10000};
	struct secret k;
	struct err e;

	must(wallet_payment_key(b->w, b->sim->url, l.key.b, &e), &e);
	secret_new(&k);
	assert(lock_key_of(&l.refund, &k));
	return l;
}

enum wallet_code bench_check(struct bench *b, const char *token, struct wallet_payment **out)
{
	const struct wallet_terms t = {.min_net = SAT(10),
				       .lock_until = clock_wall() + 1000,
				       .lock = WALLET_LOCK_OR_PLAIN,
				       .now = clock_wall()};
	AUTO(wallet_payment_free) struct wallet_payment *p = NULL;
	struct wallet_verdict v;
	struct err e;

	must(wallet_check(&p, b->w, str_of(token), &t, &v, &e), &e);
	if (out)
		*out = steal(&p);
	return v.code;
}

int bench_release(struct bench *b, const char *token, struct wallet_release *r)
{
	auto_tx struct tx *tx = NULL;
	struct err e;
	int rc;

	must(db_begin(&tx, b->db, &e), &e);
	rc = wallet_release(tx, b->w, str_of(token), r, &e);
	if (rc > 0)
		return rc;
	must(rc, &e);
	must(db_commit(&tx, &e), &e);
	return 0;
}

int64_t bench_claim(struct bench *b, const char *token, int64_t not_after)
{
	const struct wallet_claim c = {.ref = "lease1", .not_after = not_after};
	AUTO(wallet_payment_free) struct wallet_payment *p = NULL;
	auto_tx struct tx *tx = NULL;
	enum wallet_code code = bench_check(b, token, &p);
	int64_t plan = 0;
	struct err e;
	int rc;

	if (code != WALLET_OK) {
		fprintf(stderr, "# check: %s\n", wallet_code_name(code));
		abort();
	}
	must(db_begin(&tx, b->db, &e), &e);
	rc = wallet_claim(tx, b->w, p, &c, &plan, &e);
	if (rc == WALLET_KNOWN)
		return -1;
	must(rc, &e);
	must(db_commit(&tx, &e), &e);
	return plan;
}

uint64_t bench_available(struct bench *b)
{
	struct wallet_balance bal;
	struct err e;

	must(wallet_balance(b->w, b->sim->url, &bal, &e), &e);
	return sat_raw(bal.available);
}

int64_t bench_ledger(struct bench *b, enum ledger_account a)
{
	int64_t v = 0;
	struct err e;

	must(ledger_sum(b->db, a, NULL, &v, &e), &e);
	return v;
}

static void audited(void *ctx, const struct audit_finding *f)
{
	(void)ctx;
	fprintf(stderr, "# audit: %s %s: %s\n", audit_subject_name(f->subject), f->name, f->why);
	abort();
}

void bench_audit(struct bench *b)
{
	struct wallet_audit a = {.found = audited};
	struct err e;

	must(wallet_audit_books(b->db, &a, &e), &e);
}
