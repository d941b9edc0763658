/*
 * HTTP client: each call is one curl easy handle; the multi handle asks for descriptors and one
 * timer, which hang on the loop. Nothing is loaded or allocated before the first call.
 */
#include "net/http.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http_lib.h"
#include "net/resolve.h"

#define DEFAULT_TIMEOUT_MS 30000
#define CONNECT_TIMEOUT_MS 10000L
#define DEFAULT_MAX	   ((size_t)1 << 20)
#define IDLE_CONNECTIONS   16L

struct http_call {
	struct http *http;
	struct http_call *prev, *next;
	CURL *easy;
	struct curl_slist *headers;
	struct loop_timer *failed; /* a call that could not even start */
	struct buf body;
	char *request; /* copy of the request's body */
	http_fn *fn;
	void *ctx;
	const char *why; /* our own reason to break off */
	bool local, sent;
	bool telling; /* inside its callback */
	char error[CURL_ERROR_SIZE];
};

struct watch { /* a descriptor of curl's */
	struct watch *prev, *next;
	struct http *http;
	struct loop_io *io;
};

struct http {
	struct loop *loop;
	struct http_lib lib;
	CURLM *multi; /* made at the first call */
	struct loop_timer *timer;
	struct http_call *calls;
	struct watch *watches;
	unsigned busy; /* callbacks under way */
	bool dead;     /* freed inside one of them */
};

/* --- curl asks the loop --- */

static void collect(struct http *h);

/* Every entry of curl: afterwards finished calls are told, and `h` may be gone. */
static void drive(struct http *h, curl_socket_t fd, int what)
{
	int running;

	h->lib.curl_multi_socket_action(h->multi, fd, what, &running);
	collect(h);
}

static void socket_ready(void *ctx, int fd, uint32_t events)
{
	struct watch *w = ctx;
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	drive(w->http, fd, what);
}

