/* One stream a lease; see links.h. */
#include "helper/links.h"

#include "base/clock.h"
#include "base/log.h"
#include "helper/job.h"

static void on_alone(void *ctx)
{
	struct lease *l = ctx;

	l->alone = NULL;
	helper_end_alone(l->h, l);
}

/* The keeper is gone. If its container is not, the deadline is ours to keep. */
static void without_keeper(struct lease *l)
{
	struct keeper_record rec;
	int64_t left = (l->rec.deadline - clock_wall()) * 1000;
	struct err err;
	int known = record_keeper(&rec, helper_config(l->h), l->rec.id, &err);

	l->said = false;
	if (known != 0 || rec.state != PRIV_BOX_RUNNING || !record_alive(rec.pid, rec.pid_started))
		return;
	log_broken("lease %s runs without its keeper", l->rec.id);
	loop_timer_del(l->alone);
	l->alone = loop_timer_add(helper_loop(l->h), left > 0 ? left : 0, on_alone, l);
}

static void take_record(struct lease *l, struct str body)
{
	struct keeper_record rec;
	struct err err;
	bool news;

	if (keeper_record_read(&rec, body, &err) < 0) {
		log_broken("keeper of %s: %s", l->rec.id, err.msg);
		return;
	}
	news = !l->heard || rec.state != l->status.state;
	l->said = rec.started_ms != 0;
	l->heard = l->said;
	l->status = rec;
	if (news && l->said)
		helper_on_state(l->h, l);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n, const int *fds)
{
	struct lease *l = ctx;
	struct priv_frame f;
	struct err err;

	for (size_t i = 0; fds && fds[i] >= 0; i++)
		close(fds[i]);
	if (!p || priv_frame_parse(&f, p, n, &err) < 0) {
		stream_free(steal(&l->link));
		without_keeper(l);
		return;
	}
	if (f.type == PRIV_FRAME_EVENT || (f.type == PRIV_FRAME_REPLY && f.kind == KEEPER_STATUS))
		take_record(l, f.body);
}

static int ask_status(struct lease *l, struct err *e)
{
	auto_buf struct buf out = BUF(KEEPER_FRAME_MAX);
	struct keeper_status ask = {0};

	priv_frame_begin(&out, PRIV_FRAME_REQUEST, KEEPER_STATUS, 1);
	if (wire_encode(&out, keeper_request_table(KEEPER_STATUS), &ask, e) < 0)
		return -1;
	return stream_send(l->link, out.p, out.n, NULL, e);
}

void link_open(struct lease *l, struct loop *loop)
{
	struct err err;
	int fd = -1, found;

	if (l->link)
		return;
	l->heard = false;
	found = job_keeper(&fd, helper_config(l->h), l->rec.id, &err);
	if (found == 0 &&
	    (stream_new(&l->link, loop, fd, KEEPER_FRAME_MAX, on_bytes, l, &err) < 0 ||
	     ask_status(l, &err) < 0))
		found = -1;
	if (found < 0)
		log_broken("keeper of %s: %s", l->rec.id, err.msg);
	if (found != 0)
		without_keeper(l);
	else /* what it wrote down, until it speaks */
		l->said = record_keeper(&l->status, helper_config(l->h), l->rec.id, &err) == 0;
}
