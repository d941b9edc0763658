/*
 * Messages as tables: one row a field gives encoding, decoding with every limit checked, and
 * freeing. Numbers are little-endian and of fixed width; texts, blobs and lists are a 4-byte count,
 * then their bytes. A message is exactly its fields: missing or surplus bytes are refused.
 */
#ifndef PRIV_WIRE_H
#define PRIV_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum wire_type {
	WIRE_BOOL,    /* bool */
	WIRE_U32,     /* uint32_t or an enum, in [min, max] */
	WIRE_U64,     /* uint64_t, in [min, max] */
	WIRE_I64,     /* int64_t, in [min, max] and never negative */
	WIRE_HEX,     /* char[max + 1]: exactly max lower-case hex characters */
	WIRE_TEXT,    /* char *, owned: at most max bytes of UTF-8 without NUL */
	WIRE_BLOB,    /* struct wire_blob, owned: at most max bytes; wiped before it is freed */
	WIRE_STRINGS, /* struct wire_strings, owned: up to `min` texts of `max` bytes; wiped */
	WIRE_SPEC,    /* struct spec, inline, as spec_write has it; freed by spec_clear */
	WIRE_LIST,    /* struct wire_list, owned: at most max structs of `sub` */
};

struct wire_blob {
	uint8_t *p;
	size_t n;
};

struct wire_strings {
	char **v; /* ended by NULL; NULL when empty and not decoded */
	size_t n;
};

struct wire_list {
	void *v; /* n structs of the sub table's size */
	size_t n;
};

struct wire_table;

struct wire_field {
	const char *name; /* for error messages */
	enum wire_type type;
	size_t offset;
	uint64_t min, max;
	const struct wire_table *sub;
};

struct wire_table {
	size_t size; /* of the C struct */
	const struct wire_field *fields;
	size_t nfields;
};

/* Append `msg`. A NULL text is sent as an empty one. -1 where a value breaks its own row. */
int wire_encode(struct buf *out, const struct wire_table *t, const void *msg,
		struct err *e) MUST_CHECK;
/* Fill the zeroed struct `msg`; on failure it is left empty (nothing to free). */
int wire_decode(void *msg, const struct wire_table *t, struct str bytes, struct err *e) MUST_CHECK;
/* The same for a message of somebody newer: what follows the fields is left alone. */
int wire_decode_begin(void *msg, const struct wire_table *t, struct str bytes,
		      struct err *e) MUST_CHECK;
/* Free what a decoded message owns and zero it. */
void wire_clear(void *msg, const struct wire_table *t);

#endif