static void watch_free(struct watch *w)
{
	loop_io_del(w->io);
	if (w->prev)
		w->prev->next = w->next;
	else
		w->http->watches = w->next;
	if (w->next)
		w->next->prev = w->prev;
	free(w);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *data)
{
	struct http *h = ctx;
	struct watch *w = data;
	uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
			  (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	struct err e;

	if (what == CURL_POLL_REMOVE) {
		if (w)
			watch_free(w);
		h->lib.curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (w) {
		loop_io_change(w->io, events);
		return 0;
	}
	w = mem_zero(sizeof(*w));
	w->http = h;
	if (loop_io_add(&w->io, h->loop, fd, events, socket_ready, w, &e) < 0) {
		log_broken("http: %s", e.msg);
		free(w);
		return -1;
	}
	w->next = h->watches;
	if (w->next)
		w->next->prev = w;
	h->watches = w;
	h->lib.curl_multi_assign(h->multi, fd, w);
	return 0;
}

static void time_is_up(void *ctx)
{
	struct http *h = ctx;

	h->timer = NULL;
	drive(h, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
	struct http *h = ctx;

	loop_timer_del(h->timer);
	h->timer = ms < 0 ? NULL : loop_timer_add(h->loop, ms, time_is_up, h);
	return 0;
}

/* --- curl asks the call --- */

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;

	buf_add(&c->body, p, size * n);
	if (!c->body.failed)
		return size * n;
	c->why = "the answer is too big";
	return 0;
}

/* The address is judged after the name was resolved (a name cannot change its mind), and again
 * when a connection that an earlier call opened is used once more. */
static curl_socket_t on_connect(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_call *c = ctx;

	if (!c->local && !address_is_public(&a->addr)) {
		c->why = "the address is private";
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int on_request(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
	struct http_call *c = ctx;

	if (!c->local && !address_text_is_public(ip)) {
		c->why = "the address is private";
		return CURL_PREREQFUNC_ABORT;
	}
	/* curl sends again by itself when a connection that it used before dies without an answer.
	 * Whether a POST may be repeated is for who sent it. */
	if (c->sent && c->request) {
		c->why = "the connection was closed without an answer";
		return CURL_PREREQFUNC_ABORT;
	}
	c->sent = true;
	return CURL_PREREQFUNC_OK;
}

/* --- calls --- */

static void call_unlink(struct http_call *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->http->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
}

static void call_free(struct http_call *c)
{
	const struct http_lib *l = &c->http->lib;
	loop_timer_del(c->failed);
	if (c->easy) {
		l->curl_multi_remove_handle(c->http->multi, c->easy);
		l->curl_easy_cleanup(c->easy);
	}
	if (c->headers)
		l->curl_slist_free_all(c->headers);
	free(c->request);
	buf_free(&c->body);
	free(c);
}

static void http_destroy(struct http *h)
{
	while (h->calls) {
		struct http_call *c = h->calls;

		call_unlink(c);
		call_free(c);
	}
	if (h->multi)
		h->lib.curl_multi_cleanup(h->multi);
	while (h->watches)
		watch_free(h->watches);
	loop_timer_del(h->timer);
	http_lib_settle(&h->lib);
	free(h);
}

static bool header(struct http_call *c, const char *name, const char **value)
{
	struct curl_header *found;

	if (c->http->lib.curl_easy_header(c->easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
		return false;
	*value = found->value;
	return true;
}

static int64_t retry_after(struct http_call *c)
{
	const struct http_lib *l = &c->http->lib;
	const char *text;
	uint64_t seconds;
	time_t at;

	if (!header(c, "Retry-After", &text))
		return -1;
	if (str_u64(str_of(text), 86400 * 365, &seconds, NULL) == 0)
		return (int64_t)seconds;
	at = l->curl_getdate(text, NULL);
	if (at < 0)
		return -1;
	return at > clock_wall() ? at - clock_wall() : 0;
}

/* Tell and free; the callback may free `h` too. */
static void answer(struct http_call *c, CURLcode rc)
{
	const struct http_lib *l = &c->http->lib;
	struct http_answer a = {.retry_after = -1, .sent = c->sent};
	const char *date;
	long status = 0;

	if (rc != CURLE_OK) {
		a.error = c->why ? c->why : c->error[0] ? c->error : l->curl_easy_strerror(rc);
	} else {
		l->curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		a.status = (int)status;
		a.body = buf_view(&c->body);
		a.retry_after = retry_after(c);
		if (header(c, "Date", &date))
			a.date = l->curl_getdate(date, NULL) > 0 ? l->curl_getdate(date, NULL) : 0;
	}
	call_unlink(c);
	c->telling = true;
	c->http->busy++;
	c->fn(c->ctx, &a);
	c->http->busy--;
	call_free(c);
}

static struct http_call *finished(struct http *h, CURLcode *rc)
{
	struct http_call *c;
	CURLMsg *m;
	int left;

	while ((m = h->lib.curl_multi_info_read(h->multi, &left))) {
		CURL *easy = m->easy_handle;

		if (m->msg != CURLMSG_DONE)
			continue;
		*rc = m->data.result;
		if (h->lib.curl_easy_getinfo(easy, CURLINFO_PRIVATE, &c) == CURLE_OK)
			return c;
	}
	return NULL;
}

static void collect(struct http *h)
{
	struct http_call *c;
	CURLcode rc;

	while (!h->dead && (c = finished(h, &rc)))
		answer(c, rc);
	if (h->dead && !h->busy)
		http_destroy(h);
}

static int multi_make(struct http *h, struct err *e)
{
	const struct http_lib *l = &h->lib;

	if (h->multi)
		return 0;
	if (http_lib_load(&h->lib, e) < 0)
		return -1;
	h->multi = l->curl_multi_init();
	if (!h->multi)
		return err_set(e, ERRK_SYS, "libcurl cannot be used");
	l->curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	l->curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	l->curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	l->curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	l->curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
	l->curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	return 0;
}

static void set_headers(struct http_call *c, const struct http_ask *q)
{
	const struct http_lib *l = &c->http->lib;
	struct curl_slist *list = l->curl_slist_append(NULL, "Expect:");
	bool accepts = false;

	if (c->request)
		list = l->curl_slist_append(list, "Content-Type: application/json");
	for (const char *const *h = q->headers; h && *h; h++) {
		accepts |= str_starts(str_of(*h), "Accept:");
		list = l->curl_slist_append(list, *h);
	}
	if (!accepts)
		list = l->curl_slist_append(list, "Accept: application/json");
	c->headers = list;
	l->curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, list);
}

static void set_limits(struct http_call *c, const struct http_ask *q)
{
	const struct http_lib *l = &c->http->lib;
	int64_t ms = q->timeout_ms > 0 ? q->timeout_ms : DEFAULT_TIMEOUT_MS;
	const char *protocols = q->local ? "http,https" : "https";

	l->curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, protocols);
	l->curl_easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
	l->curl_easy_setopt(c->easy, CURLOPT_PROXY, ""); /* also none from the environment */
	l->curl_easy_setopt(c->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	l->curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	l->curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)ms);
	l->curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	l->curl_easy_setopt(c->easy, CURLOPT_TCP_NODELAY, 1L);
	l->curl_easy_setopt(c->easy, CURLOPT_BUFFERSIZE, 16384L);
	l->curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	l->curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETFUNCTION, on_connect);
	l->curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETDATA, c);
	l->curl_easy_setopt(c->easy, CURLOPT_PREREQFUNCTION, on_request);
	l->curl_easy_setopt(c->easy, CURLOPT_PREREQDATA, c);
}

static int call_start(struct http_call *c, const struct http_ask *q)
{
	const struct http_lib *l = &c->http->lib;
	struct err e;

	if (multi_make(c->http, &e) < 0) {
		str_printable(c->error, sizeof(c->error), str_of(e.msg));
		return -1;
	}
	c->easy = l->curl_easy_init();
	if (!c->easy)
		return -1;
	l->curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	l->curl_easy_setopt(c->easy, CURLOPT_URL, q->url);
	l->curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
	l->curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
	l->curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	if (q->body.p) {
		c->request = mem_strndup(q->body.p, q->body.n);
		l->curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->request);
		l->curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
	}
	l->curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, q->method);
	set_headers(c, q);
	set_limits(c, q);
	return l->curl_multi_add_handle(c->http->multi, c->easy) == CURLM_OK ? 0 : -1;
}

