/* How much of the host a lease may take. 0 is "not said" everywhere. */
#ifndef SPEC_LIMITS_H
#define SPEC_LIMITS_H

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"

#define SPEC_CPU_MIN	10 /* millicores */
#define SPEC_CPU_MAX	1024000
#define SPEC_MEMORY_MIN (UINT64_C(4) << 20)
#define SPEC_MEMORY_MAX (UINT64_C(16) << 40)
#define SPEC_PIDS_MIN	8
#define SPEC_PIDS_MAX	4194304
#define SPEC_DISK_MIN	(UINT64_C(16) << 20)
#define SPEC_DISK_MAX	(UINT64_C(256) << 40)
#define SPEC_INODES_MAX UINT32_MAX
#define SPEC_RATE_MIN	4096 /* bytes a second */
#define SPEC_RATE_MAX	(UINT64_C(1) << 40)
#define SPEC_IOPS_MAX	100000000

/* Of the lease's own volume, a second; 0: as fast as it is. */
struct spec_io {
	uint64_t read, write;	/* bytes */
	uint64_t reads, writes; /* operations */
};

/* Of its network, bytes a second; 0: as fast as it is. */
struct spec_bandwidth {
	uint64_t in, out;
};

struct spec_limits {
	uint64_t cpu;	 /* thousandths of a core */
	uint64_t memory; /* bytes */
	uint64_t pids;
	uint64_t disk;	 /* bytes */
	uint64_t inodes; /* 0: what mkfs chooses */
	uint64_t swap;	 /* bytes beyond memory; 0: none */
	struct spec_io io;
	struct spec_bandwidth bandwidth;
};

/* The member `key`; nothing where there is none. */
int spec_limits_read(struct spec_limits *out, const struct json *parent, const char *key,
		     struct err *e) MUST_CHECK;
void spec_limits_write(struct jsonw *w, const char *key, const struct spec_limits *l);
/* cpu, memory, pids and disk are there, all are in range. */
int spec_check_limits(const struct spec_limits *l, struct err *e) MUST_CHECK;
/* The tighter of two; 0 is no limit. */
struct spec_io spec_io_min(struct spec_io a, struct spec_io b);
struct spec_bandwidth spec_bandwidth_min(struct spec_bandwidth a, struct spec_bandwidth b);

#endif
