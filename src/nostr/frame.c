#include "nostr/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

void nostr_frame_clear(struct nostr_frame *f)
{
	size_t i;

	nostr_event_free(f->event);
	for (i = 0; i < f->nfilters; i++)
		nostr_filter_free(f->filters[i]);
	free(f->filters);
	memset(f, 0, sizeof(*f));
}

/* --- reading; `j` is the element after the message's name, NULL where there is none --- */

static int read_sub(struct nostr_frame *f, const struct json *j, struct err *e)
{
	struct str s;

	if (!j || !json_as_str(j, &s) || s.n == 0 || s.n > NOSTR_SUB_MAX)
		return err_set(e, ERRK_INPUT, "frame: bad subscription id");
	memcpy(f->sub, s.p, s.n);
	f->sub[s.n] = '\0';
	return 0;
}

static int read_text(struct nostr_frame *f, const struct json *j, struct err *e)
{
	struct str s = STR("");

	if (j && !json_as_str(j, &s))
		return err_set(e, ERRK_INPUT, "frame: text is not a string");
	if (s.n > NOSTR_TEXT_MAX)
		s.n = NOSTR_TEXT_MAX;
	memcpy(f->text, s.p, s.n);
	f->text[s.n] = '\0';
	return 0;
}

static int read_event(struct nostr_frame *f, const struct json *j, struct err *e)
{
	if (!j)
		return err_set(e, ERRK_INPUT, "frame: no event");
	return nostr_event_read(&f->event, j, e);
}

static int read_sub_event(struct nostr_frame *f, const struct json *j, struct err *e)
{
	if (read_sub(f, j, e) < 0)
		return -1;
	return read_event(f, json_next(j), e);
}

static int read_sub_text(struct nostr_frame *f, const struct json *j, struct err *e)
{
	if (read_sub(f, j, e) < 0)
		return -1;
	return read_text(f, json_next(j), e);
}

static int read_ok(struct nostr_frame *f, const struct json *j, struct err *e)
{
	const struct json *ok = j ? json_next(j) : NULL;
	struct str id;

	if (!ok || !json_as_str(j, &id) || !json_as_bool(ok, &f->ok))
		return err_set(e, ERRK_INPUT, "frame: bad OK");
	f->nameless = id.n == 0 && !f->ok;
	if (!f->nameless && hex_decode(f->id, sizeof(f->id), id, e) < 0)
		return err_set(e, ERRK_INPUT, "frame: bad OK");
	return read_text(f, json_next(ok), e);
}

static int read_req(struct nostr_frame *f, const struct json *j, struct err *e)
{
	if (read_sub(f, j, e) < 0)
		return -1;
	for (j = json_next(j); j; j = json_next(j)) {
		if (f->nfilters == NOSTR_FILTERS_MAX)
			return err_set(e, ERRK_LIMIT, "frame: too many filters");
		f->filters = mem_grow(f->filters, f->nfilters + 1, sizeof(*f->filters));
		if (nostr_filter_read(&f->filters[f->nfilters], j, e) < 0)
			return -1;
		f->nfilters++;
	}
	return f->nfilters ? 0 : err_set(e, ERRK_INPUT, "frame: REQ without a filter");
}

struct reader {
	enum nostr_side from;
	const char *name;
	enum nostr_frame_type type;
	int (*read)(struct nostr_frame *f, const struct json *j, struct err *e);
};

static const struct reader readers[] = {
	{NOSTR_FROM_RELAY, "EVENT", NOSTR_FRAME_EVENT, read_sub_event},
	{NOSTR_FROM_RELAY, "OK", NOSTR_FRAME_OK, read_ok},
	{NOSTR_FROM_RELAY, "EOSE", NOSTR_FRAME_EOSE, read_sub},
	{NOSTR_FROM_RELAY, "CLOSED", NOSTR_FRAME_CLOSED, read_sub_text},
	{NOSTR_FROM_RELAY, "NOTICE", NOSTR_FRAME_NOTICE, read_text},
	{NOSTR_FROM_RELAY, "AUTH", NOSTR_FRAME_AUTH, read_text},
	{NOSTR_FROM_CLIENT, "EVENT", NOSTR_FRAME_EVENT, read_event},
	{NOSTR_FROM_CLIENT, "REQ", NOSTR_FRAME_REQ, read_req},
	{NOSTR_FROM_CLIENT, "CLOSE", NOSTR_FRAME_CLOSE, read_sub},
	{NOSTR_FROM_CLIENT, "AUTH", NOSTR_FRAME_AUTH, read_event},
};

