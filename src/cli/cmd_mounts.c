/* lease mounts: what of a lease's files is kept when its image is changed. */
#include <stdio.h>
#include <string.h>

#include "cli/out.h"
#include "cli/verbs.h"

#define ANSWER_MS 30000

static int print_mounts(const struct app *a, const struct reply *r)
{
	auto_buf struct buf text = BUF(65536);
	struct jsonw w = JSONW(&text);

	if (a->g.json) {
		jsonw_object(&w, NULL);
		jsonw_array(&w, "mounts");
		for (size_t i = 0; i < r->mounts.n; i++)
			jsonw_text(&w, NULL, r->mounts.v[i]);
		jsonw_end_array(&w);
		jsonw_end_object(&w);
		out_line(&text);
		return 0;
	}
	for (size_t i = 0; i < r->mounts.n; i++) {
		out_text(str_of(r->mounts.v[i]));
		putchar('\n');
	}
	return 0;
}

static bool has_path(const struct reply *r)
{
	for (size_t i = 0; i < r->mounts.n; i++)
		if (r->mounts.v[i][0] == '/')
			return true;
	return false;
}

static int ask(struct app *a, struct book_entry *b, struct request *req)
{
	auto_reply struct reply *r = NULL;
	int rc = cli_ask_lease(a, b, req, ANSWER_MS, &r);

	if (rc)
		return rc;
	if (b->state != BOOK_RUNNING)
		return app_failf(EXIT_EXPIRED, "%s has ended", b->name);
	if (!has_path(r))
		app_say(a, "no path is set: with another image, /root is kept");
	if (req->type == REQUEST_SET)
		app_say(a, "it counts from the next start of %s on", b->name);
	return print_mounts(a, r);
}

int verb_mounts_ls(void *ctx, const void *options, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_STATUS);
	struct book_entry b;
	int rc = cli_find_lease(ctx, argc, argv, &b);

	return rc ? rc : ask(ctx, &b, req);
}

static int read_paths(struct request *req, const char *text, struct err *e)
{
	struct str path, rest = str_of(text);

	req->has_mounts = true;
	while (str_cut(&rest, ',', &path)) {
		if (spec_mount_path(path, e) < 0)
			return -1;
		if (req->mounts.n == SPEC_STORAGE_MAX)
			return err_set(e, ERRK_LIMIT, "more than %d paths", SPEC_STORAGE_MAX);
		spec_list_put(&req->mounts, path);
	}
	return 0;
}

int verb_mounts_set(void *ctx, const void *options, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_SET);
	struct book_entry b;
	struct err e;
	int rc;

	if (argc != 2)
		return app_failf(EXIT_USAGE, "want NAME and PATH[,PATH…]; \"\" is none");
	if (read_paths(req, argv[1], &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	rc = cli_find_lease(ctx, 1, argv, &b);
	return rc ? rc : ask(ctx, &b, req);
}
