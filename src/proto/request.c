/* Requests: see request.h. Encoding and decoding mirror each other member by member. */
#include "proto/request.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/secret.h"

#define TIME_MS_MAX ((uint64_t)1 << 48)

static const char *const type_names[] = {
	[REQUEST_SPAWN] = "spawn",
	[REQUEST_TOPUP] = "topup",
	[REQUEST_STATUS] = "status",
	[REQUEST_END] = "end",
	[REQUEST_EXEC] = "exec",
	[REQUEST_LOGS] = "logs",
	[REQUEST_SIGNAL] = "signal",
	[REQUEST_STOP] = "stop",
	[REQUEST_START] = "start",
	[REQUEST_REFUND] = "refund",
	[REQUEST_SET] = "set",
	[REQUEST_INPUT] = "input",
	[REQUEST_PUT] = "put",
	[REQUEST_GET] = "get",
	[REQUEST_IMAGES] = "images",
	[REQUEST_PORTS] = "ports",
	[REQUEST_RECONNECT] = "reconnect",
	[REQUEST_STATS] = "stats",
	[REQUEST_TEMPLATE] = "template",
	[REQUEST_GROW] = "grow",
	[REQUEST_UNLOCK] = "unlock",
	[REQUEST_SNAPSHOT] = "snapshot",
};
_Static_assert(ARRAY_SIZE(type_names) == REQUEST_NTYPES, "one name a type");

static const char *const action_names[] = {
	[REQUEST_MAKE] = "make",
	[REQUEST_LIST] = "list",
	[REQUEST_RESTORE] = "restore",
	[REQUEST_REMOVE] = "remove",
};

const char *request_type_name(enum request_type t)
{
	return (size_t)t < ARRAY_SIZE(type_names) && type_names[t] ? type_names[t] : "unknown";
}

static void drop_secret(char **s)
{
	if (*s)
		wipe(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void request_renew(struct request *r)
{
	uint8_t id[LEASE_REQUEST_ID_HEX / 2];

	drop_secret(&r->token);
	rand_bytes(id, sizeof(id));
	hex_encode(r->request_id, id, sizeof(id));
}

struct request *request_new(enum request_type t)
{
	struct request *r = mem_zero(sizeof(*r));

	r->type = t;
	r->price.per = 1;
	request_renew(r);
	return r;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	drop_secret(&r->token);
	drop_secret(&r->registry_auth);
	wipe(r->volume_key, sizeof(r->volume_key));
	spec_clear(&r->spec);
	if (r->input)
		wipe(r->input, r->ninput);
	free(r->input);
	free(r->receipt);
	spec_list_clear(&r->mounts);
	free(r->path);
	free(r->publish.v);
	free(r->unpublish.v);
	free(r);
}

static void encode_spec(struct jsonw *w, const struct spec *spec)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);

	spec_write(&text, spec);
	jsonw_raw(w, "spec", buf_view(&text));
}

static void encode_price(struct jsonw *w, struct price p)
{
	jsonw_object(w, "price");
	jsonw_u64(w, "msat", p.msat);
	jsonw_u64(w, "per", p.per);
	jsonw_end_object(w);
}

static void encode_mounts(struct jsonw *w, const struct request *r)
{
	jsonw_array(w, "mounts");
	for (size_t i = 0; i < r->mounts.n; i++)
		jsonw_text(w, NULL, r->mounts.v[i]);
	jsonw_end_array(w);
}

