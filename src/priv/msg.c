/* The tables of the messages between core and helper, and the frame around them. */
#include "priv/msg.h"

#include <string.h>

#include "base/auto.h"
#include "base/hex.h"
#include "base/mem.h"
#include "priv/fields.h"

#define MSG priv_ping
static const struct wire_field priv_ping_fields[] = {U32(version, 1, UINT32_MAX)};
static const struct wire_table priv_ping_table = TABLE(priv_ping);
#undef MSG

#define MSG priv_ping_reply
static const struct wire_field priv_ping_reply_fields[] = {
	U32(version, 1, UINT32_MAX),
	U32(pid, 1, INT32_MAX),
};
static const struct wire_table priv_ping_reply_table = TABLE(priv_ping_reply);
#undef MSG

#define MSG priv_node
static const struct wire_field priv_node_fields[] = {U32(unused, 0, 0)};
static const struct wire_table priv_node_table = TABLE(priv_node);
#undef MSG

#define MSG priv_node_offer
static const struct wire_field priv_node_offer_fields[] = {
	TEXT(name, PRIV_OFFER_NAME_MAX),
	U32(guards, 0, UINT32_MAX),
	BOOL(host_network),
	TEXT(granted, PRIV_OFFER_GRANT_MAX),
	U32(cards, 0, UINT16_MAX),
	U32(cards_host, 0, UINT16_MAX),
	TEXT(backend, 64),
	TEXT(runtime, 256),
	BOOL(runtime_old),
	TEXT(isolation, 31),
	BOOL(away),
};
static const struct wire_table priv_node_offer_table = TABLE(priv_node_offer);
#undef MSG

#define MSG priv_node_reply
static const struct wire_field priv_node_reply_fields[] = {
	U32(cpus, 1, 65536),
	U32(cpu_busy_permille, 0, 1000),
	U64(load1_milli, 0, UINT32_MAX),
	U64(memory_total, 0, INT64_MAX),
	U64(memory_available, 0, INT64_MAX),
	U64(disk_total, 0, INT64_MAX),
	U64(disk_free, 0, INT64_MAX),
	U64(disk_prepared, 0, INT64_MAX),
	U32(leases, 0, UINT32_MAX),
	U32(running, 0, UINT32_MAX),
	U32(strange, 0, UINT32_MAX),
	U32(prepared, 0, UINT32_MAX),
	U32(cgroup_version, 0, 2),
	BOOL(user_namespace),
	BOOL(seccomp),
	ENUM(activation, PRIV_FUSE + 1),
	BOOL(header_on_disk),
	TEXT(activation_why, MESSAGE_MAX),
	TEXT(backend, 64),
	TEXT(runtime, 256),
	TEXT(kernel, 256),
	TEXT(arch, 64),
	TEXT(lsm, 256),
	TEXT(isolation, 31),
	BOOL(runtime_old),
	U32(guards, 0, UINT32_MAX),
	U32(net_repairs, 0, UINT32_MAX),
	BOOL(net_down),
	LIST(offers, PRIV_OFFERS_MAX, &priv_node_offer_table),
	U64(volume_speed, 0, INT64_MAX),
};
static const struct wire_table priv_node_reply_table = TABLE(priv_node_reply);
#undef MSG

#define MSG priv_image
static const struct wire_field priv_image_fields[] = {
	TEXT(name, SPEC_IMAGE_MAX), ENUM(pull, SPEC_PULL_NEVER + 1),  TEXT(lease, PRIV_ID_LEN),
	BLOB(auth, PRIV_AUTH_MAX),  TEXT(offer, PRIV_OFFER_NAME_MAX),
};
static const struct wire_table priv_image_table = TABLE(priv_image);
#undef MSG

#define MSG priv_image_reply
static const struct wire_field priv_image_reply_fields[] = {
	ENUM(outcome, PRIV_IMAGE_COLD + 1),
	TEXT(digest, SPEC_DIGEST_SIZE - 1),
	U64(size, 0, INT64_MAX),
	TEXT(platform, 64),
	TEXT(message, MESSAGE_MAX),
};
static const struct wire_table priv_image_reply_table = TABLE(priv_image_reply);
#undef MSG

#define MSG priv_images
static const struct wire_field priv_images_fields[] = {U32(unused, 0, 0)};
static const struct wire_table priv_images_table = TABLE(priv_images);
#undef MSG

