#include "base/step.h"

#include <signal.h>
#include <unistd.h>

#include "base/str.h"

static const struct {
	const char *name, *text;
	enum step_kind kind;
} table[STEP_COUNT] = {
#define X(name, kind, text) {#name, text, STEP_##kind},
	STEP_TABLE(X)
#undef X
};

/* The armed step of this process: `left` passings until the kill, 0 when disarmed; and who watches
 * all of them. */
static struct {
	enum step step;
	uint64_t left;
	step_fn *watcher;
} armed;

const char *step_name(enum step s)
{
	return table[s].name;
}

const char *step_text(enum step s)
{
	return table[s].text;
}

enum step_kind step_kind(enum step s)
{
	return table[s].kind;
}

int step_arm(const char *spec, struct err *e)
{
	struct str rest = str_of(spec), name;
	uint64_t passing = 1;
	unsigned i;

	if (!str_cut(&rest, ':', &name))
		return err_set(e, ERRK_INPUT, "no step given");
	if (rest.p && str_u64(rest, 1000000, &passing, e))
		return err_wrap(e, "step %s", spec);
	for (i = 0; i < STEP_COUNT; i++)
		if (str_is(name, table[i].name))
			break;
	if (i == STEP_COUNT || passing == 0)
		return err_set(e, ERRK_INPUT, "there is no step %s", spec);
	armed.step = (enum step)i;
	armed.left = passing;
	return 0;
}

void step_watch(step_fn *fn)
{
	armed.watcher = fn;
}

void step_at(enum step s)
{
	if (armed.watcher)
		armed.watcher(s);
	if (armed.left && armed.step == s && --armed.left == 0)
		kill(getpid(), SIGKILL);
}
