#include "base/conf.h"

#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

/* What libinih holds of a line and of a section's name in its default build, with some room. */
enum { FILE_MAX = 1 << 20, LINE_LENGTH = 190, SECTION_LENGTH = 45 };

/* --- one value --- */

struct range {
	uint64_t min, max;
};

static struct range range_of(const struct conf_key *k, uint64_t widest)
{
	return (struct range){k->min, k->max ? k->max : widest};
}

static int check_least(uint64_t v, const struct conf_key *k, struct err *e)
{
	if (v < k->min)
		return err_set(e, ERRK_INPUT, "less than %llu", (unsigned long long)k->min);
	return 0;
}

static void set_string(char **at, struct str v)
{
	free(*at);
	*at = mem_strndup(v.p, v.n);
}

static int set_path(char **at, struct str v, struct err *e)
{
	if (v.n == 0 || v.p[0] != '/')
		return err_set(e, ERRK_INPUT, "\"%.*s\" is not an absolute path", (int)v.n, v.p);
	set_string(at, v);
	return 0;
}

static void add_to_list(char ***at, struct str v)
{
	size_t n = 0;

	while (*at && (*at)[n])
		n++;
	*at = mem_grow(*at, n + 2, sizeof(**at));
	(*at)[n] = mem_strndup(v.p, v.n);
	(*at)[n + 1] = NULL;
}

static int set_bool(bool *at, struct str v, struct err *e)
{
	static const char *const yes[] = {"yes", "true", "1"}, *const no[] = {"no", "false", "0"};
	size_t i;

	for (i = 0; i < 3; i++) {
		if (!str_is(v, yes[i]) && !str_is(v, no[i]))
			continue;
		*at = str_is(v, yes[i]);
		return 0;
	}
	return err_set(e, ERRK_INPUT, "\"%.*s\" is neither yes nor no", (int)v.n, v.p);
}

static int set_number(void *at, const struct conf_key *k, struct str v, struct err *e)
{
	struct range r = range_of(k, k->type == CONF_DURATION ? INT64_MAX : UINT64_MAX);
	int64_t seconds = 0;
	uint64_t n = 0;
	int failed;

	if (k->type == CONF_DURATION)
		failed = str_duration(v, (int64_t)r.max, &seconds, e);
	else if (k->type == CONF_BYTES)
		failed = str_bytes(v, r.max, &n, e);
	else if (k->type == CONF_CORES)
		failed = str_millicores(v, r.max, &n, e);
	else
		failed = str_u64(v, r.max, &n, e);
	if (failed || check_least(k->type == CONF_DURATION ? (uint64_t)seconds : n, k, e))
		return -1;
	if (k->type == CONF_DURATION)
		*(int64_t *)at = seconds;
	else
		*(uint64_t *)at = n;
	return 0;
}

static int set_sat(struct sat *at, const struct conf_key *k, struct str v, struct err *e)
{
	struct range r = range_of(k, UINT64_MAX);

	if (sat_parse(at, v, e) || check_least(sat_raw(*at), k, e))
		return -1;
	if (sat_raw(*at) > r.max)
		return err_set(e, ERRK_INPUT, "more than %llu sat", (unsigned long long)r.max);
	return 0;
}

static int set_value(void *target, const struct conf_key *k, struct str v, struct err *e)
{
	void *at = (char *)target + k->offset;

	switch (k->type) {
	case CONF_STRING:
		set_string(at, v);
		return 0;
	case CONF_PATH:
		return set_path(at, v, e);
	case CONF_LIST:
		add_to_list(at, v);
		return 0;
	case CONF_BOOL:
		return set_bool(at, v, e);
	case CONF_UINT:
	case CONF_DURATION:
	case CONF_BYTES:
	case CONF_CORES:
		return set_number(at, k, v, e);
	case CONF_PRICE:
		return price_parse(at, v, e);
	case CONF_SAT:
		return set_sat(at, k, v, e);
	}
	return err_set(e, ERRK_STATE, "a key without a type");
}

static int set_default(void *target, const struct conf_key *k, struct err *e)
{
	if (!k->dflt)
		return 0;
	if (set_value(target, k, str_of(k->dflt), e))
		return err_wrap(e, "default of %s", k->name);
	return 0;
}

/* --- one file --- */

/* A struct that the file fills: the target itself, or one of a group. */
struct unit {
	void *target;
	const struct conf_key *keys;
	size_t nkeys;
	bool *seen; /* one a key */
};

struct reader {
	const struct conf_schema *schema;
	void *target;
	const char *path;
	struct str rest; /* text not read yet */
	unsigned line;
	struct unit *units;
	size_t nunits;
	struct err *e;
	bool failed;
};

static int reader_fail(struct reader *r)
{
	if (!r->failed)
		err_wrap(r->e, "%s:%u", r->path, r->line);
	r->failed = true;
	return 0;
}

static struct unit *unit_of(struct reader *r, void *target, const struct conf_key *keys, size_t n)
{
	struct unit *u;
	size_t i;

