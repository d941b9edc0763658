/* A point of the matrix: one scenario, disturbed in one way; and what a run of it came to. */
#ifndef TESTS_CRASH_POINT_H
#define TESTS_CRASH_POINT_H

#include "scenario.h"

enum point_kind { POINT_NONE, POINT_KILL, POINT_MINT, POINT_RELAY };

struct crash_point {
	const struct scenario *scenario;
	enum point_kind kind;
	enum actor actor;	    /* KILL: who */
	struct death death, second; /* KILL; the second during the recovery */
	unsigned fault;		    /* MINT, RELAY: row of the fault's table */
	char path[48];		    /* MINT */
	uint32_t skip;		    /* so many requests or wraps pass before */
};

#define PATHS_MAX 16

struct asked { /* requests of one path at the mint */
	char path[48];
	uint64_t n;
};

struct result { /* in memory shared with the run's process */
	struct shared shared;
	struct outcome before, after;
	uint32_t passed[ACTORS][STEP_COUNT]; /* in the tested part, or after the death */
	struct asked asked[PATHS_MAX];
	uint32_t wraps;
	bool finished;
	bool spared;	   /* the second death did not come: the recovery went another way */
	char why[WHY_MAX]; /* "": good */
};

struct wire_fault {
	const char *name;
	const char *json; /* its beginning: path and skip follow */
	const char *only; /* "": every path, else only this one */
};
extern const struct wire_fault mint_faults[], relay_faults[];
extern const size_t mint_faults_n, relay_faults_n;

/* "start: provider LEASE_PAID:1" */
void point_text(char *out, size_t size, const struct crash_point *p);
/* Run it in this process, which is to end afterwards. `want` is what the undisturbed run came to;
 * NULL: this is it. */
void point_run(const struct crash_point *p, const struct result *want, struct result *r);

#endif