#define MSG priv_images_item
static const struct wire_field priv_images_item_fields[] = {
	TEXT(digest, SPEC_DIGEST_SIZE - 1),
	U64(size, 0, INT64_MAX),
	U64(bytes, 0, INT64_MAX),
	U64(own, 0, INT64_MAX),
	U32(layers, 0, 1000),
	WALL(used),
	BOOL(held),
	STRINGS(names, PRIV_IMAGE_LIST_MAX, SPEC_IMAGE_MAX),
	STRINGS(users, PRIV_IMAGE_LIST_MAX, PRIV_ID_LEN),
};
static const struct wire_table priv_images_item_table = TABLE(priv_images_item);
#undef MSG

#define MSG priv_images_reply
static const struct wire_field priv_images_reply_fields[] = {
	{"items", WIRE_LIST, offsetof(struct priv_images_reply, items), 0, PRIV_IMAGES_MAX,
	 &priv_images_item_table},
	BOOL(more),
	U64(bytes, 0, INT64_MAX),
	U64(max, 0, UINT64_MAX),
};
static const struct wire_table priv_images_reply_table = TABLE(priv_images_reply);
#undef MSG

#define MSG priv_image_drop
static const struct wire_field priv_image_drop_fields[] = {TEXT(digest, SPEC_DIGEST_SIZE - 1)};
static const struct wire_table priv_image_drop_table = TABLE(priv_image_drop);
#undef MSG

#define MSG priv_image_drop_reply
static const struct wire_field priv_image_drop_reply_fields[] = {
	ENUM(outcome, PRIV_DROP_IN_USE + 1),
	U64(bytes, 0, INT64_MAX),
};
static const struct wire_table priv_image_drop_reply_table = TABLE(priv_image_drop_reply);
#undef MSG

#define MSG priv_start
static const struct wire_field priv_start_fields[] = {
	ID,
	HEX(owner, PRIV_OWNER_LEN),
	U32(generation, 1, UINT32_MAX),
	WALL(deadline),
	U64(volume_bytes, PRIV_VOLUME_MIN, PRIV_VOLUME_MAX),
	BOOL(private_layers),
	U32(seconds, 0, UINT32_MAX),
	TEXT(card, PRIV_CARD_MAX),
	TEXT(topup, PRIV_CARD_MAX),
	TEXT(offer, PRIV_OFFER_NAME_MAX),
	SPEC(spec),
	BLOB(key, PRIV_KEY_LEN),
};
static const struct wire_table priv_start_table = TABLE(priv_start);
#undef MSG

#define MSG priv_start_reply
static const struct wire_field priv_start_reply_fields[] = {
	ENUM(outcome, PRIV_START_LOCKED + 1),
	WALL_MS(started_ms),
	BOOL(prepared),
	U32(image_us, 0, UINT32_MAX),
	U32(volume_us, 0, UINT32_MAX),
	U32(bundle_us, 0, UINT32_MAX),
	U32(keeper_us, 0, UINT32_MAX),
	U32(create_us, 0, UINT32_MAX),
	U32(start_us, 0, UINT32_MAX),
	U32(source_first, 0, UINT16_MAX),
	U32(source_count, 0, UINT16_MAX),
	TEXT(address6, 45),
	ENUM(stage, PRIV_STAGE_COUNT),
	TEXT(message, MESSAGE_MAX),
};
static const struct wire_table priv_start_reply_table = TABLE(priv_start_reply);
#undef MSG

#define MSG priv_inspect
static const struct wire_field priv_inspect_fields[] = {ID};
static const struct wire_table priv_inspect_table = TABLE(priv_inspect);
#undef MSG

#define MSG priv_inspect_reply
static const struct wire_field priv_inspect_reply_fields[] = {
	ENUM(state, PRIV_STATE_COUNT),
	ENUM(why, PRIV_WHY_COUNT),
	U32(exit_status, 0, PRIV_EXIT_UNKNOWN),
	WALL_MS(started_ms),
	WALL_MS(ended_ms),
	WALL(deadline),
	U32(generation, 0, UINT32_MAX),
	BOOL(cut),
};
static const struct wire_table priv_inspect_reply_table = TABLE(priv_inspect_reply);
#undef MSG

#define MSG priv_deadline
static const struct wire_field priv_deadline_fields[] = {
	ID,
	WALL(deadline),
	TEXT(card, PRIV_CARD_MAX),
	TEXT(topup, PRIV_CARD_MAX),
};
static const struct wire_table priv_deadline_table = TABLE(priv_deadline);
#undef MSG

