/*
 * From spec, image and placement to the texts that a runc-compatible runtime reads. Pure: no file
 * is opened and nothing of the host is looked up here. The spec and the image are a stranger's, the
 * placement is ours: only typed and checked values of the former reach the text.
 */
#ifndef OCI_OCI_H
#define OCI_OCI_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "spec/grant.h"
#include "spec/image_config.h"
#include "spec/spec.h"

#define OCI_CONFIG_MAX	(1 << 20)
#define OCI_THROTTLE	"/sys/devices/system/cpu/cpu%u/thermal_throttle"
#define OCI_GPU_ENV_MAX 64 /* variables of the cards' driver */

struct oci_bind {
	const char *source, *target; /* absolute */
	/* OCI_DATA: read-only, and no program. Inside a user namespace a bind of what is mounted
	 * noexec must say so again. */
	enum oci_access { OCI_READ_ONLY, OCI_READ_WRITE, OCI_DATA } access;
};

/* Graphics cards that were set aside for this lease, by their numbers on the host. Their nodes are
 * among the devices. */
struct oci_gpus {
	enum spec_vendor vendor;
	const uint32_t *index;
	size_t n;
	const struct spec_map *env; /* what their driver wants said besides; NULL: nothing */
};

/* This container as one of several that work together. */
struct oci_group {
	uint32_t rank, size;
	const char *address; /* of rank 0 */
	uint16_t port;
};

/* Where and as whom; everything borrowed. */
struct oci_placement {
	const char *rootfs; /* absolute path of the mounted root */
	const char *cgroup; /* cgroupsPath, begins with "/" */
	const char *netns;  /* path of a network namespace; NULL: the runtime makes one … */
	const char *userns, *cgroupns; /* … so with these; userns is one of the ids below */
	const char *hostname;	       /* where the spec has none; up to 63 characters */
	uint32_t id_base;	       /* first host id of the lease's user namespace … */
	uint32_t id_count;	       /* … and how many; 0: no user namespace */
	uint64_t pids;		       /* limit of the control group; 0: the spec's */
	uint64_t nofile;	       /* hard limit of open files: at most our own; 0: inherited */
	struct image_user user;
	const struct oci_bind *binds; /* further mounts (ours), after the standard ones */
	size_t nbinds;
	/* Where each of the spec's storage entries lies on the host, in its order; NULL for a
	 * tmpfs. */
	const char *const *volumes;
	size_t nvolumes;
	const struct spec_device *devices; /* looked up */
	size_t ndevices;
	struct oci_gpus gpus;
	const struct oci_group *group;	 /* NULL: alone */
	uint64_t caps;			 /* beyond the usual, that the policy lets buyers have */
	const struct spec_grant *grant;	 /* the operator's template; NULL: none */
	const char *apparmor;		 /* name of a loaded profile; NULL: no such LSM */
	uint32_t disk_major, disk_minor; /* device of the lease's volume, for io limits; 0: none */
	unsigned cgroup_version;	 /* 2: settings that only it has */
	unsigned throttling_cpus;	 /* processors with a thermal_throttle folder in /sys */
};

/* Append config.json (ociVersion 1.0.2). -1 with ERRK_INPUT where the image has no command, a
 * secret is missing or something that the spec wants was not prepared; ERRK_DENIED for powers that
 * neither policy nor template give. A value of the environment that begins with "$S:NAME" is that
 * secret's, with "$S:NAME/FIELD" a text of its JSON; "$$S:" stands for "$S:". */
int oci_config(struct buf *out, const struct spec *s, const struct image_config *img,
	       const struct oci_placement *p, struct err *e) MUST_CHECK;

/* One more command in the running container. */
struct oci_exec {
	const char *const *argv;    /* NULL-ended, at least one */
	const char *workdir;	    /* NULL: as the main process */
	const struct spec_env *env; /* over the main process's environment */
	size_t nenv;
	struct image_user user; /* resolved already */
	uint64_t nofile;	/* these as in the placement */
	uint64_t caps;
	const struct spec_grant *grant;
	struct oci_gpus gpus;
	const char *apparmor;
};

/* Append a process object for `runtime exec --process FILE`: same limits, capabilities and flags as
 * the main process has. */
int oci_exec(struct buf *out, const struct spec *s, const struct image_config *img,
	     const struct oci_exec *x, struct err *e) MUST_CHECK;

/* The same for those who take a container in other words than config.json. */
struct oci_mount {
	const char *target, *source; /* no source: a tmpfs, with size and mode */
	enum oci_access access;
	uint64_t size;
	uint32_t mode;
	bool device;
};
/* All but the standard ones, in the order in which they are made; *out is the caller's to free. -1
 * where storage was not prepared. */
int oci_mounts(struct oci_mount **out, size_t *nout, const struct spec *s,
	       const struct oci_placement *p, struct err *e) MUST_CHECK;
/* The set that counts; -1 where the spec wants one that nobody gives. */
int oci_caps(uint64_t *out, const struct spec *s, uint64_t offered, const struct spec_grant *g,
	     struct err *e) MUST_CHECK;
/* Paths that nobody inside sees anything of; NULL beyond the last. */
const char *oci_masked(size_t i);
/* Append the filter of system calls as a file for Docker. */
void oci_seccomp(struct buf *out, uint64_t caps);
/* Append what the main process is started with, each text ended by a NUL: its working folder, its
 * arguments, its environment with secrets in their places. Fails as oci_config does. */
struct oci_command {
	size_t nargs, nenv;
};
int oci_command(struct buf *out, struct oci_command *c, const struct spec *s,
		const struct image_config *img, const struct oci_placement *p,
		struct err *e) MUST_CHECK;
/* Append the environment of another command, each text ended by a NUL; and where it begins. */
int oci_env_texts(struct buf *out, const char **workdir, const struct spec *s,
		  const struct image_config *img, const struct oci_exec *x,
		  struct err *e) MUST_CHECK;
struct oci_cpu {
	uint64_t shares, quota, period;
};
struct oci_cpu oci_cpu(uint64_t millicores);

/* The user text that counts: the spec's, else the image's, else "0". */
const char *oci_user(const struct spec *s, const struct image_config *img);
int oci_stop_signal(const struct spec *s, const struct image_config *img); /* at least TERM */
uint32_t oci_stop_timeout(const struct spec *s);			   /* seconds */

#endif
