/*
 * The host helper: serves leased-core's requests with root's powers, from its own list of leases.
 * It blocks on nothing: each slow request is a worker process. Leases live in files on tmpfs
 * (record.h) that are written before anything is done, so a helper that starts again takes over
 * what is there; keepers and containers do not notice.
 */
#ifndef HELPER_HELPER_H
#define HELPER_HELPER_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/tenant_net.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "image/pull.h"
#include "net/loop.h"
#include "spec/grant.h"
#include "spec/policy.h"
#include "spec/template.h"
#include "volume/volume.h"

struct helper_prepared {
	uint64_t bytes; /* of each volume: what an offer sells */
	unsigned count; /* how many wait */
};

struct helper_image {
	const char *name; /* what a spec calls it; the reference itself is allowed, too */
	const char *ref;  /* "oci:/PATH:TAG", "oci-archive:/PATH:TAG", "HOST/PATH:TAG"; a pattern */
};

struct helper_assets {
	const char *name;   /* what a spec calls it */
	const char *folder; /* leases may read it */
};

/* What leases of an offer get beyond what all have. */
struct helper_offer {
	const char *name;
	const char *backend;		       /* NULL: as the others */
	struct spec_allowance allow;	       /* what its buyers may ask for */
	const struct spec_grant *grant;	       /* the operator's, for all of them; NULL: none */
	const struct spec_template *templates; /* that it serves, each with its own grant */
	size_t ntemplates;
};

/* How images of registries and archives are brought. */
struct helper_pull {
	const struct tenant_net *net; /* of pulls alone: at least `at_once` slots */
	uint32_t uid;		      /* of slot 0; each slot has the next */
	unsigned at_once;
	int64_t timeout_s;
	uint64_t bytes_max;	 /* of an image's blobs */
	const char *home;	 /* default registry; NULL: none */
	struct pull_hosts hosts; /* mirrors, and who speaks no TLS */
	const char *const *near; /* nnear lines for its hosts file: "ADDRESS NAME" */
	size_t nnear;
	const char *resolv_conf; /* text */
	const char *ca_file;	 /* NULL: the system's alone */
};

/* Everything is borrowed for the life of the helper. Folders are absolute. */
struct helper_config {
	const char *state_dir;	 /* root's, on disk: volumes, image store */
	const char *run_dir;	 /* memory-backed */
	const char *libexec_dir; /* where leased-keeper is */
	const char *backend;	 /* of leases whose offer says nothing; NULL: "oci" */
	const char *runtime;	 /* path or name: "runc" */
	const char *docker;	 /* Docker's client, path or name; NULL: "docker" */
	const char *docker_host; /* its daemon: "unix:///PATH" */
	const char *cgroup;	 /* parent of the leases' cgroups: "/leased" */
	bool allow_cgroup_v1;
	bool refuse_old_runtime; /* instead of a warning, and a word in the offers */

	enum volume_activation activation;
	const char *activation_why; /* why not a better one; may be NULL */
	bool survives; /* volumes, and so their leases, survive a reboot: keys lie on disk */

	const struct helper_pull *pull;	   /* NULL: layouts only */
	const struct helper_image *images; /* what may run; nothing else may */
	size_t nimages;
	const struct helper_assets *assets;
	size_t nassets;
	uint64_t image_bytes; /* maximum of one unpacked image; 0: the store's default */
	uint64_t store_max;   /* of all unpacked images; 0: no limit */
	uint64_t log_bytes;   /* kept of a lease's output; 0: 16 MiB */

	uint32_t id_base;  /* first host id of all leases' user namespaces … */
	uint32_t id_slots; /* … and how many leases that is enough for; 0: no user namespaces */
	const char *resolv_conf;	      /* text; NULL: empty */
	const struct tenant_net *net;	      /* NULL: leases have no network but their loopback */
	uint16_t publish_first, publish_last; /* ports that leases may publish; 0: none */

	const struct helper_offer *offers;
	size_t noffers;
	const char *const *cdi_dirs; /* NULL-ended, the later win; NULL: the usual two */
	const char *host_root;	     /* where /dev and /sys are, for cards; NULL: there */

	const struct helper_prepared *prepared;
	size_t nprepared;
	unsigned workers; /* jobs at once; 0: 16 */
};

struct helper;

/* Takes over the leases that the run folder names and starts to prepare volumes. */
int helper_new(struct helper **out, struct loop *l, const struct helper_config *c,
	       struct err *e) MUST_CHECK;
void helper_free(struct helper *h);
DEFINE_AUTO(struct helper, helper_free)

/* Serve leased-core on `fd` (taken). A second call replaces the first one's connection. */
int helper_serve(struct helper *h, int fd, struct err *e) MUST_CHECK;
/* Stop preparing, erase what is prepared, let jobs end (tenants' commands aside); then `done`.
 * Leases go on.
 */
typedef void helper_done_fn(void *ctx);
void helper_shut_down(struct helper *h, helper_done_fn *done, void *ctx);
size_t helper_leases(const struct helper *h);

/* The strongest activation that works here: dm-crypt, then fuse. `why` says what is missing for a
 * better one. -1 where neither works. */
int helper_choose_activation(enum volume_activation *out, struct buf *why,
			     struct err *e) MUST_CHECK;

#endif
