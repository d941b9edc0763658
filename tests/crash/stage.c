/* The market of a run: see stage.h. */
#include "stage.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "buyer.h"
#include "cashu/invoice.h"
#include "cashu/request.h"
#include "crypto/secp.h"
#include "net/stream.h"

#define TURN_MS	  2
#define JUMP_MS	  1000
#define JUMP_MAX  5000
#define JUMP_LONG 60000 /* where nobody waits for an answer */
#define REAL_MS	  40000 /* one wait takes no longer, whatever the moved clock says */
#define START_S	  60
#define COMMAND_S 1800
#define WORDS_MAX 24

void stage_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("stage: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	_exit(3);
}

static void must(int rc, const struct err *e)
{
	if (rc)
		stage_die("%s", e->msg);
}

/* --- turning --- */

static void stop_turn(void *ctx)
{
	loop_stop(ctx);
}

static void turn(struct stage *s, int64_t ms)
{
	loop_timer_add(s->loop, ms, stop_turn, s->loop);
	loop_run(s->loop);
}

static bool until(struct stage *s, stage_cond *cond, int64_t seconds, int64_t most_ms)
{
	int64_t real_end = clock_mono_us() / 1000 + REAL_MS, end = clock_mono_ms() + seconds * 1000;
	int64_t jump = JUMP_MS, left;
	struct stillness still = {0};

	while (!cond(s)) {
		if (clock_mono_us() / 1000 > real_end || clock_mono_ms() > end)
			return false;
		turn(s, TURN_MS);
		if (!s->pids[PROVIDER] && !s->off)
			stage_provider_start(s);
		if (!shared_still(&still, s->pids))
			continue;
		left = end - clock_mono_ms();
		shared_pass(s->shared, jump < left ? jump : left + 1, s->pids);
		still.samples = 0;
		jump = jump + JUMP_MS < most_ms ? jump + JUMP_MS : most_ms;
	}
	return true;
}

bool stage_until(struct stage *s, stage_cond *cond, int64_t seconds)
{
	return until(s, cond, seconds, JUMP_MAX);
}

static bool never(struct stage *s)
{
	(void)s;
	return false;
}

void stage_pass(struct stage *s, int64_t seconds)
{
	(void)!until(s, never, seconds, seconds > 300 ? JUMP_LONG : JUMP_MAX);
}

void stage_calm(struct stage *s)
{
	int64_t real_end = clock_mono_us() / 1000 + REAL_MS;
	struct stillness still = {0};

	do
		turn(s, TURN_MS);
	while (!shared_still(&still, s->pids) && clock_mono_us() / 1000 < real_end);
}

void stage_pass_off(struct stage *s, int64_t seconds)
{
	stage_provider_stop(s);
	shared_pass(s->shared, seconds * 1000, s->pids);
	turn(s, TURN_MS);
	stage_provider_start(s);
}

/* --- processes --- */

/* A child keeps nothing of this process but `keep`: a socket that is closed here must close. */
static void leave_behind(int keep)
{
	if (keep > 3)
		close_range(3, (unsigned)keep - 1, 0);
	close_range((unsigned)(keep > 2 ? keep + 1 : 3), ~0U, 0);
}

static void be_child(const struct stage *s, enum actor who, int keep)
{
	int log = open(s->log, O_WRONLY | O_APPEND | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(4);
	leave_behind(keep);
	shared_be(s->shared, who);
}

struct watched {
	struct stage *stage;
	enum actor who;
};

static void ended(void *ctx, pid_t pid, int status)
{
	struct watched *w = ctx;
	struct stage *s = w->stage;
	enum actor who = w->who;

	(void)pid;
	free(w);
	s->pids[who] = 0;
	s->status[who] = status;
	if (status == 128 + SIGKILL && !(who == PROVIDER && s->off)) {
		s->deaths[who]++;
		s->shared->armed[who] = s->next[who];
		s->next[who] = (struct death){0};
		memset((void *)s->shared->passed[who], 0, sizeof(s->shared->passed[who]));
	}
	if (who == PROVIDER)
		host_close(&s->host);
	loop_stop(s->loop);
}

static void watch(struct stage *s, enum actor who, pid_t pid)
{
	struct watched *w = mem_zero(sizeof(*w));
	struct err e;

	*w = (struct watched){s, who};
	s->pids[who] = pid;
	must(loop_child_add(s->loop, pid, ended, w, &e), &e);
}

static bool sells(struct stage *s)
{
	return s->shared->selling;
}

void stage_provider_start(struct stage *s)
{
	int fd[2];
	pid_t pid;

	s->off = false;
	s->shared->selling = false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0 || (pid = fork()) < 0)
		stage_die("no process for the provider");
	if (pid == 0) {
		be_child(s, PROVIDER, fd[0]);
		log_open("provider", LOGL_INFO);
		provider_run(s, fd[0]);
	}
	close(fd[0]);
	host_open(&s->host, s->loop, fd[1]);
	watch(s, PROVIDER, pid);
}

