#include "base/ustar.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define BLOCK	512
#define PAX_MAX 16384 /* bytes of the records before one entry */

/* The header of POSIX.1-1988, 500 bytes of one block. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char linkname[100], magic[6], version[2], uname[32], gname[32], major[8], minor[8];
	char prefix[155], unused[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* --- writing --- */

static void put_octal(char *field, size_t size, uint64_t v)
{
	for (size_t i = size - 1; i-- > 0; v >>= 3)
		field[i] = (char)('0' + (v & 7));
}

static unsigned checksum(const struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	const size_t at = offsetof(struct header, checksum);
	unsigned sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= at && i < at + sizeof(h->checksum) ? ' ' : p[i];
	return sum;
}

static void put_header(struct buf *out, char type, const struct ustar_entry *t, uint64_t size)
{
	struct header h = {.type = type, .magic = "ustar", .version = {'0', '0'}};

	memcpy(h.name, t->path, strnlen(t->path, sizeof(h.name)));
	memcpy(h.linkname, t->target, strnlen(t->target, sizeof(h.linkname)));
	put_octal(h.mode, sizeof(h.mode), t->mode & 07777);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), size);
	put_octal(h.mtime, sizeof(h.mtime), t->mtime > 0 ? (uint64_t)t->mtime : 0);
	put_octal(h.checksum, sizeof(h.checksum) - 1, checksum(&h));
	h.checksum[7] = ' ';
	buf_add(out, &h, sizeof(h));
}

static void put_data(struct buf *out, const void *data, uint64_t size)
{
	static const char zeros[BLOCK];

	buf_add(out, data, size);
	if (size % BLOCK)
		buf_add(out, zeros, BLOCK - size % BLOCK);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void put_record(struct buf *records, const char *key, const char *value)
{
	size_t n = strlen(key) + strlen(value) + 3, digits = 1;

	while (snprintf(NULL, 0, "%zu", n + digits) != (int)digits)
		digits++;
	buf_printf(records, "%zu %s=%s\n", n + digits, key, value);
}

void ustar_add(struct buf *out, const struct ustar_entry *t, const void *data)
{
	static const char types[] = {[USTAR_FILE] = '0', [USTAR_FOLDER] = '5', [USTAR_LINK] = '2'};
	auto_buf struct buf records = BUF(PAX_MAX);
	const struct header *h = NULL;

	if (strlen(t->path) > sizeof(h->name))
		put_record(&records, "path", t->path);
	if (t->kind == USTAR_LINK && strlen(t->target) > sizeof(h->linkname))
		put_record(&records, "linkpath", t->target);
	if (records.n) {
		put_header(out, 'x', t, records.n);
		put_data(out, records.p, records.n);
	}
	put_header(out, types[t->kind], t, t->kind == USTAR_FILE ? t->size : 0);
	if (t->kind == USTAR_FILE)
		put_data(out, data, t->size);
}

void ustar_finish(struct buf *out)
{
	static const char zeros[2 * BLOCK];

	buf_add(out, zeros, sizeof(zeros));
}

/* --- reading --- */

static int get_octal(const char *field, size_t size, uint64_t *out, struct err *e)
{
	size_t i = 0;

	*out = 0;
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] && field[i] != ' '; i++) {
		if (field[i] < '0' || field[i] > '7')
			return err_set(e, ERRK_INPUT, "archive: not a number");
		*out = *out << 3 | (uint64_t)(field[i] - '0');
	}
	return 0;
}

static int take(struct str *rest, uint64_t n, struct str *out, struct err *e)
{
	if (n > rest->n)
		return err_set(e, ERRK_INPUT, "archive: cut short");
	*out = (struct str){rest->p, n};
	rest->p += n;
	rest->n -= n;
	return 0;
}

static int take_data(struct str *rest, uint64_t size, struct str *out, struct err *e)
{
	struct str padding;

	if (take(rest, size, out, e) < 0)
		return -1;
	return size % BLOCK ? take(rest, BLOCK - size % BLOCK, &padding, e) : 0;
}

