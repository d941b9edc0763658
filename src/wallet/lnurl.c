/*
 * Pay a Lightning address (LUD-16, LUD-06): the host of "user@host" names its limits and a
 * callback, the callback gives an invoice, and that is paid if it is of exactly the amount. Both
 * answers are a stranger's: small, https only, no redirects, public addresses only unless the mint
 * that pays is a local one.
 */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "wallet/pay.h"

#define ADDRESS_MAX 320
#define URL_MAX	    1024
#define ANSWER_MAX  (64u << 10)
#define ANSWER_MS   20000

static bool is_user_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.' || c == '+';
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
}

static bool all_are(struct str s, bool (*fits)(char c))
{
	for (size_t i = 0; i < s.n; i++)
		if (!fits((char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i])))
			return false;
	return s.n > 0;
}

static bool address_split(struct str *user, struct str *host, struct str text)
{
	struct str rest = text;

	return text.n <= ADDRESS_MAX && str_cut(&rest, '@', user) && str_cut(&rest, '@', host) &&
	       rest.n == 0 && user->n + 1 + host->n == text.n && all_are(*user, is_user_char) &&
	       all_are(*host, is_host_char) && host->p[0] != '.' && host->p[0] != ':';
}

bool wallet_is_address(struct str text)
{
	struct str user, host;

	return address_split(&user, &host, text);
}

static void put_lower(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_byte(out, (uint8_t)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]));
}

static bool host_is_loopback(struct str host)
{
	return str_starts(host, "127.0.0.1") || str_starts(host, "localhost");
}

static int address_url(struct buf *out, const struct job *j, struct err *e)
{
	struct str user, host;

	if (!address_split(&user, &host, str_of(pay_of(j)->address)))
		return err_set(e, ERRK_INPUT, "this is not a Lightning address");
	buf_puts(out, j->mint->local && host_is_loopback(host) ? "http://" : "https://");
	put_lower(out, host);
	buf_puts(out, "/.well-known/lnurlp/");
	put_lower(out, user);
	return buf_check(out, "Lightning address", e);
}

/* --- asking --- */

static void lnurl_get(struct job *j, const char *url, http_fn *fn)
{
	const struct http_ask ask = {.method = "GET",
				     .url = url,
				     .timeout_ms = ANSWER_MS,
				     .max = ANSWER_MAX,
				     .local = j->mint->local};

	pay_of(j)->http = http_send(j->w->http, &ask, fn, j);
}

/* The answer as JSON, or what its sender says against it. */
static int lnurl_read(struct json **out, const struct job *j, const struct http_answer *a,
		      struct err *e)
{
	auto_json struct json *root = NULL;
	struct str status = {0}, reason = {0};
	char text[160] = "no reason given";

	if (a->status == 0)
		return err_set(e, ERRK_PEER, "%s: %s", pay_of(j)->address, a->error);
	if (json_parse(&root, a->body, NULL, e) < 0)
		return err_set(e, ERRK_PEER, "%s: status %d, and no JSON", pay_of(j)->address,
			       a->status);
	(void)json_as_str(json_get(root, "status"), &status);
	if (json_as_str(json_get(root, "reason"), &reason))
		str_printable(text, sizeof(text), reason);
	if (a->status != 200 || str_is(status, "ERROR"))
		return err_set(e, ERRK_PEER, "%s refuses: %s", pay_of(j)->address, text);
	*out = steal(&root);
	return 0;
}

/* --- the invoice --- */

static int invoice_take(struct job *j, const struct http_answer *a, struct str *text,
			struct json **root, struct err *e)
{
	struct invoice i;
	struct msat asked;

	if (lnurl_read(root, j, a, e) < 0 || json_str(*root, "pr", INVOICE_TEXT_MAX, text, e) < 0 ||
	    invoice_read(&i, *text, e) < 0)
		return err_wrap(e, "%s", pay_of(j)->address);
	if (!msat_of_sat(&asked, pay_of(j)->amount) || !i.has_amount ||
	    msat_cmp(asked, i.amount) != 0)
		return err_set(e, ERRK_PEER, "%s: its invoice is of another amount than asked",
			       pay_of(j)->address);
	return 0;
}