	for (i = 0; i < r->nunits; i++)
		if (r->units[i].target == target && r->units[i].keys == keys)
			return &r->units[i];
	r->units = mem_grow(r->units, r->nunits + 1, sizeof(*r->units));
	u = &r->units[r->nunits++];
	*u = (struct unit){target, keys, n, mem_array(n, sizeof(bool))};
	return u;
}

/* The unit for "offer NAME"; NULL with the error filled. */
static struct unit *find_group(struct reader *r, struct str section)
{
	auto_free char *name = NULL;
	struct str rest = section, kind;
	const struct conf_group *g;
	void *item;
	size_t i;

	if (!str_cut(&rest, ' ', &kind) || !rest.p)
		return NULL;
	rest = str_trim(rest);
	name = mem_strndup(rest.p, rest.n);
	for (i = 0; i < r->schema->ngroups; i++) {
		g = &r->schema->groups[i];
		if (!str_is(kind, g->section))
			continue;
		item = g->item(r->target, name, r->e);
		return item ? unit_of(r, item, g->keys, g->nkeys) : NULL;
	}
	return NULL;
}

static bool is_section(const struct reader *r, struct str name)
{
	size_t i;

	for (i = 0; i < r->schema->nkeys; i++)
		if (str_is(name, r->schema->keys[i].section))
			return true;
	return false;
}

static struct unit *find_unit(struct reader *r, struct str section)
{
	if (is_section(r, section))
		return unit_of(r, r->target, r->schema->keys, r->schema->nkeys);
	err_set(r->e, ERRK_INPUT, "there is no section [%.*s]", (int)section.n, section.p);
	return find_group(r, section);
}

static int take_value(struct reader *r, void *target, const struct conf_key *k, struct str v)
{
	if (set_value(target, k, v, r->e) || (r->schema->check && r->schema->check(k, v, r->e)))
		return err_wrap(r->e, "%s", k->name);
	return 0;
}

static int set_key(struct reader *r, const char *section, const char *name, const char *value)
{
	struct unit *u = find_unit(r, str_of(section));
	const struct conf_key *k;
	size_t i;

	if (!u)
		return -1;
	for (i = 0; i < u->nkeys; i++) {
		k = &u->keys[i];
		if (strcmp(k->name, name) != 0 ||
		    (u->target == r->target && strcmp(k->section, section) != 0))
			continue;
		if (u->seen[i] && k->type != CONF_LIST)
			return err_set(r->e, ERRK_INPUT, "%s is set twice", name);
		u->seen[i] = true;
		return take_value(r, u->target, k, str_of(value));
	}
	return err_set(r->e, ERRK_INPUT, "[%s] has no key %s", section, name);
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;

	if (r->failed || set_key(r, section, name, value))
		return reader_fail(r);
	return 1;
}

/* A section without any key still exists: [offer small] alone is an offer of defaults. */
static void on_section_line(struct reader *r, struct str line)
{
	const char *close = memchr(line.p, ']', line.n);

	if (!close || close - line.p > SECTION_LENGTH) {
		err_set(r->e, ERRK_INPUT, "a section without ], or with a name that is too long");
		reader_fail(r);
		return;
	}
	if (!find_unit(r, (struct str){line.p + 1, (size_t)(close - line.p) - 1}))
		reader_fail(r);
}

/* fgets for libinih. Leading space is cut, since it would make the line a continuation. */
static char *next_line(char *dst, int size, void *stream)
{
	struct reader *r = stream;
	struct str line;

	if (r->failed || !str_cut(&r->rest, '\n', &line))
		return NULL;
	r->line++;
	line = str_trim(line);
	if (line.n > LINE_LENGTH || (int)line.n + 2 > size || memchr(line.p, '\0', line.n)) {
		err_set(r->e, ERRK_INPUT, "a line longer than %d bytes", LINE_LENGTH);
		reader_fail(r);
		return NULL;
	}
	if (str_starts(line, "["))
		on_section_line(r, line);
	memcpy(dst, line.p, line.n);
	memcpy(dst + line.n, "\n", 2);
	return r->failed ? NULL : dst;
}

static int fill_defaults(struct reader *r)
{
	size_t i, k;

	unit_of(r, r->target, r->schema->keys, r->schema->nkeys);
	for (i = 0; i < r->nunits; i++)
		for (k = 0; k < r->units[i].nkeys; k++)
			if (!r->units[i].seen[k] &&
			    set_default(r->units[i].target, &r->units[i].keys[k], r->e))
				return -1;
	return 0;
}

static void reader_clear(struct reader *r)
{
	size_t i;

	for (i = 0; i < r->nunits; i++)
		free(r->units[i].seen);
	free(r->units);
}

