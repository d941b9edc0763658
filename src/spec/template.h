/*
 * A template: a spec under a name, with what a buyer may set of its environment, what its ports are
 * for, how large a lease must be at least, and what of the host it is granted, each of that with a
 * reason. The operator writes it as a file; buyers are shown the same without the grant.
 */
#ifndef SPEC_TEMPLATE_H
#define SPEC_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/grant.h"
#include "spec/policy.h"
#include "spec/spec.h"
#include "spec/variable.h"

#define SPEC_TEMPLATE_JSON_MAX 65536
#define SPEC_TEMPLATE_TEXT_MAX 512 /* bytes of a description, a label, a reason */
#define SPEC_SLUGS_MAX	       8

struct spec_template {
	char name[SPEC_TEMPLATE_NAME_MAX + 1];
	char slugs[SPEC_SLUGS_MAX][SPEC_TEMPLATE_NAME_MAX + 1]; /* what others ask for it as */
	size_t nslugs;
	char *description;
	struct spec spec; /* has an image, no limits and no secrets */
	struct spec_variables variables;
	struct spec_map labels; /* of ports: "8080/tcp" is for "websocket" */
	struct spec_limits minimum;
	struct spec_grant grant;
	struct spec_map reasons; /* by what is asked for: "capabilities" */
};

/* {"description","slugs":[…],"spec":{…},"variables":{NAME:{…}},"ports":{"8080/tcp":"websocket"},
 * "minimum":{…},"grant":{…},"reasons":{…}}; the spec and its limits are as in doc/spec.schema.json.
 * Without slugs its name is the only one. An error begins with the field. On failure *out is
 * cleared. */
int spec_template_decode(struct spec_template *out, struct str name, struct str text,
			 struct err *e) MUST_CHECK;
void spec_template_clear(struct spec_template *t);
#define auto_spec_template __attribute__((cleanup(spec_template_clear)))
/* Append the JSON form that buyers are shown: all but the grant. */
void spec_template_write(struct buf *out, const struct spec_template *t);

/* What runs where a buyer sets these values: the template's spec, its variables checked and put
 * into the environment (what is secret by reference, see oci/oci.h). Limits are left to the offer.
 */
int spec_template_apply(struct spec *out, const struct spec_template *t,
			const struct spec_map *values, struct err *e) MUST_CHECK;
/* The same in place for what a buyer asks under the template's name: values are its environment,
 * and it may say which of the template's ports to publish and where, a host name and a digest where
 * the template has none, labels, and limits. All else is the template's: -1 names the field. */
int spec_template_use(struct spec *asked, const struct spec_template *t, struct err *e) MUST_CHECK;
/* What the template asks for itself may be had by its leases. */
void spec_template_allow(struct spec_allowance *a, const struct spec_template *t);
/* Read the operator's own file, as spec_grant_load does; devices are looked up later. */
int spec_template_load(struct spec_template *out, const char *name, const char *path,
		       struct err *e) MUST_CHECK;
bool spec_template_serves(const struct spec_template *t, struct str slug);
/* Is its name all that it is asked for as? */
bool spec_template_plain(const struct spec_template *t);
/* -1 names the limit that is too small for it. */
int spec_template_fits(const struct spec_template *t, const struct spec_limits *l,
		       struct err *e) MUST_CHECK;

#endif
