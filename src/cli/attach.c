/* Following what a lease's command prints: see attach.h. The provider tells the command's end
 * unasked, so that the last look at the log comes at once. */
#include "cli/attach.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "cli/ending.h"
#include "cli/pieces.h"

#define LOOK_FIRST_MS 150
#define LOOK_MOST_MS  2000
#define ANSWER_MS     30000
#define SIGNAL_MS     10000

struct look {
	bool more; /* may come later */
	bool any;  /* came */
	bool left; /* is there already */
};

static int look_once(struct attach *t, struct look *l)
{
	auto_pieces struct pieces p = {.exit_status = -1, .midline = t->midline};
	auto_request struct request *req = request_new(REQUEST_LOGS);
	int rc;

	memcpy(req->lease, t->entry->lease, sizeof(req->lease));
	req->offset = t->offset;
	req->tail = t->tail;
	req->since_ms = t->since_ms;
	req->until_ms = t->until_ms;
	req->timestamps = t->timestamps;
	req->midline = t->midline;
	rc = pieces_ask(t->session, req, ANSWER_MS, &p);
	if (rc)
		return rc;
	t->tail = 0;
	t->offset = p.offset ? p.offset : t->offset;
	t->exit_status = p.exit_status;
	t->midline = p.midline;
	t->plain |= p.left < 0;
	*l = (struct look){p.more, p.any, p.left > 0};
	return 0;
}

/* Until it runs again there is nothing to look for. */
static void take_restart(struct attach *t, const struct reply *r)
{
	bool was = t->restarting;

	if (r->stage != REPLY_STAGE_STATUS || !*r->state)
		return;
	t->restarting = !strcmp(r->state, "restarting");
	if (t->restarting && !was)
		app_say(t->app, "%s: %s", t->entry->name, r->message);
}

static bool command_ended(void *ctx, const struct reply *r)
{
	struct attach *t = ctx;

	if (r->stage == REPLY_STAGE_ENDED || r->stage == REPLY_STAGE_REFUND)
		(void)ending_learn(t->app, t->entry, r); /* it says what goes wrong */
	else
		book_learn(t->entry, r);
	if (r->stage == REPLY_STAGE_WARNING)
		app_say(t->app, "%s: %s", t->entry->name, r->message);
	take_restart(t, r);
	return r->exit_status >= 0 || r->stage == REPLY_STAGE_ENDED || t->entry->halted;
}

static bool status_known(const struct attach *t)
{
	return t->exit_status >= 0 || t->entry->exit_status >= 0;
}

/* How long until the next look; 0: there is nothing more to come. The log may be at its end a
 * moment before the provider's word of the exit status is here. */
static int64_t next_look(const struct attach *t, int64_t wait, const struct look *l)
{
	int64_t now = clock_wall_ms();
	bool over = (t->entry->expires_at && now >= t->entry->expires_at * 1000) ||
		    (t->until_ms && now > t->until_ms + ANSWER_MS);

	if (l->left)
		return 1;
	if (!t->follow || over ||
	    (!l->more && (status_known(t) || t->entry->halted || t->until_ms)))
		return 0;
	if (status_known(t))
		return 1;
	if (l->any || (!l->more && !t->restarting))
		return LOOK_FIRST_MS;
	return wait * 2 < LOOK_MOST_MS ? wait * 2 : LOOK_MOST_MS;
}

/* Ctrl-C, once. That the command has ended meanwhile needs no word. */
static void send_interrupt(struct attach *t)
{
	auto_request struct request *req = request_new(REQUEST_SIGNAL);
	auto_reply struct reply *r = NULL;
	struct err e;
	int rc;

	t->interrupt = false;
	memcpy(req->lease, t->entry->lease, sizeof(req->lease));
	req->signal = SIGINT;
	rc = session_call(t->session, req, SIGNAL_MS, &r, &e);
	if (rc < 0)
		app_fail(0, &e);
	else if (rc && !t->app->interrupted)
		app_failf(0, "the provider did not answer; Ctrl-C again detaches");
	else if (!rc && r->stage == REPLY_STAGE_REFUSED && r->code != REPLY_NOT_RUNNING)
		app_failf(0, "Ctrl-C: %s", r->message);
}

static int follow(struct attach *t)
{
	int64_t wait = LOOK_FIRST_MS;
	struct look l = {.more = true};
	int rc;

	for (;;) {
		rc = look_once(t, &l);
		wait = rc ? 0 : next_look(t, wait, &l);
		if (!wait)
			return rc;
		if (t->interrupt && t->app->tapped)
			send_interrupt(t);
		else if (app_wait(t->app, wait) == APP_INTERRUPTED)
			return 130;
	}
}

int attach_run(struct attach *t)
{
	int rc;

	t->app->patient = t->interrupt;
	session_watch(t->session, t->entry->request_id, command_ended, t);
	rc = follow(t);
	session_unwatch(t->session, t->entry->request_id);
	t->app->patient = false;
	if (t->exit_status < 0)
		t->exit_status = t->entry->exit_status;
	return rc;
}
