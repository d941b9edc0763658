/*
 * What a lease uses, beside what it may: one list of numbers for the host's files, the helper's
 * messages and the wire. 0 where it is not known or has no limit; counters begin with the lease's
 * processes, those of the network with the lease.
 */
#ifndef SPEC_USAGE_H
#define SPEC_USAGE_H

#include <stdint.h>

#include "base/buf.h"

#define SPEC_USAGE(X)                                                                              \
	X(cpu_us)	/* processor time */                                                       \
	X(cpu_limit)	/* thousandths of a core */                                                \
	X(throttled_us) /* waited for the next period, all processes together */                   \
	X(memory)	/* without files that could be dropped */                                  \
	X(memory_peak)	/* with them */                                                            \
	X(memory_limit)                                                                            \
	X(oom_kills)                                                                               \
	X(pids)                                                                                    \
	X(pids_limit)                                                                              \
	X(disk_read) /* bytes, of the lease's own disk */                                          \
	X(disk_written)                                                                            \
	X(disk_reads) /* operations */                                                             \
	X(disk_writes)                                                                             \
	X(disk_used)                                                                               \
	X(disk_size)                                                                               \
	X(net_in) /* bytes */                                                                      \
	X(net_out)

struct spec_usage {
#define X(name) uint64_t name;
	SPEC_USAGE(X)
#undef X
};

/* Columns for people, without an end of line. */
void spec_usage_head(struct buf *out);
void spec_usage_row(struct buf *out, const struct spec_usage *u, uint64_t cpu_permille);
/* Thousandths of a core between two looks. */
uint64_t spec_usage_cpu(uint64_t cpu_us, uint64_t before_us, int64_t ms);

#endif
