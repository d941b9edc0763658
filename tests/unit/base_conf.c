/* Configuration by table: defaults, lists, groups, and errors with file and line. */
#include "unit.h"

#include "base/amount.h"
#include "base/conf.h"

struct shop {
	char *name, *where;
	char **mints;
	bool open;
	uint64_t count, size, cores;
	int64_t pause;
	struct price price;
	struct sat least;
	struct item {
		char *name, *label;
		uint64_t n;
	} items[4];
	size_t nitems;
};

static void *item(void *target, const char *name, struct err *e)
{
	struct shop *s = target;
	size_t i;

	for (i = 0; i < s->nitems; i++)
		if (strcmp(s->items[i].name, name) == 0)
			return &s->items[i];
	if (s->nitems == 4) {
		err_set(e, ERRK_LIMIT, "too many items");
		return NULL;
	}
	s->items[s->nitems].name = mem_strdup(name);
	return &s->items[s->nitems++];
}

#define AT(m) offsetof(struct shop, m)

static const struct conf_key keys[] = {
	{"shop", "name", CONF_STRING, AT(name), "corner", 0, 0, "Its name."},
	{"shop", "where", CONF_PATH, AT(where), NULL, 0, 0, "Its place."},
	{"shop", "open", CONF_BOOL, AT(open), "yes", 0, 0, NULL},
	{"shop", "count", CONF_UINT, AT(count), "3", 1, 9, NULL},
	{"money", "mint", CONF_LIST, AT(mints), "https://a", 0, 0, NULL},
	{"money", "price", CONF_PRICE, AT(price), "10sat/h", 0, 0, NULL},
	{"money", "least", CONF_SAT, AT(least), "10sat", 2, 100, NULL},
	{"money", "size", CONF_BYTES, AT(size), "64Mi", 0, 0, NULL},
	{"money", "cores", CONF_CORES, AT(cores), "500m", 0, 0, NULL},
	{"money", "pause", CONF_DURATION, AT(pause), "2h", 0, 0, NULL},
};
static const struct conf_key item_keys[] = {
	{NULL, "label", CONF_STRING, offsetof(struct item, label), "none", 0, 0, NULL},
	{NULL, "n", CONF_UINT, offsetof(struct item, n), "1", 0, 0, NULL},
};
static const struct conf_group groups[] = {{"item", item, item_keys, 2}};

static int no_spaces(const struct conf_key *k, struct str v, struct err *e)
{
	if (memchr(v.p, ' ', v.n))
		return err_set(e, ERRK_INPUT, "holds a space");
	return 0;
}

static const struct conf_schema schema = {keys, sizeof(keys) / sizeof(keys[0]), groups, 1,
					  no_spaces};

static void shop_clear(struct shop *s)
{
	size_t i;

	conf_clear(s, keys, schema.nkeys);
	for (i = 0; i < s->nitems; i++) {
		free(s->items[i].name);
		conf_clear(&s->items[i], item_keys, 2);
	}
	memset(s, 0, sizeof(*s));
}

static int load(void **state, struct shop *s, const char *text, struct err *e)
{
	auto_free char *path = mem_printf("%s/shop.conf", (char *)*state);

	memset(s, 0, sizeof(*s));
	assert_int_equal(fs_write(path, text, strlen(text), 0644, e), 0);
	return conf_load(s, &schema, path, e);
}

static void an_empty_file_gives_the_defaults(void **state)
{
	struct err e = {0};
	struct shop s;

	assert_int_equal(load(state, &s, "", &e), 0);
	assert_string_equal(s.name, "corner");
	assert_null(s.where);
	assert_true(s.open);
	assert_string_equal(s.mints[0], "https://a");
	assert_null(s.mints[1]);
	assert_int_equal(s.pause, 7200);
	shop_clear(&s);
}

