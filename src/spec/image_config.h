/*
 * What an image says about itself, as a flat struct without pointers: the confined child that
 * parses an image's configuration hands it over a pipe, the store keeps it in a file, and whoever
 * receives it checks it by image_config_check() before use.
 */
#ifndef SPEC_IMAGE_CONFIG_H
#define SPEC_IMAGE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define IMAGE_STRINGS_MAX 512
#define IMAGE_TEXT_MAX	  65536
#define IMAGE_VOLUMES_MAX 32

/* Strings are NUL-terminated in `text`, at the offsets in `at`: entrypoint first, then cmd, then
 * env ("NAME=value", names unique), then volumes (paths of spec_mount_path). */
struct image_config {
	uint32_t nentrypoint, ncmd, nenv;
	uint32_t at[IMAGE_STRINGS_MAX];
	uint32_t text_n;     /* bytes of `text` in use */
	int32_t stop_signal; /* 0: not said */
	char workdir[1020];  /* absolute or "" */
	uint32_t nvolumes;   /* in older records the end of workdir, so 0 */
	char user[128];	     /* or "" */
	char text[IMAGE_TEXT_MAX];
};

const char *image_config_entrypoint(const struct image_config *c, size_t i);
const char *image_config_cmd(const struct image_config *c, size_t i);
const char *image_config_env(const struct image_config *c, size_t i);
const char *image_config_volume(const struct image_config *c, size_t i);

enum image_list { IMAGE_ENTRYPOINT, IMAGE_CMD, IMAGE_ENV, IMAGE_VOLUMES };
/* Lists are filled in the order of enum image_list. */
int image_config_add(struct image_config *c, enum image_list list, struct str s,
		     struct err *e) MUST_CHECK;
/* Everything in range and terminated, whoever wrote the bytes. */
int image_config_check(const struct image_config *c, struct err *e) MUST_CHECK;

#define IMAGE_GROUPS_MAX 32

/* A user of the image, resolved to numbers (OCI image specification, conversion rules). */
struct image_user {
	uint32_t uid, gid;
	uint32_t ngroups;
	uint32_t groups[IMAGE_GROUPS_MAX]; /* supplementary; none if the user named a group */
	char home[256];			   /* absolute; "/" where unknown */
};

#endif
