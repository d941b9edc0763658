/* One lease's keeper: requests, the container's end, the deadline. See keeper.h. */
#include "keeper/keeper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backend/backend.h"
#include "backend/cgroup.h"
#include "backend/tenant_net.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/step.h"
#include "keeper/lease_sock.h"
#include "keeper/output.h"
#include "keeper/powers.h"
#include "net/stream.h"
#include "priv/keeper_msg.h"

#define LOOK_AT_CLOCK_MS 30000 /* the loop's timers sleep through a suspend */
#define LAST_OUTPUT_MS	 500   /* for pipes that somebody else still holds */
#define GOODBYE_MS	 1000

/* One connection: the helper's, or a worker's. */
struct conn {
	struct conn *next;
	struct keeper *k;
	struct stream *stream;
	bool stopping;	 /* waits for the answer to STOP … */
	uint64_t number; /* … with this number */
	bool said_goodbye;
};

struct keeper {
	struct loop *loop;
	struct listener *listener;
	struct conn *conns;
	struct output *output;
	struct lease_sock *inside; /* SPEC_SOCKET: there while its container is */
	struct keeper_start start; /* empty before START */
	struct keeper_record record;
	pid_t child;	       /* that ends as the container does … */
	int first;	       /* … whose first process this is; a pidfd, or -1 */
	enum priv_why why;     /* why it is being ended */
	bool exited;	       /* the first process was reaped … */
	bool silent;	       /* … and its output is at its end */
	int64_t deadline_mono; /* the deadline on the clock that nobody can set, ms */
	struct loop_timer *deadline_timer, *kill_timer, *end_timer, *settle;
	int disk; /* pidfd of the disk's server, or -1 */
	struct loop_io *disk_io;
};

static struct box box_of(const struct keeper *k)
{
	return (struct box){.id = k->start.id,
			    .dir = k->start.dir,
			    .runtime = k->start.runtime,
			    .runtime_root = k->start.runtime_root,
			    .cgroup = k->start.cgroup,
			    .network = k->start.net_link[0] != '\0'};
}

static bool is_running(const struct keeper *k)
{
	return k->record.state == PRIV_BOX_RUNNING && k->record.pid != 0;
}

static void write_record(struct keeper *k)
{
	auto_buf struct buf text = BUF(4096);
	auto_free char *path = mem_printf("%s/%s", k->start.dir, KEEPER_STATE);
	struct err err;

	if (wire_encode(&text, &keeper_record_table, &k->record, &err) < 0 ||
	    fs_write(path, text.p, text.n, 0600, &err) < 0)
		log_broken("lease %s: %s", k->start.id, err.msg);
}

/* answers */

static void send_frame(struct conn *c, struct buf *out)
{
	struct err err;

	if (buf_check(out, "frame", &err) < 0 ||
	    stream_send(c->stream, out->p, out->n, NULL, &err) < 0)
		log_warn("answer: %s", err.msg);
}

static void answer(struct conn *c, enum keeper_kind kind, uint64_t number, const void *msg)
{
	auto_buf struct buf out = BUF(KEEPER_FRAME_MAX);
	struct err err;

	priv_frame_begin(&out, PRIV_FRAME_REPLY, kind, number);
	if (wire_encode(&out, keeper_reply_table(kind), msg, &err) < 0) {
		log_broken("answer: %s", err.msg);
		return;
	}
	send_frame(c, &out);
}

static void answer_error(struct conn *c, uint32_t kind, uint64_t number, const struct err *err)
{
	auto_buf struct buf out = BUF(KEEPER_FRAME_MAX);

	priv_frame_begin(&out, PRIV_FRAME_ERROR, kind, number);
	priv_error_encode(&out, err);
	send_frame(c, &out);
}

