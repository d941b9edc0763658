/* Replies of the peer's dialect. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "proto/paygress.h"

struct paygress_reply *paygress_reply_new(enum paygress_answer a)
{
	struct paygress_reply *r = mem_zero(sizeof(*r));

	r->answer = a;
	return r;
}

void paygress_reply_free(struct paygress_reply *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->nlines; i++) {
		wipe(r->lines[i], strlen(r->lines[i])); /* may tell a password */
		free(r->lines[i]);
	}
	free(r);
}

void paygress_reply_line(struct paygress_reply *r, const char *line)
{
	if (r->nlines < PAYGRESS_LINES_MAX)
		r->lines[r->nlines++] = mem_strdup(line);
}

/* --- RFC 3339 --- */

#define TIME_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* `n` digits at the start of `s`, which moves on. */
static int digits(struct str *s, size_t n, int *out)
{
	size_t i;

	*out = 0;
	if (s->n < n)
		return -1;
	for (i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return -1;
		*out = *out * 10 + (s->p[i] - '0');
	}
	s->p += n;
	s->n -= n;
	return 0;
}

static int skip(struct str *s, const char *any)
{
	if (s->n == 0 || !strchr(any, s->p[0]))
		return -1;
	s->p++;
	s->n--;
	return 0;
}

/* Days since 1970-01-01 in the Gregorian calendar, for years from 0 on. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t from_march = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

/* "", "Z" or "+01:30" after an optional fraction. */
static int read_zone(struct str s, int *seconds)
{
	int hours, minutes, sign;

	*seconds = 0;
	if (skip(&s, ".") == 0)
		while (s.n && s.p[0] >= '0' && s.p[0] <= '9')
			skip(&s, "0123456789");
	if (str_is(s, "Z") || str_is(s, "z"))
		return 0;
	sign = s.n && s.p[0] == '-' ? -1 : 1;
	if (skip(&s, "+-") || digits(&s, 2, &hours) || skip(&s, ":") || digits(&s, 2, &minutes) ||
	    s.n || hours > 23 || minutes > 59)
		return -1;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int read_time(const struct json *j, const char *key, int64_t *out, struct err *e)
{
	int year, month, day, hour, minute, second, zone;
	struct str s;

	if (json_str(j, key, 64, &s, e) < 0)
		return -1;
	if (digits(&s, 4, &year) || skip(&s, "-") || digits(&s, 2, &month) || skip(&s, "-") ||
	    digits(&s, 2, &day) || skip(&s, "Tt ") || digits(&s, 2, &hour) || skip(&s, ":") ||
	    digits(&s, 2, &minute) || skip(&s, ":") || digits(&s, 2, &second) ||
	    read_zone(s, &zone) || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
	    minute > 59 || second > 60)
		return err_set(e, ERRK_INPUT, "%s: not a time", key);
	*out = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
	if (*out < 0 || *out > TIME_MAX)
		return err_set(e, ERRK_INPUT, "%s: not in our time", key);
	return 0;
}

/* They write +00:00 where others write Z. */
static void write_time(struct jsonw *w, const char *key, int64_t at)
{
	char text[32];

	clock_format(text, at);
	memcpy(strchr(text, 'Z'), "+00:00", sizeof("+00:00"));
	jsonw_str(w, key, str_of(text));
}

/* --- reading --- */

/* A required string, cut to what fits: none of them is more than shown. */
static int text(const struct json *j, const char *key, char *out, size_t size, struct err *e)
{
	struct str s;

	if (json_str(j, key, PAYGRESS_MESSAGE_MAX, &s, e) < 0)
		return -1;
	if (s.n >= size)
		for (s.n = size - 1; s.n && ((uint8_t)s.p[s.n] & 0xc0) == 0x80;)
			s.n--; /* not within a character */
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

#define TEXT(j, key, member, e) text(j, key, member, sizeof(member), e)

static int read_port(const struct json *j, const char *key, uint16_t *out, struct err *e)
{
	uint64_t v;

	if (json_u64(j, key, UINT16_MAX, &v, e) < 0)
		return -1;
	*out = (uint16_t)v;
	return 0;
}

static int read_lines(struct paygress_reply *r, const struct json *j, struct err *e)
{
	const struct json *list, *c;
	struct str s;

	if (json_child(j, "instructions", JSON_ARRAY, &list, e) < 0)
		return -1;
	for (c = json_first(list); c; c = json_next(c)) {
		if (!json_as_str(c, &s))
			return err_set(e, ERRK_INPUT, "instructions: not text");
		paygress_reply_line(r, s.p);
	}
	return 0;
}

static int read_ports(struct paygress_reply *r, const struct json *j, struct err *e)
{
	const struct json *list = json_get(j, "template_ports"), *c;
	struct paygress_port *p;

	if (!list)
		return 0;
	if (json_type(list) != JSON_ARRAY)
		return err_set(e, ERRK_INPUT, "template_ports: not an array");
	for (c = json_first(list); c && r->nports < PAYGRESS_LINES_MAX; c = json_next(c)) {
		p = &r->ports[r->nports++];
		if (read_port(c, "host_port", &p->host, e) < 0 ||
		    read_port(c, "container_port", &p->container, e) < 0 ||
		    TEXT(c, "protocol", p->protocol, e) < 0 || TEXT(c, "label", p->label, e) < 0)
			return -1;
	}
	return 0;
}

static int read_size(struct paygress_reply *r, const struct json *j, struct err *e)
{
	if (json_u64(j, "cpu_millicores", JSON_INT_MAX, &r->cpu_millicores, e) < 0)
		return -1;
	return json_u64(j, "memory_mb", JSON_INT_MAX, &r->memory_mb, e);
}

static int read_access(struct paygress_reply *r, const struct json *j, struct err *e)
{
	r->answer = PAYGRESS_ACCESS;
	if (json_get(j, "host_address") && TEXT(j, "host_address", r->host, e) < 0)
		return -1;
	if (TEXT(j, "pod_npub", r->pod, e) < 0 || read_port(j, "node_port", &r->port, e) < 0 ||
	    read_time(j, "expires_at", &r->expires_at, e) < 0 || read_size(r, j, e) < 0 ||
	    TEXT(j, "pod_spec_name", r->spec_name, e) < 0 ||
	    TEXT(j, "pod_spec_description", r->spec_description, e) < 0 || read_lines(r, j, e) < 0)
		return -1;
	return read_ports(r, j, e);
}

static int read_topped_up(struct paygress_reply *r, const struct json *j, struct err *e)
{
	r->answer = PAYGRESS_TOPPED_UP;
	if (json_opt_bool(j, "success", &r->success, e) < 0 || TEXT(j, "pod_npub", r->pod, e) < 0 ||
	    json_u64(j, "extended_duration_seconds", JSON_INT_MAX, &r->seconds, e) < 0 ||
	    read_time(j, "new_expires_at", &r->expires_at, e) < 0)
		return -1;
	return TEXT(j, "message", r->message, e);
}

static int read_state(struct paygress_reply *r, const struct json *j, struct err *e)
{
	r->answer = PAYGRESS_STATE;
	if (TEXT(j, "pod_id", r->pod, e) < 0 || TEXT(j, "status", r->state, e) < 0 ||
	    read_time(j, "expires_at", &r->expires_at, e) < 0 ||
	    json_u64(j, "time_remaining_seconds", JSON_INT_MAX, &r->seconds, e) < 0 ||
	    read_size(r, j, e) < 0 || TEXT(j, "ssh_host", r->host, e) < 0 ||
	    read_port(j, "ssh_port", &r->port, e) < 0)
		return -1;
	return TEXT(j, "ssh_username", r->user, e);
}

static int read_error(struct paygress_reply *r, const struct json *j, struct err *e)
{
	r->answer = PAYGRESS_ERROR;
	if (TEXT(j, "error_type", r->code, e) < 0)
		return -1;
	return TEXT(j, "message", r->message, e);
}

static int read_any(struct paygress_reply *r, const struct json *j, struct err *e)
{
	if (json_get(j, "error_type"))
		return read_error(r, j, e);
	if (json_get(j, "node_port"))
		return read_access(r, j, e);
	if (json_get(j, "success"))
		return read_topped_up(r, j, e);
	if (json_get(j, "status"))
		return read_state(r, j, e);
	return err_set(e, ERRK_INPUT, "not a reply");
}

int paygress_reply_read(struct paygress_reply **out, struct str in, struct err *e)
{
	static const struct json_limits limits = {.bytes = PAYGRESS_MESSAGE_MAX};
	AUTO(paygress_reply_free) struct paygress_reply *r = paygress_reply_new(PAYGRESS_ERROR);
	auto_json struct json *j = NULL;

	if (json_parse(&j, in, &limits, e) < 0 || read_any(r, j, e) < 0)
		return -1;
	*out = steal(&r);
	return 0;
}

/* --- writing --- */

static void write_size(struct jsonw *w, const struct paygress_reply *r)
{
	jsonw_u64(w, "cpu_millicores", r->cpu_millicores);
	jsonw_u64(w, "memory_mb", r->memory_mb);
}

static void write_ports(struct jsonw *w, const struct paygress_reply *r)
{
	size_t i;

	if (r->nports == 0)
		return;
	jsonw_array(w, "template_ports");
	for (i = 0; i < r->nports; i++) {
		jsonw_object(w, NULL);
		jsonw_u64(w, "host_port", r->ports[i].host);
		jsonw_u64(w, "container_port", r->ports[i].container);
		jsonw_str(w, "protocol", str_of(r->ports[i].protocol));
		jsonw_str(w, "label", str_of(r->ports[i].label));
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static void write_access(struct jsonw *w, const struct paygress_reply *r)
{
	size_t i;

	jsonw_str(w, "pod_npub", str_of(r->pod));
	jsonw_u64(w, "node_port", r->port);
	write_time(w, "expires_at", r->expires_at);
	write_size(w, r);
	jsonw_str(w, "pod_spec_name", str_of(r->spec_name));
	jsonw_str(w, "pod_spec_description", str_of(r->spec_description));
	jsonw_array(w, "instructions");
	for (i = 0; i < r->nlines; i++)
		jsonw_str(w, NULL, str_of(r->lines[i]));
	jsonw_end_array(w);
	jsonw_text(w, "host_address", r->host);
	write_ports(w, r);
}

static void write_topped_up(struct jsonw *w, const struct paygress_reply *r)
{
	jsonw_bool(w, "success", r->success);
	jsonw_str(w, "pod_npub", str_of(r->pod));
	jsonw_u64(w, "extended_duration_seconds", r->seconds);
	write_time(w, "new_expires_at", r->expires_at);
	jsonw_str(w, "message", str_of(r->message));
}

static void write_state(struct jsonw *w, const struct paygress_reply *r)
{
	jsonw_str(w, "pod_id", str_of(r->pod));
	jsonw_str(w, "status", str_of(r->state));
	write_time(w, "expires_at", r->expires_at);
	jsonw_u64(w, "time_remaining_seconds", r->seconds);
	write_size(w, r);
	jsonw_str(w, "ssh_host", str_of(r->host));
	jsonw_u64(w, "ssh_port", r->port);
	jsonw_str(w, "ssh_username", str_of(r->user));
}

static void write_error(struct jsonw *w, const struct paygress_reply *r)
{
	jsonw_str(w, "error_type", str_of(r->code));
	jsonw_str(w, "message", str_of(r->message));
	jsonw_raw(w, "details", STR("null"));
}

void paygress_reply_write(struct buf *out, const struct paygress_reply *r)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	switch (r->answer) {
	case PAYGRESS_ACCESS:
		write_access(&w, r);
		break;
	case PAYGRESS_TOPPED_UP:
		write_topped_up(&w, r);
		break;
	case PAYGRESS_STATE:
		write_state(&w, r);
		break;
	case PAYGRESS_ERROR:
		write_error(&w, r);
		break;
	}
	jsonw_end_object(&w);
}
