/* Pull policy, stop, restart and health. */
#include "spec/life.h"

#include <string.h>

#include "spec/read.h"
#include "spec/spec.h"

static const char *const PULL[] = {"missing", "always", "never", NULL};
static const struct read_range STOP = {1, SPEC_STOP_MAX}, SECONDS = {1, SPEC_SECONDS_MAX},
			       RETRIES = {1, SPEC_RESTARTS_MAX};

static int read_pull(struct spec *out, const struct json *spec, struct err *e)
{
	unsigned i = out->pull;

	if (read_choice(&i, spec, "pull", PULL, e))
		return -1;
	out->pull = (enum spec_pull)i;
	return 0;
}

/* At most 2^32 - 1 by its range. */
static int read_u32(uint32_t *out, const struct json *obj, const char *key, struct read_range r,
		    struct err *e)
{
	uint64_t v = *out;

	if (read_number(&v, obj, key, r, e))
		return -1;
	*out = (uint32_t)v;
	return 0;
}

const char *spec_pull_name(enum spec_pull p)
{
	return PULL[p];
}

int spec_set_pull(struct spec *s, struct str policy, struct err *e)
{
	for (unsigned i = 0; PULL[i]; i++)
		if (str_is(policy, PULL[i])) {
			s->pull = (enum spec_pull)i;
			return 0;
		}
	return err_set(e, ERRK_INPUT, "pull: none of missing, always, never");
}

