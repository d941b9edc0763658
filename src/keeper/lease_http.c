/* One HTTP request to its answer: see lease_http.h. Headers are looked at for their bytes only. */
#include "keeper/lease_http.h"

#include <inttypes.h>
#include <string.h>

#include "base/auto.h"

enum status { OK, MALFORMED, NO_SUCH_PAGE, NO_TOPUP, NO_SUCH_METHOD, TOO_LONG };

static const struct answer {
	const char *line, *error;
} ANSWERS[] = {
	[OK] = {"200 OK", NULL},
	[MALFORMED] = {"400 Bad Request", "not an HTTP/1 request"},
	[NO_SUCH_PAGE] = {"404 Not Found", "there are /lease, /time-left and /topup-request"},
	[NO_TOPUP] = {"404 Not Found", "this lease takes no top-up"},
	[NO_SUCH_METHOD] = {"405 Method Not Allowed", "only GET and HEAD"},
	[TOO_LONG] = {"431 Request Header Fields Too Large",
		      "the request is longer than 1024 bytes"},
};

struct line {
	struct str method, target;
};

/* --- pages --- */

static enum status write_card(struct buf *b, const struct lease_view *v)
{
	struct str card = str_of(v->card);

	if (card.n > 2) { /* more than {} */
		buf_add(b, card.p, card.n - 1);
		buf_byte(b, ',');
	} else {
		buf_byte(b, '{');
	}
	buf_printf(b, "\"started_at\":%" PRId64 ",\"expires_at\":%" PRId64 "}", v->started_at,
		   v->expires_at);
	return OK;
}

static enum status write_time(struct buf *b, const struct lease_view *v)
{
	buf_printf(b, "{\"seconds\":%" PRId64 ",\"expires_at\":%" PRId64 "}",
		   v->left > 0 ? v->left : 0, v->expires_at);
	return OK;
}

static enum status write_topup(struct buf *b, const struct lease_view *v)
{
	if (!*v->topup)
		return NO_TOPUP;
	buf_puts(b, v->topup);
	return OK;
}

static const struct {
	const char *target;
	enum status (*write)(struct buf *b, const struct lease_view *v);
} PAGES[] = {
	{"/lease", write_card},
	{"/time-left", write_time},
	{"/topup-request", write_topup},
};

static enum status write_page(struct buf *b, const struct line *l, const struct lease_view *v)
{
	if (!str_is(l->method, "GET") && !str_is(l->method, "HEAD"))
		return NO_SUCH_METHOD;
	for (size_t i = 0; i < ARRAY_SIZE(PAGES); i++)
		if (str_is(l->target, PAGES[i].target))
			return PAGES[i].write(b, v);
	return NO_SUCH_PAGE;
}

/* --- the request --- */

static bool is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == 0x7f || (c < 0x20 && c != '\r' && c != '\n' && c != '\t'))
			return false;
	}
	return true;
}

/* "GET /lease HTTP/1.1" */
static bool read_line(struct line *l, struct str text)
{
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	return str_cut(&text, ' ', &l->method) && str_cut(&text, ' ', &l->target) &&
	       l->method.n > 0 && l->target.n > 0 && l->target.p[0] == '/' &&
	       (str_is(text, "HTTP/1.1") || str_is(text, "HTTP/1.0"));
}

/* An empty line, by either kind of line end. */
static bool is_whole(struct str s)
{
	return memmem(s.p, s.n, "\n\r\n", 3) || memmem(s.p, s.n, "\n\n", 2);
}

static void answer(struct buf *out, enum status status, const struct buf *page, bool head)
{
	const struct answer *a = &ANSWERS[status];
	auto_buf struct buf body = BUF(LEASE_HTTP_ANSWER);

	if (a->error)
		buf_printf(&body, "{\"error\":\"%s\"}", a->error);
	else
		buf_str(&body, buf_view(page));
	buf_byte(&body, '\n');
	buf_printf(out,
		   "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		   "%sCache-Control: no-store\r\nConnection: close\r\n\r\n",
		   a->line, body.n, status == NO_SUCH_METHOD ? "Allow: GET, HEAD\r\n" : "");
	if (!head)
		buf_str(out, buf_view(&body));
}

enum lease_http lease_http(struct buf *out, struct str request, const struct lease_view *v)
{
	auto_buf struct buf page = BUF(LEASE_HTTP_ANSWER);
	const char *end = request.n > 0 ? memchr(request.p, '\n', request.n) : NULL;
	struct str first = {request.p, end ? (size_t)(end - request.p) : 0};
	enum status status = MALFORMED;
	struct line l = {0};

	if (is_text(request) && (!end || read_line(&l, first))) {
		if (!is_whole(request) && request.n < LEASE_HTTP_MAX)
			return LEASE_HTTP_MORE;
		status = is_whole(request) ? write_page(&page, &l, v) : TOO_LONG;
	}
	answer(out, status, &page, str_is(l.method, "HEAD"));
	return LEASE_HTTP_ANSWERED;
}
