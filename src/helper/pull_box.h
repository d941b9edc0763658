/*
 * A place for the program that brings images: its own user, network, mounts, processes and ipc, a
 * root of a few read-only folders, no powers, and one folder that it may fill. It reaches what a
 * tenant reaches, and what the operator listed.
 */
#ifndef HELPER_PULL_BOX_H
#define HELPER_PULL_BOX_H

#include "helper/helper.h"

struct pull_box {
	const struct helper_pull *pull;
	uint32_t slot;	     /* of pull->net; its user is pull->uid + slot */
	const char *root;    /* an empty folder: where its root is mounted, for itself alone */
	const char *work;    /* becomes /work; NULL: 32 MiB of memory */
	const char *archive; /* becomes /archive; NULL: none */
	const char *host;    /* for which `auth` is */
	const char *auth;    /* base64 of USER:PASSWORD; NULL: none */
	uint64_t file_max;   /* bytes of the largest file that it may write */
	int netns;	     /* -1: a network without any link */
	int64_t until_ms;    /* by clock_mono_ms: killed then */
};

/* A network namespace that is joined to the slot's link, until its descriptor is closed. */
int pull_box_connect(int *netns, const struct helper_pull *p, uint32_t slot,
		     struct err *e) MUST_CHECK;

enum { PULL_BOX_FAILED = 1, PULL_BOX_LATE = 2 };
typedef void pull_box_tick_fn(void *ctx); /* a few times a second */

/* Run argv; its output goes to `out`, the end of its complaints to `complaints`. FAILED: it said
 * no. LATE: it was killed. */
int pull_box_run(const struct pull_box *b, const char *const *argv, struct buf *out,
		 struct buf *complaints, pull_box_tick_fn *tick, void *ctx,
		 struct err *e) MUST_CHECK;

#endif