static void start_failed(void *ctx)
{
	struct http_call *c = ctx;
	struct http *h = c->http;

	c->failed = NULL;
	answer(c, CURLE_FAILED_INIT);
	if (h->dead && !h->busy)
		http_destroy(h);
}

struct http_call *http_send(struct http *h, const struct http_ask *q, http_fn *fn, void *ctx)
{
	struct http_call *c = mem_zero(sizeof(*c));

	*c = (struct http_call){.http = h, .next = h->calls, .fn = fn, .ctx = ctx};
	c->local = q->local;
	c->body = BUF(q->max ? q->max : DEFAULT_MAX);
	if (c->next)
		c->next->prev = c;
	h->calls = c;
	if (call_start(c, q) < 0)
		c->failed = loop_timer_add(h->loop, 0, start_failed, c);
	return c;
}

void http_cancel(struct http_call *c)
{
	if (!c || c->telling)
		return;
	call_unlink(c);
	call_free(c);
}

int http_new(struct http **out, struct loop *l, struct err *e)
{
	*out = mem_zero(sizeof(**out));
	(*out)->loop = l;
	return 0;
}

int http_load(struct http *h, struct err *e)
{
	return http_lib_load(&h->lib, e);
}

void http_load_aside(struct http *h)
{
	http_lib_load_aside(&h->lib);
}

void http_free(struct http *h)
{
	if (!h)
		return;
	h->dead = true;
	if (!h->busy)
		http_destroy(h);
}
