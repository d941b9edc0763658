/* Templates: what is read and written again reads the same, and takes values only as its types say.
 */
#include <stdint.h>
#include <stdlib.h>

#include "spec/template.h"

#define NAME STR("t")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_spec_template struct spec_template t = {0}, again = {0};
	auto_buf struct buf a = BUF(8 * SPEC_TEMPLATE_JSON_MAX),
			    b = BUF(8 * SPEC_TEMPLATE_JSON_MAX);
	struct spec_map values = {0};
	struct spec s = {0};

	if (spec_template_decode(&t, NAME, (struct str){(const char *)data, size}, NULL))
		return 0;
	for (size_t i = 0; i < t.variables.n; i++)
		spec_map_set(&values, str_of(t.variables.v[i].name), STR("1"));
	if (spec_template_apply(&s, &t, &values, NULL) == 0)
		spec_clear(&s);
	spec_map_clear(&values);
	spec_template_write(&a, &t);
	/* escapes may make it longer than what may come in; the grant is left out, its reasons stay
	 */
	if (a.failed || a.n > SPEC_TEMPLATE_JSON_MAX)
		return 0;
	if (spec_template_decode(&again, NAME, buf_view(&a), NULL))
		abort();
	spec_template_write(&b, &again);
	if (!str_eq(buf_view(&a), buf_view(&b)))
		abort();
	return 0;
}
