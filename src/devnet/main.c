/*
 * lease-devnet: relays and mints for trials and tests, on loopback, in one process.
 *
 * The control socket takes one JSON object a frame (net/stream) and answers with one:
 *   {"fault":…}                 see faults.h; {"clear":true} or {"clear":true,"at":"mint"}
 *   {"do":"stats"}              counters of every node
 *   {"do":"pay","quote":"…"}    an invoice is paid now        (with "at" for a mint that is not the
 * first)
 *   {"do":"rotate"}             a new active keyset
 *   {"do":"settle"}             PENDING inputs are UNSPENT again, payments that hang have failed
 *   {"do":"deliver"}            payments that hang are made
 *   {"do":"hang-up"}            a relay closes every connection
 *   {"do":"stop"}
 * `lease-devnet --tell PATH JSON` sends one and prints the answer; status 1 where it has "error".
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "devnet/mint.h"
#include "devnet/relay.h"
#include "net/stream.h"

#define NODES_MAX 8
#define TELL_MAX  65536

struct options {
	int relay_ports[NODES_MAX], mint_ports[NODES_MAX];
	size_t nrelays, nmints;
	const char *data; /* NULL: memory */
	const char *control;
	enum relay_guard guard;
	struct mint_options mint;
};

struct devnet {
	struct loop *loop;
	struct ws_context *ws;
	struct listener *listener;
	struct relay_node *relays[NODES_MAX];
	struct mint_node *mints[NODES_MAX];
	struct db *dbs[2 * NODES_MAX];
	size_t nrelays, nmints, ndbs;
	struct caller *callers;
};

struct caller { /* a connection to the control socket */
	struct caller *next;
	struct devnet *net;
	struct stream *stream;
};

/* --- control --- */

/* "relay", "relay2", …: index, or -1. An empty name is the first. */
static int index_of(struct str at, const char *what, size_t n)
{
	uint64_t i = 1;

	if (at.n && !str_starts(at, what))
		return -1;
	if (at.n > strlen(what)) {
		struct str tail = {at.p + strlen(what), at.n - strlen(what)};

		if (str_u64(tail, NODES_MAX, &i, NULL) < 0)
			return -1;
	}
	return i >= 1 && i <= n ? (int)i - 1 : -1;
}

static struct mint_node *mint_at(struct devnet *d, struct str at)
{
	int i = index_of(at, "mint", d->nmints);

	return i < 0 ? NULL : d->mints[i];
}

static struct relay_node *relay_at(struct devnet *d, struct str at)
{
	int i = index_of(at, "relay", d->nrelays);

	return i < 0 ? NULL : d->relays[i];
}

static struct faults *faults_at(struct devnet *d, struct str at, bool has_path)
{
	struct relay_node *r = at.n || !has_path ? relay_at(d, at) : NULL;
	struct mint_node *m = r ? NULL : mint_at(d, at);

	return r ? relay_node_faults(r) : m ? mint_node_faults(m) : NULL;
}

static int set_fault(struct devnet *d, const struct json *j, struct str at, struct err *e)
{
	struct faults *f = faults_at(d, at, json_get(j, "path") != NULL);

	return f ? faults_add(f, j, e) : err_set(e, ERRK_INPUT, "no such node");
}

static int clear_faults(struct devnet *d, struct str at)
{
	for (size_t i = 0; i < d->nrelays; i++) {
		if (!at.n || relay_at(d, at) == d->relays[i])
			faults_clear(relay_node_faults(d->relays[i]));
	}
	for (size_t i = 0; i < d->nmints; i++) {
		if (!at.n || mint_at(d, at) == d->mints[i])
			faults_clear(mint_node_faults(d->mints[i]));
	}
	return 0;
}

static void write_stats(struct jsonw *w, struct devnet *d)
{
	jsonw_array(w, "relays");
	for (size_t i = 0; i < d->nrelays; i++) {
		auto_buf struct buf b = BUF(4096);

		relay_node_stats(&b, d->relays[i]);
		jsonw_raw(w, NULL, buf_view(&b));
	}
	jsonw_end_array(w);
	jsonw_array(w, "mints");
	for (size_t i = 0; i < d->nmints; i++) {
		auto_buf struct buf b = BUF(4096);

		mint_node_stats(&b, d->mints[i]);
		jsonw_raw(w, NULL, buf_view(&b));
	}
	jsonw_end_array(w);
}

