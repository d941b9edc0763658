/* References: what is taken is written in one way, and that reads as the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "spec/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *copy = mem_strndup((const char *)data, size);
	struct str text = {(const char *)data, size};
	char written[SPEC_REF_TEXT_MAX + 1], again[SPEC_REF_TEXT_MAX + 1];
	struct spec_ref r, other;

	(void)spec_ref_sold(copy, "*", "docker.io");
	if (spec_ref_check_pattern(text, NULL) == 0)
		(void)spec_ref_sold("docker.io/team/app:1", copy, NULL);
	if (spec_ref_parse(&r, text, "docker.io", NULL))
		return 0;
	spec_ref_write(written, &r);
	if (spec_ref_parse(&other, str_of(written), NULL, NULL))
		abort();
	spec_ref_write(again, &other);
	/* the program that pulls gets it behind "docker://": nothing in it may end that or begin an
	 * option */
	if (strcmp(written, again) != 0 || written[0] == '-' || strchr(written, ' ') ||
	    strstr(written, "//") || strstr(written, "/../"))
		abort();
	return 0;
}
