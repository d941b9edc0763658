/* The agent's control socket, as its client. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/fs.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "net/stream.h"

enum { REPLY_MS = 30000, REPLY_MAX = 4 << 20 };

const char *ctl_config_path(const struct ctl *c)
{
	return c->config ? c->config : CONFIG_PATH;
}

/* The option, the configuration's, or the default where that cannot be read. */
static char *socket_path(const struct ctl *c)
{
	auto_config struct config *conf = NULL;

	if (c->socket)
		return mem_strdup(c->socket);
	if (config_load(&conf, ctl_config_path(c), NULL))
		return mem_strdup(RUNDIR "/core/leased.sock");
	return mem_strdup(conf->control_socket);
}

/* The text of the member "result", which is the last one of a good reply. */
static void cut_result(struct buf *raw, struct str reply)
{
	static const char head[] = "{\"ok\":true,\"result\":";

	if (str_starts(reply, head))
		buf_add(raw, reply.p + sizeof(head) - 1, reply.n - sizeof(head));
}

static int read_reply(struct ctl_reply *out, struct str text, struct err *e)
{
	const struct json_limits limits = {.bytes = REPLY_MAX, .depth = 12, .nodes = 1000000};
	struct str why = STR("no reason given"), code = {NULL, 0};
	bool ok = false;

	if (json_parse(&out->root, text, &limits, e) || json_opt_bool(out->root, "ok", &ok, e) ||
	    json_opt_str(out->root, "error", 400, &why, e) ||
	    json_opt_str(out->root, "code", 32, &code, e))
		return err_wrap(e, "reply of the agent");
	if (!ok) {
		err_set(e, ERRK_PEER, "%.*s", (int)why.n, why.p);
		return str_is(code, "not_found") ? CTL_NO_SUCH : -1;
	}
	out->result = json_get(out->root, "result");
	cut_result(&out->raw, text);
	return 0;
}

int ctl_ask(const struct ctl *c, struct str request, struct ctl_reply *out, struct err *e)
{
	return ctl_ask_within(c, request, REPLY_MS, out, e);
}

int ctl_ask_within(const struct ctl *c, struct str request, int64_t ms, struct ctl_reply *out,
		   struct err *e)
{
	auto_free char *path = socket_path(c);
	auto_buf struct buf text = BUF(REPLY_MAX);
	int fds[STREAM_MAX_FDS + 1] = {-1, -1, -1, -1, -1}, closed;
	auto_close int fd = -1;

	*out = (struct ctl_reply){.raw = BUF(REPLY_MAX)};
	if (unix_connect(&fd, path, e)) {
		err_set(e, ERRK_STATE, "leased does not run: nobody answers at %s", path);
		return CTL_NO_AGENT;
	}
	if (stream_write_blocking(fd, request.p, request.n, NULL, e))
		return err_wrap(e, "ask the agent");
	closed = stream_read_blocking(fd, &text, fds, ms, e);
	if (closed < 0)
		return err_wrap(e, "ask the agent");
	if (closed)
		return err_set(e, ERRK_DENIED,
			       "the agent closed the connection: only root and members of "
			       "control_group may ask");
	return read_reply(out, buf_view(&text), e);
}

void ctl_reply_clear(struct ctl_reply *r)
{
	json_free(r->root);
	buf_free(&r->raw);
}

/* --- members of replies --- */

uint64_t ctl_u64(const struct json *obj, const char *key)
{
	uint64_t v = 0;

	return json_as_u64(json_get(obj, key), &v) ? v : 0;
}

int64_t ctl_time(const struct json *obj, const char *key)
{
	return (int64_t)ctl_u64(obj, key);
}

bool ctl_bool(const struct json *obj, const char *key)
{
	bool v = false;

	return json_as_bool(json_get(obj, key), &v) && v;
}

const char *ctl_text(char *to, size_t size, const struct json *obj, const char *key)
{
	struct str s = {NULL, 0};

	json_as_str(json_get(obj, key), &s);
	str_printable(to, size, s);
	return to;
}

const char *ctl_date(char *to, size_t size, int64_t at)
{
	struct tm tm;
	time_t t = (time_t)at;

	if (at <= 0 || !gmtime_r(&t, &tm) || !strftime(to, size, "%Y-%m-%d %H:%M", &tm))
		snprintf(to, size, "never");
	return to;
}

int ctl_fail(int outcome, const struct err *e)
{
	fprintf(stderr, "leasectl: %s\n", e->msg);
	return outcome == CTL_NO_SUCH ? CTL_NOT_FOUND : CTL_FAILED;
}

int ctl_usage(const char *verb, const char *why)
{
	fprintf(stderr, "leasectl %s: %s\nTry 'leasectl %s --help'.\n", verb, why, verb);
	return CTL_USAGE;
}

int ctl_print_token(const struct ctl *c, const struct ctl_reply *r)
{
	struct str token = {NULL, 0};
	struct err e = {0};

	json_as_str(json_get(r->result, "token"), &token);
	if (c->json)
		token = buf_view(&r->raw);
	if (fs_write_all(STDOUT_FILENO, token.p, token.n, &e) < 0 ||
	    fs_write_all(STDOUT_FILENO, "\n", 1, &e) < 0)
		return ctl_fail(-1, &e);
	return CTL_OK;
}