#define MSG priv_deadline_reply
static const struct wire_field priv_deadline_reply_fields[] = {BOOL(found), WALL(deadline)};
static const struct wire_table priv_deadline_reply_table = TABLE(priv_deadline_reply);
#undef MSG

#define MSG priv_stop
static const struct wire_field priv_stop_fields[] = {ID, U32(grace_ms, 0, 1000 * SPEC_STOP_MAX)};
static const struct wire_table priv_stop_table = TABLE(priv_stop);
#undef MSG

#define MSG priv_stop_reply
static const struct wire_field priv_stop_reply_fields[] = {
	ENUM(state, PRIV_STATE_COUNT),
	U32(exit_status, 0, PRIV_EXIT_UNKNOWN),
};
static const struct wire_table priv_stop_reply_table = TABLE(priv_stop_reply);
#undef MSG

#define MSG priv_signal
static const struct wire_field priv_signal_fields[] = {
	ID,
	U32(signal, 1, 64),
	TEXT(command, PRIV_EXEC_LEN),
};
static const struct wire_table priv_signal_table = TABLE(priv_signal);
#undef MSG

#define MSG priv_signal_reply
static const struct wire_field priv_signal_reply_fields[] = {BOOL(delivered)};
static const struct wire_table priv_signal_reply_table = TABLE(priv_signal_reply);
#undef MSG

#define MSG priv_destroy
static const struct wire_field priv_destroy_fields[] = {ID};
static const struct wire_table priv_destroy_table = TABLE(priv_destroy);
#undef MSG

#define MSG priv_destroy_reply
static const struct wire_field priv_destroy_reply_fields[] = {
	BOOL(erased),
	BOOL(found),
	BOOL(killed),
	BOOL(unmounted),
	BOOL(detached),
	BOOL(slots_gone),
	BOOL(header_gone),
	BOOL(discarded),
	BOOL(removed),
	BOOL(encrypted),
	U64(volume_bytes, 0, PRIV_VOLUME_MAX),
	WALL(erased_at),
	TEXT(unproven, MESSAGE_MAX),
	TEXT(message, MESSAGE_MAX),
	BOOL(refused),
};
static const struct wire_table priv_destroy_reply_table = TABLE(priv_destroy_reply);
#undef MSG

#define MSG priv_exec
static const struct wire_field priv_exec_fields[] = {
	ID,
	HEX(name, PRIV_EXEC_LEN),
	STRINGS(argv, SPEC_ARGS_MAX, SPEC_ARG_MAX),
	STRINGS(env, SPEC_ENV_MAX, SPEC_ENV_NAME_MAX + 1 + SPEC_ENV_VALUE_MAX),
	TEXT(cwd, SPEC_PATH_MAX),
	TEXT(user, SPEC_USER_MAX),
	BLOB(input, PRIV_INPUT_MAX),
	U32(timeout_ms, 0, PRIV_EXEC_MAX_MS),
	U32(output_max, 0, PRIV_OUTPUT_MAX),
	BOOL(detach),
	BOOL(check),
	TEXT(image, SPEC_IMAGE_MAX),
	TEXT(digest, SPEC_DIGEST_SIZE - 1),
	BOOL(has_entrypoint),
	STRINGS(entrypoint, SPEC_ARGS_MAX, SPEC_ARG_MAX),
	BOOL(read_only),
};
static const struct wire_table priv_exec_table = TABLE(priv_exec);
#undef MSG

#define MSG priv_exec_reply
static const struct wire_field priv_exec_reply_fields[] = {
	ENUM(outcome, PRIV_EXEC_FAILED + 1),
	U32(exit_status, 0, PRIV_EXIT_UNKNOWN),
	U32(signal, 0, 64),
	BLOB(out, PRIV_OUTPUT_MAX),
	BLOB(err, PRIV_OUTPUT_MAX),
	BOOL(cut),
	TEXT(message, MESSAGE_MAX),
};
static const struct wire_table priv_exec_reply_table = TABLE(priv_exec_reply);
#undef MSG

#define MSG priv_put
static const struct wire_field priv_put_fields[] = {
	ID,
	TEXT(path, SPEC_PATH_MAX),
	BLOB(archive, PRIV_INPUT_MAX),
};
static const struct wire_table priv_put_table = TABLE(priv_put);
#undef MSG

