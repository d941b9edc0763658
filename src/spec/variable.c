/* Variables of templates: see variable.h. */
#include "spec/variable.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/secret.h"
#include "spec/read.h"
#include "spec/spec.h"

#define DESCRIPTION_MAX 512

static const char *const TYPES[] = {"text", "integer", "boolean", "choice", NULL};

const char *spec_variable_type_name(enum spec_variable_type t)
{
	return TYPES[t];
}

static void clear_one(struct spec_variable *v)
{
	free(v->name);
	free(v->description);
	free(v->value);
	for (size_t i = 0; i < v->nchoices; i++)
		free(v->choices[i]);
}

void spec_variables_clear(struct spec_variables *vars)
{
	for (size_t i = 0; i < vars->n; i++)
		clear_one(&vars->v[i]);
	free(vars->v);
	*vars = (struct spec_variables){0};
}

const struct spec_variable *spec_variables_find(const struct spec_variables *vars, struct str name)
{
	for (size_t i = 0; i < vars->n; i++)
		if (str_is(name, vars->v[i].name))
			return &vars->v[i];
	return NULL;
}

/* --- values --- */

static int check_integer(const struct spec_variable *v, struct str value, struct err *e)
{
	uint64_t n;

	if (str_u64(value, JSON_INT_MAX, &n, NULL) || n < v->min || n > v->max)
		return err_set(e, ERRK_INPUT,
			       "%s: want a whole number from %" PRIu64 " to %" PRIu64, v->name,
			       v->min, v->max);
	return 0;
}

static int check_text(const struct spec_variable *v, struct str value, struct err *e)
{
	if (value.n < v->min || value.n > v->max)
		return err_set(e, ERRK_INPUT, "%s: want %" PRIu64 " to %" PRIu64 " bytes", v->name,
			       v->min, v->max);
	if (value.n && !text_is_clean(value, value.n))
		return err_set(e, ERRK_INPUT, "%s: want UTF-8 without control characters", v->name);
	return 0;
}

static int check_choice(const struct spec_variable *v, struct str value, struct err *e)
{
	auto_buf struct buf all = BUF(SPEC_CHOICES_MAX * (SPEC_CHOICE_MAX + 2));

	for (size_t i = 0; i < v->nchoices; i++) {
		if (str_is(value, v->choices[i]))
			return 0;
		buf_printf(&all, "%s%s", i ? ", " : "", v->choices[i]);
	}
	return err_set(e, ERRK_INPUT, "%s: want one of %s", v->name, all.p);
}

int spec_variable_check(const struct spec_variable *v, struct str value, struct err *e)
{
	switch (v->type) {
	case SPEC_INTEGER:
		return check_integer(v, value, e);
	case SPEC_BOOLEAN:
		return str_is(value, "true") || str_is(value, "false")
			       ? 0
			       : err_set(e, ERRK_INPUT, "%s: want true or false", v->name);
	case SPEC_CHOICE:
		return check_choice(v, value, e);
	case SPEC_TEXT:
		break;
	}
	return check_text(v, value, e);
}

/* --- the JSON form --- */

static int read_choices(struct spec_variable *v, const struct json *obj, struct err *e)
{
	const struct json *list;
	struct str s;
	int r = read_child(&list, obj, "choices", JSON_ARRAY, e);

	if (r < 0)
		return -1;
	if ((r == 0) != (v->type == SPEC_CHOICE))
		return err_set(e, ERRK_INPUT, "choices: %s",
			       r == 0 ? "only of the type choice" : "missing");
	if (r == READ_ABSENT)
		return 0;
	if (json_count(list) < 1 || json_count(list) > SPEC_CHOICES_MAX)
		return err_set(e, ERRK_INPUT, "choices: want 1 to %d", SPEC_CHOICES_MAX);
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		if (!json_as_str(j, &s) || !text_is_clean(s, SPEC_CHOICE_MAX))
			return err_set(e, ERRK_INPUT, "choices: want texts of 1 to %d bytes",
				       SPEC_CHOICE_MAX);
		v->choices[v->nchoices++] = mem_strndup(s.p, s.n);
	}
	return 0;
}