static int do_mint(struct devnet *d, struct str verb, const struct json *j, struct str at,
		   struct err *e)
{
	struct mint_node *m = mint_at(d, at);
	struct str quote;

	if (!m)
		return err_set(e, ERRK_INPUT, "no such mint");
	if (str_is(verb, "rotate"))
		return mint_node_rotate(m, e);
	if (str_is(verb, "settle"))
		return mint_node_settle(m, e);
	if (str_is(verb, "deliver"))
		return mint_node_melts(m, MINT_MELTS_PAID, e);
	if (!str_is(verb, "pay"))
		return err_set(e, ERRK_INPUT, "unknown verb");
	return json_str(j, "quote", 64, &quote, e) < 0 ? -1 : mint_node_pay(m, quote, e);
}

static int obey(struct devnet *d, const struct json *j, struct jsonw *w, struct err *e)
{
	struct str at = STR(""), verb = STR("");

	if (json_opt_str(j, "at", 16, &at, e) < 0 || json_opt_str(j, "do", 16, &verb, e) < 0)
		return -1;
	if (json_get(j, "fault"))
		return set_fault(d, j, at, e);
	if (json_get(j, "clear"))
		return clear_faults(d, at);
	if (str_is(verb, "stats")) {
		write_stats(w, d);
		return 0;
	}
	if (str_is(verb, "stop")) {
		loop_stop(d->loop);
		return 0;
	}
	if (str_is(verb, "hang-up")) {
		struct relay_node *r = relay_at(d, at);

		if (r)
			relay_node_hang_up(r);
		return r ? 0 : err_set(e, ERRK_INPUT, "no such relay");
	}
	return do_mint(d, verb, j, at, e);
}

static void caller_free(struct caller *c)
{
	struct caller **at = &c->net->callers;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	stream_free(c->stream);
	free(c);
}

static void told(void *ctx, const uint8_t *p, size_t n, const int *fds)
{
	struct caller *c = ctx;
	struct json *root auto_json = NULL;
	auto_buf struct buf b = BUF(TELL_MAX);
	struct jsonw w = JSONW(&b);
	struct err e;
	int rc;

	if (!p) {
		caller_free(c);
		return;
	}
	for (; *fds >= 0; fds++)
		close(*fds);
	jsonw_object(&w, NULL);
	rc = json_parse(&root, (struct str){(const char *)p, n}, NULL, &e);
	if (rc == 0)
		rc = obey(c->net, root, &w, &e);
	if (rc < 0)
		jsonw_str(&w, "error", str_of(e.msg));
	else
		jsonw_bool(&w, "ok", true);
	jsonw_end_object(&w);
	if (stream_send(c->stream, b.p, b.n, NULL, &e) < 0)
		log_warn("control: %s", e.msg);
}

static void called(void *ctx, int fd)
{
	struct devnet *d = ctx;
	struct caller *c = mem_zero(sizeof(*c));
	struct err e;

	c->net = d;
	if (stream_new(&c->stream, d->loop, fd, TELL_MAX, told, c, &e) < 0) {
		log_warn("control: %s", e.msg);
		free(c);
		return;
	}
	c->next = d->callers;
	d->callers = c;
}

static int tell(const char *path, const char *text, struct err *e)
{
	auto_buf struct buf answer = BUF(TELL_MAX);
	auto_close int fd = -1;
	int rc;

	if (unix_connect(&fd, path, e) < 0 ||
	    stream_write_blocking(fd, text, strlen(text), NULL, e) < 0)
		return -1;
	rc = stream_read_blocking(fd, &answer, NULL, 10000, e);
	if (rc != 0)
		return rc < 0 ? -1 : err_set(e, ERRK_PEER, "no answer");
	printf("%s\n", answer.p);
	return memmem(answer.p, answer.n, "\"error\":", 8) ? err_set(e, ERRK_PEER, "refused") : 0;
}

/* --- start and end --- */

static int open_db(struct devnet *d, const char *folder, const char *name, size_t i,
		   struct db **out, struct err *e)
{
	auto_free char *path =
		folder ? mem_printf("%s/%s%zu.db", folder, name, i + 1) : mem_strdup(":memory:");

	if (db_open(out, path, e) < 0)
		return -1;
	d->dbs[d->ndbs++] = *out;
	return 0;
}

