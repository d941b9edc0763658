/* NIP-01 filters: built, parsed, written and matched. */
#ifndef NOSTR_FILTER_H
#define NOSTR_FILTER_H

#include "nostr/event.h"

#define NOSTR_FILTER_VALUES_MAX 1000 /* of one list in a parsed filter */

struct nostr_filter_tag {
	char name; /* one letter */
	struct str *v;
	size_t n;
};

struct nostr_filter {
	uint8_t (*ids)[32];
	size_t nids;
	struct pubkey *authors;
	size_t nauthors;
	uint32_t *kinds;
	size_t nkinds;
	struct nostr_filter_tag *tags;
	size_t ntags;
	int64_t since, until; /* inclusive; -1: absent */
	int64_t limit;	      /* of the stored part only; -1: absent, 0: none stored, only live */
	bool nothing;	      /* a list was there and empty: matches no event */
};

struct nostr_filter *nostr_filter_new(void);
void nostr_filter_free(struct nostr_filter *f);
DEFINE_AUTO(struct nostr_filter, nostr_filter_free)
#define auto_filter AUTO(nostr_filter_free)
struct nostr_filter *nostr_filter_copy(const struct nostr_filter *f);

void nostr_filter_id(struct nostr_filter *f, const uint8_t id[static 32]);
void nostr_filter_author(struct nostr_filter *f, const struct pubkey *key);
void nostr_filter_kind(struct nostr_filter *f, uint32_t kind);
void nostr_filter_tag(struct nostr_filter *f, char name, struct str value);
void nostr_filter_tag_key(struct nostr_filter *f, char name, const struct pubkey *key);

/* Unknown members that are not "#x" are refused, as strfry does. */
int nostr_filter_read(struct nostr_filter **out, const struct json *j, struct err *e) MUST_CHECK;
void nostr_filter_write(struct buf *out, const struct nostr_filter *f);
bool nostr_filter_match(const struct nostr_filter *f, const struct nostr_event *ev);

#endif