static void values_lists_and_groups(void **state)
{
	static const char text[] = "# comment\n[shop]\nname = a b\n";
	static const char good[] =
		"; c\n[shop]\n  name = ab  ; why\n  open = no\n[money]\nmint = x\n"
		"mint=y\nprice = 5sat/d\n[item one]\nn = 7\n[item two]\n[item one]\n"
		"label = L\n";
	struct err e = {0};
	struct shop s;

	assert_int_equal(load(state, &s, good, &e), 0);
	assert_string_equal(s.name, "ab");
	assert_false(s.open);
	assert_string_equal(s.mints[0], "x");
	assert_string_equal(s.mints[1], "y");
	assert_null(s.mints[2]);
	assert_int_equal(s.price.per, 86400);
	assert_int_equal(s.nitems, 2);
	assert_int_equal(s.items[0].n, 7);
	assert_string_equal(s.items[0].label, "L");
	assert_string_equal(s.items[1].label, "none");
	assert_int_equal(s.items[1].n, 1);
	shop_clear(&s);
	assert_int_equal(load(state, &s, text, &e), -1); /* the schema's own check */
	assert_non_null(strstr(e.msg, "shop.conf:3: name: holds a space"));
	shop_clear(&s);
}

static void errors_name_file_and_line(void **state)
{
	static const struct {
		const char *text, *line, *word;
	} bad[] = {
		{"[shop]\ncolour = red\n", ":2:", "colour"},
		{"[shop]\n\ncount = 10\n", ":3:", "count"},
		{"[shop]\ncount = 0\n", ":2:", "less than 1"},
		{"[shop]\ncount = 1\ncount = 2\n", ":3:", "twice"},
		{"[shop]\nwhere = here\n", ":2:", "absolute"},
		{"[shop]\nopen = perhaps\n", ":2:", "yes nor no"},
		{"[shp]\n", ":1:", "[shp]"},
		{"[item a]\n[item b]\n[item c]\n[item d]\n[item e]\n", ":5:", "too many"},
		{"[item]\nn = 1\n", ":1:", "[item]"},
		{"[shop\n", ":1:", "]"},
		{"[shop]\nnonsense\n", ":2:", "key = value"},
		{"name = x\n", ":1:", "[]"},
		{"[money]\nprice = 10\n", ":2:", "price"},
		{"[money]\nsize = 5m\n", ":2:", "5Mi"},
		{"[money]\nleast = 1\n", ":2:", "least"},
		{"[money]\nleast = 101\n", ":2:", "least"},
	};
	struct err e = {0};
	struct shop s;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (load(state, &s, bad[i].text, &e) != -1)
			fail_msg("took %s", bad[i].text);
		if (!strstr(e.msg, bad[i].line) || !strstr(e.msg, bad[i].word))
			fail_msg("%s gave: %s", bad[i].text, e.msg);
		shop_clear(&s);
	}
}

static void long_lines_are_refused(void **state)
{
	auto_free char *text = mem_printf("[shop]\nname = %0300d\n", 1);
	struct err e = {0};
	struct shop s;

	assert_int_equal(load(state, &s, text, &e), -1);
	assert_non_null(strstr(e.msg, ":2:"));
	shop_clear(&s);
}

static void what_is_printed_reads_back(void **state)
{
	auto_buf struct buf out = BUF(4096);
	auto_buf struct buf again = BUF(4096);
	struct err e = {0};
	struct shop s;

	assert_int_equal(
		load(state, &s, "[shop]\nwhere=/x\n[money]\nmint=p\nmint=q\ncores=1.5\n", &e), 0);
	conf_print(&out, &s, keys, schema.nkeys);
	shop_clear(&s);
	assert_int_equal(load(state, &s, out.p, &e), 0);
	conf_print(&again, &s, keys, schema.nkeys);
	assert_string_equal(out.p, again.p);
	assert_non_null(strstr(out.p, "# Its name.\nname = corner\n"));
	assert_non_null(strstr(out.p, "price = 10sat/h\n"));
	assert_non_null(strstr(out.p, "size = 64Mi\n"));
	assert_non_null(strstr(out.p, "cores = 1500m\n"));
	assert_non_null(strstr(out.p, "pause = 2h\n"));
	shop_clear(&s);
}

static void a_missing_file_is_named(void **state)
{
	struct err e = {0};
	struct shop s = {0};

	assert_int_equal(conf_load(&s, &schema, "/no/such.conf", &e), -1);
	assert_non_null(strstr(e.msg, "/no/such.conf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(values_lists_and_groups),
		cmocka_unit_test(errors_name_file_and_line),
		cmocka_unit_test(long_lines_are_refused),
		cmocka_unit_test(what_is_printed_reads_back),
		cmocka_unit_test(a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, unit_folder, unit_folder_gone);
}
