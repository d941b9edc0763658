/* Image index, manifest, configuration, passwd: the first byte says which. What a parser accepts,
 * its check on the other side of the pipe accepts too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "image/parse.h"

static int run_index(struct str text)
{
	struct parse_pick p;

	return parse_index(&p, text, "", "amd64", NULL) ? 0 : parse_check_pick(&p, NULL);
}

static int run_manifest(struct str text)
{
	auto_free struct parse_manifest *m = mem_zero(sizeof(*m));

	return parse_manifest(m, text, NULL) ? 0 : parse_check_manifest(m, NULL);
}

static int run_config(struct str text)
{
	auto_free struct parse_config *c = mem_zero(sizeof(*c));

	return parse_config(c, text, NULL) ? 0 : parse_check_config(c, NULL);
}

/* user, passwd and group, each behind a NUL. */
static int run_user(struct str text)
{
	struct str user = {"", 0}, passwd = {"", 0};
	struct image_user u;

	str_cut(&text, '\0', &user);
	str_cut(&text, '\0', &passwd);
	return parse_user(&u, user, passwd, text, NULL) ? 0 : parse_check_user(&u, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const RUN[])(struct str) = {run_index, run_manifest, run_config, run_user};

	if (size == 0)
		return 0;
	if (RUN[data[0] % ARRAY_SIZE(RUN)]((struct str){(const char *)data + 1, size - 1}))
		abort();
	return 0;
}
