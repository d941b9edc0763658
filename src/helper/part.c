/* Parcels and parts as bytes: see part.h. Numbers are big-endian. */
#include "helper/part.h"

#include <string.h>

#define MAGIC "LVP1"

/* --- numbers --- */

static uint8_t *put(uint8_t *at, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	return at + n;
}

static uint64_t take(struct str *rest, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | (uint8_t)rest->p[i];
	rest->p += n;
	rest->n -= n;
	return v;
}

static struct str take_text(struct str *rest, size_t n)
{
	struct str s = {rest->p, n};

	rest->p += n;
	rest->n -= n;
	return s;
}

/* --- parcels --- */

void parcel_put(uint8_t out[static PARCEL_HEAD], const struct parcel *p)
{
	uint8_t *at = out;

	memcpy(at, MAGIC, 4);
	at = put(at + 4, p->skipped, 4);
	at = put(at, p->from, 8);
	memcpy(at, p->print, sizeof(p->print));
}

int parcel_take(struct parcel *out, struct str *rest, struct err *e)
{
	if (rest->n < PARCEL_HEAD || memcmp(rest->p, MAGIC, 4) != 0)
		return err_set(e, ERRK_INPUT, "not a part of a volume's backup");
	take_text(rest, 4);
	out->skipped = (uint32_t)take(rest, 4);
	out->from = take(rest, 8);
	memcpy(out->print, take_text(rest, PART_PRINT).p, PART_PRINT);
	return 0;
}

/* --- parts --- */

void part_add(struct buf *out, const struct part *p)
{
	uint8_t head[PART_HEAD], *at = head;

	at = put(at, p->kind, 1);
	at = put(at, p->mode, 4);
	at = put(at, p->uid, 4);
	at = put(at, p->gid, 4);
	at = put(at, (uint64_t)p->mtime, 8);
	at = put(at, p->nsec, 4);
	at = put(at, p->size, 8);
	at = put(at, p->offset, 8);
	at = put(at, p->path.n, 4);
	at = put(at, p->target.n, 4);
	put(at, p->data.n, 4);
	buf_add(out, head, sizeof(head));
	buf_str(out, p->path);
	buf_str(out, p->target);
	buf_str(out, p->data);
}

static bool leads_down(struct str path)
{
	struct str piece;
	unsigned depth = 0;

	if (path.n == 0 || path.p[path.n - 1] == '/' || memchr(path.p, 0, path.n))
		return false;
	while (str_cut(&path, '/', &piece))
		if (piece.n == 0 || str_is(piece, ".") || str_is(piece, "..") ||
		    ++depth > PART_DEPTH_MAX + 1)
			return false;
	return true;
}

static bool has_place(const struct part *p)
{
	return p->path.n == 0 ? p->kind == PART_FOLDER || p->kind == PART_END : leads_down(p->path);
}

static bool has_target(const struct part *p)
{
	if (p->kind == PART_NAME)
		return leads_down(p->target);
	if (p->kind == PART_LINK)
		return p->target.n > 0 && !memchr(p->target.p, 0, p->target.n);
	return p->target.n == 0;
}

static bool has_data(const struct part *p)
{
	if (p->kind != PART_FILE)
		return p->data.n == 0 && p->offset == 0;
	return p->size <= PART_SIZE_MAX && p->offset <= p->size && p->data.n <= p->size - p->offset;
}

static int check(const struct part *p, struct err *e)
{
	if (p->kind < PART_FOLDER || p->kind > PART_END || p->mode > 07777 || p->uid >= PART_IDS ||
	    p->gid >= PART_IDS || p->nsec > 999999999 || !has_place(p) || !has_target(p) ||
	    !has_data(p))
		return err_set(e, ERRK_INPUT, "the backup says what no volume has");
	return 0;
}

int part_next(struct part *out, struct str *rest, struct err *e)
{
	size_t path, target, data;

	if (rest->n == 0)
		return PART_NONE;
	if (rest->n < PART_HEAD)
		return err_set(e, ERRK_INPUT, "the backup is cut short");
	out->kind = (enum part_kind)take(rest, 1);
	out->mode = (uint32_t)take(rest, 4);
	out->uid = (uint32_t)take(rest, 4);
	out->gid = (uint32_t)take(rest, 4);
	out->mtime = (int64_t)take(rest, 8);
	out->nsec = (uint32_t)take(rest, 4);
	out->size = take(rest, 8);
	out->offset = take(rest, 8);
	path = take(rest, 4);
	target = take(rest, 4);
	data = take(rest, 4);
	if (path > PART_PATH_MAX || target > PART_PATH_MAX || data > rest->n ||
	    path + target > rest->n - data)
		return err_set(e, ERRK_INPUT, "the backup is cut short");
	out->path = take_text(rest, path);
	out->target = take_text(rest, target);
	out->data = take_text(rest, data);
	return check(out, e);
}
