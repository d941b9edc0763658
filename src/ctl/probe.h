/* Does a mint or a relay answer? Blocking questions for init and doctor. */
#ifndef CTL_PROBE_H
#define CTL_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"

struct probe;
int probe_new(struct probe **out, struct err *e) MUST_CHECK;
void probe_free(struct probe *p);
DEFINE_AUTO(struct probe, probe_free)
#define auto_probe AUTO(probe_free)

enum probe_reach { PROBE_PUBLIC, PROBE_LOCAL }; /* loopback and private addresses too */

struct probe_answer {
	bool ok;
	char text[160]; /* what was found, or why not; printable */
	int64_t date;	/* the other side's clock in seconds, 0: not said */
};

/* GET /v1/info: is there a mint, and what is it called? */
void probe_mint(struct probe *p, const char *url, enum probe_reach reach, struct probe_answer *out);
/* Connect, subscribe to nothing, wait for the end of stored events. */
void probe_relay(struct probe *p, const char *url, struct probe_answer *out);

#endif
