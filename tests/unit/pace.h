/*
 * A clock for tests that keeps pace with the test: what passes while the program does not come to
 * look at it, because others have the processor or because what it does takes long here, does not
 * count. A timer that looks often keeps it going while the loop waits. Times of a script are thus
 * long enough on any machine.
 */
#ifndef TESTS_UNIT_PACE_H
#define TESTS_UNIT_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "net/loop.h"

#define PACE_LOOK_MS 2
#define PACE_MOST_US 10000 /* so much passes between two looks */

struct pace { /* zeros: it begins with the first look. Processes may share one */
	_Atomic int64_t seen_us, passed_us;
	_Atomic bool held; /* it stands still */
};

static inline int64_t pace_ms(struct pace *p)
{
	int64_t now = clock_mono_us(), was = atomic_exchange(&p->seen_us, now);
	int64_t step = was && now > was && !p->held ? now - was : 0;

	if (step > PACE_MOST_US)
		step = PACE_MOST_US;
	return (atomic_fetch_add(&p->passed_us, step) + step) / 1000;
}

/* On a loop whose clock is of that pace; goes with the loop. */
static inline void pace_keep(void *loop)
{
	loop_timer_add(loop, PACE_LOOK_MS, pace_keep, loop);
}

static inline void pace_stop(void *loop)
{
	loop_stop(loop);
}

/* What has arrived is worked on, and what comes of that on the same loop, which takes no time. */
static inline void pace_hops(struct pace *p, struct loop *l, int n)
{
	bool held = p->held;

	pace_ms(p);
	p->held = true;
	while (n-- > 0) {
		loop_timer_add(l, 0, pace_stop, l);
		loop_run(l);
	}
	pace_ms(p);
	p->held = held;
}

#endif
