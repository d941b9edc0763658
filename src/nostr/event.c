#include "nostr/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/hash.h"

static struct str own(struct str s)
{
	return (struct str){mem_strndup(s.p, s.n), s.n};
}

static void disown(struct str s)
{
	free((char *)s.p);
}

struct nostr_event *nostr_event_new(uint32_t kind, int64_t created_at, struct str content)
{
	struct nostr_event *ev = mem_zero(sizeof(*ev));

	ev->kind = kind;
	ev->created_at = created_at;
	ev->content = own(content);
	return ev;
}

void nostr_event_free(struct nostr_event *ev)
{
	size_t i, k;

	if (!ev)
		return;
	for (i = 0; i < ev->ntags; i++) {
		for (k = 0; k < ev->tags[i].n; k++)
			disown(ev->tags[i].v[k]);
		free(ev->tags[i].v);
	}
	free(ev->tags);
	if (ev->content.p)
		wipe((char *)ev->content.p, ev->content.n);
	disown(ev->content);
	free(ev);
}

void nostr_event_set_content(struct nostr_event *ev, struct str content)
{
	struct str old = ev->content;

	ev->content = own(content);
	disown(old);
}

struct nostr_event *nostr_event_copy(const struct nostr_event *ev)
{
	struct nostr_event *c = nostr_event_new(ev->kind, ev->created_at, ev->content);
	size_t i;

	memcpy(c->id, ev->id, sizeof(c->id));
	memcpy(c->sig, ev->sig, sizeof(c->sig));
	c->pubkey = ev->pubkey;
	for (i = 0; i < ev->ntags; i++)
		nostr_event_tag_add(c, ev->tags[i].v, ev->tags[i].n);
	return c;
}

void nostr_event_tag_add(struct nostr_event *ev, const struct str *values, size_t n)
{
	struct nostr_tag *t;
	size_t i;

	ev->tags = mem_grow(ev->tags, ev->ntags + 1, sizeof(*ev->tags));
	t = &ev->tags[ev->ntags++];
	t->n = n;
	t->v = mem_array(n, sizeof(*t->v));
	for (i = 0; i < n; i++)
		t->v[i] = own(values[i]);
}

void nostr_event_tag(struct nostr_event *ev, const char *name, const char *value)
{
	nostr_event_tag_add(ev, (struct str[]){str_of(name), str_of(value)}, 2);
}

void nostr_event_tag_key(struct nostr_event *ev, const char *name, const struct pubkey *key)
{
	char hex[65];

	hex_encode(hex, key->b, sizeof(key->b));
	nostr_event_tag(ev, name, hex);
}

void nostr_event_tag_time(struct nostr_event *ev, const char *name, int64_t seconds)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, seconds);
	nostr_event_tag(ev, name, text);
}

int nostr_event_sign(struct nostr_event *ev, const struct secret *key, struct err *e)
{
	if (!pubkey_of(&ev->pubkey, key))
		return err_set(e, ERRK_INPUT, "sign event: not a secret key");
	nostr_event_hash(ev->id, ev);
	schnorr_sign(ev->sig, ev->id, key);
	return 0;
}

int nostr_event_verify(const struct nostr_event *ev, struct err *e)
{
	uint8_t id[32];

	nostr_event_hash(id, ev);
	if (memcmp(id, ev->id, sizeof(id)) != 0)
		return err_set(e, ERRK_INPUT, "event id does not fit its content");
	if (!schnorr_verify(ev->sig, ev->id, sizeof(ev->id), &ev->pubkey))
		return err_set(e, ERRK_INPUT, "event signature is wrong");
	return 0;
}

const struct nostr_tag *nostr_event_find(const struct nostr_event *ev, const char *name)
{
	size_t i;

	for (i = 0; i < ev->ntags; i++)
		if (str_is(ev->tags[i].v[0], name))
			return &ev->tags[i];
	return NULL;
}

struct str nostr_event_value(const struct nostr_event *ev, const char *name)
{
	const struct nostr_tag *t = nostr_event_find(ev, name);

	return t && t->n > 1 ? t->v[1] : (struct str){NULL, 0};
}

bool nostr_event_has(const struct nostr_event *ev, const char *name, struct str value)
{
	size_t i;

	for (i = 0; i < ev->ntags; i++)
		if (ev->tags[i].n > 1 && str_is(ev->tags[i].v[0], name) &&
		    str_eq(ev->tags[i].v[1], value))
			return true;
	return false;
}

bool nostr_event_names_key(const struct nostr_event *ev, const struct pubkey *key)
{
	char hex[65];

	hex_encode(hex, key->b, sizeof(key->b));
	return nostr_event_has(ev, "p", str_of(hex));
}

int64_t nostr_event_expiration(const struct nostr_event *ev)
{
	const struct nostr_tag *t = nostr_event_find(ev, "expiration");
	uint64_t at;

	if (!t)
		return 0;
	if (t->n < 2 || str_u64(t->v[1], JSON_INT_MAX, &at, NULL) < 0 || at == 0)
		return 1;
	return (int64_t)at;
}

bool nostr_event_expired(const struct nostr_event *ev, int64_t now)
{
	int64_t at = nostr_event_expiration(ev);

	return at != 0 && at <= now;
}

bool nostr_event_newer(const struct nostr_event *a, const struct nostr_event *b)
{
	if (a->created_at != b->created_at)
		return a->created_at > b->created_at;
	return memcmp(a->id, b->id, sizeof(a->id)) < 0;
}
