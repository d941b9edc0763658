/* What a buyer may set of a template: a name in the environment, with a type. */
#ifndef SPEC_VARIABLE_H
#define SPEC_VARIABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "spec/map.h"

#define SPEC_VARIABLES_MAX	64
#define SPEC_CHOICES_MAX	16
#define SPEC_CHOICE_MAX		64
#define SPEC_VARIABLE_BYTES_MAX 4096 /* of a text */

struct spec_variable {
	char *name, *description;
	enum spec_variable_type { SPEC_TEXT, SPEC_INTEGER, SPEC_BOOLEAN, SPEC_CHOICE } type;
	char *value; /* where the buyer says nothing; NULL: not set then */
	bool required;
	bool secret;	   /* shown to nobody, and in no file but the container's own */
	uint64_t min, max; /* of an integer; of a text: its bytes */
	char *choices[SPEC_CHOICES_MAX];
	size_t nchoices;
};

struct spec_variables {
	struct spec_variable *v; /* names unique */
	size_t n;
};

/* `variables` of a template: {NAME:{"type","description","default","required","secret","min","max",
 * "choices"}}. */
int spec_variables_read(struct spec_variables *out, const struct json *root,
			struct err *e) MUST_CHECK;
void spec_variables_write(struct jsonw *w, const struct spec_variables *vars);
void spec_variables_clear(struct spec_variables *vars);
const struct spec_variable *spec_variables_find(const struct spec_variables *vars, struct str name);
/* -1 says what is wanted instead. */
int spec_variable_check(const struct spec_variable *v, struct str value, struct err *e) MUST_CHECK;
const char *spec_variable_type_name(enum spec_variable_type t); /* "integer" */

#endif