int request_encode(struct buf *out, const struct request *r, struct err *e)
{
	struct jsonw w = JSONW(out);

	jsonw_object(&w, NULL);
	jsonw_u64(&w, "v", LEASE_PROTOCOL_VERSION);
	jsonw_text(&w, "type", type_names[r->type]);
	jsonw_text(&w, "request_id", r->request_id);
	jsonw_i64(&w, "expires_at", r->expires_at);
	jsonw_text(&w, "lease", r->lease);
	jsonw_text(&w, "token", r->token);
	jsonw_text(&w, "refund_key", r->refund_key);
	jsonw_text(&w, "registry_auth", r->registry_auth);
	jsonw_text(&w, "volume_key", r->volume_key);
	if (r->type == REQUEST_SPAWN)
		jsonw_text(&w, "offer", r->offer);
	if (r->type == REQUEST_SPAWN || r->type == REQUEST_GROW)
		encode_price(&w, r->price);
	if (r->disk)
		jsonw_u64(&w, "disk", r->disk);
	if (r->type == REQUEST_SET && r->has_mounts)
		encode_mounts(&w, r);
	else if (r->type == REQUEST_SET)
		jsonw_text(&w, "pull", spec_pull_name(r->spec.pull));
	if (r->type == REQUEST_SPAWN || r->type == REQUEST_EXEC || r->type == REQUEST_TEMPLATE ||
	    (r->type == REQUEST_START && (r->spec.args.n || r->spec.image)))
		encode_spec(&w, &r->spec);
	if (r->ninput)
		jsonw_base64(&w, "input", r->input, r->ninput);
	jsonw_text(&w, "upload", r->upload);
	if (r->piece)
		jsonw_u64(&w, "piece", r->piece);
	if (r->detach)
		jsonw_bool(&w, "detach", true);
	if (r->timeout)
		jsonw_i64(&w, "timeout", r->timeout);
	if (r->offset)
		jsonw_u64(&w, "offset", r->offset);
	if (r->tail)
		jsonw_u64(&w, "tail", r->tail);
	if (r->since_ms)
		jsonw_i64(&w, "since_ms", r->since_ms);
	if (r->until_ms)
		jsonw_i64(&w, "until_ms", r->until_ms);
	if (r->timestamps)
		jsonw_bool(&w, "timestamps", true);
	if (r->midline)
		jsonw_u64(&w, "midline", r->midline);
	if (r->signal)
		jsonw_text(&w, "signal", spec_signal_name(r->signal));
	jsonw_text(&w, "command", r->command);
	jsonw_text(&w, "path", r->path);
	if (r->type == REQUEST_SNAPSHOT)
		jsonw_text(&w, "action", action_names[r->action]);
	jsonw_text(&w, "snapshot", r->snapshot);
	spec_ports_write(&w, "publish", &r->publish);
	spec_ports_write(&w, "unpublish", &r->unpublish);
	jsonw_text(&w, "receipt", r->receipt);
	jsonw_end_object(&w);
	return buf_check(out, "request", e);
}

static int decode_spec(struct request *r, const struct json *j, struct err *e)
{
	const struct json *spec;

	if (json_child(j, "spec", JSON_OBJECT, &spec, e) < 0)
		return -1;
	return spec_read(&r->spec, spec, e);
}

static int decode_input(struct request *r, const struct json *j, struct err *e)
{
	auto_buf struct buf b = BUF(LEASE_PIECE_MAX);
	struct str s = {0};

	if (json_opt_str(j, "input", 2 * LEASE_PIECE_MAX, &s, e) < 0)
		return -1;
	if (!s.n)
		return 0;
	if (base64_decode(&b, s, BASE64_STD, e) < 0 || buf_check(&b, "input", e) < 0)
		return err_wrap(e, "input");
	r->ninput = b.n;
	r->input = buf_steal(&b);
	return 0;
}

static int decode_auth(struct request *r, const struct json *j, struct err *e)
{
	auto_buf struct buf plain = BUF(LEASE_AUTH_MAX);
	struct str s = {0};

	if (json_opt_str(j, "registry_auth", LEASE_AUTH_MAX, &s, e) < 0)
		return -1;
	if (!s.n)
		return 0;
	if (base64_decode(&plain, s, BASE64_STD, e) < 0 || memchr(plain.p, ':', plain.n) == NULL)
		return err_set(e, ERRK_INPUT, "registry_auth: want base64 of USER:PASSWORD");
	r->registry_auth = mem_strndup(s.p, s.n);
	return 0;
}

/* The spec is stored and the key is not: what is stored says that there must be one. */
static int decode_volume_key(struct request *r, const struct json *j, struct err *e)
{
	bool wanted = r->type == REQUEST_UNLOCK || r->spec.own_key;

	if (json_opt_copy(r->volume_key, sizeof(r->volume_key), j, "volume_key", e) < 0)
		return -1;
	if (!wanted && *r->volume_key)
		return err_set(e, ERRK_INPUT, "volume_key: only with spec.own_key");
	if (wanted && !hex_is(str_of(r->volume_key), LEASE_VOLUME_KEY_HEX / 2))
		return err_set(e, ERRK_INPUT, "volume_key: want %d lower-case hex characters",
			       LEASE_VOLUME_KEY_HEX);
	return 0;
}