static void invoice_answer(void *ctx, const struct http_answer *a)
{
	struct job *j = ctx;
	auto_json struct json *root = NULL;
	struct str text;
	struct err e;

	pay_of(j)->http = NULL;
	if (invoice_take(j, a, &text, &root, &e) < 0)
		job_fail(j, &e);
	else
		pay_invoice(j, text);
}

/* --- the limits --- */

static int callback_check(const struct job *j, struct str url, struct err *e)
{
	const char *scheme = str_starts(url, "https://") ? "https://" : "http://";
	struct str rest;

	if (!str_starts(url, scheme) || (scheme[4] != 's' && !j->mint->local))
		return err_set(e, ERRK_PEER, "its callback is not https");
	rest = (struct str){url.p + strlen(scheme), url.n - strlen(scheme)};
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] <= ' ' || rest.p[i] > '~' || rest.p[i] == '#' || rest.p[i] == '\\')
			return err_set(e, ERRK_PEER, "its callback has odd characters");
	for (size_t i = 0; i < rest.n && rest.p[i] != '/' && rest.p[i] != '?'; i++)
		if (rest.p[i] == '@')
			return err_set(e, ERRK_PEER, "its callback has a user in it");
	return 0;
}

static int amount_check(const struct json *root, struct msat asked, struct err *e)
{
	uint64_t least, most;

	if (json_u64(root, "minSendable", JSON_INT_MAX, &least, e) < 0 ||
	    json_u64(root, "maxSendable", JSON_INT_MAX, &most, e) < 0)
		return -1;
	if (msat_raw(asked) < least || msat_raw(asked) > most)
		return err_set(e, ERRK_LIMIT, "takes %llu to %llu sat",
			       (unsigned long long)(least + 999) / 1000,
			       (unsigned long long)most / 1000);
	return 0;
}

static int callback_take(struct buf *url, struct job *j, const struct http_answer *a, struct err *e)
{
	auto_json struct json *root = NULL;
	struct str tag, callback;
	struct msat asked;

	if (!msat_of_sat(&asked, pay_of(j)->amount))
		return err_set(e, ERRK_LIMIT, "amount");
	if (lnurl_read(&root, j, a, e) < 0)
		return -1;
	if (json_str(root, "tag", 32, &tag, e) < 0 ||
	    json_str(root, "callback", URL_MAX, &callback, e) < 0 ||
	    callback_check(j, callback, e) < 0 || amount_check(root, asked, e) < 0)
		return err_wrap(e, "%s", pay_of(j)->address);
	if (!str_is(tag, "payRequest"))
		return err_set(e, ERRK_PEER, "%s takes no payments", pay_of(j)->address);
	buf_str(url, callback);
	buf_puts(url, memchr(callback.p, '?', callback.n) ? "&" : "?");
	buf_printf(url, "amount=%llu", (unsigned long long)msat_raw(asked));
	return buf_check(url, "callback", e);
}

static void address_answer(void *ctx, const struct http_answer *a)
{
	struct job *j = ctx;
	auto_buf struct buf url = BUF(URL_MAX + 64);
	struct err e;

	pay_of(j)->http = NULL;
	if (callback_take(&url, j, a, &e) < 0)
		job_fail(j, &e);
	else
		lnurl_get(j, url.p, invoice_answer);
}

static void address_step(struct job *j)
{
	auto_buf struct buf url = BUF(URL_MAX);
	struct err e;

	if (!j->mint) {
		job_fail_msg(j, ERRK_DENIED, "this mint is not allowed");
		return;
	}
	if (sat_is_zero(pay_of(j)->amount)) {
		job_fail_msg(j, ERRK_INPUT, "nothing to pay");
		return;
	}
	if (pay_again(j))
		return;
	if (address_url(&url, j, &e) < 0)
		job_fail(j, &e);
	else
		lnurl_get(j, url.p, address_answer);
}

void wallet_pay_address(struct wallet *w, const struct wallet_pay_address *p, wallet_job_fn *fn,
			void *ctx)
{
	struct job *j = pay_job(w, p->mint, fn, ctx, address_step);

	job_name(j, p->ref);
	pay_of(j)->address = mem_strndup(p->address, strnlen(p->address, ADDRESS_MAX + 1));
	pay_of(j)->amount = p->amount;
	pay_of(j)->max_total = p->max_total;
}
