/* leasectl images: what the store holds, who uses it, and taking away what nobody does. */
#include <inttypes.h>
#include <string.h>

#include "base/auto.h"
#include "base/jsonw.h"
#include "ctl/ctl.h"

/* Taking away large images takes its time. */
#define DROP_TIMEOUT_MS 120000
#define PREFIX_MIN	6

/* "12.3 MiB" */
static void print_bytes(uint64_t n)
{
	static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	double v = (double)n;

	for (; v >= 1000 && unit + 1 < ARRAY_SIZE(UNITS); unit++)
		v /= 1024;
	printf(unit ? "%6.1f %-3s" : "%6.0f %-3s", v, UNITS[unit]);
}

/* The first of a list of texts, and how many more there are. */
static void print_first(const struct json *list, int width)
{
	char text[200], shown[240] = "-";
	struct str s = {NULL, 0};
	unsigned more = 0;

	if (json_first(list) && json_as_str(json_first(list), &s)) {
		str_printable(text, sizeof(text), s);
		for (const struct json *j = json_next(json_first(list)); j; j = json_next(j))
			more++;
		if (more)
			snprintf(shown, sizeof(shown), "%s +%u", text, more);
		else
			snprintf(shown, sizeof(shown), "%s", text);
	}
	printf("  %-*s", width, shown);
}

static void print_image(const struct json *image)
{
	char digest[80], when[32];

	ctl_text(digest, sizeof(digest), image, "digest");
	printf("%-12.12s  ", strlen(digest) > 7 ? digest + 7 : digest);
	print_bytes(ctl_u64(image, "bytes"));
	printf("  ");
	print_bytes(ctl_u64(image, "own_bytes"));
	printf("  %6" PRIu64 "  %-16s", ctl_u64(image, "layers"),
	       ctl_date(when, sizeof(when), ctl_time(image, "used_at")));
	print_first(json_get(image, "leases"), 19);
	print_first(json_get(image, "names"), 0);
	putchar('\n');
}

static void print_images(const struct json *result)
{
	uint64_t max = ctl_u64(result, "max");

	printf("%-12s  %-10s  %-10s  %6s  %-16s  %-19s  %s\n", "DIGEST", "SIZE", "ITS OWN",
	       "LAYERS", "LAST USED", "LEASE", "NAME");
	for (const struct json *i = json_first(json_get(result, "images")); i; i = json_next(i))
		print_image(i);
	printf("in all ");
	print_bytes(ctl_u64(result, "bytes"));
	if (max) {
		printf(" of at most ");
		print_bytes(max);
	}
	putchar('\n');
	if (ctl_bool(result, "more"))
		puts("and more, which were used later");
}

static int list(const struct ctl *c, struct ctl_reply *r, struct err *e)
{
	return ctl_ask_within(c, STR("{\"verb\":\"images\"}"), DROP_TIMEOUT_MS, r, e);
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("images", "takes no arguments; \"rm IMAGE\" and \"prune\" do");
	outcome = list(c, &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts(buf_view(&r.raw).p);
	else
		print_images(r.result);
	return CTL_OK;
}

/* --- taking away --- */

/* `what`: a name of the image, or its digest's beginning. */
static bool means(const struct json *image, const char *what)
{
	const char *hex = strncmp(what, "sha256:", 7) == 0 ? what + 7 : what;
	struct str s;

	if (strlen(hex) >= PREFIX_MIN && json_as_str(json_get(image, "digest"), &s) && s.n > 7 &&
	    str_starts((struct str){s.p + 7, s.n - 7}, hex))
		return true;
	for (const struct json *n = json_first(json_get(image, "names")); n; n = json_next(n))
		if (json_as_str(n, &s) && str_is(s, what))
			return true;
	return false;
}

static int find(char digest[static 80], const struct json *result, const char *what, struct err *e)
{
	unsigned found = 0;

	for (const struct json *i = json_first(json_get(result, "images")); i; i = json_next(i))
		if (means(i, what) && found++ == 0)
			ctl_text(digest, 80, i, "digest");
	if (found == 1)
		return 0;
	err_set(e, ERRK_INPUT, found ? "%s may mean several images" : "no image %s is in the store",
		what);
	return found ? -1 : CTL_NO_SUCH;
}

static int drop(const struct ctl *c, const char *digest, struct ctl_reply *r, struct err *e)
{
	auto_buf struct buf request = BUF(256);
	struct jsonw w = JSONW(&request);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", "image_drop");
	if (digest)
		jsonw_text(&w, "digest", digest);
	jsonw_end_object(&w);
	if (buf_check(&request, "request", e))
		return -1;
	return ctl_ask_within(c, buf_view(&request), DROP_TIMEOUT_MS, r, e);
}

static int finish(const struct ctl *c, int outcome, const struct ctl_reply *r, const struct err *e)
{
	if (outcome)
		return ctl_fail(outcome, e);
	if (c->json) {
		puts(buf_view(&r->raw).p);
		return CTL_OK;
	}
	print_bytes(ctl_u64(r->result, "freed"));
	puts("given back");
	return CTL_OK;
}

static int run_rm(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply all = {NULL}, r = {NULL};
	char digest[80] = "";
	struct err e = {0};
	int outcome;

	if (argc != 1)
		return ctl_usage("images rm", "which image?");
	outcome = list(ctx, &all, &e);
	if (outcome == 0)
		outcome = find(digest, all.result, argv[0], &e);
	if (outcome == 0)
		outcome = drop(ctx, digest, &r, &e);
	return finish(ctx, outcome, &r, &e);
}

static int run_prune(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("images prune", "takes no arguments");
	outcome = drop(ctx, NULL, &r, &e);
	return finish(ctx, outcome, &r, &e);
}

const struct verb verb_images = {
	"images", "", "list the images in the store", NULL, 0, false, false, 0, run};
const struct verb verb_images_rm = {"images rm", "IMAGE", "remove an image that no lease uses",
				    NULL,	 0,	  false,
				    false,	 0,	  run_rm};
const struct verb verb_images_prune = {"images prune", "", "remove all images that no lease uses",
				       NULL,	       0,  false,
				       false,	       0,  run_prune};