static int decode_price(struct price *p, const struct json *j, struct err *e)
{
	const struct json *price;

	if (json_child(j, "price", JSON_OBJECT, &price, e) < 0 ||
	    json_u64(price, "msat", AMOUNT_MSAT_MAX, &p->msat, e) < 0 ||
	    json_u64(price, "per", 31536000, &p->per, e) < 0)
		return -1;
	return p->per ? 0 : err_set(e, ERRK_INPUT, "price.per: want at least 1 second");
}

static int decode_grow(struct request *r, const struct json *j, struct err *e)
{
	if (json_u64(j, "disk", SPEC_DISK_MAX, &r->disk, e) < 0)
		return -1;
	return decode_price(&r->price, j, e);
}

static int decode_spawn(struct request *r, const struct json *j, struct err *e)
{
	if (json_opt_copy(r->offer, sizeof(r->offer), j, "offer", e) < 0 ||
	    decode_price(&r->price, j, e) < 0 || decode_spec(r, j, e) < 0)
		return -1;
	if (!hex_is(str_of(r->offer), 32))
		return err_set(e, ERRK_INPUT, "offer: want the offer's event id");
	if (!r->spec.image && !*r->spec.template && !*r->spec.kept)
		return err_set(e, ERRK_INPUT, "spec.image: missing");
	return 0;
}

static int decode_template(struct request *r, const struct json *j, struct err *e)
{
	if (decode_spec(r, j, e) < 0)
		return -1;
	return *r->spec.template ? 0 : err_set(e, ERRK_INPUT, "spec.template: missing");
}

static int decode_mounts(struct request *r, const struct json *j, struct err *e)
{
	const struct json *list;
	struct str path;

	if (json_child(j, "mounts", JSON_ARRAY, &list, e) < 0)
		return -1;
	if (json_count(list) > SPEC_STORAGE_MAX)
		return err_set(e, ERRK_LIMIT, "mounts: more than %d paths", SPEC_STORAGE_MAX);
	r->has_mounts = true;
	for (const struct json *i = json_first(list); i; i = json_next(i))
		if (!json_as_str(i, &path) || spec_mount_path(path, e) < 0)
			return err_set(e, ERRK_INPUT, "mounts[%zu]: no path to mount at",
				       r->mounts.n);
		else
			spec_list_put(&r->mounts, path);
	return 0;
}

static int decode_set(struct request *r, const struct json *j, struct err *e)
{
	struct str pull;

	if (json_get(j, "mounts"))
		return decode_mounts(r, j, e);

	return json_str(j, "pull", 16, &pull, e) < 0 ? -1 : spec_set_pull(&r->spec, pull, e);
}

static int decode_exec(struct request *r, const struct json *j, struct err *e)
{
	if (decode_spec(r, j, e) < 0)
		return -1;
	if (*r->spec.template || *r->spec.kept)
		return err_set(e, ERRK_INPUT, "spec.%s: is for new leases",
			       *r->spec.template ? "template" : "kept");
	if (!r->spec.args.n && !r->spec.image)
		return err_set(e, ERRK_INPUT, "spec.args: missing");
	return json_opt_bool(j, "detach", &r->detach, e);
}

static int decode_snapshot_name(struct request *r, const struct json *j, struct err *e)
{
	if (json_opt_copy(r->snapshot, sizeof(r->snapshot), j, "snapshot", e) < 0)
		return -1;
	if (*r->snapshot && !str_is_name(str_of(r->snapshot), SPEC_NAME_MAX))
		return err_set(e, ERRK_INPUT, "snapshot: want a name of a-z, 0-9 and -");
	return 0;
}

static int decode_snapshot(struct request *r, const struct json *j, struct err *e)
{
	struct str s;

	if (json_str(j, "action", 16, &s, e) < 0 || decode_snapshot_name(r, j, e) < 0)
		return -1;
	for (size_t i = REQUEST_MAKE; i < ARRAY_SIZE(action_names); i++)
		if (str_is(s, action_names[i]))
			r->action = (enum request_action)i;
	if (!r->action)
		return err_set(e, ERRK_INPUT, "action: want make, list, restore or remove");
	if ((r->action == REQUEST_LIST) != !*r->snapshot)
		return err_set(e, ERRK_INPUT, "snapshot: %s",
			       *r->snapshot ? "list names none" : "missing");
	return 0;
}