static int start_relays(struct devnet *d, const struct options *o, struct err *e)
{
	for (size_t i = 0; i < o->nrelays; i++) {
		struct db *db = NULL;

		if (o->data && open_db(d, o->data, "relay", i, &db, e) < 0)
			return -1;
		if (relay_node_new(&d->relays[i], d->ws, d->loop, o->relay_ports[i], o->guard, db,
				   e) < 0)
			return -1;
		d->nrelays++;
	}
	return 0;
}

static int start_mints(struct devnet *d, const struct options *o, struct err *e)
{
	for (size_t i = 0; i < o->nmints; i++) {
		struct mint_options m = o->mint;

		m.port = o->mint_ports[i];
		if (open_db(d, o->data, "mint", i, &m.db, e) < 0 ||
		    mint_node_new(&d->mints[i], d->ws, d->loop, &m, e) < 0)
			return -1;
		d->nmints++;
	}
	for (size_t i = 0; i < d->nmints; i++)
		mint_node_link(d->mints[i], d->mints[(i + 1) % d->nmints]);
	return 0;
}

static void stop_signal(void *ctx, int signo)
{
	loop_stop(ctx);
}

static int start(struct devnet *d, const struct options *o, struct err *e)
{
	if (loop_new(&d->loop, e) < 0 || ws_context_new(&d->ws, d->loop, e) < 0 ||
	    loop_signal_add(d->loop, SIGTERM, stop_signal, d->loop, e) < 0 ||
	    loop_signal_add(d->loop, SIGINT, stop_signal, d->loop, e) < 0)
		return -1;
	if (o->data && fs_mkdirs(o->data, 0700, e) < 0)
		return -1;
	if (start_relays(d, o, e) < 0 || start_mints(d, o, e) < 0)
		return -1;
	if (!o->control)
		return 0;
	return listener_new(&d->listener, d->loop, o->control, 0600, called, d, e);
}

static void end(struct devnet *d)
{
	while (d->callers)
		caller_free(d->callers);
	listener_free(d->listener);
	for (size_t i = 0; i < d->nrelays; i++)
		relay_node_free(d->relays[i]);
	for (size_t i = 0; i < d->nmints; i++)
		mint_node_free(d->mints[i]);
	ws_context_free(d->ws);
	loop_free(d->loop);
	for (size_t i = 0; i < d->ndbs; i++)
		db_close(d->dbs[i]);
}

enum node { NODE_RELAY, NODE_MINT };

static char *url_of(const struct devnet *d, enum node what, size_t i)
{
	if (what == NODE_RELAY)
		return mem_printf("ws://127.0.0.1:%d", relay_node_port(d->relays[i]));
	return mem_printf("http://127.0.0.1:%d", mint_node_port(d->mints[i]));
}

/* "relay": the first, "relays": all. */
static void write_urls(struct jsonw *w, const struct devnet *d, enum node what)
{
	size_t n = what == NODE_RELAY ? d->nrelays : d->nmints;
	auto_free char *first = n ? url_of(d, what, 0) : NULL;

	jsonw_text(w, what == NODE_RELAY ? "relay" : "mint", first);
	jsonw_array(w, what == NODE_RELAY ? "relays" : "mints");
	for (size_t i = 0; i < n; i++) {
		auto_free char *url = url_of(d, what, i);

		jsonw_text(w, NULL, url);
	}
	jsonw_end_array(w);
}

static void announce(const struct devnet *d)
{
	auto_buf struct buf b = BUF(4096);
	struct jsonw w = JSONW(&b);

	jsonw_object(&w, NULL);
	write_urls(&w, d, NODE_RELAY);
	write_urls(&w, d, NODE_MINT);
	jsonw_i64(&w, "pid", getpid());
	jsonw_end_object(&w);
	printf("%s\n", b.p);
	fflush(stdout);
}

/* --- command line --- */

static const char usage[] =
	"usage: lease-devnet [OPTION...]\n"
	"       lease-devnet --tell SOCKET JSON\n"
	"  --relay-port N         a relay on loopback; 0: any free port; may repeat\n"
	"  --mint-port N          a mint; may repeat\n"
	"  --data DIR | --memory  where state is kept (default: memory)\n"
	"  --fee-ppk N            input fee of keysets (default 0)\n"
	"  --keyset-version v1|v2 (default v2)\n"
	"  --pay-after MS         invoices pay themselves so late; -1: never (default 0)\n"
	"  --no-cache             no cached answers (NUT-19)\n"
	"  --auth                 private messages only after NIP-42\n"
	"  --control PATH         control socket\n"
	"Without ports: one relay and one mint on free ports.\n";

