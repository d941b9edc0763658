/*
 * Writing numbers in Prometheus' text format (0.0.4) into a buffer: families with their meaning,
 * samples whose label values are escaped, times as histograms. What is counted are integers; what
 * is shown in a larger unit (seconds, cores) is written as their decimal fraction.
 */
#ifndef BASE_METRICW_H
#define BASE_METRICW_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct metricw {
	struct buf *out;
	const char *name; /* of the family that samples go to */
};
#define METRICW(buffer) ((struct metricw){.out = (buffer)})

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
	const char *name, *value; /* the value may hold any bytes; what is no UTF-8 becomes '?' */
};
/* Labels end with one without a name; NULL: none. */
#define METRIC_LABELS(...) ((const struct metric_label[]){__VA_ARGS__, {NULL, NULL}})

/* All samples of a family follow its beginning. `name` and `help` are ours: no lines in them. */
void metricw_family(struct metricw *w, enum metric_type t, const char *name, const char *help);
void metricw_u64(struct metricw *w, const struct metric_label *labels, uint64_t v);
/* v / 10^digits, exactly; at most 9 digits. */
void metricw_decimal(struct metricw *w, const struct metric_label *labels, uint64_t v,
		     unsigned digits);

/* How long something took, so many times; up to which time each of the first buckets counts, in
 * microseconds. */
#define METRIC_BOUNDS 14
struct metric_times {
	uint64_t in[METRIC_BOUNDS + 1]; /* the last: longer than all bounds */
	uint64_t sum_us;
};
void metric_times_add(struct metric_times *t, uint64_t us);
void metricw_times(struct metricw *w, const struct metric_label *labels,
		   const struct metric_times *t);

#endif
