/* Input that is larger than one request carries: pieces in order, in memory only, kept until the
 * request that names them. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "lease/verbs.h"

#define UPLOAD_AGE_MS	  600000 /* of its last piece */
#define UPLOADS_BYTES_MAX ((size_t)64 << 20)

struct upload {
	struct upload *next; /* older ones behind */
	char lease[LEASE_ID_HEX + 1];
	char id[LEASE_REQUEST_ID_HEX + 1];
	uint64_t pieces;
	int64_t at_ms;
	struct buf bytes;
};

static void upload_free(struct upload *u)
{
	if (u->bytes.p)
		wipe(u->bytes.p, u->bytes.n);
	buf_free(&u->bytes);
	free(u);
}

void uploads_close(struct engine *g)
{
	while (g->uploads) {
		struct upload *u = g->uploads;

		g->uploads = u->next;
		upload_free(u);
	}
}

/* One a lease: a new one takes the place of the old. Out of the list, or NULL. */
static struct upload *unlink_upload(struct engine *g, const char *lease)
{
	struct upload **at = &g->uploads, *u;

	while (*at && strcmp((*at)->lease, lease) != 0)
		at = &(*at)->next;
	u = *at;
	if (u)
		*at = u->next;
	return u;
}

/* What is old, and from where on all together are too much. */
static void prune(struct engine *g)
{
	struct upload **at = &g->uploads;
	size_t sum = 0;

	while (*at) {
		struct upload *u = *at;

		sum += u->bytes.n;
		if (sum <= UPLOADS_BYTES_MAX && clock_mono_ms() - u->at_ms < UPLOAD_AGE_MS) {
			at = &u->next;
			continue;
		}
		*at = u->next;
		upload_free(u);
	}
}

int upload_add(struct engine *g, const struct request *r, struct err *e)
{
	struct upload *u = unlink_upload(g, r->lease);

	if (u && (r->piece == 0 || strcmp(u->id, r->upload) != 0)) {
		upload_free(u);
		u = NULL;
	}
	if (!u) {
		u = mem_zero(sizeof(*u));
		memcpy(u->lease, r->lease, sizeof(u->lease));
		memcpy(u->id, r->upload, sizeof(u->id));
		u->bytes = BUF(LEASE_INPUT_MAX);
	}
	if (u->pieces != r->piece || u->bytes.n + r->ninput > LEASE_INPUT_MAX) {
		upload_free(u);
		return err_set(e, ERRK_LIMIT,
			       "upload: pieces want to come in order, at most %d bytes",
			       LEASE_INPUT_MAX);
	}
	buf_add(&u->bytes, r->input, r->ninput);
	u->pieces++;
	u->at_ms = clock_mono_ms();
	u->next = g->uploads;
	g->uploads = u;
	prune(g);
	return 0;
}

int upload_take(struct buf *out, struct engine *g, const struct request *r, struct err *e)
{
	struct upload *u;

	if (!r->upload[0]) {
		*out = BUF(LEASE_PIECE_MAX);
		buf_add(out, r->input, r->ninput);
		return 0;
	}
	u = unlink_upload(g, r->lease);
	if (!u || strcmp(u->id, r->upload) != 0) {
		if (u)
			upload_free(u);
		return err_set(e, ERRK_STATE, "the input was lost; send it again");
	}
	*out = u->bytes;
	u->bytes = BUF(0);
	upload_free(u);
	return 0;
}