static void tell_everybody(struct keeper *k)
{
	auto_buf struct buf out = BUF(KEEPER_FRAME_MAX);
	struct err err;

	priv_frame_begin(&out, PRIV_FRAME_EVENT, 0, 0);
	if (wire_encode(&out, &keeper_record_table, &k->record, &err) < 0) {
		log_broken("event: %s", err.msg);
		return;
	}
	for (struct conn *c = k->conns; c; c = c->next) {
		send_frame(c, &out);
		if (c->stopping)
			answer(c, KEEPER_STOP, c->number, &k->record);
		c->stopping = false;
	}
}

/* the end of the container */

/* Whatever the runtime or its daemon does: with its first process the kernel ends all others. */
static void kill_box(struct keeper *k, int signal)
{
	if (is_running(k) && !k->exited)
		syscall(SYS_pidfd_send_signal, k->first, signal, NULL, 0);
}

/* Ended is: reaped, and everything that it wrote is in the log. */
static void look_at_end(struct keeper *k)
{
	if (!is_running(k) || !k->exited || !k->silent)
		return;
	loop_timer_del(k->end_timer);
	loop_timer_del(k->kill_timer);
	loop_timer_del(k->deadline_timer);
	k->end_timer = k->kill_timer = k->deadline_timer = NULL;
	lease_sock_free(steal(&k->inside));
	k->record.state = PRIV_BOX_STOPPED;
	k->record.why = k->why == PRIV_WHY_NONE ? PRIV_WHY_EXITED : k->why;
	k->record.ended_ms = clock_wall_ms();
	write_record(k);
	log_info("lease %s: ended with %u", k->start.id, k->record.exit_status);
	tell_everybody(k);
}

static void on_silent(void *ctx)
{
	struct keeper *k = ctx;

	k->silent = true;
	look_at_end(k);
}

static void waited_enough(void *ctx)
{
	struct keeper *k = ctx;

	k->end_timer = NULL;
	output_drain(k->output);
	k->silent = true;
	look_at_end(k);
}

/* Other images beside it (job_beside.c): each has an own process namespace, so the kernel does not
 * end them with this one's. */
static void end_others(const struct keeper *k)
{
	unsigned n;
	struct err err;

	if (cgroup_signal(k->start.cgroup, SIGKILL, &n, &err) < 0)
		log_warn("lease %s: %s", k->start.id, err.msg);
}

static void first_process_ended(struct keeper *k, int status)
{
	end_others(k);
	k->record.exit_status = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status)
						  : 128 + (uint32_t)WTERMSIG(status);
	k->exited = true;
	output_close_ends(k->output);
	output_drain(k->output);
	if (!k->silent)
		k->end_timer = loop_timer_add(k->loop, LAST_OUTPUT_MS, waited_enough, k);
	look_at_end(k);
}

/* All children: the container's first process, and orphans of commands that ran inside. */
static void on_child(void *ctx, int signo)
{
	struct keeper *k = ctx;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (is_running(k) && pid == k->child)
			first_process_ended(k, status);
}

static void kill_late(void *ctx)
{
	struct keeper *k = ctx;

	k->kill_timer = NULL;
	kill_box(k, SIGKILL);
}

static void on_disk_gone(void *ctx, int fd, uint32_t events)
{
	struct keeper *k = ctx;

	loop_io_del(k->disk_io);
	k->disk_io = NULL;
	if (!is_running(k))
		return;
	log_broken("lease %s: the process that serves its disk is gone", k->start.id);
	kill_box(k, SIGKILL);
}

/* the deadline */

static void look_at_clock(void *ctx)
{
	struct keeper *k = ctx;
	int64_t left = k->deadline_mono - clock_mono_ms();

	k->deadline_timer = NULL;
	if (left <= 0) {
		log_info("lease %s: its time is over", k->start.id);
		k->why = PRIV_WHY_DEADLINE;
		kill_box(k, SIGKILL);
		return;
	}
	if (left > LOOK_AT_CLOCK_MS)
		left = LOOK_AT_CLOCK_MS;
	k->deadline_timer = loop_timer_add(k->loop, left, look_at_clock, k);
}

