/* lease volume backup, restore: what a kept volume has, parcel by parcel (lease-protocol(7),
 * "Backups"), in a file that only this wallet's seed opens. A parcel is the provider's word: it is
 * kept, and handed back, without being understood here. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/out.h"
#include "cli/pieces.h"
#include "cli/sealed.h"
#include "cli/upload.h"
#include "cli/verbs.h"

#define ANSWER_MS 180000
#define HEAD_N	  32 /* of a parcel: magic (4), left out (4), place (8), print (16) */
#define SKIPPED	  4
#define PRINT	  16
#define PRINT_N	  16

static int find_volume(struct app *a, int argc, char **argv, struct book_entry *b)
{
	if (argc != 2)
		return app_failf(EXIT_USAGE, "want NAME and FILE, or - for a stream");
	return cli_find_volume(a, argv[0], b);
}

static struct request *ask_about(enum request_type t, const struct book_entry *b)
{
	struct request *req = request_new(t);

	memcpy(req->lease, b->lease, sizeof(req->lease));
	req->path = mem_strdup("/");
	return req;
}

/* --- backup --- */

struct saving {
	struct app *a;
	const struct book_entry *b;
	const char *snapshot; /* "": the volume */
	struct session *session;
	struct sealed out;
	uint64_t at, bytes;
	uint32_t skipped;
	bool done;
	char print[PRINT_N];
};

static int check_parcel(struct saving *s, struct str parcel, const struct pieces *p)
{
	const uint8_t *n = (const uint8_t *)parcel.p + SKIPPED;

	if (parcel.n < HEAD_N || p->left < 0 || p->offset <= s->at)
		return app_failf(EXIT_OTHER, "the provider answered something else than a backup");
	if (s->at && memcmp(s->print, parcel.p + PRINT, PRINT_N) != 0)
		return app_failf(EXIT_OTHER, "the volume was written to meanwhile; begin again");
	memcpy(s->print, parcel.p + PRINT, PRINT_N);
	s->skipped = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3];
	s->bytes += parcel.n;
	if (s->bytes > 2 * s->b->volume + ((uint64_t)64 << 20))
		return app_failf(EXIT_OTHER, "the provider sends more than the volume can hold");
	return 0;
}

