/* Folders, configuration, keys, wallet and waiting: see app.h. */
#include "cli/app.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/conf.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/book.h"
#include "crypto/bip39.h"
#include "crypto/hash.h"
#include "crypto/seedfile.h"

static const struct conf_key conf_keys[] = {
	{"nostr", "relay", CONF_LIST, offsetof(struct app_conf, relays), NULL, 0, 0,
	 "Relay where offers are read and requests are sent; may repeat."},
	{"nostr", "allow_local", CONF_BOOL, offsetof(struct app_conf, allow_local), "no", 0, 0,
	 "Plain http mints and mints on loopback or private addresses are allowed (for trials)."},
	{"wallet", "seed_key_file", CONF_PATH, offsetof(struct app_conf, seed_key_file), NULL, 0, 0,
	 "Key or passphrase that opens the wallet's seed; seed.key beside this file where not "
	 "set."},
	{"wallet", "mint", CONF_LIST, offsetof(struct app_conf, mints), NULL, 0, 0,
	 "Mint whose ecash the wallet holds; may repeat."},
	{"limits", "per_lease", CONF_SAT, offsetof(struct app_conf, limits.per_lease), NULL, 0, 0,
	 "So many sat go to one lease at most, without what comes back."},
	{"limits", "per_day", CONF_SAT, offsetof(struct app_conf, limits.per_day), NULL, 0, 0,
	 "So many sat go to providers in 24 hours at most, without what comes back."},
	{"limits", "max_risk", CONF_DURATION, offsetof(struct app_conf, max_risk), "10m", 1,
	 365 * 86400, "So much time the first payment to a provider that is new may buy."},
};

static const struct conf_schema conf_schema = {.keys = conf_keys, .nkeys = ARRAY_SIZE(conf_keys)};

/* --- messages --- */

