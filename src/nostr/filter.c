#include "nostr/filter.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

struct nostr_filter *nostr_filter_new(void)
{
	struct nostr_filter *f = mem_zero(sizeof(*f));

	f->since = f->until = f->limit = -1;
	return f;
}

void nostr_filter_free(struct nostr_filter *f)
{
	size_t i, k;

	if (!f)
		return;
	for (i = 0; i < f->ntags; i++) {
		for (k = 0; k < f->tags[i].n; k++)
			free((char *)f->tags[i].v[k].p);
		free(f->tags[i].v);
	}
	free(f->tags);
	free(f->ids);
	free(f->authors);
	free(f->kinds);
	free(f);
}

struct nostr_filter *nostr_filter_copy(const struct nostr_filter *f)
{
	struct nostr_filter *c = nostr_filter_new();
	size_t i, k;

	for (i = 0; i < f->nids; i++)
		nostr_filter_id(c, f->ids[i]);
	for (i = 0; i < f->nauthors; i++)
		nostr_filter_author(c, &f->authors[i]);
	for (i = 0; i < f->nkinds; i++)
		nostr_filter_kind(c, f->kinds[i]);
	for (i = 0; i < f->ntags; i++)
		for (k = 0; k < f->tags[i].n; k++)
			nostr_filter_tag(c, f->tags[i].name, f->tags[i].v[k]);
	c->since = f->since;
	c->until = f->until;
	c->limit = f->limit;
	c->nothing = f->nothing;
	return c;
}

void nostr_filter_id(struct nostr_filter *f, const uint8_t id[static 32])
{
	f->ids = mem_grow(f->ids, f->nids + 1, sizeof(*f->ids));
	memcpy(f->ids[f->nids++], id, 32);
}

void nostr_filter_author(struct nostr_filter *f, const struct pubkey *key)
{
	f->authors = mem_grow(f->authors, f->nauthors + 1, sizeof(*f->authors));
	f->authors[f->nauthors++] = *key;
}

void nostr_filter_kind(struct nostr_filter *f, uint32_t kind)
{
	f->kinds = mem_grow(f->kinds, f->nkinds + 1, sizeof(*f->kinds));
	f->kinds[f->nkinds++] = kind;
}

static struct nostr_filter_tag *tag_called(struct nostr_filter *f, char name)
{
	size_t i;

	for (i = 0; i < f->ntags; i++)
		if (f->tags[i].name == name)
			return &f->tags[i];
	f->tags = mem_grow(f->tags, f->ntags + 1, sizeof(*f->tags));
	f->tags[f->ntags] = (struct nostr_filter_tag){.name = name};
	return &f->tags[f->ntags++];
}

void nostr_filter_tag(struct nostr_filter *f, char name, struct str value)
{
	struct nostr_filter_tag *t = tag_called(f, name);

	t->v = mem_grow(t->v, t->n + 1, sizeof(*t->v));
	t->v[t->n++] = (struct str){mem_strndup(value.p, value.n), value.n};
}

void nostr_filter_tag_key(struct nostr_filter *f, char name, const struct pubkey *key)
{
	char hex[65];

	hex_encode(hex, key->b, sizeof(key->b));
	nostr_filter_tag(f, name, str_of(hex));
}

/* --- text to struct --- */

typedef int read_value_fn(struct nostr_filter *f, char name, const struct json *j);

static int read_id(struct nostr_filter *f, char name, const struct json *j)
{
	uint8_t id[32];
	struct str s;

	if (!json_as_str(j, &s) || hex_decode(id, sizeof(id), s, NULL) < 0)
		return -1;
	nostr_filter_id(f, id);
	return 0;
}

static int read_author(struct nostr_filter *f, char name, const struct json *j)
{
	struct pubkey key;
	struct str s;

	if (!json_as_str(j, &s) || hex_decode(key.b, sizeof(key.b), s, NULL) < 0)
		return -1;
	nostr_filter_author(f, &key);
	return 0;
}

static int read_kind(struct nostr_filter *f, char name, const struct json *j)
{
	uint64_t kind;

	if (!json_as_u64(j, &kind) || kind > 65535)
		return -1;
	nostr_filter_kind(f, (uint32_t)kind);
	return 0;
}

static int read_tag_value(struct nostr_filter *f, char name, const struct json *j)
{
	struct str s;

	if (!json_as_str(j, &s))
		return -1;
	if ((name == 'e' || name == 'p') && !hex_is(s, 32))
		return -1;
	nostr_filter_tag(f, name, s);
	return 0;
}

static int read_list(struct nostr_filter *f, const struct json *j, char name, read_value_fn *fn)
{
	const struct json *c;
	size_t n = 0;

	if (json_type(j) != JSON_ARRAY)
		return -1;
	for (c = json_first(j); c; c = json_next(c))
		if (++n > NOSTR_FILTER_VALUES_MAX || fn(f, name, c) < 0)
			return -1;
	if (n == 0)
		f->nothing = true;
	return 0;
}

static int read_number(int64_t *out, const struct json *j)
{
	uint64_t n;

	if (!json_as_u64(j, &n))
		return -1;
	*out = (int64_t)n;
	return 0;
}