static bool provider_gone(struct stage *s)
{
	return !s->pids[PROVIDER];
}

void stage_provider_stop(struct stage *s)
{
	s->off = true;
	if (!s->pids[PROVIDER])
		return;
	kill(s->pids[PROVIDER], SIGKILL);
	if (!stage_until(s, provider_gone, START_S))
		stage_die("the provider does not die");
}

static bool buyer_gone(struct stage *s)
{
	return !s->pids[BUYER];
}

/* --- command lines --- */

static char *fresh_invoice(void)
{
	struct invoice i = {.network = "bcrt", .has_amount = true, .created = clock_wall()};
	auto_buf struct buf text = BUF(INVOICE_TEXT_MAX);
	struct secret payee, payment;
	struct err e;

	secret_new(&payee);
	secret_new(&payment);
	rand_bytes(i.hash, sizeof(i.hash));
	i.expires = i.created + 3600;
	i.amount = MSAT(INVOICE_SAT * 1000);
	must(invoice_write(&text, &i, payment.b, &payee, &e), &e);
	return buf_steal(&text);
}

static char *shop_request(const struct stage *s)
{
	AUTO(cashu_request_free) struct payment_request *r = cashu_request_new();
	auto_buf struct buf text = BUF(REQUEST_TEXT_MAX);
	struct err e;

	r->has_amount = r->single_use = true;
	r->amount = SAT(INVOICE_SAT);
	r->unit = mem_strdup("sat");
	r->mints = mem_array(1, sizeof(*r->mints));
	r->mints[r->n_mints++] = mem_strdup(s->mint_url);
	r->transports = mem_array(1, sizeof(*r->transports));
	r->transports[r->n_transports++] = (struct request_transport){
		.type = mem_strdup("post"),
		.target = mem_printf("http://127.0.0.1:%d/", ws_server_port(s->shop))};
	must(cashu_request_encode(&text, r, &e), &e);
	return buf_steal(&text);
}

/* Words that stand for something are replaced; a redirection is done. */
static char *expand(const struct stage *s, char *word)
{
	auto_free char *path = mem_printf("%s/%s", s->dir, word + 1);
	int fd;

	if (!strcmp(word, "INVOICE"))
		return fresh_invoice();
	if (!strcmp(word, "REQUEST"))
		return shop_request(s);
	if (!strcmp(word, "OTHER"))
		return mem_strdup(s->other_url);
	if (word[0] == '@')
		return steal(&path);
	if (word[0] != '>')
		return word;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(4);
	return NULL;
}

static int split(const struct stage *s, char *argv[static WORDS_MAX + 1], const char *line)
{
	char *rest = mem_strdup(line);
	int argc = 0;

	while (rest && argc < WORDS_MAX) {
		char *word = rest;

		rest = strchr(rest, ' ');
		if (rest)
			*rest++ = 0;
		argv[argc] = expand(s, word);
		argc += argv[argc] != NULL;
	}
	argv[argc] = NULL;
	return argc;
}

/* leasectl is no part of the matrix: it only asks. */
static _Noreturn void ask_control(const struct stage *s, int argc, char **argv)
{
	char *line[WORDS_MAX + 4] = {argv[0], mem_strdup("--socket"),
				     mem_printf("%s/control.sock", s->dir)};
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	auto_free char *program = NULL;

	self[n > 0 ? n : 0] = 0;
	for (int i = 1; i <= argc; i++)
		line[i + 2] = argv[i];
	for (int up = 0; up < 3 && strrchr(self, '/'); up++)
		*strrchr(self, '/') = 0;
	program = mem_printf("%s/leasectl", self);
	execv(program, line);
	_exit(127);
}

static _Noreturn void command_run(struct stage *s, const char *line)
{
	char *argv[WORDS_MAX + 1] = {NULL};
	int argc, status;

	be_child(s, BUYER, -1);
	dprintf(STDERR_FILENO, "$ %s\n", line);
	argc = split(s, argv, line);
	setenv("LEASE_HOME", s->home, 1);
	if (!strcmp(argv[0], "leasectl"))
		ask_control(s, argc, argv);
	status = lease_main(argc, argv);
	fflush(stdout);
	dprintf(STDERR_FILENO, "= %d\n", status);
	_exit(status);
}

/* Nothing is asked of an agent that still starts. */
static bool control_listens(struct stage *s)
{
	auto_free char *path = mem_printf("%s/control.sock", s->dir);
	auto_close int fd = -1;
	struct err e;

	return unix_connect(&fd, path, &e) == 0;
}

int stage_command(struct stage *s, const char *line)
{
	pid_t pid;

	if (!strncmp(line, "leasectl ", 9) && !s->off)
		(void)!stage_until(s, control_listens, COMMAND_S);
	pid = fork();
	if (pid < 0)
		stage_die("no process for \"%s\"", line);
	if (pid == 0)
		command_run(s, line);
	watch(s, BUYER, pid);
	if (stage_until(s, buyer_gone, COMMAND_S))
		return s->status[BUYER];
	fprintf(stderr, "\"%s\" does not end\n", line);
	stage_show_log(s);
	stage_die("hangs");
}

