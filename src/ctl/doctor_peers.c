/* doctor's questions to relays and mints. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ctl/doctor.h"
#include "ctl/probe.h"

enum { SKEW_WARN = 5, SKEW_FAIL = 60 }; /* seconds */

/* Requests, tokens and offers carry times; a wrong clock refuses good ones. */
static void check_clock(struct doctor *d, const char *url, int64_t date)
{
	int64_t skew = clock_wall() - date;
	enum doctor_level level = llabs(skew) > SKEW_FAIL   ? DOCTOR_FAIL
				  : llabs(skew) > SKEW_WARN ? DOCTOR_WARN
							    : DOCTOR_OK;

	doctor_say(d, level, "clock", "set it by NTP", "%" PRId64 " s ahead of %s", skew, url);
}

static void check_relays(struct doctor *d, struct probe *p)
{
	struct probe_answer a;
	char **url;

	for (url = d->conf->relays; *url; url++) {
		probe_relay(p, *url, &a);
		doctor_say(d, a.ok ? DOCTOR_OK : DOCTOR_FAIL, "relay", "choose another relay",
			   "%s: %s", *url, a.text);
	}
}

static void check_mints(struct doctor *d, struct probe *p)
{
	enum probe_reach reach = d->conf->allow_local ? PROBE_LOCAL : PROBE_PUBLIC;
	bool clock_known = false;
	struct probe_answer a;
	char **url;

	for (url = d->conf->mints; *url; url++) {
		probe_mint(p, *url, reach, &a);
		doctor_say(d, a.ok ? DOCTOR_OK : DOCTOR_FAIL, "mint", "choose another mint",
			   "%s: %s", *url, a.text);
		if (a.date && !clock_known)
			check_clock(d, *url, a.date);
		clock_known = clock_known || a.date;
	}
	if (!clock_known)
		doctor_say(d, DOCTOR_WARN, "clock", "see to it by hand",
			   "no mint said what time it is");
}

void doctor_peers(struct doctor *d)
{
	auto_probe struct probe *p = NULL;
	struct err e = {0};

	if (probe_new(&p, &e)) {
		doctor_say(d, DOCTOR_FAIL, "network", NULL, "%s", e.msg);
		return;
	}
	check_relays(d, p);
	check_mints(d, p);
}