static int read_member(struct nostr_filter *f, const struct json *j)
{
	struct str key = json_key(j);

	if (str_is(key, "ids"))
		return read_list(f, j, 0, read_id);
	if (str_is(key, "authors"))
		return read_list(f, j, 0, read_author);
	if (str_is(key, "kinds"))
		return read_list(f, j, 0, read_kind);
	if (str_is(key, "since"))
		return read_number(&f->since, j);
	if (str_is(key, "until"))
		return read_number(&f->until, j);
	if (str_is(key, "limit"))
		return read_number(&f->limit, j);
	if (key.n == 2 && key.p[0] == '#' && isalpha((unsigned char)key.p[1]))
		return read_list(f, j, key.p[1], read_tag_value);
	return -1;
}

int nostr_filter_read(struct nostr_filter **out, const struct json *j, struct err *e)
{
	auto_filter struct nostr_filter *f = nostr_filter_new();
	const struct json *c;
	char name[32];

	if (json_type(j) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "filter: not an object");
	for (c = json_first(j); c; c = json_next(c)) {
		if (read_member(f, c) < 0) {
			str_printable(name, sizeof(name), json_key(c));
			return err_set(e, ERRK_INPUT, "filter: bad member %s", name);
		}
	}
	*out = steal(&f);
	return 0;
}

/* --- struct to text --- */

static void write_key(struct buf *out, bool *comma, const char *key)
{
	if (*comma)
		buf_byte(out, ',');
	*comma = true;
	buf_json(out, str_of(key));
	buf_byte(out, ':');
}

/* A list of 32-byte values. */
static void write_hexes(struct buf *out, bool *comma, const char *key, const uint8_t (*v)[32],
			size_t n)
{
	size_t i;

	if (n == 0)
		return;
	write_key(out, comma, key);
	for (i = 0; i < n; i++) {
		buf_puts(out, i ? ",\"" : "[\"");
		buf_hex(out, v[i], 32);
		buf_byte(out, '"');
	}
	buf_byte(out, ']');
}

static void write_kinds(struct buf *out, bool *comma, const struct nostr_filter *f)
{
	size_t i;

	if (f->nkinds == 0)
		return;
	write_key(out, comma, "kinds");
	for (i = 0; i < f->nkinds; i++)
		buf_printf(out, "%c%" PRIu32, i ? ',' : '[', f->kinds[i]);
	buf_byte(out, ']');
}

static void write_tag(struct buf *out, bool *comma, const struct nostr_filter_tag *t)
{
	char key[3] = {'#', t->name, '\0'};
	size_t i;

	write_key(out, comma, key);
	buf_byte(out, '[');
	for (i = 0; i < t->n; i++) {
		if (i)
			buf_byte(out, ',');
		buf_json(out, t->v[i]);
	}
	buf_byte(out, ']');
}

static void write_number(struct buf *out, bool *comma, const char *key, int64_t n)
{
	if (n < 0)
		return;
	write_key(out, comma, key);
	buf_printf(out, "%" PRId64, n);
}

_Static_assert(sizeof(struct pubkey) == 32, "keys are written as an array of 32 bytes");

void nostr_filter_write(struct buf *out, const struct nostr_filter *f)
{
	bool comma = false;
	size_t i;

	buf_byte(out, '{');
	write_hexes(out, &comma, "ids", (const uint8_t(*)[32])f->ids, f->nids);
	write_hexes(out, &comma, "authors", (const uint8_t(*)[32])f->authors, f->nauthors);
	write_kinds(out, &comma, f);
	for (i = 0; i < f->ntags; i++)
		write_tag(out, &comma, &f->tags[i]);
	write_number(out, &comma, "since", f->since);
	write_number(out, &comma, "until", f->until);
	write_number(out, &comma, "limit", f->limit);
	buf_byte(out, '}');
}

/* --- matching --- */

static bool match_id(const struct nostr_filter *f, const struct nostr_event *ev)
{
	size_t i;

	for (i = 0; i < f->nids; i++)
		if (memcmp(f->ids[i], ev->id, 32) == 0)
			return true;
	return f->nids == 0;
}

static bool match_author(const struct nostr_filter *f, const struct nostr_event *ev)
{
	size_t i;

	for (i = 0; i < f->nauthors; i++)
		if (pubkey_eq(&f->authors[i], &ev->pubkey))
			return true;
	return f->nauthors == 0;
}

static bool match_kind(const struct nostr_filter *f, const struct nostr_event *ev)
{
	size_t i;

	for (i = 0; i < f->nkinds; i++)
		if (f->kinds[i] == ev->kind)
			return true;
	return f->nkinds == 0;
}

static bool match_tag(const struct nostr_filter_tag *t, const struct nostr_event *ev)
{
	char name[2] = {t->name, '\0'};
	size_t i;

	for (i = 0; i < t->n; i++)
		if (nostr_event_has(ev, name, t->v[i]))
			return true;
	return false;
}

bool nostr_filter_match(const struct nostr_filter *f, const struct nostr_event *ev)
{
	size_t i;

	if (f->nothing || (f->since >= 0 && ev->created_at < f->since) ||
	    (f->until >= 0 && ev->created_at > f->until))
		return false;
	if (!match_kind(f, ev) || !match_author(f, ev) || !match_id(f, ev))
		return false;
	for (i = 0; i < f->ntags; i++)
		if (!match_tag(&f->tags[i], ev))
			return false;
	return true;
}