/* --- everything --- */

static void set_offer(struct stage *s)
{
	s->offer = (struct engine_offer){
		.name = "small",
		.limits = {.cpu = 500, .memory = 64 << 20, .pids = 64, .disk = 64 << 20},
		.price = {1000, 1},
		.volume_price = {16000, 1},
		.volume_max = 64 << 20,
		.min_payment = SAT(10),
		.refund_min = SAT(3),
		.max_lease = 3600,
		.start_timeout = 60,
		.images = {"oci:a"},
		.nimages = 1};
}

static void shop_paid(void *ctx, struct http_req *r)
{
	(void)ctx;
	http_reply(r, 200, "application/json", STR("{}"));
}

static void open_shop(struct stage *s)
{
	static const struct ws_server_ops ops = {.request = shop_paid};
	struct err e;

	must(ws_server_new(&s->shop, s->ws, "127.0.0.1", 0, 1 << 20, &ops, s, &e), &e);
}

static void open_other(struct stage *s)
{
	struct mint_options o = {.fee_ppk = 100, .version = KEYSET_V2, .pay_after_ms = -1};
	struct err e;

	must(db_open(&s->other_db, ":memory:", &e), &e);
	o.db = s->other_db;
	must(mint_node_new(&s->other, s->ws, s->loop, &o, &e), &e);
	mint_node_link(s->mint, s->other);
	mint_node_link(s->other, s->mint);
	snprintf(s->other_url, sizeof(s->other_url), "http://127.0.0.1:%d",
		 mint_node_port(s->other));
}

static void open_nodes(struct stage *s)
{
	struct mint_options o = {.fee_ppk = 100, .version = KEYSET_V2};
	struct err e;

	must(loop_new(&s->loop, &e), &e);
	must(ws_context_new(&s->ws, s->loop, &e), &e);
	must(db_open(&s->mint_db, ":memory:", &e), &e);
	o.db = s->mint_db;
	must(mint_node_new(&s->mint, s->ws, s->loop, &o, &e), &e);
	must(db_open(&s->relay_db, ":memory:", &e), &e);
	must(relay_node_new(&s->relay, s->ws, s->loop, 0, RELAY_OPEN, s->relay_db, &e), &e);
	snprintf(s->mint_url, sizeof(s->mint_url), "http://127.0.0.1:%d", mint_node_port(s->mint));
	snprintf(s->relay_url, sizeof(s->relay_url), "ws://127.0.0.1:%d",
		 relay_node_port(s->relay));
	open_other(s);
	open_shop(s);
}

static void write_files(struct stage *s)
{
	auto_free char *path = mem_printf("%s/lease.conf", s->home);
	auto_free char *text =
		mem_printf("[nostr]\nrelay = %s\nallow_local = yes\n[wallet]\nmint = %s\n",
			   s->relay_url, s->mint_url);
	struct err e;

	must(fs_mkdirs(s->home, 0700, &e), &e);
	must(fs_write(path, text, strlen(text), 0600, &e), &e);
	must(fs_write(s->log, "", 0, 0600, &e), &e);
}

void stage_open(struct stage *s, struct shared *shared)
{
	const char *where = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	memset(s, 0, sizeof(*s));
	s->shared = shared;
	shared_clock(shared);
	snprintf(s->dir, sizeof(s->dir), "%s/lease-crash-XXXXXX", where);
	if (!mkdtemp(s->dir))
		stage_die("no folder in %s", where);
	snprintf(s->home, sizeof(s->home), "%s/buyer", s->dir);
	snprintf(s->log, sizeof(s->log), "%s/log", s->dir);
	snprintf(s->provider_db, sizeof(s->provider_db), "%s/provider.db", s->dir);
	set_offer(s);
	open_nodes(s);
	write_files(s);
	stage_provider_start(s);
	if (!stage_until(s, sells, START_S))
		stage_die("the provider does not sell");
}

void stage_close(struct stage *s)
{
	struct err e;

	stage_provider_stop(s);
	relay_node_free(s->relay);
	mint_node_free(s->mint);
	mint_node_free(s->other);
	ws_server_free(s->shop);
	ws_context_free(s->ws);
	loop_free(s->loop);
	db_close(s->relay_db);
	db_close(s->mint_db);
	db_close(s->other_db);
	clock_replace(NULL);
	must(fs_remove_tree(s->dir, &e), &e);
}

void stage_fault(struct faults *f, const char *text)
{
	struct json *j auto_json = NULL;
	struct err e;

	must(json_parse(&j, str_of(text), NULL, &e), &e);
	must(faults_add(f, j, &e), &e);
}

void stage_show_log(const struct stage *s)
{
	auto_buf struct buf text = BUF(1 << 20);
	struct err e;

	if (!fs_read(&text, s->log, &e))
		fprintf(stderr, "%s", text.p ? text.p : "");
}