static int read_message(struct nostr_frame *f, enum nostr_side from, const struct json *j,
			struct err *e)
{
	const struct json *name = json_type(j) == JSON_ARRAY ? json_first(j) : NULL;
	struct str word;
	size_t i;

	if (!name || !json_as_str(name, &word))
		return err_set(e, ERRK_INPUT, "frame: not a message");
	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		if (readers[i].from == from && str_is(word, readers[i].name)) {
			f->type = readers[i].type;
			return readers[i].read(f, json_next(name), e);
		}
	}
	return err_set(e, ERRK_INPUT, "frame: unknown message");
}

int nostr_frame_read(struct nostr_frame *out, enum nostr_side from, struct str text, struct err *e)
{
	static const struct json_limits limits = {.bytes = NOSTR_FRAME_MAX, .depth = 8};
	auto_json struct json *j = NULL;

	memset(out, 0, sizeof(*out));
	if (json_parse(&j, text, &limits, e) < 0)
		return -1;
	if (read_message(out, from, j, e) < 0) {
		nostr_frame_clear(out);
		return -1;
	}
	return 0;
}

/* --- writing --- */

static void open_frame(struct buf *out, const char *name, const char *sub)
{
	buf_puts(out, "[\"");
	buf_puts(out, name);
	buf_byte(out, '"');
	if (sub) {
		buf_byte(out, ',');
		buf_json(out, str_of(sub));
	}
}

static void add_text(struct buf *out, const char *text)
{
	buf_byte(out, ',');
	buf_json(out, str_of(text));
	buf_byte(out, ']');
}

void nostr_frame_event(struct buf *out, const char *sub, const struct nostr_event *ev)
{
	open_frame(out, "EVENT", sub);
	buf_byte(out, ',');
	nostr_event_write(out, ev);
	buf_byte(out, ']');
}

void nostr_frame_req(struct buf *out, const char *sub, struct nostr_filter *const *filters,
		     size_t n)
{
	size_t i;

	open_frame(out, "REQ", sub);
	for (i = 0; i < n; i++) {
		buf_byte(out, ',');
		nostr_filter_write(out, filters[i]);
	}
	buf_byte(out, ']');
}

void nostr_frame_close(struct buf *out, const char *sub)
{
	open_frame(out, "CLOSE", sub);
	buf_byte(out, ']');
}

void nostr_frame_auth(struct buf *out, const struct nostr_event *ev)
{
	open_frame(out, "AUTH", NULL);
	buf_byte(out, ',');
	nostr_event_write(out, ev);
	buf_byte(out, ']');
}

void nostr_frame_challenge(struct buf *out, const char *challenge)
{
	open_frame(out, "AUTH", NULL);
	add_text(out, challenge);
}

void nostr_frame_ok(struct buf *out, const uint8_t id[static 32], bool ok, const char *text)
{
	open_frame(out, "OK", NULL);
	buf_puts(out, ",\"");
	buf_hex(out, id, 32);
	buf_puts(out, ok ? "\",true" : "\",false");
	add_text(out, text);
}

void nostr_frame_eose(struct buf *out, const char *sub)
{
	open_frame(out, "EOSE", sub);
	buf_byte(out, ']');
}

void nostr_frame_closed(struct buf *out, const char *sub, const char *text)
{
	open_frame(out, "CLOSED", sub);
	add_text(out, text);
}

void nostr_frame_notice(struct buf *out, const char *text)
{
	open_frame(out, "NOTICE", NULL);
	add_text(out, text);
}

enum nostr_prefix nostr_prefix_of(const char *text)
{
	static const struct {
		const char *word;
		enum nostr_prefix prefix;
	} words[] = {
		{"duplicate:", NOSTR_PREFIX_DUPLICATE},
		{"pow:", NOSTR_PREFIX_POW},
		{"blocked:", NOSTR_PREFIX_BLOCKED},
		{"rate-limited:", NOSTR_PREFIX_RATE_LIMITED},
		{"invalid:", NOSTR_PREFIX_INVALID},
		{"restricted:", NOSTR_PREFIX_RESTRICTED},
		{"auth-required:", NOSTR_PREFIX_AUTH_REQUIRED},
		{"mute:", NOSTR_PREFIX_MUTE},
		{"error:", NOSTR_PREFIX_ERROR},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (str_starts(str_of(text), words[i].word))
			return words[i].prefix;
	return NOSTR_PREFIX_NONE;
}
