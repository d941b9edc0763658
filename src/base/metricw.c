#include "base/metricw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const uint64_t bounds_us[METRIC_BOUNDS] = {
	5000,	 10000,	  25000,   50000,	 100000,       250000,	     500000,
	1000000, 2500000, 5000000, 1000000 * 10, 1000000 * 30, 1000000 * 60, 1000000 * 300,
};

void metricw_family(struct metricw *w, enum metric_type t, const char *name, const char *help)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	w->name = name;
	buf_printf(w->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[t]);
}

/* "label_value can be any sequence of UTF-8 characters, but the backslash (\), double-quote ("),
 * and line feed (\n) characters have to be escaped as \\, \", and \n, respectively." */
static void write_value(struct buf *out, const char *v)
{
	bool whole = utf8_valid(str_of(v));

	for (; v && *v; v++) {
		if (*v == '\n')
			buf_puts(out, "\\n");
		else if (*v == '\\' || *v == '"')
			buf_printf(out, "\\%c", *v);
		else
			buf_byte(out, whole || (unsigned char)*v < 128 ? (uint8_t)*v : '?');
	}
}

static void write_label(struct buf *out, const struct metric_label *l, const char *comma)
{
	buf_printf(out, "%s%s=\"", comma, l->name);
	write_value(out, l->value);
	buf_byte(out, '"');
}

/* Up to the value. `le`: the upper bound of a histogram's bucket, or NULL. */
static void begin(struct metricw *w, const char *suffix, const struct metric_label *labels,
		  const char *le)
{
	const struct metric_label bound = {"le", le};
	const char *comma = "{";

	buf_printf(w->out, "%s%s", w->name, suffix);
	for (; labels && labels->name; labels++, comma = ",")
		write_label(w->out, labels, comma);
	if (le) {
		write_label(w->out, &bound, comma);
		comma = ",";
	}
	buf_puts(w->out, *comma == ',' ? "} " : " ");
}

void metricw_u64(struct metricw *w, const struct metric_label *labels, uint64_t v)
{
	begin(w, "", labels, NULL);
	buf_printf(w->out, "%" PRIu64 "\n", v);
}

/* Without zeros at its end. */
static void decimal(char *to, size_t size, uint64_t v, unsigned digits)
{
	uint64_t unit = 1;

	for (; digits > 0 && v % 10 == 0; digits--)
		v /= 10;
	for (unsigned i = 0; i < digits; i++)
		unit *= 10;
	if (digits == 0)
		snprintf(to, size, "%" PRIu64, v);
	else
		snprintf(to, size, "%" PRIu64 ".%0*" PRIu64, v / unit, (int)digits, v % unit);
}

void metricw_decimal(struct metricw *w, const struct metric_label *labels, uint64_t v,
		     unsigned digits)
{
	char text[32];

	decimal(text, sizeof(text), v, digits);
	begin(w, "", labels, NULL);
	buf_printf(w->out, "%s\n", text);
}

void metric_times_add(struct metric_times *t, uint64_t us)
{
	size_t i = 0;

	while (i < METRIC_BOUNDS && us > bounds_us[i])
		i++;
	t->in[i]++;
	t->sum_us += us;
}

void metricw_times(struct metricw *w, const struct metric_label *labels,
		   const struct metric_times *t)
{
	uint64_t count = 0;
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(t->in); i++) {
		if (i < METRIC_BOUNDS)
			decimal(text, sizeof(text), bounds_us[i], 6);
		count += t->in[i];
		begin(w, "_bucket", labels, i < METRIC_BOUNDS ? text : "+Inf");
		buf_printf(w->out, "%" PRIu64 "\n", count);
	}
	decimal(text, sizeof(text), t->sum_us, 6);
	begin(w, "_sum", labels, NULL);
	buf_printf(w->out, "%s\n", text);
	begin(w, "_count", labels, NULL);
	buf_printf(w->out, "%" PRIu64 "\n", count);
}
