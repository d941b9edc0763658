/* The tables of the messages between helper and keeper, and the blocking call. */
#include "priv/keeper_msg.h"

#include <limits.h>
#include <signal.h>

#include "base/clock.h"
#include "net/stream.h"
#include "priv/fields.h"

#define MSG keeper_start
static const struct wire_field keeper_start_fields[] = {
	ID,
	U32(generation, 1, UINT32_MAX),
	WALL(deadline),
	TEXT(backend, 32),
	TEXT(dir, PATH_MAX),
	TEXT(runtime, PATH_MAX),
	TEXT(runtime_root, PATH_MAX),
	TEXT(cgroup, PATH_MAX),
	TEXT(log_dir, PATH_MAX),
	U64(log_max, 65536, KEEPER_LOG_MAX),
	U32(out_uid, 0, UINT32_MAX),
	U32(disk_pid, 0, INT32_MAX),
	TEXT(net_link, 9),
	U32(net_base, 0, UINT32_MAX),
	U32(net_slot, 0, UINT32_MAX),
	TEXT(net_prefix6, 45),
	BOOL(tty),
	U32(seconds, 0, UINT32_MAX),
	TEXT(card, PRIV_CARD_MAX),
	TEXT(topup, PRIV_CARD_MAX),
};
static const struct wire_table keeper_start_table = TABLE(keeper_start);
#undef MSG

#define MSG keeper_start_reply
static const struct wire_field keeper_start_reply_fields[] = {
	BOOL(running),	     ENUM(stage, PRIV_STAGE_COUNT), TEXT(message, MESSAGE_MAX),
	WALL_MS(started_ms), U32(create_us, 0, UINT32_MAX), U32(start_us, 0, UINT32_MAX),
};
static const struct wire_table keeper_start_reply_table = TABLE(keeper_start_reply);
#undef MSG

#define MSG keeper_record
static const struct wire_field keeper_record_fields[] = {
	ENUM(state, PRIV_STATE_COUNT),
	ENUM(why, PRIV_WHY_COUNT),
	U32(generation, 1, UINT32_MAX),
	U32(exit_status, 0, PRIV_EXIT_UNKNOWN),
	WALL_MS(started_ms),
	WALL_MS(ended_ms),
	WALL(deadline),
	U32(pid, 0, INT32_MAX),
	U64(pid_started, 0, UINT64_MAX),
	U32(keeper, 0, INT32_MAX),
	U64(keeper_started, 0, UINT64_MAX),
};
const struct wire_table keeper_record_table = TABLE(keeper_record);
#undef MSG

#define MSG keeper_status
static const struct wire_field keeper_status_fields[] = {U32(unused, 0, 0)};
static const struct wire_table keeper_status_table = TABLE(keeper_status);
#undef MSG

#define MSG keeper_deadline
static const struct wire_field keeper_deadline_fields[] = {WALL(deadline)};
static const struct wire_table keeper_deadline_table = TABLE(keeper_deadline);
#undef MSG

#define MSG keeper_stop
static const struct wire_field keeper_stop_fields[] = {
	U32(signal, 1, 64),
	U32(grace_ms, 0, 1000 * SPEC_STOP_MAX),
};
static const struct wire_table keeper_stop_table = TABLE(keeper_stop);
#undef MSG

#define MSG keeper_end
static const struct wire_field keeper_end_fields[] = {U32(unused, 0, 0)};
static const struct wire_table keeper_end_table = TABLE(keeper_end);
#undef MSG

#define MSG keeper_signal
static const struct wire_field keeper_signal_fields[] = {U32(signal, 1, 64)};
static const struct wire_table keeper_signal_table = TABLE(keeper_signal);
#undef MSG

#define MSG keeper_card
static const struct wire_field keeper_card_fields[] = {
	TEXT(card, PRIV_CARD_MAX),
	TEXT(topup, PRIV_CARD_MAX),
};
static const struct wire_table keeper_card_table = TABLE(keeper_card);
#undef MSG

const struct wire_table *keeper_request_table(enum keeper_kind k)
{
	static const struct wire_table *const tables[KEEPER_KIND_COUNT] = {
#define X(upper, lower) [KEEPER_##upper] = &keeper_##lower##_table,
		KEEPER_KINDS(X)
#undef X
	};

	return tables[k];
}

const struct wire_table *keeper_reply_table(enum keeper_kind k)
{
	return k == KEEPER_START ? &keeper_start_reply_table : &keeper_record_table;
}

int keeper_record_read(struct keeper_record *out, struct str bytes, struct err *e)
{
	struct wire_table known = keeper_record_table;

	for (; known.nfields > KEEPER_RECORD_LEAST; known.nfields--)
		if (wire_decode_begin(out, &known, bytes, e) == 0)
			return 0;
	return wire_decode_begin(out, &known, bytes, e);
}

const char *keeper_kind_name(enum keeper_kind k)
{
	static const char *const names[KEEPER_KIND_COUNT] = {
#define X(upper, lower) [KEEPER_##upper] = #upper,
		KEEPER_KINDS(X)
#undef X
	};

	return k < KEEPER_KIND_COUNT ? names[k] : "?";
}

static int read_answer(int fd, enum keeper_kind k, void *reply, int64_t timeout_ms, struct err *e)
{
	auto_buf struct buf in = BUF(KEEPER_FRAME_MAX);
	int fds[STREAM_MAX_FDS + 1];
	struct priv_frame f;
	struct err said;
	int r = stream_read_blocking(fd, &in, fds, timeout_ms, e);

	if (r == 1)
		return err_set(e, ERRK_PEER, "the keeper is gone");
	if (r < 0)
		return -1;
	for (size_t i = 0; i < STREAM_MAX_FDS && fds[i] >= 0; i++)
		close(fds[i]);
	if (priv_frame_parse(&f, (const uint8_t *)in.p, in.n, e) < 0)
		return -1;
	if (f.type == PRIV_FRAME_EVENT)
		return 1;
	if (f.type == PRIV_FRAME_ERROR) {
		if (priv_error_decode(&said, f.body, e) == 0)
			err_set(e, said.kind, "%s", said.msg);
		return -1;
	}
	if (f.type != PRIV_FRAME_REPLY || f.kind != (uint32_t)k)
		return err_set(e, ERRK_INPUT, "the keeper answered something else");
	if (k != KEEPER_START)
		return keeper_record_read(reply, f.body, e);
	return wire_decode(reply, keeper_reply_table(k), f.body, e);
}

static int64_t left_ms(int64_t end)
{
	int64_t left = end - clock_mono_ms();

	return left > 0 ? left : 0;
}

int keeper_call(int fd, enum keeper_kind k, const void *msg, void *reply, int64_t timeout_ms,
		struct err *e)
{
	auto_buf struct buf out = BUF(KEEPER_FRAME_MAX);
	int64_t end = clock_mono_ms() + timeout_ms;
	int r;

	priv_frame_begin(&out, PRIV_FRAME_REQUEST, k, 1);
	if (wire_encode(&out, keeper_request_table(k), msg, e) < 0 ||
	    stream_write_blocking(fd, out.p, out.n, NULL, e) < 0)
		return err_wrap(e, "keeper %s", keeper_kind_name(k));
	do
		r = read_answer(fd, k, reply, left_ms(end), e);
	while (r == 1);
	return r < 0 ? err_wrap(e, "keeper %s", keeper_kind_name(k)) : 0;
}
