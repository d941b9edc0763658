/*
 * The one image that Docker runs for us: it holds nothing, since a lease's root is its own. Every
 * byte of it is fixed, so that two that load it at once load the same, and it is never more than
 * one.
 */
#include <stdio.h>
#include <string.h>

#include "backend/docker_impl.h"
#include "base/ustar.h"
#include "image/parse.h"

#define LAYER_SIZE 1024 /* of an empty archive */
#define LAYER_HASH "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

static const char MANIFEST[] = "[{\"Config\":\"config.json\",\"RepoTags\":[\"" DOCKER_IMAGE
			       "\"],\"Layers\":[\"layer.tar\"]}]";

static void add(struct buf *out, const char *path, const void *data, size_t n)
{
	struct ustar_entry entry = {.kind = USTAR_FILE, .mode = 0644, .size = n};

	snprintf(entry.path, sizeof(entry.path), "%s", path);
	ustar_add(out, &entry, data);
}

static void write_image(struct buf *out)
{
	static const char EMPTY[LAYER_SIZE];
	auto_buf struct buf config = BUF(4096);

	buf_printf(&config,
		   "{\"architecture\":\"%s\",\"os\":\"linux\",\"created\":\"1970-01-01T00:00:00Z\","
		   "\"config\":{\"Labels\":{\"lease.image\":\"empty\"}},"
		   "\"history\":[{\"created\":\"1970-01-01T00:00:00Z\"}],"
		   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" LAYER_HASH "\"]}}",
		   parse_host_arch());
	add(out, "manifest.json", MANIFEST, strlen(MANIFEST));
	add(out, "config.json", config.p, config.n);
	add(out, "layer.tar", EMPTY, sizeof(EMPTY));
	ustar_finish(out);
}

int docker_image_load(const struct box *box, struct err *e)
{
	static const char *const args[] = {"load", "--quiet"};
	auto_free const char **argv = docker_argv(box, args, ARRAY_SIZE(args));
	auto_buf struct buf image = BUF(65536);
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
	struct proc_result r = {.out = BUF(4096), .err = BUF(4096)};
	int ret;

	write_image(&image);
	ret = buf_check(&image, "image", e);
	if (ret == 0)
		ret = proc_run(&spec, image.p, image.n, DOCKER_TIMEOUT_MS, &r, e);
	if (ret == 0 && r.status != 0)
		ret = docker_error(args[0], &r, e);
	proc_result_free(&r);
	return ret;
}
