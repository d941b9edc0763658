/* Files that the seed opens: see sealed.h. */
#include "cli/sealed.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"

#define MAGIC	 "lease sealed 1\n"
#define MAGIC_N	 (sizeof(MAGIC) - 1)
#define SALT_N	 32
#define BOX_MORE 28 /* nonce and tag */

static void derive(struct sealed *s, const struct seed *seed, const uint8_t salt[static SALT_N])
{
	static const char info[] = "lease volume backup 1";
	uint8_t prk[32];

	hkdf_extract(prk, salt, SALT_N, seed->b, sizeof(seed->b));
	hkdf_expand(s->key.b, sizeof(s->key.b), prk, info, sizeof(info) - 1);
	wipe(prk, sizeof(prk));
}

void sealed_clear(struct sealed *s)
{
	secret_wipe(&s->key);
}

/* Of a piece: last (1), length of the box (4); what is bound in: number (8) and those. */
#define HEAD_N	5
#define BOUND_N (8 + HEAD_N)

static void put_be(uint8_t *at, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static void bind_head(uint8_t bound[static BOUND_N], uint64_t number, bool last, size_t n)
{
	put_be(bound, number, 8);
	bound[8] = last;
	put_be(bound + 9, n, 4);
}

/* --- write --- */

int sealed_begin(struct sealed *s, int fd, const struct seed *seed, struct err *e)
{
	uint8_t salt[SALT_N];

	*s = (struct sealed){.fd = fd};
	rand_bytes(salt, sizeof(salt));
	derive(s, seed, salt);
	return fs_write_all(fd, MAGIC, MAGIC_N, e) < 0 || fs_write_all(fd, salt, SALT_N, e) < 0 ? -1
												: 0;
}

int sealed_write(struct sealed *s, struct str piece, bool last, struct err *e)
{
	auto_buf struct buf box = BUF(SEALED_PIECE_MAX + BOX_MORE);
	uint8_t bound[BOUND_N];

	bind_head(bound, s->number++, last, piece.n + BOX_MORE);
	aead_seal(&box, &s->key, (struct str){(char *)bound, sizeof(bound)}, piece.p, piece.n);
	if (buf_check(&box, "a piece of the backup", e) < 0 ||
	    fs_write_all(s->fd, bound + 8, HEAD_N, e) < 0 ||
	    fs_write_all(s->fd, box.p, box.n, e) < 0)
		return -1;
	s->ended = last;
	return 0;
}

/* --- read --- */

int sealed_open(struct sealed *s, int fd, const struct seed *seed, struct err *e)
{
	char head[MAGIC_N + SALT_N];

	*s = (struct sealed){.fd = fd};
	if (fs_read_exactly(fd, head, sizeof(head)) < 0 || memcmp(head, MAGIC, MAGIC_N) != 0)
		return err_set(e, ERRK_INPUT, "this is no backup of a volume");
	derive(s, seed, (const uint8_t *)head + MAGIC_N);
	return 0;
}

static int at_end(const struct sealed *s, struct err *e)
{
	char more;

	return fs_read_exactly(s->fd, &more, 1) < 0
		       ? SEALED_END
		       : err_set(e, ERRK_INPUT, "something follows behind the end of the backup");
}

int sealed_read(struct sealed *s, struct buf *out, struct err *e)
{
	auto_buf struct buf box = BUF(SEALED_PIECE_MAX + BOX_MORE);
	uint8_t bound[BOUND_N], head[HEAD_N];
	size_t n = 0;
	char *at;

	if (s->ended)
		return at_end(s, e);
	if (fs_read_exactly(s->fd, head, sizeof(head)) < 0)
		return err_set(e, ERRK_INPUT, "the backup is cut short");
	for (unsigned i = 1; i < HEAD_N; i++)
		n = n << 8 | head[i];
	if (head[0] > 1 || n < BOX_MORE || n > SEALED_PIECE_MAX + BOX_MORE)
		return err_set(e, ERRK_INPUT, "the backup is damaged");
	at = buf_extend(&box, n);
	if (!at || fs_read_exactly(s->fd, at, n) < 0)
		return err_set(e, ERRK_INPUT, "the backup is cut short");
	bind_head(bound, s->number, head[0], n);
	if (aead_open(out, &s->key, (struct str){(char *)bound, sizeof(bound)}, at, n, e) < 0)
		return err_set(e, ERRK_INPUT,
			       s->number ? "the backup is damaged"
					 : "the backup is damaged, or another wallet made it");
	s->number++;
	s->ended = head[0];
	return 0;
}
