/* Events as text: the strict reader, the canonical form and the JSON object. */
#include <inttypes.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "nostr/event.h"

/* Events are flat: object, tags, tag. What is deeper is not one. */
static const struct json_limits event_limits = {.bytes = NOSTR_EVENT_MAX, .depth = 8};

static int read_tag(struct nostr_event *ev, const struct json *j, struct err *e)
{
	struct str v[NOSTR_TAG_VALUES_MAX];
	const struct json *c;
	size_t n = 0;

	if (json_type(j) != JSON_ARRAY)
		return err_set(e, ERRK_INPUT, "event: a tag is not an array");
	for (c = json_first(j); c; c = json_next(c)) {
		if (n == NOSTR_TAG_VALUES_MAX)
			return err_set(e, ERRK_LIMIT, "event: a tag has too many values");
		if (!json_as_str(c, &v[n++]))
			return err_set(e, ERRK_INPUT, "event: a tag value is not a string");
	}
	if (n == 0)
		return err_set(e, ERRK_INPUT, "event: empty tag");
	nostr_event_tag_add(ev, v, n);
	return 0;
}

static int read_tags(struct nostr_event *ev, const struct json *j, struct err *e)
{
	const struct json *tags, *c;

	if (json_child(j, "tags", JSON_ARRAY, &tags, e) < 0)
		return -1;
	for (c = json_first(tags); c; c = json_next(c)) {
		if (ev->ntags == NOSTR_TAGS_MAX)
			return err_set(e, ERRK_LIMIT, "event: more than %d tags", NOSTR_TAGS_MAX);
		if (read_tag(ev, c, e) < 0)
			return -1;
	}
	return 0;
}

static int read_unsigned(struct nostr_event **out, const struct json *j, struct err *e)
{
	auto_event struct nostr_event *ev = NULL;
	uint64_t kind, created_at;
	struct str content;

	if (json_type(j) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "event: not an object");
	if (json_u64(j, "kind", 65535, &kind, e) < 0 ||
	    json_u64(j, "created_at", JSON_INT_MAX, &created_at, e) < 0 ||
	    json_str(j, "content", NOSTR_EVENT_MAX, &content, e) < 0)
		return -1;
	ev = nostr_event_new((uint32_t)kind, (int64_t)created_at, content);
	if (json_hex(j, "pubkey", ev->pubkey.b, sizeof(ev->pubkey.b), e) < 0 ||
	    read_tags(ev, j, e) < 0)
		return -1;
	*out = steal(&ev);
	return 0;
}

int nostr_event_read(struct nostr_event **out, const struct json *j, struct err *e)
{
	auto_event struct nostr_event *ev = NULL;

	if (read_unsigned(&ev, j, e) < 0 || json_hex(j, "id", ev->id, sizeof(ev->id), e) < 0 ||
	    json_hex(j, "sig", ev->sig, sizeof(ev->sig), e) < 0)
		return -1;
	*out = steal(&ev);
	return 0;
}

int nostr_event_read_rumor(struct nostr_event **out, const struct json *j, struct err *e)
{
	if (read_unsigned(out, j, e) < 0)
		return -1;
	nostr_event_hash((*out)->id, *out);
	return 0;
}

int nostr_event_parse(struct nostr_event **out, struct str text, struct err *e)
{
	auto_json struct json *j = NULL;

	if (json_parse(&j, text, &event_limits, e) < 0)
		return -1;
	return nostr_event_read(out, j, e);
}

static void write_tags(struct buf *out, const struct nostr_event *ev)
{
	size_t i, k;

	buf_byte(out, '[');
	for (i = 0; i < ev->ntags; i++) {
		buf_puts(out, i ? ",[" : "[");
		for (k = 0; k < ev->tags[i].n; k++) {
			if (k)
				buf_byte(out, ',');
			buf_json(out, ev->tags[i].v[k]);
		}
		buf_byte(out, ']');
	}
	buf_byte(out, ']');
}

/* The canonical form up to the content. */
static void write_head(struct buf *out, const struct nostr_event *ev)
{
	buf_puts(out, "[0,\"");
	buf_hex(out, ev->pubkey.b, sizeof(ev->pubkey.b));
	buf_printf(out, "\",%" PRId64 ",%" PRIu32 ",", ev->created_at, ev->kind);
	write_tags(out, ev);
	buf_byte(out, ',');
}

void nostr_event_canonical(struct buf *out, const struct nostr_event *ev)
{
	write_head(out, ev);
	buf_json(out, ev->content);
	buf_byte(out, ']');
}

/* Content without escapes, such as a cipher text, is hashed where it lies. */
void nostr_event_hash(uint8_t id[static 32], const struct nostr_event *ev)
{
	auto_buf struct buf text = BUF(SIZE_MAX / 4);

	if (str_plain(ev->content) < ev->content.n) {
		nostr_event_canonical(&text, ev);
		sha256(id, text.p, text.n);
		return;
	}
	write_head(&text, ev);
	sha256_parts(id, (struct str[]){buf_view(&text), STR("\""), ev->content, STR("\"]")}, 4);
}

static bool is_signed(const struct nostr_event *ev)
{
	size_t i;

	for (i = 0; i < sizeof(ev->sig); i++)
		if (ev->sig[i])
			return true;
	return false;
}

void nostr_event_write(struct buf *out, const struct nostr_event *ev)
{
	buf_puts(out, "{\"id\":\"");
	buf_hex(out, ev->id, sizeof(ev->id));
	buf_puts(out, "\",\"pubkey\":\"");
	buf_hex(out, ev->pubkey.b, sizeof(ev->pubkey.b));
	buf_printf(out,
		   "\",\"created_at\":%" PRId64 ",\"kind\":%" PRIu32 ",\"tags\":", ev->created_at,
		   ev->kind);
	write_tags(out, ev);
	buf_puts(out, ",\"content\":");
	buf_json(out, ev->content);
	if (is_signed(ev)) {
		buf_puts(out, ",\"sig\":\"");
		buf_hex(out, ev->sig, sizeof(ev->sig));
		buf_byte(out, '"');
	}
	buf_byte(out, '}');
}