static int decode_path(struct request *r, const struct json *j, struct err *e)
{
	struct str s;

	if (json_str(j, "path", SPEC_PATH_MAX, &s, e) < 0)
		return -1;
	if (s.n == 0 || s.p[0] != '/')
		return err_set(e, ERRK_INPUT, "path: want an absolute one");
	r->path = mem_strndup(s.p, s.n);
	if (r->type == REQUEST_PUT && !r->ninput && !r->upload[0])
		return err_set(e, ERRK_INPUT, "input: missing");
	return r->type == REQUEST_GET ? decode_snapshot_name(r, j, e) : 0;
}

static int check_input(const struct request *r, struct err *e)
{
	if (!r->upload[0])
		return err_set(e, ERRK_INPUT, "upload: missing");
	return r->ninput ? 0 : err_set(e, ERRK_INPUT, "input: missing");
}

static int decode_name(char out[static LEASE_REQUEST_ID_HEX + 1], const struct json *j,
		       const char *key, struct err *e)
{
	if (json_opt_copy(out, LEASE_REQUEST_ID_HEX + 1, j, key, e) < 0)
		return -1;
	if (*out && !hex_is(str_of(out), LEASE_REQUEST_ID_HEX / 2))
		return err_set(e, ERRK_INPUT, "%s: want %d hex characters", key,
			       LEASE_REQUEST_ID_HEX);
	return 0;
}

static int decode_signal(struct request *r, const struct json *j, struct err *e)
{
	struct str name;

	if (decode_name(r->command, j, "command", e) < 0)
		return -1;

	if (json_str(j, "signal", 16, &name, e) < 0 || spec_signal(name, &r->signal, e) < 0)
		return err_wrap(e, "signal");
	if (!spec_signal_may_send(r->signal))
		return err_set(e, ERRK_INPUT, "signal: %s cannot be sent",
			       spec_signal_name(r->signal));
	return 0;
}

static int decode_money(struct request *r, const struct json *j, struct err *e)
{
	struct str token = {0};
	uint8_t key[33];

	if (json_str(j, "token", LEASE_TOKEN_MAX, &token, e) < 0 ||
	    json_opt_copy(r->refund_key, sizeof(r->refund_key), j, "refund_key", e) < 0)
		return -1;
	r->token = mem_strndup(token.p, token.n);
	if (r->refund_key[0] && hex_decode(key, sizeof(key), str_of(r->refund_key), e) < 0)
		return err_wrap(e, "refund_key");
	return 0;
}

static int decode_receipt(struct request *r, const struct json *j, struct err *e)
{
	struct str s = {0};

	if (json_opt_str(j, "receipt", LEASE_RECEIPT_MAX, &s, e) < 0)
		return -1;
	if (s.n)
		r->receipt = mem_strndup(s.p, s.n);
	return 0;
}

static int decode_ports(struct request *r, const struct json *j, struct err *e)
{
	if (spec_ports_read(&r->publish, j, "publish", e) < 0 ||
	    spec_ports_read(&r->unpublish, j, "unpublish", e) < 0)
		return -1;
	for (size_t i = 0; i < r->publish.n; i++)
		if (!r->publish.v[i].inside)
			return err_set(e, ERRK_INPUT, "publish[%zu].inside: missing", i);
	if (!r->publish.n && !r->unpublish.n)
		return err_set(e, ERRK_INPUT, "publish: missing");
	return 0;
}

static int decode_logs(struct request *r, const struct json *j, struct err *e)
{
	uint64_t since = 0, until = 0;

	if (json_opt_u64(j, "since_ms", TIME_MS_MAX, &since, e) < 0 ||
	    json_opt_u64(j, "until_ms", TIME_MS_MAX, &until, e) < 0 ||
	    json_opt_u64(j, "midline", REQUEST_MIDLINE_STDOUT | REQUEST_MIDLINE_STDERR, &r->midline,
			 e) < 0)
		return -1;
	r->since_ms = (int64_t)since;
	r->until_ms = (int64_t)until;
	return json_opt_bool(j, "timestamps", &r->timestamps, e);
}