enum {
	O_RELAY = 256,
	O_MINT,
	O_DATA,
	O_MEMORY,
	O_FEE,
	O_VERSION,
	O_PAY,
	O_NOCACHE,
	O_AUTH,
	O_CONTROL,
	O_TELL,
	O_HELP
};

static const struct option long_options[] = {
	{"relay-port", required_argument, NULL, O_RELAY},
	{"mint-port", required_argument, NULL, O_MINT},
	{"data", required_argument, NULL, O_DATA},
	{"memory", no_argument, NULL, O_MEMORY},
	{"fee-ppk", required_argument, NULL, O_FEE},
	{"keyset-version", required_argument, NULL, O_VERSION},
	{"pay-after", required_argument, NULL, O_PAY},
	{"no-cache", no_argument, NULL, O_NOCACHE},
	{"auth", no_argument, NULL, O_AUTH},
	{"control", required_argument, NULL, O_CONTROL},
	{"tell", required_argument, NULL, O_TELL},
	{"help", no_argument, NULL, O_HELP},
	{0},
};

static int add_port(int ports[static NODES_MAX], size_t *n, const char *text, struct err *e)
{
	uint64_t port;

	if (*n == NODES_MAX)
		return err_set(e, ERRK_LIMIT, "too many nodes");
	if (str_u64(str_of(text), 65535, &port, e) < 0)
		return -1;
	ports[(*n)++] = (int)port;
	return 0;
}

static int set_number(uint64_t *out, const char *text, uint64_t max, struct err *e)
{
	return str_u64(str_of(text), max, out, e);
}

static int set_option(struct options *o, int c, const char *value, struct err *e)
{
	uint64_t n = 0;

	switch (c) {
	case O_RELAY:
		return add_port(o->relay_ports, &o->nrelays, value, e);
	case O_MINT:
		return add_port(o->mint_ports, &o->nmints, value, e);
	case O_DATA:
		o->data = value;
		return 0;
	case O_MEMORY:
		o->data = NULL;
		return 0;
	case O_FEE:
		if (set_number(&n, value, KEYSET_FEE_MAX, e) < 0)
			return -1;
		o->mint.fee_ppk = (uint32_t)n;
		return 0;
	case O_VERSION:
		if (strcmp(value, "v1") != 0 && strcmp(value, "v2") != 0)
			return err_set(e, ERRK_INPUT, "keyset version is v1 or v2");
		o->mint.version = value[1] == '1' ? KEYSET_V1 : KEYSET_V2;
		return 0;
	case O_PAY:
		if (strcmp(value, "-1") != 0 && set_number(&n, value, 86400000, e) < 0)
			return -1;
		o->mint.pay_after_ms = strcmp(value, "-1") == 0 ? -1 : (int64_t)n;
		return 0;
	case O_NOCACHE:
		o->mint.no_cache = true;
		return 0;
	case O_AUTH:
		o->guard = RELAY_GUARDED;
		return 0;
	case O_CONTROL:
		o->control = value;
		return 0;
	default:
		return err_set(e, ERRK_INPUT, "unknown option");
	}
}

static int fail(const struct err *e)
{
	fprintf(stderr, "lease-devnet: %s\n", e->msg);
	return 1;
}

static int serve(const struct options *o)
{
	struct devnet d = {0};
	struct err e;
	int rc = start(&d, o, &e);

	if (rc == 0) {
		announce(&d);
		loop_run(d.loop);
	}
	end(&d);
	return rc == 0 ? 0 : fail(&e);
}

int main(int argc, char **argv)
{
	struct options o = {.mint.version = KEYSET_V2};
	struct err e;
	int c;

	log_open("lease-devnet", LOGL_INFO);
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == O_HELP) {
			fputs(usage, stdout);
			return 0;
		}
		if (c == O_TELL && optind + 1 == argc)
			return tell(optarg, argv[optind], &e) < 0 ? fail(&e) : 0;
		if (c == '?' || c == O_TELL) {
			fputs(usage, stderr);
			return 2;
		}
		if (set_option(&o, c, optarg, &e) < 0) {
			fail(&e);
			return 2;
		}
	}
	if (!o.nrelays && !o.nmints)
		o.nrelays = o.nmints = 1;
	return serve(&o);
}