static int read_stop(struct spec *out, const struct json *spec, struct err *e)
{
	static const char *const NAMES[] = {"signal", "timeout", NULL};
	const struct json *obj;
	struct str s;
	int r = read_child(&obj, spec, "stop", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (read_known(obj, NAMES, e))
		return read_under(e, "stop.");
	r = read_text(&s, obj, "signal", e);
	if (r == 0 && spec_signal(s, &out->stop_signal, e))
		r = err_wrap(e, "signal");
	if (r < 0 || read_u32(&out->stop_timeout, obj, "timeout", STOP, e))
		return read_under(e, "stop.");
	return 0;
}

int spec_set_restart(struct spec *s, struct str text, struct err *e)
{
	struct str word, rest = text;
	uint64_t n;

	if (str_is(text, "no")) {
		s->restarts = 0;
		return 0;
	}
	if (!str_cut(&rest, ':', &word) || !str_is(word, "on-failure") ||
	    str_u64(rest, SPEC_RESTARTS_MAX, &n, NULL) || n == 0)
		return err_set(e, ERRK_INPUT, "restart: write no or on-failure:N, N from 1 to %d",
			       SPEC_RESTARTS_MAX);
	s->restarts = (uint32_t)n;
	return 0;
}

static int read_restart(struct spec *out, const struct json *spec, struct err *e)
{
	struct str s;
	int r = read_text(&s, spec, "restart", e);

	if (r)
		return r < 0 ? -1 : 0;
	return spec_set_restart(out, s, e);
}

static int add_health_arg(struct spec_health *h, size_t *used, struct str arg, struct err *e)
{
	if (arg.n >= sizeof(h->command) - *used)
		return err_set(e, ERRK_LIMIT, "command: more than %d bytes", SPEC_HEALTH_MAX);
	memcpy(h->command + *used, arg.p, arg.n);
	*used += arg.n + 1;
	h->nargs++;
	return 0;
}

int spec_set_health(struct spec *s, struct str command, struct err *e)
{
	const struct str argv[] = {STR("/bin/sh"), STR("-c"), command};
	size_t used = 0;

	s->health.nargs = 0;
	memset(s->health.command, 0, sizeof(s->health.command));
	if (command.n == 0 || memchr(command.p, 0, command.n) || !utf8_valid(command))
		return err_set(e, ERRK_INPUT, "health.command: not a text");
	for (size_t i = 0; i < sizeof(argv) / sizeof(*argv); i++)
		if (add_health_arg(&s->health, &used, argv[i], e))
			return err_wrap(e, "health");
	return 0;
}

static int read_health_command(struct spec_health *h, const struct json *obj, struct err *e)
{
	const struct json *list;
	size_t used = 0;
	struct str s;
	int r = read_child(&list, obj, "command", JSON_ARRAY, e);

	if (r < 0)
		return -1;
	for (const struct json *j = r ? NULL : json_first(list); j; j = json_next(j)) {
		if (!json_as_str(j, &s))
			return err_set(e, ERRK_INPUT, "command: not a list of strings");
		if (add_health_arg(h, &used, s, e))
			return -1;
	}
	if (h->nargs == 0 || h->command[0] == '\0')
		return err_set(e, ERRK_INPUT, "command: what to run is missing");
	return 0;
}

static int read_health(struct spec_health *h, const struct json *spec, struct err *e)
{
	static const char *const NAMES[] = {"command", "interval", "timeout",
					    "grace",   "retries",  NULL};
	const struct json *obj;
	int r = read_child(&obj, spec, "health", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (read_known(obj, NAMES, e) || read_health_command(h, obj, e) ||
	    read_u32(&h->interval, obj, "interval", SECONDS, e) ||
	    read_u32(&h->timeout, obj, "timeout", SECONDS, e) ||
	    read_u32(&h->grace, obj, "grace", SECONDS, e) ||
	    read_u32(&h->retries, obj, "retries", RETRIES, e))
		return read_under(e, "health.");
	return 0;
}

int spec_life_read(struct spec *out, const struct json *spec, struct err *e)
{
	if (read_pull(out, spec, e) || read_stop(out, spec, e) || read_restart(out, spec, e))
		return -1;
	return read_health(&out->health, spec, e);
}

void spec_pull_write(struct jsonw *w, const struct spec *s)
{
	if (s->pull != SPEC_PULL_MISSING)
		jsonw_text(w, "pull", PULL[s->pull]);
}

static void write_stop(struct jsonw *w, const struct spec *s)
{
	if (!s->stop_signal && !s->stop_timeout)
		return;
	jsonw_object(w, "stop");
	jsonw_text(w, "signal", spec_signal_name(s->stop_signal));
	write_number(w, "timeout", s->stop_timeout);
	jsonw_end_object(w);
}

static void write_restart(struct jsonw *w, uint32_t restarts)
{
	auto_buf struct buf text = BUF(32);

	if (!restarts)
		return;
	buf_printf(&text, "on-failure:%u", restarts);
	jsonw_str(w, "restart", buf_view(&text));
}

static void write_health(struct jsonw *w, const struct spec_health *h)
{
	const char *arg = h->command;

	if (!h->nargs)
		return;
	jsonw_object(w, "health");
	jsonw_array(w, "command");
	for (uint32_t i = 0; i < h->nargs; i++) {
		jsonw_str(w, NULL, str_of(arg));
		arg += strlen(arg) + 1;
	}
	jsonw_end_array(w);
	write_number(w, "interval", h->interval);
	write_number(w, "timeout", h->timeout);
	write_number(w, "grace", h->grace);
	write_number(w, "retries", h->retries);
	jsonw_end_object(w);
}

void spec_life_write(struct jsonw *w, const struct spec *s)
{
	write_stop(w, s);
	write_restart(w, s->restarts);
	write_health(w, &s->health);
}

/* As many NUL-terminated arguments of UTF-8 as it says. */
static int check_command(const struct spec_health *h, struct err *e)
{
	size_t at = 0;

	for (uint32_t i = 0; i < h->nargs; i++) {
		size_t n = strnlen(h->command + at, sizeof(h->command) - at);

		if (n == sizeof(h->command) - at || !utf8_valid((struct str){h->command + at, n}))
			return err_set(e, ERRK_INPUT, "health.command: argument %u", i + 1);
		at += n + 1;
		if (at == sizeof(h->command) && i + 1 < h->nargs)
			return err_set(e, ERRK_INPUT, "health.command: too few arguments");
	}
	return 0;
}

int spec_life_check(const struct spec *s, struct err *e)
{
	const struct spec_health *h = &s->health;

	if ((unsigned)s->pull > SPEC_PULL_NEVER)
		return err_set(e, ERRK_INPUT, "pull: unknown policy");
	if (s->stop_signal && !spec_signal_name(s->stop_signal))
		return err_set(e, ERRK_INPUT, "stop.signal: unknown signal %d", s->stop_signal);
	if (s->stop_timeout > SPEC_STOP_MAX)
		return err_set(e, ERRK_INPUT, "stop.timeout: more than %d s", SPEC_STOP_MAX);
	if (s->restarts > SPEC_RESTARTS_MAX)
		return err_set(e, ERRK_INPUT, "restart: more than %d times", SPEC_RESTARTS_MAX);
	if (h->interval > SPEC_SECONDS_MAX || h->timeout > SPEC_SECONDS_MAX ||
	    h->grace > SPEC_SECONDS_MAX || h->retries > SPEC_RESTARTS_MAX)
		return err_set(e, ERRK_INPUT, "health: a number is out of range");
	return check_command(h, e);
}