/* The wall clock is read once, here: a later jump of it neither ends a lease nor gives it hours. */
static void set_deadline(struct keeper *k, int64_t deadline)
{
	k->record.deadline = deadline;
	k->deadline_mono = clock_mono_ms() + deadline * 1000 - clock_wall_ms();
	loop_timer_del(k->deadline_timer);
	look_at_clock(k);
}

/* requests */

static int open_output(struct keeper *k, struct err *e)
{
	struct output_config c = {.log_dir = k->start.log_dir,
				  .log_max = k->start.log_max,
				  .uid = k->start.out_uid,
				  .end = on_silent,
				  .ctx = k};

	return output_new(&k->output, k->loop, &c, e);
}

static int watch_disk(struct keeper *k, struct err *e)
{
	if (k->start.disk_pid == 0)
		return 0;
	k->disk = (int)syscall(SYS_pidfd_open, (pid_t)k->start.disk_pid, 0);
	if (k->disk < 0)
		return err_sys(e, "the process that serves the disk");
	return loop_io_add(&k->disk_io, k->loop, k->disk, EPOLLIN, on_disk_gone, k, e);
}

static void fill_view(void *ctx, struct lease_view *v)
{
	const struct keeper *k = ctx;

	*v = (struct lease_view){.card = k->start.card,
				 .topup = k->start.topup,
				 .started_at = k->record.started_ms / 1000,
				 .expires_at = k->record.deadline,
				 .left = (k->deadline_mono - clock_mono_ms()) / 1000};
}

static int join_network(const struct keeper *k, pid_t pid, struct err *e)
{
	struct tenant_net net = {
		.link = k->start.net_link, .base = k->start.net_base, .slots = UINT32_MAX};

	net.has6 = inet_pton(AF_INET6, k->start.net_prefix6, net.prefix6) == 1;
	return *k->start.net_link ? tenant_net_join(&net, k->start.net_slot, pid, e) : 0;
}

/* Its first process: by number for others, by a descriptor for us, who may not be its parent. */
static int hold(struct keeper *k, const struct backend_made *made, struct err *e)
{
	k->child = made->child;
	k->record.pid = (uint32_t)made->first;
	k->record.pid_started = proc_start_time(made->first);
	k->first = (int)syscall(SYS_pidfd_open, made->first, 0);
	return k->first < 0 ? err_sys(e, "the container's first process") : 0;
}

/* Create and start; what was half made is removed by the worker that asked. */
static int run_box(struct keeper *k, struct keeper_start_reply *r, struct err *e)
{
	const struct backend *b = backend_find(k->start.backend);
	struct box box = box_of(k);
	struct backend_streams io;
	struct backend_made made;
	int64_t from;

	r->stage = PRIV_STAGE_KEEPER;
	if (!b)
		return err_set(e, ERRK_INPUT, "no backend %s", k->start.backend);
	if (open_output(k, e) < 0 || watch_disk(k, e) < 0 ||
	    lease_sock_new(&k->inside, k->loop, KEEPER_INSIDE, fill_view, k, e) < 0)
		return -1;
	io = output_streams(k->output, k->start.tty);
	r->stage = PRIV_STAGE_CREATE;
	from = clock_mono_us();
	if (b->create(&box, &io, &made, e) < 0 || output_created(k->output, &io, e) < 0 ||
	    hold(k, &made, e) < 0)
		return -1;
	r->create_us = (uint32_t)(clock_mono_us() - from);
	step_at(STEP_BOX_CREATED);
	r->stage = PRIV_STAGE_START;
	from = clock_mono_us();
	if (join_network(k, made.first, e) < 0 || b->start(&box, e) < 0)
		return -1;
	r->start_us = (uint32_t)(clock_mono_us() - from);
	return 0;
}

/* What was paid for begins now; the deadline that came along allowed for a slow start. */
static int64_t first_deadline(const struct keeper *k)
{
	int64_t paid = k->record.started_ms / 1000 + k->start.seconds;

	return k->start.seconds && paid < k->start.deadline ? paid : k->start.deadline;
}

