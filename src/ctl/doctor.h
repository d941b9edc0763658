/* leasectl doctor's findings: one line a check. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "agent/config.h"
#include "base/buf.h"
#include "base/jsonw.h"
#include "ctl/ctl.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	const struct ctl *ctl;
	const struct config *conf;
	bool failed;
	struct buf json;
	struct jsonw w;
};

/* `fix` is what the operator can do, NULL where there is nothing to do; the finding may hold a
 * stranger's text. */
void doctor_say(struct doctor *d, enum doctor_level level, const char *what, const char *fix,
		const char *fmt, ...) PRINTF_LIKE(5, 6);

/* What a file of the kernel holds, if that is a number. */
bool doctor_number(const char *path, uint64_t *out);

void doctor_host(struct doctor *d);	 /* kernel, cgroups, devices, runtime, folders */
void doctor_isolation(struct doctor *d); /* what keeps tenants in: on, off, impossible here */
void doctor_network(struct doctor *d);	 /* other firewalls, forwarding, conntrack */
void doctor_docker(struct doctor *d);	 /* the daemon, where offers have it */
void doctor_offers(struct doctor *d);	 /* what they have of this machine, or should */
void doctor_peers(struct doctor *d);	 /* relays, mints, clock */

#endif