static int take_header(struct str *rest, struct header *h, uint64_t *size, struct err *e)
{
	static const struct header zeros;
	struct str block = {0};
	uint64_t sum = 0;

	*size = 0;
	if (rest->n == 0)
		return USTAR_END;
	if (take(rest, BLOCK, &block, e) < 0)
		return -1;
	memcpy(h, block.p, BLOCK);
	if (memcmp(h, &zeros, BLOCK) == 0)
		return USTAR_END;
	if (get_octal(h->checksum, sizeof(h->checksum), &sum, e) < 0 ||
	    get_octal(h->size, sizeof(h->size), size, e) < 0)
		return -1;
	return sum == checksum(h) ? 0 : err_set(e, ERRK_INPUT, "archive: damaged");
}

static int set_text(char out[static USTAR_PATH_MAX + 1], struct str s, struct err *e)
{
	if (s.n > USTAR_PATH_MAX || memchr(s.p, 0, s.n))
		return err_set(e, ERRK_INPUT, "archive: a name is too long or holds NUL");
	memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return 0;
}

/* One record of a pax header; those that say nothing of names are of no interest. */
static int take_record(struct str *records, struct ustar_entry *t, struct err *e)
{
	struct str rest = *records, length = {0}, key = {0}, value = {0};
	uint64_t n;

	if (!str_cut(&rest, ' ', &length) || str_u64(length, records->n, &n, e) < 0 ||
	    n < length.n + 4 || records->p[n - 1] != '\n')
		return err_set(e, ERRK_INPUT, "archive: a broken pax record");
	value = (struct str){records->p + length.n + 1, n - length.n - 2};
	if (!memchr(value.p, '=', value.n) || !str_cut(&value, '=', &key))
		return err_set(e, ERRK_INPUT, "archive: a broken pax record");
	records->p += n;
	records->n -= n;
	if (str_is(key, "path"))
		return set_text(t->path, value, e);
	return str_is(key, "linkpath") ? set_text(t->target, value, e) : 0;
}

static int take_records(struct str *rest, uint64_t size, struct ustar_entry *t, struct err *e)
{
	struct str records = {0};

	if (size > PAX_MAX)
		return err_set(e, ERRK_LIMIT, "archive: %llu bytes of pax records",
			       (unsigned long long)size);
	if (take_data(rest, size, &records, e) < 0)
		return -1;
	while (records.n)
		if (take_record(&records, t, e) < 0)
			return -1;
	return 0;
}

/* Names of the header itself, where no pax record said more. */
static void take_names(struct ustar_entry *t, const struct header *h)
{
	int name = (int)strnlen(h->name, sizeof(h->name));
	int prefix = (int)strnlen(h->prefix, sizeof(h->prefix));

	if (!t->path[0])
		snprintf(t->path, sizeof(t->path), "%.*s%s%.*s", prefix, h->prefix,
			 prefix ? "/" : "", name, h->name);
	if (!t->target[0])
		memcpy(t->target, h->linkname, strnlen(h->linkname, sizeof(h->linkname)));
}

static int set_kind(struct ustar_entry *t, char type, struct err *e)
{
	if (type == '0' || type == '\0')
		t->kind = USTAR_FILE;
	else if (type == '5')
		t->kind = USTAR_FOLDER;
	else if (type == '2')
		t->kind = USTAR_LINK;
	else
		return err_set(e, ERRK_INPUT, "archive: an entry of a kind that is not copied");
	return 0;
}

int ustar_next(struct str *rest, struct ustar_entry *out, struct str *data, struct err *e)
{
	uint64_t size, mode, mtime;
	struct header h;
	int r;

	memset(out, 0, sizeof(*out));
	*data = (struct str){"", 0};
	r = take_header(rest, &h, &size, e);
	if (r == 0 && h.type == 'x') {
		if (take_records(rest, size, out, e) < 0)
			return -1;
		r = take_header(rest, &h, &size, e);
		if (r == USTAR_END)
			return err_set(e, ERRK_INPUT, "archive: cut short");
	}
	if (r != 0)
		return r;
	if (set_kind(out, h.type, e) < 0 || get_octal(h.mode, sizeof(h.mode), &mode, e) < 0 ||
	    get_octal(h.mtime, sizeof(h.mtime), &mtime, e) < 0)
		return -1;
	take_names(out, &h);
	out->mode = mode & 07777;
	out->mtime = (int64_t)(mtime & 0xffffffffff);
	if (out->kind != USTAR_FILE)
		return 0;
	out->size = size;
	return take_data(rest, size, data, e);
}
