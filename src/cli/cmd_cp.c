/* lease cp: files to and from a lease, as an archive in pieces. What comes from there is a
 * stranger's: see base/tree.h for what it cannot do. */
#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "base/tree.h"
#include "cli/pieces.h"
#include "cli/upload.h"
#include "cli/verbs.h"

#define ANSWER_MS 60000

/* "NAME:PATH" taken apart; NULL where `arg` names a file here. */
static char *lease_of(const char *arg, const char **path)
{
	size_t n = strcspn(arg, ":/");

	if (arg[n] != ':' || n == 0)
		return NULL;
	*path = arg + n + 1;
	return mem_strndup(arg, n);
}

/* Paths in a lease begin at its root. */
static int set_path(struct request *req, const char *path, struct err *e)
{
	req->path = mem_printf("%s%s", *path == '/' ? "" : "/", path);
	if (strlen(req->path) > SPEC_PATH_MAX || !utf8_valid(str_of(req->path)))
		return err_set(e, ERRK_INPUT, "the path in the lease: at most %d bytes of UTF-8",
			       SPEC_PATH_MAX);
	return 0;
}

static void tell_skipped(const struct app *a, uint64_t n, const char *what)
{
	if (n)
		app_say(a, "%llu %s left out", (unsigned long long)n, what);
}

static int too_much(const struct err *e)
{
	if (e->kind == ERRK_LIMIT)
		return app_failf(EXIT_OTHER, "%s; relays carry at most %d bytes", e->msg,
				 LEASE_INPUT_MAX);
	return app_fail(EXIT_OTHER, e);
}

static int ask(struct app *a, const struct book_entry *b, struct request *req, struct str archive,
	       struct pieces *p)
{
	auto_session struct session *s = NULL;
	struct err e;
	int rc;

	memcpy(req->lease, b->lease, sizeof(req->lease));
	if (session_open(&s, a, &b->provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	rc = upload_input(s, req, archive);
	return rc ? rc : pieces_ask(s, req, ANSWER_MS, p);
}

static int copy_in(struct app *a, const char *from, const char *name, const char *path)
{
	auto_request struct request *req = request_new(REQUEST_PUT);
	auto_pieces struct pieces p = {.exit_status = -1};
	auto_buf struct buf archive = BUF(LEASE_INPUT_MAX);
	struct book_entry b;
	unsigned skipped;
	struct err e;
	int rc;

	if (set_path(req, path, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	if (tree_pack(&archive, AT_FDCWD, from, &skipped, &e) < 0)
		return too_much(&e);
	rc = cli_find_running(a, name, &b);
	if (!rc)
		rc = ask(a, &b, req, buf_view(&archive), &p);
	if (!rc)
		tell_skipped(a, skipped, "sockets, pipes and devices");
	return rc;
}

static int copy_out(struct app *a, const char *name, const char *path, const char *to)
{
	auto_request struct request *req = request_new(REQUEST_GET);
	auto_buf struct buf archive = BUF(LEASE_OUTPUT_MAX);
	auto_pieces struct pieces p = {.exit_status = -1, .keep = &archive};
	struct book_entry b;
	unsigned skipped = 0;
	struct err e;
	int rc;

	if (set_path(req, path, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	rc = cli_find_running(a, name, &b);
	if (!rc)
		rc = ask(a, &b, req, (struct str){"", 0}, &p);
	if (rc)
		return rc;
	if (buf_check(&archive, "the answer", &e) < 0 ||
	    tree_check_name(buf_view(&archive), req->path, &e) < 0 ||
	    tree_unpack(AT_FDCWD, to, buf_view(&archive), TREE_LINKS_INSIDE, &skipped, &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	tell_skipped(a, p.offset, "sockets, pipes and devices");
	tell_skipped(a, skipped, "links that lead elsewhere");
	return 0;
}

int verb_cp(void *ctx, const void *options, int argc, char **argv)
{
	const char *from_path = NULL, *to_path = NULL;
	auto_free char *from = NULL, *to = NULL;

	if (argc != 2)
		return app_failf(EXIT_USAGE, "want FILE NAME:PATH or NAME:PATH FILE");
	from = lease_of(argv[0], &from_path);
	to = lease_of(argv[1], &to_path);
	if (!from == !to)
		return app_failf(EXIT_USAGE, "one of the two is NAME:PATH, the other a file here");
	return to ? copy_in(ctx, argv[0], to, to_path) : copy_out(ctx, from, from_path, argv[1]);
}