static int decode_type(struct request *r, const struct json *j, struct err *e)
{
	struct str s;

	if (json_str(j, "type", 16, &s, e) < 0)
		return -1;
	for (size_t i = REQUEST_SPAWN; i < ARRAY_SIZE(type_names); i++)
		if (str_is(s, type_names[i]))
			r->type = (enum request_type)i;
	if (!r->type)
		return err_set(e, ERRK_INPUT, "type: unknown");
	return 0;
}

static int decode_members(struct request *r, const struct json *j, struct err *e)
{
	uint64_t timeout = 0;

	if (decode_type(r, j, e) < 0 ||
	    json_opt_copy(r->lease, sizeof(r->lease), j, "lease", e) < 0 ||
	    decode_input(r, j, e) < 0 || decode_name(r->upload, j, "upload", e) < 0 ||
	    json_opt_u64(j, "piece", LEASE_INPUT_MAX / LEASE_PIECE_MAX, &r->piece, e) < 0 ||
	    json_opt_u64(j, "timeout", 86400, &timeout, e) < 0 ||
	    json_opt_u64(j, "offset", JSON_INT_MAX, &r->offset, e) < 0 ||
	    json_opt_u64(j, "tail", 1000000, &r->tail, e) < 0)
		return -1;
	r->timeout = (int64_t)timeout;
	if (r->type == REQUEST_SPAWN && decode_spawn(r, j, e) < 0)
		return -1;
	if ((r->type == REQUEST_SPAWN || r->type == REQUEST_START || r->type == REQUEST_EXEC) &&
	    decode_auth(r, j, e) < 0)
		return -1;
	if ((r->type == REQUEST_SPAWN || r->type == REQUEST_UNLOCK) &&
	    decode_volume_key(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_TEMPLATE && decode_template(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_SET && decode_set(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_EXEC && decode_exec(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_START && json_get(j, "spec") && decode_spec(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_INPUT && check_input(r, e) < 0)
		return -1;
	if ((r->type == REQUEST_PUT || r->type == REQUEST_GET) && decode_path(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_SIGNAL && decode_signal(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_REFUND && decode_receipt(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_PORTS && decode_ports(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_GROW && decode_grow(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_SNAPSHOT && decode_snapshot(r, j, e) < 0)
		return -1;
	if (r->type == REQUEST_LOGS && decode_logs(r, j, e) < 0)
		return -1;
	if ((r->type == REQUEST_SPAWN || r->type == REQUEST_TOPUP) && decode_money(r, j, e) < 0)
		return -1;
	if (r->type != REQUEST_SPAWN && r->type != REQUEST_IMAGES && r->type != REQUEST_TEMPLATE &&
	    !hex_is(str_of(r->lease), LEASE_ID_HEX / 2))
		return err_set(e, ERRK_INPUT, "lease: want %d hex characters", LEASE_ID_HEX);
	return 0;
}

/* The envelope is read first, so that a refusal can name the request. */
static int decode_envelope(struct request *r, const struct json *j, uint64_t *v, struct err *e)
{
	uint64_t expires;

	if (json_opt_copy(r->request_id, sizeof(r->request_id), j, "request_id", e) < 0)
		return -1;
	if (!hex_is(str_of(r->request_id), LEASE_REQUEST_ID_HEX / 2)) {
		r->request_id[0] = 0;
		return err_set(e, ERRK_INPUT, "request_id: want %d hex characters",
			       LEASE_REQUEST_ID_HEX);
	}
	if (json_u64(j, "v", 1000000, v, e) < 0 ||
	    json_u64(j, "expires_at", (uint64_t)1 << 40, &expires, e) < 0)
		return -1;
	r->expires_at = (int64_t)expires;
	return 0;
}

int request_decode(struct request **out, struct str text, struct err *e)
{
	const struct json_limits lim = {.bytes = LEASE_REQUEST_MAX, .depth = 6, .nodes = 4096};
	auto_request struct request *r = mem_zero(sizeof(*r));
	auto_json struct json *j = NULL;
	uint64_t v = 0;
	int rc;

	*out = NULL;
	if (json_parse(&j, text, &lim, e) < 0)
		return -1;
	if (json_type(j) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "request: want an object");
	rc = decode_envelope(r, j, &v, e);
	if (!rc && v != LEASE_PROTOCOL_VERSION)
		rc = REQUEST_VERSION;
	if (!rc)
		rc = decode_members(r, j, e);
	*out = steal(&r);
	return rc;
}