#define MSG priv_put_reply
static const struct wire_field priv_put_reply_fields[] = {
	ENUM(outcome, PRIV_COPY_COUNT),
	TEXT(message, MESSAGE_MAX),
};
static const struct wire_table priv_put_reply_table = TABLE(priv_put_reply);
#undef MSG

#define MSG priv_get
static const struct wire_field priv_get_fields[] = {
	ID,
	TEXT(path, SPEC_PATH_MAX),
	U32(max, 1, PRIV_INPUT_MAX),
};
static const struct wire_table priv_get_table = TABLE(priv_get);
#undef MSG

#define MSG priv_get_reply
static const struct wire_field priv_get_reply_fields[] = {
	ENUM(outcome, PRIV_COPY_COUNT),
	BLOB(archive, PRIV_INPUT_MAX),
	U32(skipped, 0, UINT32_MAX),
	TEXT(message, MESSAGE_MAX),
};
static const struct wire_table priv_get_reply_table = TABLE(priv_get_reply);
#undef MSG

#define MSG priv_logs
static const struct wire_field priv_logs_fields[] = {
	ID,
	U64(offset, 0, PRIV_LOG_END),
	U32(max, 1, PRIV_OUTPUT_MAX),
	WALL_MS(since_ms),
	WALL_MS(until_ms),
	BOOL(tail),
	U32(lines, 0, PRIV_LOG_LINES_MAX),
};
static const struct wire_table priv_logs_table = TABLE(priv_logs);
#undef MSG

#define MSG priv_logs_reply
static const struct wire_field priv_logs_reply_fields[] = {
	BOOL(found),
	U64(offset, 0, PRIV_LOG_END),
	U64(next, 0, PRIV_LOG_END),
	U64(left, 0, PRIV_LOG_END),
	BOOL(eof),
	BLOB(bytes, PRIV_OUTPUT_MAX),
};
static const struct wire_table priv_logs_reply_table = TABLE(priv_logs_reply);
#undef MSG

#define MSG priv_list
static const struct wire_field priv_list_fields[] = {
	TEXT(after, PRIV_ID_LEN),
	U32(max, 1, PRIV_LIST_MAX),
};
static const struct wire_table priv_list_table = TABLE(priv_list);
#undef MSG

#define MSG priv_list_item
static const struct wire_field priv_list_item_fields[] = {
	ID,
	HEX(owner, PRIV_OWNER_LEN),
	ENUM(state, PRIV_STATE_COUNT),
	U32(generation, 0, UINT32_MAX),
	WALL(deadline),
	U64(volume_bytes, 0, PRIV_VOLUME_MAX),
};
static const struct wire_table priv_list_item_table = TABLE(priv_list_item);
#undef MSG

#define MSG priv_list_reply
static const struct wire_field priv_list_reply_fields[] = {
	LIST(items, PRIV_LIST_MAX, &priv_list_item_table),
	BOOL(more),
};
static const struct wire_table priv_list_reply_table = TABLE(priv_list_reply);
#undef MSG

#define MSG priv_port
static const struct wire_field priv_port_fields[] = {
	U32(inside, 1, UINT16_MAX),
	U32(outside, 1, UINT16_MAX),
	ENUM(protocol, SPEC_UDP + 1),
};
const struct wire_table priv_port_table = TABLE(priv_port);
#undef MSG

#define MSG priv_save
static const struct wire_field priv_save_fields[] = {
	ID,
	U64(from, 0, INT64_MAX),
	U32(max, 4 * SPEC_PATH_MAX, PRIV_INPUT_MAX),
	TEXT(snapshot, SPEC_NAME_MAX),
};
static const struct wire_table priv_save_table = TABLE(priv_save);
#undef MSG

#define MSG priv_save_reply
static const struct wire_field priv_save_reply_fields[] = {
	ENUM(outcome, PRIV_COPY_COUNT), BLOB(parcel, PRIV_INPUT_MAX), U64(next, 0, INT64_MAX),
	U64(left, 0, INT64_MAX),	TEXT(message, MESSAGE_MAX),
};
static const struct wire_table priv_save_reply_table = TABLE(priv_save_reply);
#undef MSG

#define MSG priv_load
static const struct wire_field priv_load_fields[] = {ID, BLOB(parcel, PRIV_INPUT_MAX)};
static const struct wire_table priv_load_table = TABLE(priv_load);
#undef MSG

