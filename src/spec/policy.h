/*
 * What this provider serves of what a spec can say. A field beyond it is refused with "this
 * provider does not offer …" before any money is taken, never ignored.
 */
#ifndef SPEC_POLICY_H
#define SPEC_POLICY_H

#include <stdint.h>

#include "spec/spec.h"

enum spec_feature {
	SPEC_OFFERS_VOLUMES = 1 << 0,	/* named ones */
	SPEC_OFFERS_ANONYMOUS = 1 << 1, /* anonymous volumes */
	SPEC_OFFERS_ASSETS = 1 << 2,
	SPEC_OFFERS_SHARING = 1 << 3, /* volumes of another lease */
	SPEC_OFFERS_PORTS = 1 << 4,
	SPEC_OFFERS_INTERNET = 1 << 5,
	SPEC_OFFERS_GPU = 1 << 6,
	SPEC_OFFERS_TTY = 1 << 7,
	SPEC_OFFERS_RESTART = 1 << 8,
	SPEC_OFFERS_HEALTH = 1 << 9,
	SPEC_OFFERS_BANDWIDTH = 1 << 10,
	SPEC_OFFERS_ENCRYPTION = 1 << 11, /* so that a buyer may bring a volume's key */
};

/* Graphics cards that leases of one offer may have. */
struct spec_cards {
	enum spec_vendor vendor;
	uint32_t count;		      /* all of them together; 0: none */
	uint32_t each;		      /* one lease at most */
	uint32_t only[SPEC_GPUS_MAX]; /* their numbers on the host … */
	size_t nonly;		      /* … 0: any */
};

/* What buyers of one offer may ask for beyond what every lease has: its operator's word, which core
 * and helper each have from the configuration. */
struct spec_allowance {
	uint64_t caps;
	uint64_t rlimits[SPEC_RLIMITS]; /* highest hard limits; 0: the host's */
	struct spec_cards cards;
};

struct spec_policy {
	uint32_t features;		/* enum spec_feature */
	uint64_t caps;			/* beyond the usual, for whoever asks */
	uint64_t rlimits[SPEC_RLIMITS]; /* highest hard limits */
	const char *const *assets;	/* NULL-ended names, with SPEC_OFFERS_ASSETS */
	enum spec_vendor vendor;	/* of cards */
	uint32_t gpus;			/* at most */
};

/* What this build serves on this host: asks the kernel for our own process limits only. */
void spec_policy_here(struct spec_policy *p);
void spec_policy_allow(struct spec_policy *p, const struct spec_allowance *a);
/* ERRK_DENIED names the first field that is not offered. */
int spec_policy_check(const struct spec_policy *p, const struct spec *s, struct err *e) MUST_CHECK;

#endif
