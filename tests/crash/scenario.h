/* What a run of the matrix plays: tables of commands and of things that happen. */
#ifndef TESTS_CRASH_SCENARIO_H
#define TESTS_CRASH_SCENARIO_H

#include "books.h"

#define LINES_MAX 10

/*
 * A line is one of
 *   lease …              the buyer's command line
 *   leasectl …           the operator's
 *   host runs|fails|lost what starting does; lost: the container is gone when it is looked for
 *   host exits           the command that runs there fails
 *   image there|gone
 *   pass N               so many seconds
 *   off N                the provider is off for so many seconds
 *   until ended          every lease has ended
 *   until again          a command was started again
 *   provider down|up
 *   ghost sells          an offer of somebody who answers nobody, cheaper than the provider's
 *   mint rotates         its keyset
 *   mint refuses         from the second swap on four times
 *   mint fails           to pay the next invoice
 *   mint leaves          it does nothing from the second swap on, until "up"
 *   mint forgets         it does that swap, but nobody hears of it, until "up"
 *   mint up
 */
/* A hindrance ends when all is recovered, so it depends on the moment of a kill whether a lease, a
 * refund or a release comes of the request; never two of them. */
enum ends { ENDS_ONE_WAY, ENDS_ANY_WAY };

struct scenario {
	const char *name;
	const char *before[LINES_MAX]; /* undisturbed, must work */
	const char *tested[LINES_MAX]; /* here the process is killed, the wire disturbed */
	int status[LINES_MAX];	      /* exit status of the tested ones when nothing is disturbed */
	const char *after[LINES_MAX]; /* what its user does besides "lease recover" */
	enum ends ends;
};

extern const struct scenario scenarios[];
extern const size_t scenarios_n;

/* Steps that no scenario can reach, and where they are killed instead. */
struct elsewhere {
	enum step step;
	const char *where;
};
extern const struct elsewhere elsewhere[];
extern const size_t elsewhere_n;

/* Plays one line; the exit status of a command, else 0. */
int scenario_play(struct stage *s, const char *line);

#endif