static int save_parcel(struct saving *s)
{
	auto_request struct request *req = ask_about(REQUEST_GET, s->b);
	auto_buf struct buf parcel = BUF(LEASE_OUTPUT_MAX);
	auto_pieces struct pieces p = {.exit_status = -1, .keep = &parcel, .left = -1};
	struct err e;
	int rc;

	req->offset = s->at;
	snprintf(req->snapshot, sizeof(req->snapshot), "%s", s->snapshot);
	rc = pieces_ask(s->session, req, ANSWER_MS, &p);
	if (!rc && buf_check(&parcel, "the answer", &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	if (!rc)
		rc = check_parcel(s, buf_view(&parcel), &p);
	if (rc)
		return rc;
	if (s->at == 0 && p.left > 0)
		app_say(s->a, "at most %" PRIu64 " bytes more to come, a MiB at a time",
			(uint64_t)p.left);
	s->at = p.offset;
	s->done = p.left == 0;
	return sealed_write(&s->out, buf_view(&parcel), s->done, &e) < 0 ? app_fail(EXIT_OTHER, &e)
									 : 0;
}

static int save_to(struct app *a, const struct book_entry *b, const char *snapshot, int fd)
{
	auto_session struct session *session = NULL;
	struct saving s = {.a = a, .b = b, .snapshot = snapshot};
	struct err e;
	int rc = 0;

	if (session_open(&session, a, &b->provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	s.session = session;
	if (sealed_begin(&s.out, fd, &a->seed, &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	while (!rc && !s.done)
		rc = save_parcel(&s);
	sealed_clear(&s.out);
	if (!rc && s.skipped)
		app_say(a, "%" PRIu32 " sockets, pipes and devices left out", s.skipped);
	return rc;
}

/* Whole under its name, or not at all. */
static int save_as(struct app *a, const struct book_entry *b, const char *snapshot,
		   const char *path)
{
	auto_free char *tmp = NULL;
	auto_close int fd = -1;
	struct err e;
	int rc;

	if (fs_exists(path))
		return app_failf(EXIT_USAGE, "%s exists", path);
	if (fs_temporary(&tmp, path, &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	fd = open(tmp, O_WRONLY | O_CLOEXEC);
	rc = fd < 0 ? app_failf(EXIT_OTHER, "cannot open %s", tmp) : save_to(a, b, snapshot, fd);
	if (rc)
		(void)!unlink(tmp);
	else if (fs_place(tmp, path, FS_NEW, &e) < 0)
		rc = app_fail(EXIT_OTHER, &e);
	return rc;
}

int verb_volume_backup(void *ctx, const void *options, int argc, char **argv)
{
	const struct snapshot_options *o = options;
	const char *snapshot = o->snapshot ? o->snapshot : "";
	struct app *a = ctx;
	struct book_entry b;
	int rc = find_volume(a, argc, argv, &b);

	if (!rc && o->snapshot)
		rc = cli_snapshot_named(snapshot);
	if (rc)
		return rc;
	if (strcmp(argv[1], "-") != 0)
		return save_as(a, &b, snapshot, argv[1]);
	if (isatty(STDOUT_FILENO))
		return app_failf(EXIT_USAGE, "a backup is not for a terminal");
	return save_to(a, &b, snapshot, STDOUT_FILENO);
}

/* --- restore --- */

/* Every byte of it, before the provider hears a word. */
static int verify(const struct app *a, int fd, struct err *e)
{
	auto_sealed struct sealed in = {0};
	int rc = sealed_open(&in, fd, &a->seed, e);

	while (rc == 0) {
		auto_buf struct buf parcel = BUF(SEALED_PIECE_MAX);

		rc = sealed_read(&in, &parcel, e);
	}
	if (rc < 0)
		return -1;
	return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(e, "read the backup again") : 0;
}

static int load_parcel(struct session *s, const struct book_entry *b, struct str parcel)
{
	auto_request struct request *req = ask_about(REQUEST_PUT, b);
	auto_pieces struct pieces p = {.exit_status = -1};
	int rc = upload_input(s, req, parcel);

	return rc ? rc : pieces_ask(s, req, ANSWER_MS, &p);
}

static int load_from(struct app *a, const struct book_entry *b, int fd)
{
	auto_session struct session *s = NULL;
	auto_sealed struct sealed in = {0};
	struct err e;
	int rc;

	if (session_open(&s, a, &b->provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	if (sealed_open(&in, fd, &a->seed, &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	for (;;) {
		auto_buf struct buf parcel = BUF(SEALED_PIECE_MAX);

		rc = sealed_read(&in, &parcel, &e);
		if (rc)
			return rc < 0 ? app_fail(EXIT_OTHER, &e) : 0;
		rc = load_parcel(s, b, buf_view(&parcel));
		if (rc)
			return rc;
	}
}

/* A stream is kept, as encrypted as it came, until all of it was seen. */
static int spool(int *out, struct err *e)
{
	const char *folder = getenv("TMPDIR");
	auto_close int fd =
		open(folder && *folder ? folder : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	char piece[65536];
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "make a temporary file; set TMPDIR");
	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		if (fs_write_all(fd, piece, (size_t)n, e) < 0)
			return -1;
	if (n < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "standard input");
	*out = steal_fd(&fd);
	return 0;
}

static int open_backup(int *fd, const char *path, struct err *e)
{
	if (strcmp(path, "-") == 0)
		return spool(fd, e);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, "%s", path) : 0;
}

int verb_volume_restore(void *ctx, const void *options, int argc, char **argv)
{
	const struct snapshot_options *o = options;
	struct app *a = ctx;
	auto_close int fd = -1;
	struct book_entry b;
	struct err e;
	int rc;

	if (o->snapshot && argc != 1)
		return app_failf(EXIT_USAGE, "want NAME and either FILE or --snapshot");
	if (o->snapshot)
		return cli_restore_snapshot(a, argv[0], o->snapshot);
	rc = find_volume(a, argc, argv, &b);
	if (rc)
		return rc;
	if (open_backup(&fd, argv[1], &e) < 0 || verify(a, fd, &e) < 0)
		return app_failf(EXIT_OTHER, "%s; nothing was changed", e.msg);
	rc = load_from(a, &b, fd);
	if (rc == EXIT_OK)
		app_say(a, "%s has what the backup has", argv[0]);
	return rc;
}