static void note_running(struct keeper *k, struct keeper_start_reply *r)
{
	k->record.state = PRIV_BOX_RUNNING;
	k->record.started_ms = r->started_ms = clock_wall_ms();
	k->record.keeper = (uint32_t)getpid();
	k->record.keeper_started = proc_start_time(getpid());
	set_deadline(k, first_deadline(k));
	write_record(k);
	step_at(STEP_BOX_STARTED);
}

/* Into a cgroup apart from the service that started us, then give up what that took. After the
 * answer: the move takes the kernel some 10 ms. */
static void settle(void *ctx)
{
	struct keeper *k = ctx;
	auto_free char *group = mem_printf("%s.keeper", k->start.cgroup);
	struct err err;

	k->settle = NULL;
	if (cgroup_join(group, &err) < 0)
		log_warn("lease %s: %s", k->start.id, err.msg); /* ends with its service, then */
	if (powers_drop(&err) < 0)
		log_broken("lease %s: %s", k->start.id, err.msg);
}

static void on_start(struct conn *c, uint64_t number, struct keeper_start *m)
{
	struct keeper *k = c->k;
	struct keeper_start_reply r = {.stage = PRIV_STAGE_KEEPER};
	struct err err;

	if (k->start.dir) {
		err_set(&err, ERRK_STATE, "this keeper has its container");
		answer_error(c, KEEPER_START, number, &err);
		return;
	}
	k->start = *m; /* moved */
	*m = (struct keeper_start){.generation = 0};
	k->record.generation = k->start.generation;
	k->record.deadline = k->start.deadline;
	r.running = run_box(k, &r, &err) == 0;
	if (r.running) {
		note_running(k, &r);
		k->settle = loop_timer_add(k->loop, 0, settle, k);
	} else {
		r.message = err.msg;
		c->said_goodbye = true; /* exit when the worker hangs up */
	}
	answer(c, KEEPER_START, number, &r);
}

static void on_stop(struct conn *c, uint64_t number, const struct keeper_stop *m)
{
	struct keeper *k = c->k;

	if (!is_running(k)) {
		answer(c, KEEPER_STOP, number, &k->record);
		return;
	}
	c->stopping = true;
	c->number = number;
	if (k->why == PRIV_WHY_NONE)
		k->why = PRIV_WHY_STOPPED;
	kill_box(k, m->grace_ms ? (int)m->signal : SIGKILL);
	loop_timer_del(k->kill_timer);
	k->kill_timer = loop_timer_add(k->loop, m->grace_ms, kill_late, k);
}

static void on_card(struct conn *c, uint64_t number, struct keeper_card *m)
{
	struct keeper *k = c->k;

	if (k->start.dir) { /* swapped: what there was is freed with the message */
		char *card = k->start.card, *topup = k->start.topup;

		k->start.card = m->card;
		k->start.topup = m->topup;
		*m = (struct keeper_card){card, topup};
	}
	answer(c, KEEPER_CARD, number, &k->record);
}

static void goodbye(void *ctx)
{
	struct keeper *k = ctx;

	loop_stop(k->loop);
}

static void on_end(struct conn *c, uint64_t number)
{
	struct keeper *k = c->k;
	struct err err;

	if (is_running(k)) {
		err_set(&err, ERRK_STATE, "the container runs");
		answer_error(c, KEEPER_END, number, &err);
		return;
	}
	output_free(steal(&k->output)); /* the volume can be unmounted now */
	answer(c, KEEPER_END, number, &k->record);
	c->said_goodbye = true;
	loop_timer_add(k->loop, GOODBYE_MS, goodbye, k);
}

