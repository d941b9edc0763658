/* How a container comes, stays and goes: pull policy, stop, restart, health. */
#ifndef SPEC_LIFE_H
#define SPEC_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"

#define SPEC_STOP_MAX	  300 /* seconds between the stop signal and KILL */
#define SPEC_RESTARTS_MAX 100
#define SPEC_SECONDS_MAX  86400
#define SPEC_HEALTH_MAX	  1024 /* bytes of the command, with its NULs */

struct spec;

enum spec_pull { SPEC_PULL_MISSING, SPEC_PULL_ALWAYS, SPEC_PULL_NEVER };

/* Run `command` inside, now and again; healthy is status 0. */
struct spec_health {
	uint32_t nargs;			   /* 0: no check */
	char command[SPEC_HEALTH_MAX];	   /* NUL-terminated arguments, one after the other */
	uint32_t interval, timeout, grace; /* seconds; 0: 30, 10, none */
	uint32_t retries;		   /* failures in a row that make it ill; 0: 3 */
};

/* pull, stop, restart and health of the JSON form. */
int spec_life_read(struct spec *out, const struct json *spec, struct err *e) MUST_CHECK;
void spec_pull_write(struct jsonw *w, const struct spec *s);
void spec_life_write(struct jsonw *w, const struct spec *s);
int spec_life_check(const struct spec *s, struct err *e) MUST_CHECK;
/* The check becomes `command`, run by a shell as Docker does; its numbers stay. */
int spec_set_health(struct spec *s, struct str command, struct err *e) MUST_CHECK;
/* "no" or "on-failure:N". */
int spec_set_restart(struct spec *s, struct str text, struct err *e) MUST_CHECK;

/* "TERM", "SIGTERM" or "15" to 15. */
int spec_signal(struct str name, int *signal, struct err *e) MUST_CHECK;
const char *spec_signal_name(int signal); /* "TERM"; NULL if unknown */
bool spec_signal_may_send(int signal);	  /* one that an owner may send into a lease */

#endif
