/*
 * Inside src/image: the parsers of what strangers wrote, each from a text to a fixed-size struct.
 * They run in the confined child; parse_check_* are what the parent holds against the child's
 * answer.
 */
#ifndef IMAGE_PARSE_H
#define IMAGE_PARSE_H

#include "base/err.h"
#include "base/str.h"
#include "image/image.h"

#define PARSE_INDEX_MAX	   (1 << 20)
#define PARSE_MANIFEST_MAX (4 << 20)
#define PARSE_CONFIG_MAX   (4 << 20)
#define PARSE_USERS_MAX	   (1 << 20)

/* The manifest, or once the nested index, that a tag and a platform choose. */
struct parse_pick {
	char digest[SPEC_DIGEST_SIZE];
	uint64_t size;
	uint32_t is_index;
};

struct parse_manifest {
	char config[SPEC_DIGEST_SIZE];
	uint64_t config_size;
	uint32_t nlayers;
	struct image_layer layers[IMAGE_LAYERS_MAX]; /* without diffid */
};

struct parse_config {
	char platform[32];
	uint32_t ndiffids;
	char diffids[IMAGE_LAYERS_MAX][SPEC_DIGEST_SIZE];
	struct image_config config;
};

/* `tag` "": "latest", or the only image there is. `arch` as Go writes it. */
int parse_index(struct parse_pick *out, struct str text, const char *tag, const char *arch,
		struct err *e) MUST_CHECK;
/* What a registry gives for a tag: of a list of images the first for `arch`; an empty digest where
 * the text is no list. */
int parse_top(struct parse_pick *out, struct str text, const char *arch, struct err *e) MUST_CHECK;
int parse_manifest(struct parse_manifest *out, struct str text, struct err *e) MUST_CHECK;
int parse_config(struct parse_config *out, struct str text, struct err *e) MUST_CHECK;
/* `user` as oci_user() says it; passwd and group are the texts of those files, perhaps empty. */
int parse_user(struct image_user *out, struct str user, struct str passwd, struct str group,
	       struct err *e) MUST_CHECK;

int parse_check_pick(const struct parse_pick *p, struct err *e) MUST_CHECK;
int parse_check_manifest(const struct parse_manifest *m, struct err *e) MUST_CHECK;
int parse_check_config(const struct parse_config *c, struct err *e) MUST_CHECK;
int parse_check_user(const struct image_user *u, struct err *e) MUST_CHECK;

const char *parse_host_arch(void); /* "amd64" */

#endif