static void on_request(struct conn *c, const struct priv_frame *f)
{
	union {
#define X(upper, lower) struct keeper_##lower lower;
		KEEPER_KINDS(X)
#undef X
	} m;
	const struct wire_table *t;
	struct err err;

	if (f->type != PRIV_FRAME_REQUEST || f->kind >= KEEPER_KIND_COUNT) {
		err_set(&err, ERRK_INPUT, "not a request");
		answer_error(c, f->kind, f->number, &err);
		return;
	}
	t = keeper_request_table(f->kind);
	if (wire_decode(&m, t, f->body, &err) < 0) {
		answer_error(c, f->kind, f->number, &err);
		return;
	}
	switch ((enum keeper_kind)f->kind) {
	case KEEPER_START:
		on_start(c, f->number, &m.start);
		break;
	case KEEPER_STATUS:
		answer(c, KEEPER_STATUS, f->number, &c->k->record);
		break;
	case KEEPER_DEADLINE:
		if (is_running(c->k))
			set_deadline(c->k, m.deadline.deadline);
		write_record(c->k);
		answer(c, KEEPER_DEADLINE, f->number, &c->k->record);
		break;
	case KEEPER_STOP:
		on_stop(c, f->number, &m.stop);
		break;
	case KEEPER_END:
		on_end(c, f->number);
		break;
	case KEEPER_SIGNAL:
		kill_box(c->k, (int)m.signal.signal);
		answer(c, KEEPER_SIGNAL, f->number, &c->k->record);
		break;
	case KEEPER_CARD:
		on_card(c, f->number, &m.card);
		break;
	case KEEPER_KIND_COUNT:
		break;
	}
	wire_clear(&m, t);
}

/* connections */

static void conn_free(struct conn *c)
{
	for (struct conn **at = &c->k->conns; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	stream_free(c->stream);
	free(c);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n, const int *fds)
{
	struct conn *c = ctx;
	struct keeper *k = c->k;
	struct priv_frame f;
	struct err err;

	for (size_t i = 0; fds && fds[i] >= 0; i++)
		close(fds[i]);
	if (p && priv_frame_parse(&f, p, n, &err) == 0) {
		on_request(c, &f);
		return;
	}
	if (p)
		log_warn("a connection: %s", err.msg);
	if (c->said_goodbye || !k->start.dir)
		loop_stop(k->loop); /* served to the end, or its maker died before START */
	conn_free(c);
}

static int conn_new(struct keeper *k, int fd, struct err *e)
{
	struct conn *c = mem_zero(sizeof(*c));

	c->k = k;
	if (stream_new(&c->stream, k->loop, fd, KEEPER_FRAME_MAX, on_bytes, c, e) < 0) {
		free(c);
		return -1;
	}
	c->next = k->conns;
	k->conns = c;
	return 0;
}

static void on_connect(void *ctx, int fd)
{
	struct err err;

	if (conn_new(ctx, fd, &err) < 0)
		log_warn("a connection: %s", err.msg);
}

int keeper_new(struct keeper **out, struct loop *l, int fd, struct err *e)
{
	AUTO(keeper_free) struct keeper *k = mem_zero(sizeof(*k));

	k->loop = l;
	k->disk = k->first = -1;
	k->record = (struct keeper_record){
		.state = PRIV_BOX_STOPPED, .generation = 1, .exit_status = PRIV_EXIT_UNKNOWN};
	if (loop_signal_add(l, SIGCHLD, on_child, k, e) < 0 ||
	    listener_new(&k->listener, l, KEEPER_SOCKET, 0600, on_connect, k, e) < 0 ||
	    conn_new(k, fd, e) < 0)
		return -1;
	*out = steal(&k);
	return 0;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	while (k->conns)
		conn_free(k->conns);
	listener_free(k->listener);
	lease_sock_free(k->inside);
	output_free(k->output);
	loop_io_del(k->disk_io);
	if (k->disk >= 0)
		close(k->disk);
	if (k->first >= 0)
		close(k->first);
	loop_timer_del(k->deadline_timer);
	loop_timer_del(k->kill_timer);
	loop_timer_del(k->end_timer);
	loop_timer_del(k->settle);
	wire_clear(&k->start, keeper_request_table(KEEPER_START));
	free(k);
}
