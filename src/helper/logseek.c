/* Halving by time, counting back by lines; see logseek.h. */
#include "helper/logseek.h"

#include <string.h>

#include "backend/boxlog.h"
#include "base/buf.h"
#include "priv/logline.h"

/* Room for several records: the keeper cuts what is longer than 16 KiB. */
#define BLOCK ((size_t)128 << 10)

struct block {
	struct buf bytes;
	struct boxlog_piece piece;
	struct str records; /* whole ones */
};

enum edge { EDGE_SURE, EDGE_ANY }; /* does a record begin where the block does? */

static int block_load(struct block *b, const char *dir, uint64_t from, size_t max, enum edge edge,
		      struct err *e)
{
	const char *end;
	size_t skip;

	buf_reset(&b->bytes);
	if (boxlog_read(&b->bytes, dir, from, max, &b->piece, e) < 0)
		return -1;
	b->records = buf_view(&b->bytes);
	if (edge == EDGE_SURE || b->piece.offset != from || b->records.n == 0)
		return 0; /* elsewhere: a file's beginning */
	end = memchr(b->records.p, '\n', b->records.n);
	skip = end ? (size_t)(end + 1 - b->records.p) : b->records.n;
	b->records = (struct str){b->records.p + skip, b->records.n - skip};
	return 0;
}

static uint64_t offset_of(const struct block *b, const char *at)
{
	return b->piece.offset + (uint64_t)(at - b->bytes.p);
}

/* --- by time --- */

/* From `from` on, where a record begins. */
static int scan(uint64_t *out, struct block *b, const char *dir, uint64_t from, int64_t ms,
		struct err *e)
{
	struct log_line l;

	for (;; from = b->piece.next) {
		if (block_load(b, dir, from, BLOCK, EDGE_SURE, e) < 0)
			return -1;
		while (log_line_next(&b->records, &l))
			if (l.time_ms >= ms) {
				*out = offset_of(b, l.stamp.p);
				return 0;
			}
		*out = b->piece.next;
		if (b->piece.next >= b->piece.end || b->bytes.n == 0)
			return 0;
	}
}

static int seek_time(uint64_t *out, struct block *b, const char *dir, int64_t ms, struct err *e)
{
	struct log_line l;
	uint64_t low, high;

	if (block_load(b, dir, 0, 0, EDGE_SURE, e) < 0)
		return -1;
	low = b->piece.offset;
	high = b->piece.end;
	while (high - low > BLOCK) {
		uint64_t middle = low + (high - low) / 2;

		if (block_load(b, dir, middle, BLOCK / 2, EDGE_ANY, e) < 0)
			return -1;
		if (log_line_next(&b->records, &l) && offset_of(b, l.stamp.p) < high &&
		    l.time_ms < ms)
			low = offset_of(b, l.stamp.p);
		else
			high = middle;
	}
	return scan(out, b, dir, low, ms, e);
}

int logseek_time(uint64_t *out, const char *dir, int64_t ms, struct err *e)
{
	struct block b = {.bytes = BUF(BLOCK)};
	int r = seek_time(out, &b, dir, ms, e);

	buf_free(&b.bytes);
	return r;
}

/* --- by lines --- */

struct count {
	uint32_t ends; /* lines that end */
	bool open;     /* the last one goes on */
};

/* `stop` at so many ends; 0: at the block's. Where it stopped goes to `at`. */
static struct count count_lines(const struct block *b, uint32_t stop, uint64_t *at)
{
	struct str rest = b->records;
	struct count c = {0};
	struct log_line l;

	while (log_line_next(&rest, &l)) {
		c.ends += !l.partial;
		c.open = l.partial;
		if (stop && c.ends == stop)
			break;
	}
	*at = offset_of(b, rest.n ? rest.p : b->bytes.p + b->bytes.n);
	return c;
}

static int seek_lines(uint64_t *out, struct block *b, const char *dir, uint64_t from, uint64_t to,
		      uint32_t n, struct err *e)
{
	uint64_t high = to, low, at;
	struct count c;

	*out = to;
	if (n == 0)
		return 0;
	for (; high > from; high = low) {
		low = high - from > BLOCK ? high - BLOCK : from;
		if (block_load(b, dir, low, high - low, low > from ? EDGE_ANY : EDGE_SURE, e) < 0)
			return -1;
		if (b->records.n == 0)
			break;
		low = offset_of(b, b->records.p);
		c = count_lines(b, 0, &at);
		n -= high == to && c.open;
		if (c.ends > n) {
			count_lines(b, c.ends - n, out);
			return 0;
		}
		n -= c.ends;
		*out = low;
	}
	return 0;
}

int logseek_lines(uint64_t *out, const char *dir, uint64_t from, uint64_t to, uint32_t n,
		  struct err *e)
{
	struct block b = {.bytes = BUF(BLOCK)};
	int r = seek_lines(out, &b, dir, from, to, n, e);

	buf_free(&b.bytes);
	return r;
}