int conf_load(void *target, const struct conf_schema *s, const char *path, struct err *e)
{
	struct reader r = {.schema = s, .target = target, .path = path, .e = e};
	auto_buf struct buf text = BUF(FILE_MAX);
	struct err local = {0};
	int done, bad_line;

	r.e = e ? e : &local;
	done = fs_read(&text, path, r.e);
	if (done == FS_NOT_FOUND)
		return err_set(e, ERRK_INPUT, "%s: there is no such file", path);
	if (done)
		return -1;
	r.rest = buf_view(&text);
	bad_line = ini_parse_stream(next_line, &r, on_key, &r);
	if (bad_line && !r.failed)
		err_set(r.e, ERRK_INPUT, "%s:%d: neither a section nor key = value", path,
			bad_line);
	done = bad_line || r.failed ? -1 : fill_defaults(&r);
	reader_clear(&r);
	return done;
}

int conf_defaults(void *target, const struct conf_schema *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->nkeys; i++)
		if (set_default(target, &s->keys[i], e))
			return -1;
	return 0;
}

static void free_list(char ***at)
{
	size_t i;

	for (i = 0; *at && (*at)[i]; i++)
		free((*at)[i]);
	free(*at);
	*at = NULL;
}

void conf_clear(void *target, const struct conf_key *keys, size_t nkeys)
{
	size_t i;

	for (i = 0; i < nkeys; i++) {
		void *at = (char *)target + keys[i].offset;

		if (keys[i].type == CONF_LIST) {
			free_list(at);
		} else if (keys[i].type == CONF_STRING || keys[i].type == CONF_PATH) {
			free(*(char **)at);
			*(char **)at = NULL;
		}
	}
}

/* --- printing --- */

struct suffix {
	const char *name;
	uint64_t factor;
};

/* The largest unit that divides `v`; the table ends with factor 1. */
static void print_unit(struct buf *out, uint64_t v, const struct suffix *s)
{
	while (s->factor != 1 && (v == 0 || v % s->factor))
		s++;
	buf_printf(out, "%llu%s", (unsigned long long)(v / s->factor), s->name);
}

static void print_price(struct buf *out, struct price p)
{
	static const struct suffix per[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
	const struct suffix *s = per;

	while (s->factor != 1 && s->factor != p.per)
		s++;
	if (p.msat % 1000)
		buf_printf(out, "%llumsat/%s", (unsigned long long)p.msat, s->name);
	else
		buf_printf(out, "%llusat/%s", (unsigned long long)(p.msat / 1000), s->name);
}

static void print_scalar(struct buf *out, const void *at, enum conf_type type)
{
	static const struct suffix time[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
	static const struct suffix size[] = {{"Ti", (uint64_t)1 << 40},
					     {"Gi", (uint64_t)1 << 30},
					     {"Mi", (uint64_t)1 << 20},
					     {"Ki", (uint64_t)1 << 10},
					     {"", 1}};
	uint64_t v;

	switch (type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_LIST:
		return;
	case CONF_BOOL:
		buf_puts(out, *(const bool *)at ? "yes" : "no");
		return;
	case CONF_UINT:
		buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)at);
		return;
	case CONF_DURATION:
		print_unit(out, (uint64_t) * (const int64_t *)at, time);
		return;
	case CONF_BYTES:
		print_unit(out, *(const uint64_t *)at, size);
		return;
	case CONF_CORES:
		v = *(const uint64_t *)at;
		buf_printf(out, "%llu%s", (unsigned long long)(v % 1000 ? v : v / 1000),
			   v % 1000 ? "m" : "");
		return;
	case CONF_PRICE:
		print_price(out, *(const struct price *)at);
		return;
	case CONF_SAT:
		buf_printf(out, "%llusat", (unsigned long long)sat_raw(*(const struct sat *)at));
		return;
	}
}

static void print_key(struct buf *out, const void *target, const struct conf_key *k)
{
	const void *at = (const char *)target + k->offset;
	char *const *item;

	if (k->type == CONF_STRING || k->type == CONF_PATH) {
		if (*(char *const *)at)
			buf_printf(out, "%s = %s\n", k->name, *(char *const *)at);
		else
			buf_printf(out, "#%s =\n", k->name);
	} else if (k->type == CONF_LIST) {
		item = *(char **const *)at;
		if (!item)
			buf_printf(out, "#%s =\n", k->name);
		for (; item && *item; item++)
			buf_printf(out, "%s = %s\n", k->name, *item);
	} else {
		buf_printf(out, "%s = ", k->name);
		print_scalar(out, at, k->type);
		buf_byte(out, '\n');
	}
}

void conf_print(struct buf *out, const void *target, const struct conf_key *keys, size_t nkeys)
{
	const char *section = NULL;
	size_t i;

	for (i = 0; i < nkeys; i++) {
		if (keys[i].section && (!section || strcmp(section, keys[i].section) != 0)) {
			buf_printf(out, "%s[%s]\n", section ? "\n" : "", keys[i].section);
			section = keys[i].section;
		}
		if (keys[i].help)
			buf_printf(out, "# %s\n", keys[i].help);
		print_key(out, target, &keys[i]);
	}
}
