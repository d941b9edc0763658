/* Docker's options of run that say how its command stops and what it sees. */
#include "cli/verbs.h"

int cli_seconds(int64_t *out, const char *text, int64_t most, struct err *e)
{
	uint64_t plain;

	if (str_u64(str_of(text), (uint64_t)most, &plain, NULL) == 0)
		*out = (int64_t)plain;
	else if (str_duration(str_of(text), most, out, e) < 0)
		return -1;
	return *out < 1 ? err_set(e, ERRK_INPUT, "want at least 1s") : 0;
}

static int read_stop(struct spec *s, const struct run_options *o, struct err *e)
{
	int64_t seconds = 0;

	if (o->stop_signal && spec_signal(str_of(o->stop_signal), &s->stop_signal, e) < 0)
		return err_wrap(e, "--stop-signal");
	if (!o->stop_timeout)
		return 0;
	if (cli_seconds(&seconds, o->stop_timeout, SPEC_STOP_MAX, e) < 0)
		return err_wrap(e, "--stop-timeout");
	s->stop_timeout = (uint32_t)seconds;
	return 0;
}

static int read_seconds(uint32_t *out, const char *text, const char *option, struct err *e)
{
	int64_t seconds = 0;

	if (!text)
		return 0;
	if (cli_seconds(&seconds, text, SPEC_SECONDS_MAX, e) < 0)
		return err_wrap(e, "%s", option);
	*out = (uint32_t)seconds;
	return 0;
}

static int read_health(struct spec *s, const struct run_options *o, struct err *e)
{
	struct spec_health *h = &s->health;
	bool more = o->health_interval || o->health_timeout || o->health_start_period ||
		    o->health_retries;
	uint64_t retries = h->retries;

	if (o->no_healthcheck && (more || o->health_cmd))
		return err_set(e, ERRK_INPUT,
			       "--no-healthcheck: not together with --health-cmd and its like");
	if (o->no_healthcheck)
		*h = (struct spec_health){.nargs = 0};
	if (o->health_cmd && spec_set_health(s, str_of(o->health_cmd), e) < 0)
		return -1;
	if (more && !h->nargs)
		return err_set(e, ERRK_INPUT,
			       "--health-interval and its like: want --health-cmd, too");
	if (o->health_retries &&
	    (str_u64(str_of(o->health_retries), SPEC_RESTARTS_MAX, &retries, NULL) < 0 || !retries))
		return err_set(e, ERRK_INPUT, "--health-retries: want a number from 1 to %d",
			       SPEC_RESTARTS_MAX);
	h->retries = (uint32_t)retries;
	if (read_seconds(&h->interval, o->health_interval, "--health-interval", e) < 0 ||
	    read_seconds(&h->timeout, o->health_timeout, "--health-timeout", e) < 0)
		return -1;
	return read_seconds(&h->grace, o->health_start_period, "--health-start-period", e);
}

int cli_fill_life(struct spec *s, const struct run_options *o, struct err *e)
{
	if (o->tty)
		s->tty = true;
	if (o->restart && spec_set_restart(s, str_of(o->restart), e) < 0)
		return -1;
	return read_health(s, o, e) < 0 ? -1 : read_stop(s, o, e);
}
