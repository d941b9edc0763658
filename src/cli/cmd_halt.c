/* lease stop, start, unlock, set and kill: a lease's processes end, run again, get a signal; its
 * data stays. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "cli/out.h"
#include "cli/registry_auth.h"
#include "cli/verbs.h"
#include "cli/volume_key.h"

#define ANSWER_MS 60000	 /* beside the time that the command is given to end */
#define PULL_MS	  300000 /* of a start: its image may have to come */
#define GRACE_S	  30	 /* what the provider gives it where nothing else is said */

static int ask_about(struct app *a, struct book_entry *b, struct request *req, int64_t timeout_ms)
{
	auto_reply struct reply *r = NULL;
	char left[32];
	int rc;

	memcpy(req->lease, b->lease, sizeof(req->lease));
	rc = cli_ask_lease(a, b, req, timeout_ms, &r);
	if (rc)
		return rc;
	if (b->state != BOOK_RUNNING)
		return app_failf(EXIT_EXPIRED, "%s has ended", b->name);
	out_left(left, sizeof(left), b->expires_at - clock_wall());
	if (req->type == REQUEST_STOP && b->halted)
		app_say(a,
			"stopped; its data is kept and its time goes on at the full price: %s left",
			left);
	printf("%s\n", b->name);
	return 0;
}

static int ask(struct app *a, int argc, char **argv, struct request *req, int64_t timeout_ms)
{
	struct book_entry b;
	int rc = cli_find_lease(a, argc, argv, &b);

	return rc ? rc : ask_about(a, &b, req, timeout_ms);
}

int verb_stop(void *ctx, const void *options, int argc, char **argv)
{
	const struct stop_options *o = options;
	auto_request struct request *req = request_new(REQUEST_STOP);
	struct err e;

	if (o->time && str_duration(str_of(o->time), SPEC_STOP_MAX, &req->timeout, &e) < 0)
		return app_failf(EXIT_USAGE, "--time: %s", e.msg);
	if (o->time && req->timeout < 1)
		return app_failf(EXIT_USAGE,
				 "--time: want at least 1s; lease kill ends it at once");
	return ask(ctx, argc, argv, req,
		   ANSWER_MS + 1000 * (req->timeout ? req->timeout : GRACE_S));
}

static int note_image(struct app *a, struct book_entry *b, const char *image)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	memset(b->image, 0, sizeof(b->image));
	memcpy(b->image, image, strnlen(image, sizeof(b->image) - 1));
	if (db_begin(&tx, a->db, &e) < 0 || book_save(tx, b, &e) < 0 || db_commit(&tx, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	return 0;
}

int verb_start(void *ctx, const void *options, int argc, char **argv)
{
	const struct start_options *o = options;
	auto_request struct request *req = request_new(REQUEST_START);
	struct book_entry b;
	struct err e;
	int rc = cli_find_lease(ctx, argc > 1 ? 1 : argc, argv, &b);

	if (rc)
		return rc;
	for (int i = cli_command_at(argc, argv); i < argc; i++)
		if (spec_add_arg(&req->spec, str_of(argv[i]), &e) < 0)
			return app_fail(EXIT_USAGE, &e);
	if (o->image && spec_set_image(&req->spec, str_of(o->image), &e) < 0)
		return app_failf(EXIT_USAGE, "--image: %s", e.msg);
	if (o->pull &&
	    (!o->image ? err_set(&e, ERRK_INPUT, "only with --image; else lease set %s pull=WHEN",
				 b.name)
		       : spec_set_pull(&req->spec, str_of(o->pull), &e)) < 0)
		return app_failf(EXIT_USAGE, "--pull: %s", e.msg);
	if (o->registry_auth && registry_auth_read(&req->registry_auth, o->registry_auth,
						   o->image ? o->image : b.image, &e) < 0)
		return app_failf(EXIT_USAGE, "--registry-auth: %s", e.msg);
	rc = ask_about(ctx, &b, req, PULL_MS);
	return rc || !o->image ? rc : note_image(ctx, &b, o->image);
}

int verb_unlock(void *ctx, const void *options, int argc, char **argv)
{
	const struct unlock_options *o = options;
	auto_request struct request *req = request_new(REQUEST_UNLOCK);
	struct book_entry b;
	struct err e;
	int rc = cli_find_lease(ctx, argc, argv, &b);

	if (rc)
		return rc;
	if (!o->volume_key)
		volume_key_derive(req->volume_key, ctx, b.request_id);
	else if (volume_key_read(req->volume_key, o->volume_key, &e) < 0)
		return app_failf(EXIT_USAGE, "--volume-key: %s", e.msg);
	return ask_about(ctx, &b, req, PULL_MS);
}

int verb_set(void *ctx, const void *options, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_SET);
	struct err e;

	if (argc != 2 || strncmp(argv[1], "pull=", 5) != 0)
		return app_failf(EXIT_USAGE, "want NAME pull=always, pull=missing or pull=never");
	if (spec_set_pull(&req->spec, str_of(argv[1] + 5), &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	return ask(ctx, 1, argv, req, ANSWER_MS);
}

int verb_kill(void *ctx, const void *options, int argc, char **argv)
{
	const struct kill_options *o = options;
	auto_request struct request *req = request_new(REQUEST_SIGNAL);
	struct err e;

	if (spec_signal(str_of(o->signal ? o->signal : "KILL"), &req->signal, &e) < 0)
		return app_failf(EXIT_USAGE, "--signal: %s", e.msg);
	if (!spec_signal_may_send(req->signal))
		return app_failf(EXIT_USAGE,
				 "--signal: want HUP, INT, QUIT, KILL, USR1, USR2, TERM or WINCH");
	if (o->command && !hex_is(str_of(o->command), LEASE_REQUEST_ID_HEX / 2))
		return app_failf(EXIT_USAGE, "--exec: want %d hex characters",
				 LEASE_REQUEST_ID_HEX);
	if (o->command)
		memcpy(req->command, o->command, sizeof(req->command));
	return ask(ctx, argc, argv, req, ANSWER_MS);
}
