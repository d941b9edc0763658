/*
 * Bringing images: so many at a time, each in a worker of its own (not one of those that leases
 * wait for), one for all who want the same. Credentials of a lease are kept here, in memory, from
 * its question until its start, and forgotten then.
 */
#ifndef HELPER_PULLS_H
#define HELPER_PULLS_H

#include "helper/job.h"
#include "helper/worker.h"

enum pull_kind {
	PULL_RESOLVE, /* which digest is it, and how large? An archive is brought at once */
	PULL_FETCH,   /* bring the digest into the store */
};

struct pull_want {
	enum pull_kind kind;
	const char *ref;    /* as spec_ref_write has it, or "oci-archive:/PATH:TAG" */
	const char *digest; /* of FETCH; else "" */
	const char *auth;   /* base64 of USER:PASSWORD, or "" */
	uint64_t promised;  /* bytes of the disk that are not to be used */
};

struct pulls;
struct pulls *pulls_new(struct loop *l, const struct helper_config *c, struct workers *erasers);
void pulls_free(struct pulls *p);
DEFINE_AUTO(struct pulls, pulls_free)

struct pull_ear {
	/* Once, later than pulls_ask. */
	void (*done)(void *ctx, const struct priv_image_reply *r);
	/* Every second in which bytes came; may be NULL. */
	void (*progress)(void *ctx, uint64_t bytes, uint64_t of);
	void (*drop)(void *ctx); /* instead of done, by pulls_free */
	void *ctx;
};
/* All strings are copied. -1: too many wait already; nothing is called then. */
int pulls_ask(struct pulls *p, const struct pull_want *w, const struct pull_ear *ear,
	      struct err *e) MUST_CHECK;
/* Kill what is under way; it is told as a failure. */
void pulls_stop(struct pulls *p);
bool pulls_busy(const struct pulls *p); /* runs, or leaves something that is being removed */

void pulls_keep_auth(struct pulls *p, const char *lease, const char *auth);
/* The caller frees and wipes; "" where there is none. */
char *pulls_take_auth(struct pulls *p, const char *lease);

/* What a worker does. */
struct pull_meter {
	_Atomic uint64_t bytes, of;
};
struct pull_task {
	const struct helper_config *c;
	struct pull_want want;
	uint32_t slot;
	struct pull_meter *meter; /* shared with the helper */
};
void job_pull(const struct pull_task *t, struct priv_image_reply *r);
/* What a killed one left. */
int job_pull_clean(const struct helper_config *c, uint32_t slot, struct err *e) MUST_CHECK;
/* The disks of those that died with a helper, before there is any pull: they have the same names.
 */
int job_pull_sweep(const struct helper_config *c, struct err *e) MUST_CHECK;
/* Under which name an archive is noted: also of this very file. The caller frees. */
char *job_archive_key(const char *ref);
bool job_is_archive(const char *ref);

#endif