#define MSG priv_load_reply
static const struct wire_field priv_load_reply_fields[] = {
	ENUM(outcome, PRIV_COPY_COUNT),
	TEXT(message, MESSAGE_MAX),
};
static const struct wire_table priv_load_reply_table = TABLE(priv_load_reply);
#undef MSG

#define MSG priv_snapshot
static const struct wire_field priv_snapshot_fields[] = {
	ID,
	ENUM(action, PRIV_SNAPSHOT_COUNT),
	TEXT(name, SPEC_NAME_MAX),
};
static const struct wire_table priv_snapshot_table = TABLE(priv_snapshot);
#undef MSG

#define MSG priv_snapshot_reply
static const struct wire_field priv_snapshot_reply_fields[] = {
	ENUM(outcome, PRIV_COPY_COUNT),
	TEXT(names, PRIV_SNAPSHOTS_TEXT),
	TEXT(message, MESSAGE_MAX),
};
static const struct wire_table priv_snapshot_reply_table = TABLE(priv_snapshot_reply);
#undef MSG

#define MSG priv_grow
static const struct wire_field priv_grow_fields[] = {
	ID, U64(volume_bytes, PRIV_VOLUME_MIN, PRIV_VOLUME_MAX)};
static const struct wire_table priv_grow_table = TABLE(priv_grow);
#undef MSG

#define MSG priv_grow_reply
static const struct wire_field priv_grow_reply_fields[] = {BOOL(found), BOOL(grown),
							   TEXT(message, MESSAGE_MAX)};
static const struct wire_table priv_grow_reply_table = TABLE(priv_grow_reply);
#undef MSG

#define MSG priv_ports
static const struct wire_field priv_ports_fields[] = {
	ID,
	LIST(ports, SPEC_PORTS_MAX, &priv_port_table),
};
static const struct wire_table priv_ports_table = TABLE(priv_ports);
#undef MSG

#define MSG priv_ports_reply
static const struct wire_field priv_ports_reply_fields[] = {BOOL(found)};
static const struct wire_table priv_ports_reply_table = TABLE(priv_ports_reply);
#undef MSG

#define MSG priv_net
static const struct wire_field priv_net_fields[] = {ID, ENUM(wish, PRIV_NET_WISHES)};
static const struct wire_table priv_net_table = TABLE(priv_net);
#undef MSG

#define MSG priv_net_reply
static const struct wire_field priv_net_reply_fields[] = {
	BOOL(found),
	BOOL(cut),
	U64(up, 0, INT64_MAX),
	U64(down, 0, INT64_MAX),
};
static const struct wire_table priv_net_reply_table = TABLE(priv_net_reply);
#undef MSG

#define MSG priv_stats
static const struct wire_field priv_stats_fields[] = {
	TEXT(id, PRIV_ID_LEN),
	TEXT(after, PRIV_ID_LEN),
};
static const struct wire_table priv_stats_table = TABLE(priv_stats);
#undef MSG

#define MSG priv_stats_item
static const struct wire_field priv_stats_item_fields[] = {ID, ENUM(state, PRIV_STATE_COUNT),
							   WALL_MS(at_ms), WALL_MS(started_ms),
#define X(name) U64(use.name, 0, INT64_MAX),
							   SPEC_USAGE(X)
#undef X
};
static const struct wire_table priv_stats_item_table = TABLE(priv_stats_item);
#undef MSG

#define MSG priv_stats_reply
static const struct wire_field priv_stats_reply_fields[] = {
	LIST(items, PRIV_STATS_MAX, &priv_stats_item_table),
	BOOL(more),
};
static const struct wire_table priv_stats_reply_table = TABLE(priv_stats_reply);
#undef MSG

#define MSG priv_event
static const struct wire_field priv_event_fields[] = {
	ID,
	ENUM(state, PRIV_STATE_COUNT),
	ENUM(why, PRIV_WHY_COUNT),
	U32(exit_status, 0, PRIV_EXIT_UNKNOWN),
	WALL_MS(ended_ms),
	BOOL(cut),
	U32(generation, 0, UINT32_MAX),
};
#undef MSG
const struct wire_table priv_event_table = {sizeof(struct priv_event), priv_event_fields,
					    ARRAY_SIZE(priv_event_fields)};