static int read_bounds(struct spec_variable *v, const struct json *obj, struct err *e)
{
	const bool counts = v->type == SPEC_INTEGER || v->type == SPEC_TEXT;
	const struct read_range all = {0, v->type == SPEC_TEXT ? SPEC_VARIABLE_BYTES_MAX
							       : JSON_INT_MAX};

	v->max = v->type == SPEC_TEXT ? 256 : JSON_INT_MAX;
	if (!counts && (json_get(obj, "min") || json_get(obj, "max")))
		return err_set(e, ERRK_INPUT, "min, max: only of an integer or a text");
	if (read_number(&v->min, obj, "min", all, e) || read_number(&v->max, obj, "max", all, e))
		return -1;
	return v->min > v->max ? err_set(e, ERRK_INPUT, "min: more than max") : 0;
}

static int read_default(struct spec_variable *v, const struct json *obj, struct err *e)
{
	struct str s;
	int r = read_text(&s, obj, "default", e);

	if (r)
		return r < 0 ? -1 : 0;
	if (v->required || v->secret)
		return err_set(e, ERRK_INPUT, "default: not of one that is %s",
			       v->required ? "required" : "secret");
	if (spec_variable_check(v, s, e))
		return read_under(e, "default: ");
	v->value = mem_strndup(s.p, s.n);
	return 0;
}

static int read_one(struct spec_variable *v, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"type", "description", "default", "required", "secret",
					    "min",  "max",	   "choices", NULL};
	unsigned type = SPEC_TEXT;
	struct str s;
	int r;

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "type: not an object");
	if (read_known(obj, NAMES, e) || read_choice(&type, obj, "type", TYPES, e) ||
	    read_flag(&v->required, obj, "required", e) || read_flag(&v->secret, obj, "secret", e))
		return -1;
	v->type = (enum spec_variable_type)type;
	r = read_text(&s, obj, "description", e);
	if (r < 0)
		return -1;
	if (r == 0 && !text_is_clean(s, DESCRIPTION_MAX))
		return err_set(e, ERRK_INPUT, "description: want 1 to %d bytes of text",
			       DESCRIPTION_MAX);
	if (r == 0)
		v->description = mem_strndup(s.p, s.n);
	if (read_choices(v, obj, e) || read_bounds(v, obj, e))
		return -1;
	return read_default(v, obj, e);
}

/* A name that the environment takes. */
static int read_name(struct spec_variable *v, struct str name, struct err *e)
{
	auto_spec struct spec probe = {0};

	if (spec_set_env(&probe, name, STR(""), e))
		return -1;
	v->name = mem_strndup(name.p, name.n);
	return 0;
}

int spec_variables_read(struct spec_variables *out, const struct json *root, struct err *e)
{
	const struct json *obj;
	int r = read_child(&obj, root, "variables", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (json_count(obj) > SPEC_VARIABLES_MAX)
		return err_set(e, ERRK_LIMIT, "variables: more than %d", SPEC_VARIABLES_MAX);
	out->v = mem_array(json_count(obj), sizeof(*out->v));
	for (const struct json *j = json_first(obj); j; j = json_next(j)) {
		struct spec_variable *v = &out->v[out->n++];

		if (read_name(v, json_key(j), e))
			return read_under(e, "variables.");
		if (read_one(v, j, e))
			return read_under(e, "variables.%s.", v->name);
	}
	return 0;
}

static void write_one(struct jsonw *w, const struct spec_variable *v)
{
	jsonw_object(w, v->name);
	jsonw_text(w, "type", TYPES[v->type]);
	jsonw_text(w, "description", v->description);
	if (v->value)
		jsonw_str(w, "default", str_of(v->value));
	write_flag(w, "required", v->required);
	write_flag(w, "secret", v->secret);
	if (v->type == SPEC_INTEGER || v->type == SPEC_TEXT) {
		jsonw_u64(w, "min", v->min);
		jsonw_u64(w, "max", v->max);
	}
	if (v->nchoices) {
		jsonw_array(w, "choices");
		for (size_t i = 0; i < v->nchoices; i++)
			jsonw_text(w, NULL, v->choices[i]);
		jsonw_end_array(w);
	}
	jsonw_end_object(w);
}

void spec_variables_write(struct jsonw *w, const struct spec_variables *vars)
{
	if (vars->n == 0)
		return;
	jsonw_object(w, "variables");
	for (size_t i = 0; i < vars->n; i++)
		write_one(w, &vars->v[i]);
	jsonw_end_object(w);
}