/* Providers, relays and mints put words into our messages: none of them writes to the terminal. */
static void say(const char *prefix, const char *fmt, va_list ap)
{
	char text[1024], shown[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	str_printable(shown, sizeof(shown), str_of(text));
	fprintf(stderr, "%s%s\n", prefix, shown);
}

int app_fail(int status, const struct err *e)
{
	return app_failf(status, "%s", e->msg);
}

int app_failf(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("lease: ", fmt, ap);
	va_end(ap);
	return status;
}

void app_say(const struct app *a, const char *fmt, ...)
{
	va_list ap;

	if (a->g.quiet)
		return;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

/* --- folders and keys --- */

static char *xdg(const char *variable, const char *below_home)
{
	const char *dir = getenv(variable), *home = getenv("HOME");

	if (dir && *dir == '/')
		return mem_printf("%s/lease", dir);
	return mem_printf("%s/%s/lease", home ? home : "", below_home);
}

static void find_folders(struct app *a)
{
	const char *home = a->g.home ? a->g.home : getenv("LEASE_HOME");

	if (home && *home) {
		a->config_dir = mem_strdup(home);
		a->data_dir = mem_strdup(home);
		return;
	}
	a->config_dir = xdg("XDG_CONFIG_HOME", ".config");
	a->data_dir = xdg("XDG_DATA_HOME", ".local/share");
}

char *app_seed_key(const struct app *a)
{
	if (a->conf.seed_key_file)
		return mem_strdup(a->conf.seed_key_file);
	return mem_printf("%s/seed.key", a->config_dir);
}

static int load_seed(struct app *a, struct err *e)
{
	auto_free char *path = mem_printf("%s/seed.sealed", a->data_dir), *key = app_seed_key(a);
	const struct seedfile f = {path, key};
	auto_buf struct buf words = BUF(512);
	int rc = seedfile_load(&a->seed, &f, e);

	if (rc == 0 && a->words.n)
		return err_set(e, ERRK_STATE, "there is a wallet already, with a seed of its own");
	if (rc != SEEDFILE_NONE)
		return rc;
	if (a->words.n)
		buf_str(&words, a->words);
	else
		bip39_new(&words);
	if (fs_mkdirs(a->config_dir, 0700, e) < 0)
		return -1;
	if (seedfile_create(&f, buf_view(&words), e) < 0)
		return e->sys == EEXIST ? load_seed(a, e) : -1; /* a twin was faster */
	if (!a->words.n)
		app_say(a, "new wallet: write its seed words down: lease wallet backup --words");
	return seedfile_load(&a->seed, &f, e) ? -1 : 0;
}

static int load_column_key(struct app *a, struct err *e)
{
	auto_free char *path = mem_printf("%s/column.key", a->data_dir);
	auto_buf struct buf text = BUF(128);
	char hex[65];
	int rc = fs_read_secret(&text, path, e);

	if (rc < 0)
		return -1;
	if (rc == FS_NOT_FOUND) {
		rand_bytes(a->column.b, sizeof(a->column.b));
		hex_encode(hex, a->column.b, sizeof(a->column.b));
		rc = fs_write_new(path, hex, 64, 0600, e);
		wipe(hex, sizeof(hex));
		return rc < 0 && e->sys == EEXIST ? load_column_key(a, e) : rc;
	}
	if (hex_decode(a->column.b, sizeof(a->column.b), str_trim(buf_view(&text)), e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

int app_open(struct app *a, struct err *e)
{
	auto_free char *conf = NULL;

	find_folders(a);
	conf = mem_printf("%s/lease.conf", a->config_dir);
	if (a->data_dir[0] != '/')
		return err_set(e, ERRK_INPUT,
			       "HOME, XDG_DATA_HOME and LEASE_HOME: none is absolute");
	if (fs_exists(conf) ? conf_load(&a->conf, &conf_schema, conf, e) < 0
			    : conf_defaults(&a->conf, &conf_schema, e) < 0)
		return -1;
	if (fs_mkdirs(a->data_dir, 0700, e) < 0)
		return -1;
	return load_seed(a, e) < 0 ? -1 : load_column_key(a, e);
}

/* --- loop, database, wallet --- */

static void interrupted(void *ctx, int signo)
{
	struct app *a = ctx;

	if (a->patient && !a->tapped) {
		a->tapped = true;
		app_say(a, "Ctrl-C goes to the command; once more detaches");
	} else {
		a->interrupted = true;
	}
	loop_stop(a->loop);
}

static int open_loop(struct app *a, struct err *e)
{
	if (loop_new(&a->loop, e) < 0 || ws_context_new(&a->ws, a->loop, e) < 0 ||
	    http_new(&a->http, a->loop, e) < 0)
		return -1;
	return loop_signal_add(a->loop, SIGINT, interrupted, a, e);
}

/* Known means that somebody chose it once: a mint where money lies can be used without a word. */
static int allow_known(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct app *a = ctx;
	struct err e;

	if (wallet_allow(a->wallet, &(struct wallet_mint){mint, a->conf.allow_local}, &e) < 0)
		log_info("%s", e.msg);
	return 0;
}

static int open_wallet(struct app *a, struct err *e)
{
	struct wallet_setup s = {.db = a->db,
				 .loop = a->loop,
				 .http = a->http,
				 .seed = &a->seed,
				 .instance = STR("")};

	if (wallet_open(&a->wallet, &s, e) < 0)
		return -1;
	for (size_t i = 0; a->conf.mints && a->conf.mints[i]; i++)
		if (wallet_allow(a->wallet,
				 &(struct wallet_mint){a->conf.mints[i], a->conf.allow_local},
				 e) < 0)
			return err_wrap(e, "mint %s", a->conf.mints[i]);
	if (wallet_each_mint(a->wallet, allow_known, a, e) < 0)
		return -1;
	return wallet_resume(a->wallet, e);
}

int app_wallet(struct app *a, struct err *e)
{
	auto_free char *path = NULL;

	if (app_open(a, e) < 0)
		return -1;
	path = mem_printf("%s/wallet.db", a->data_dir);
	if (open_loop(a, e) < 0 || db_open(&a->db, path, e) < 0)
		return -1;
	db_set_key(a->db, &a->column);
	return book_migrate(a->db, e) < 0 ? -1 : open_wallet(a, e);
}

void app_close(struct app *a)
{
	wallet_close(a->wallet);
	http_free(a->http);
	ws_context_free(a->ws);
	loop_free(a->loop);
	db_close(a->db);
	conf_clear(&a->conf, conf_keys, ARRAY_SIZE(conf_keys));
	free(a->config_dir);
	free(a->data_dir);
	seed_wipe(&a->seed);
	secret_wipe(&a->column);
}

/* --- relays and mints --- */

static void add_lines(struct buf *out, struct str list)
{
	struct str piece;

	while (str_cut(&list, ',', &piece)) {
		piece = str_trim(piece);
		if (!piece.n)
			continue;
		buf_str(out, piece);
		buf_byte(out, '\n');
	}
}

int app_relays(const struct app *a, struct buf *out, struct err *e)
{
	const char *env = getenv("LEASE_RELAYS");

	if (a->g.relays.n)
		for (size_t i = 0; i < a->g.relays.n; i++)
			add_lines(out, str_of(a->g.relays.v[i]));
	else if (env && *env)
		add_lines(out, str_of(env));
	else
		for (size_t i = 0; a->conf.relays && a->conf.relays[i]; i++)
			add_lines(out, str_of(a->conf.relays[i]));
	if (!out->n)
		return err_set(
			e, ERRK_STATE,
			"no relay is configured: use --relay URL, or write \"relay = URL\" below "
			"[nostr] in %s/lease.conf",
			a->config_dir);
	return buf_check(out, "relays", e);
}

int app_pool(struct app *a, const struct secret *key, struct nostr_pool **out, struct err *e)
{
	AUTO(nostr_pool_free) struct nostr_pool *p = NULL;
	auto_buf struct buf lines = BUF(16384);
	struct str rest, line;

	if (app_relays(a, &lines, e) < 0)
		return -1;
	p = nostr_pool_new(a->loop, a->ws, key);
	rest = str_trim(buf_view(&lines));
	while (str_cut(&rest, '\n', &line)) {
		auto_free char *url = mem_strndup(line.p, line.n);

		if (nostr_pool_add(p, url, NULL, e) < 0)
			return err_wrap(e, "relay %s", url);
	}
	*out = steal(&p);
	return 0;
}

struct mint_pick {
	char url[WALLET_URL_MAX + 1];
	size_t n;
};

static int pick_mint(void *ctx, const char *mint, const struct wallet_balance *b)
{
	struct mint_pick *p = ctx;

	if (!p->n++)
		memcpy(p->url, mint, strnlen(mint, WALLET_URL_MAX));
	return 0;
}

int app_mint(struct app *a, const char *named, char out[static WALLET_URL_MAX + 1], struct err *e)
{
	struct mint_pick p = {0};

	if (named) {
		if (wallet_allow(a->wallet, &(struct wallet_mint){named, a->conf.allow_local}, e) <
		    0)
			return err_wrap(e, "mint %s", named);
		return wallet_url(out, str_of(named), e);
	}
	if (wallet_each_mint(a->wallet, pick_mint, &p, e) < 0)
		return -1;
	if (p.n != 1)
		return err_set(e, ERRK_STATE,
			       p.n ? "several mints are known: choose one with --mint URL"
				   : "no mint is configured: use --mint URL");
	memcpy(out, p.url, sizeof(p.url));
	return 0;
}

void app_identity(const struct app *a, const struct pubkey *provider, struct secret *out)
{
	uint8_t prk[32], info[48] = "lease identity 1";

	memcpy(info + 16, provider->b, 32);
	hkdf_extract(prk, "lease", 5, a->seed.b, sizeof(a->seed.b));
	hkdf_expand(out->b, sizeof(out->b), prk, info, sizeof(info));
	while (!scalar_reduce(out->b))
		out->b[0]++;
	wipe(prk, sizeof(prk));
}

/* --- waiting --- */

struct deadline {
	struct app *app;
	struct loop_timer *timer;
	bool passed;
};

static void deadline_passed(void *ctx)
{
	struct deadline *d = ctx;

	d->timer = NULL;
	d->passed = true;
	loop_stop(d->app->loop);
}

int app_wait(struct app *a, int64_t timeout_ms)
{
	struct deadline d = {.app = a};

	if (a->interrupted)
		return APP_INTERRUPTED;
	if (timeout_ms > 0)
		d.timer = loop_timer_add(a->loop, timeout_ms, deadline_passed, &d);
	loop_run(a->loop);
	loop_timer_del(d.timer);
	if (a->interrupted)
		return APP_INTERRUPTED;
	return d.passed ? APP_TIMEOUT : APP_DONE;
}

void app_done(struct app *a)
{
	loop_stop(a->loop);
}

void app_job_news(void *ctx, const struct wallet_news *n)
{
	struct app_job *j = ctx;

	if (n->stage == WALLET_INVOICE || n->stage == WALLET_WAITING)
		return;
	j->last = *n;
	j->last.text = (struct str){0};
	if (n->error)
		j->error = *n->error;
	if (n->stage == WALLET_OVER_LIMIT)
		err_set(&j->error, ERRK_LIMIT,
			"%" PRIu64 " sat are over the limit %.*s = %" PRIu64
			" of [limits] in %s/lease.conf: %" PRIu64 " sat are left of it",
			sat_raw(n->amount), (int)n->text.n, n->text.p, sat_raw(n->limit),
			j->app->config_dir, sat_raw(n->left));
	if (j->text && n->stage == WALLET_DONE)
		buf_str(j->text, n->text);
	j->ended = true;
	app_done(j->app);
}

static int job_run(struct app_job *j, int64_t timeout_ms)
{
	int how = APP_DONE;

	while (!j->ended && how == APP_DONE)
		how = app_wait(j->app, timeout_ms);
	return how;
}

bool app_job_poor(struct app_job *j, int64_t timeout_ms)
{
	job_run(j, timeout_ms);
	return j->ended && j->last.stage == WALLET_NO_MONEY;
}

int app_job_wait(struct app_job *j, int64_t timeout_ms)
{
	int how = job_run(j, timeout_ms);

	if (!j->ended) /* it goes on, and `j` may soon be gone */
		wallet_fund_unwatch(j->app->wallet, j);
	if (j->ended && j->last.stage == WALLET_DONE)
		return 0;
	if (j->ended && j->last.stage == WALLET_NO_MONEY)
		return app_failf(EXIT_MONEY,
				 "not enough money: %" PRIu64 " sat are missing, fees included; "
				 "lease wallet fund adds some",
				 sat_raw(j->last.missing));
	if (j->ended && j->last.stage == WALLET_OVER_LIMIT)
		return app_fail(EXIT_MONEY, &j->error);
	if (j->ended && j->last.open)
		return app_fail(EXIT_UNCLEAR, &j->error);
	if (j->ended)
		return app_fail(j->error.kind == ERRK_PEER ? EXIT_MINT : EXIT_OTHER, &j->error);
	if (how == APP_INTERRUPTED)
		return app_failf(130, "interrupted; what is stored goes on with: lease recover");
	return app_failf(EXIT_MINT, "the mint did not answer in time; what is stored goes on with: "
				    "lease recover");
}
