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

int cli_fill_life(struct spec *s, const struct run_options *o, struct err *e)
{
	if (o->tty)
		s->tty = true;
	if (o->restart && spec_set_restart(s, str_of(o->restart), e) < 0)
		return -1;
	return read_stop(s, o, e);
}
