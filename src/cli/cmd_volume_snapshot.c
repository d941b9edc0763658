/* lease volume snapshot, snapshots, restore --snapshot: copies of what a kept volume has, made, put
 * back and removed where it lies. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/out.h"
#include "cli/pieces.h"
#include "cli/verbs.h"

#define ANSWER_MS 180000

static int ask(struct app *a, const struct book_entry *b, enum request_action action,
	       const char *name, struct buf *names)
{
	auto_request struct request *req = request_new(REQUEST_SNAPSHOT);
	auto_pieces struct pieces p = {.exit_status = -1, .keep = names};
	auto_session struct session *s = NULL;
	struct err e;

	memcpy(req->lease, b->lease, sizeof(req->lease));
	req->action = action;
	snprintf(req->snapshot, sizeof(req->snapshot), "%s", name);
	if (session_open(&s, a, &b->provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	return pieces_ask(s, req, ANSWER_MS, &p);
}

int cli_snapshot_named(const char *name)
{
	return str_is_name(str_of(name), SPEC_NAME_MAX)
		       ? 0
		       : app_failf(EXIT_USAGE,
				   "a snapshot's name has a-z, 0-9 and -, at most %d characters",
				   SPEC_NAME_MAX);
}

int cli_find_volume(struct app *a, const char *name, struct book_entry *b)
{
	int rc = cli_find_running(a, name, b);

	return rc || b->volume ? rc : app_failf(EXIT_USAGE, "%s is a lease and no volume", name);
}

int verb_volume_snapshot(void *ctx, const void *options, int argc, char **argv)
{
	const struct snapshot_options *o = options;
	auto_buf struct buf none = BUF(LEASE_OUTPUT_MAX);
	struct app *a = ctx;
	struct book_entry b;
	int rc = argc == 2 ? cli_snapshot_named(argv[1])
			   : app_failf(EXIT_USAGE, "want NAME and the SNAPSHOT's name");

	if (!rc)
		rc = cli_find_volume(a, argv[0], &b);
	if (!rc)
		rc = ask(a, &b, o->rm ? REQUEST_REMOVE : REQUEST_MAKE, argv[1], &none);
	if (!rc)
		printf("%s\n", argv[1]);
	return rc;
}

/* Of the provider's words only names and times are shown. */
static int show(struct str text)
{
	struct str line, name;
	uint64_t at;

	while (str_cut(&text, '\n', &line)) {
		char when[32];

		if (line.n == 0)
			continue;
		if (!str_cut(&line, ' ', &name) || !str_is_name(name, SPEC_NAME_MAX) ||
		    str_u64(line, (uint64_t)1 << 36, &at, NULL) < 0)
			return app_failf(EXIT_OTHER, "the provider answered something else");
		clock_format(when, (int64_t)at);
		printf("%-24.*s %s\n", (int)name.n, name.p, when);
	}
	return 0;
}

int verb_volume_snapshots(void *ctx, const void *options, int argc, char **argv)
{
	auto_buf struct buf names = BUF(LEASE_OUTPUT_MAX);
	struct app *a = ctx;
	struct book_entry b;
	int rc = argc == 1 ? cli_find_volume(a, argv[0], &b) : app_failf(EXIT_USAGE, "want NAME");

	(void)options;
	if (!rc)
		rc = ask(a, &b, REQUEST_LIST, "", &names);
	return rc ? rc : show(buf_view(&names));
}

int cli_restore_snapshot(struct app *a, const char *volume, const char *name)
{
	auto_buf struct buf none = BUF(LEASE_OUTPUT_MAX);
	struct book_entry b;
	int rc = cli_snapshot_named(name);

	if (!rc)
		rc = cli_find_volume(a, volume, &b);
	if (!rc)
		rc = ask(a, &b, REQUEST_RESTORE, name, &none);
	if (!rc)
		app_say(a, "%s has what the snapshot %s has, and nothing else", volume, name);
	return rc;
}
