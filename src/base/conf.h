/*
 * INI configuration from a table: each key has a section, a type, a default, a range and a
 * sentence. One reader for leased.conf and lease.conf; libinih is included in conf.c only. An
 * unknown key or a bad value is an error that names file and line.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum conf_type {
	CONF_STRING,   /* char *, owned */
	CONF_PATH,     /* char *, owned; must be absolute */
	CONF_LIST,     /* char **, NULL-ended, owned; key may repeat, each adds one */
	CONF_BOOL,     /* bool: yes, no, true, false, 1, 0 */
	CONF_UINT,     /* uint64_t within [min, max] */
	CONF_DURATION, /* int64_t seconds within [min, max] */
	CONF_BYTES,    /* uint64_t within [min, max] */
	CONF_CORES,    /* uint64_t millicores within [min, max] */
	CONF_PRICE,    /* struct price */
	CONF_SAT,      /* struct sat */
};

struct conf_key {
	const char *section; /* NULL for the keys of a group */
	const char *name;
	enum conf_type type;
	size_t offset;	  /* in the target struct */
	const char *dflt; /* as it would be written; NULL: required or stays zero */
	uint64_t min, max;
	const char *help; /* one sentence for leased.conf(5) and the commented file */
};

/* A section that may appear several times with a name: [offer small]. `item` gives the struct for
 * the section `name` (made on first sight, at an address that stays), or NULL with *e filled. */
struct conf_group {
	const char *section;
	void *(*item)(void *target, const char *name, struct err *e);
	const struct conf_key *keys;
	size_t nkeys;
};

struct conf_schema {
	const struct conf_key *keys;
	size_t nkeys;
	const struct conf_group *groups;
	size_t ngroups;
	/* A further look at each value that the file sets, so that its error has a line; may be
	 * NULL. */
	int (*check)(const struct conf_key *k, struct str value, struct err *e);
};

/* Fill defaults, then read the file. Ownership of strings goes to the target. */
int conf_load(void *target, const struct conf_schema *s, const char *path,
	      struct err *e) MUST_CHECK;
int conf_defaults(void *target, const struct conf_schema *s, struct err *e) MUST_CHECK;
/* Free what conf_load put into one struct described by `keys`. */
void conf_clear(void *target, const struct conf_key *keys, size_t nkeys);
/* The effective configuration as text, with help sentences as comments; section headers where the
 * keys name a section (the caller writes those of groups). */
void conf_print(struct buf *out, const void *target, const struct conf_key *keys, size_t nkeys);

#endif
