/* The requests that change nothing but a deadline: IMAGE, BOX_INSPECT, BOX_DEADLINE, BOX_LOGS. */
#include <string.h>

#include "backend/boxlog.h"
#include "base/log.h"
#include "base/mem.h"
#include "helper/job.h"
#include "helper/logseek.h"
#include "helper/pulls.h"

#define KEEPER_TIMEOUT_MS 20000

/* What was pulled under that name before, where that will do. */
static int find_pulled(struct image *out, const struct job *j, const char *ref,
		       const struct image_store *store, struct err *e)
{
	const struct priv_image *m = j->msg;
	auto_free char *key = job_is_archive(ref) ? job_archive_key(ref) : mem_strdup(ref);

	/* who has credentials is asked for them: what they open is nobody else's business */
	if (!job_is_archive(ref) && (m->pull == SPEC_PULL_ALWAYS || m->auth.n > 0))
		return IMAGE_NOT_FOUND;
	return pull_noted(out, store, key, e);
}

static void tell_absent(struct priv_image_reply *r, const struct priv_image *m, const char *ref)
{
	if (job_is_pulled(ref) && m->pull != SPEC_PULL_NEVER) {
		r->outcome = PRIV_IMAGE_COLD;
		return;
	}
	r->outcome = PRIV_IMAGE_NOT_FOUND;
	r->message = mem_printf("image %.200s is not there%s", m->name,
				job_is_pulled(ref) ? ", and it is not to be pulled" : "");
}

int job_image(const struct job *j, void *reply, struct err *e)
{
	const struct priv_image *m = j->msg;
	struct priv_image_reply *r = reply;
	auto_free char *ref = job_find_image(j->c, m->name);
	auto_image struct image *img = image_new();
	auto_job_store struct job_store store;
	int found;

	job_store_init(&store, j->c, ref);
	if (!ref) {
		r->outcome = PRIV_IMAGE_NOT_ALLOWED;
		r->message = mem_printf("image %.200s is not offered", m->name);
		return 0;
	}
	found = job_is_pulled(ref) ? find_pulled(img, j, ref, &store.s, e)
				   : image_resolve(img, &store.s, ref, e);
	if (found < 0)
		return -1;
	if (found == IMAGE_NOT_FOUND) {
		tell_absent(r, m, ref);
		return 0;
	}
	r->outcome = PRIV_IMAGE_FOUND;
	r->digest = mem_strdup(img->digest);
	r->size = img->size;
	r->platform = mem_strdup(img->platform);
	return 0;
}

int job_inspect(const struct job *j, void *reply, struct err *e)
{
	struct priv_inspect_reply *r = reply;
	struct keeper_record rec;
	int known;

	r->exit_status = PRIV_EXIT_UNKNOWN;
	r->deadline = j->rec.deadline;
	r->cut = j->cut;
	r->state = j->known ? PRIV_BOX_STOPPED : PRIV_BOX_GONE;
	if (!j->known)
		return 0;
	known = job_state(&rec, j, e);
	if (known < 0)
		r->state = PRIV_BOX_UNKNOWN;
	if (known != 0)
		return 0;
	r->state = rec.state;
	r->why = rec.why;
	r->exit_status = rec.exit_status;
	r->started_ms = rec.started_ms;
	r->ended_ms = rec.ended_ms;
	r->generation = rec.generation;
	return 0;
}

/* A keeper that is older than this message keeps what it has. */
static void tell_card(int fd, const struct job *j)
{
	const struct priv_deadline *m = j->msg;
	struct keeper_card card = {m->card, m->topup};
	struct keeper_record rec;
	struct err err;

	if ((*m->card || *m->topup) &&
	    keeper_call(fd, KEEPER_CARD, &card, &rec, KEEPER_TIMEOUT_MS, &err) < 0)
		log_warn("lease %s: %s", j->rec.id, err.msg);
}

/* The helper has written its own record before. */
int job_deadline(const struct job *j, void *reply, struct err *e)
{
	const struct priv_deadline *ask = j->msg;
	struct priv_deadline_reply *r = reply;
	struct keeper_deadline m = {j->rec.deadline};
	struct keeper_record rec;
	auto_close int fd = -1;
	int known;

	if (!priv_card_valid(ask->card) || !priv_card_valid(ask->topup))
		return err_set(e, ERRK_INPUT, "what the lease is told is not a JSON object");
	r->found = j->known;
	r->deadline = j->rec.deadline;
	if (!j->known)
		return 0;
	known = job_keeper(&fd, j->c, j->rec.id, e);
	if (known == KEEPER_ABSENT)
		return 0;
	if (known < 0 || keeper_call(fd, KEEPER_DEADLINE, &m, &rec, KEEPER_TIMEOUT_MS, e) < 0)
		return -1;
	tell_card(fd, j);
	return 0;
}

/* What of the log is asked for: from here, to there (PRIV_LOG_END: as far as it goes). */
struct window {
	uint64_t from, to;
};

static int find_window(struct window *w, const char *dir, const struct priv_logs *m, struct err *e)
{
	auto_buf struct buf none = BUF(1);
	struct boxlog_piece all;
	uint64_t since = 0;

	*w = (struct window){m->offset, PRIV_LOG_END};
	if (m->since_ms && logseek_time(&since, dir, m->since_ms, e) < 0)
		return -1;
	if (since > w->from)
		w->from = since;
	if (m->until_ms && logseek_time(&w->to, dir, m->until_ms + 1, e) < 0)
		return -1;
	if (boxlog_read(&none, dir, BOXLOG_END, 0, &all, e) < 0)
		return -1;
	if (w->to >= all.end)
		w->to = PRIV_LOG_END; /* its time is not over */
	if (w->from > w->to)
		w->from = w->to;
	if (!m->tail)
		return 0;
	return logseek_lines(&w->from, dir, w->from, w->to < all.end ? w->to : all.end, m->lines,
			     e);
}

int job_logs(const struct job *j, void *reply, struct err *e)
{
	const struct priv_logs *m = j->msg;
	struct priv_logs_reply *r = reply;
	auto_free char *dir = record_log_dir(j->c, &j->rec);
	auto_buf struct buf out = BUF(m->max);
	struct boxlog_piece piece;
	struct keeper_record rec;
	struct window w;
	int known;

	r->found = j->known;
	if (!j->known)
		return 0;
	known = job_state(&rec, j, e); /* before the log: what ended has written all */
	if (known < 0 || find_window(&w, dir, m, e) < 0 ||
	    boxlog_read(&out, dir, w.from, w.to - w.from < m->max ? w.to - w.from : m->max, &piece,
			e) < 0)
		return -1;
	r->offset = piece.offset;
	r->next = piece.next;
	if (w.to > piece.end)
		w.to = piece.end;
	else
		r->eof = piece.next >= w.to;
	r->left = w.to > piece.next ? w.to - piece.next : 0;
	r->eof |= known == 0 && rec.state == PRIV_BOX_STOPPED && piece.next >= piece.end;
	r->bytes = (struct wire_blob){(uint8_t *)out.p, out.n};
	out = BUF(0);
	return 0;
}