#define MSG priv_progress
static const struct wire_field priv_progress_fields[] = {
	ID,
	U64(bytes, 0, INT64_MAX),
	U64(of, 0, INT64_MAX),
};
#undef MSG
const struct wire_table priv_progress_table = {sizeof(struct priv_progress), priv_progress_fields,
					       ARRAY_SIZE(priv_progress_fields)};

const struct wire_table *priv_request_table(enum priv_kind k)
{
	static const struct wire_table *const tables[PRIV_KIND_COUNT] = {
#define X(upper, lower) [PRIV_##upper] = &priv_##lower##_table,
		PRIV_KINDS(X)
#undef X
	};

	return tables[k];
}

const struct wire_table *priv_reply_table(enum priv_kind k)
{
	static const struct wire_table *const tables[PRIV_KIND_COUNT] = {
#define X(upper, lower) [PRIV_##upper] = &priv_##lower##_reply_table,
		PRIV_KINDS(X)
#undef X
	};

	return tables[k];
}

const char *priv_kind_name(enum priv_kind k)
{
	static const char *const names[PRIV_KIND_COUNT] = {
#define X(upper, lower) [PRIV_##upper] = #upper,
		PRIV_KINDS(X)
#undef X
	};

	return k < PRIV_KIND_COUNT ? names[k] : "?";
}

const char *priv_stage_name(enum priv_stage s)
{
	static const char *const names[PRIV_STAGE_COUNT] = {"check",  "pull",	"image",  "volume",
							    "bundle", "keeper", "create", "start"};

	return s < PRIV_STAGE_COUNT ? names[s] : "?";
}

bool priv_id_valid(const char *id)
{
	struct str s = {id, strnlen(id, PRIV_ID_LEN + 1)};

	return s.n == PRIV_ID_LEN && hex_is(s, PRIV_ID_LEN / 2);
}

bool priv_card_valid(const char *card)
{
	struct str s = str_of(card ? card : "");

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20)
			return false;
	return s.n == 0 || (s.n > 1 && s.p[0] == '{' && s.p[s.n - 1] == '}');
}

/* frames: type, three zero bytes, kind, number; little-endian */

#define FRAME_HEAD 16

static uint64_t little(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

int priv_frame_parse(struct priv_frame *out, const uint8_t *p, size_t n, struct err *e)
{
	if (n < FRAME_HEAD || p[0] > PRIV_FRAME_EVENT || p[1] || p[2] || p[3])
		return err_set(e, ERRK_INPUT, "not a frame");
	*out = (struct priv_frame){.type = p[0],
				   .kind = (uint32_t)little(p + 4, 4),
				   .number = little(p + 8, 8),
				   .body = {(const char *)p + FRAME_HEAD, n - FRAME_HEAD}};
	return 0;
}

void priv_frame_begin(struct buf *out, enum priv_frame_type type, uint32_t kind, uint64_t number)
{
	buf_byte(out, (uint8_t)type);
	buf_add(out, "\0\0", 3);
	for (unsigned i = 0; i < 4; i++)
		buf_byte(out, (uint8_t)(kind >> 8 * i));
	for (unsigned i = 0; i < 8; i++)
		buf_byte(out, (uint8_t)(number >> 8 * i));
}

struct priv_error {
	uint32_t kind, sys;
	char *msg;
};

#define MSG priv_error
static const struct wire_field priv_error_fields[] = {
	U32(kind, ERRK_SYS, ERRK_STATE),
	U32(sys, 0, 4096),
	TEXT(msg, sizeof(((struct err *)0)->msg) - 1),
};
static const struct wire_table priv_error_table = TABLE(priv_error);
#undef MSG

void priv_error_encode(struct buf *out, const struct err *err)
{
	char text[sizeof(err->msg)];
	struct priv_error m = {err->kind, (uint32_t)err->sys, text};

	/* A message may quote anything; printable text always fits its row. */
	str_printable(text, sizeof(text), str_of(err->msg));
	if (m.kind < ERRK_SYS || m.kind > ERRK_STATE)
		m.kind = ERRK_SYS;
	if (m.sys > 4096)
		m.sys = 0;
	if (wire_encode(out, &priv_error_table, &m, NULL) < 0)
		out->failed = true;
}

int priv_error_decode(struct err *err, struct str body, struct err *e)
{
	struct priv_error m;

	if (wire_decode(&m, &priv_error_table, body, e) < 0)
		return -1;
	err_set(err, m.kind, "%s", m.msg);
	err->sys = (int)m.sys;
	wire_clear(&m, &priv_error_table);
	return 0;
}
