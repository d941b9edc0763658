/* Mounts inside: see storage.h. */
#include "spec/storage.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "spec/guard.h"
#include "spec/limits.h"
#include "spec/read.h"

static const char *const TYPES[] = {"volume", "anonymous", "tmpfs", "assets",
				    "lease",  "kept",	   NULL};

const char *spec_storage_name(enum spec_storage type)
{
	return TYPES[type];
}

uint32_t spec_storage_bit(struct str word)
{
	for (unsigned i = 0; TYPES[i]; i++)
		if (str_is(word, TYPES[i]))
			return UINT32_C(1) << i;
	return 0;
}

static bool has_name(enum spec_storage type)
{
	return type == SPEC_VOLUME || type == SPEC_ASSETS || type == SPEC_LEASE;
}

int spec_mount_path(struct str path, struct err *e)
{
	static const char *const RUNTIMES[] = {"/proc", "/sys", "/dev", SPEC_PROBE, SPEC_SOCKET};
	struct str piece, rest;

	if (!text_is_clean(path, SPEC_MOUNT_MAX) || path.p[0] != '/' || path.n == 1)
		return err_set(e, ERRK_INPUT,
			       "path: an absolute path of at most %d bytes, not \"/\"",
			       SPEC_MOUNT_MAX);
	rest = (struct str){path.p + 1, path.n - 1};
	while (str_cut(&rest, '/', &piece))
		if (piece.n == 0 || str_is(piece, ".") || str_is(piece, ".."))
			return err_set(e, ERRK_INPUT, "path: no \".\", \"..\" or empty parts");
	if (path.p[path.n - 1] == '/')
		return err_set(e, ERRK_INPUT, "path: no \"/\" at the end");
	for (size_t i = 0; i < sizeof(RUNTIMES) / sizeof(*RUNTIMES); i++)
		if (text_is_below(path, RUNTIMES[i]))
			return err_set(e, ERRK_DENIED, "path: nothing is mounted below %s",
				       RUNTIMES[i]);
	return 0;
}

int spec_subpath(struct str path, struct err *e)
{
	struct str piece, rest = path;

	if (!text_is_clean(path, SPEC_MOUNT_MAX) || path.p[0] == '/')
		return err_set(e, ERRK_INPUT, "subpath: a relative path of at most %d bytes",
			       SPEC_MOUNT_MAX);
	while (str_cut(&rest, '/', &piece))
		if (piece.n == 0 || str_is(piece, ".") || str_is(piece, ".."))
			return err_set(e, ERRK_INPUT, "subpath: no \".\", \"..\" or empty parts");
	return path.p[path.n - 1] == '/' ? err_set(e, ERRK_INPUT, "subpath: no \"/\" at the end")
					 : 0;
}

static int check_mount(const struct spec_mount *m, struct err *e)
{
	bool other = m->type == SPEC_LEASE || m->type == SPEC_KEPT;

	if ((unsigned)m->type >= SPEC_STORAGE_COUNT)
		return err_set(e, ERRK_INPUT, "type: unknown");
	if (spec_mount_path((struct str){m->path, strnlen(m->path, sizeof(m->path))}, e))
		return -1;
	if (has_name(m->type) ? !str_is_name(str_of(m->name), SPEC_NAME_MAX) : *m->name != '\0')
		return err_set(e, ERRK_INPUT, "name: %s",
			       has_name(m->type) ? "a-z, 0-9 and -, at most 32"
						 : "only for volumes");
	if (other ? !hex_is(str_of(m->lease), SPEC_LEASE_HEX / 2) : *m->lease)
		return err_set(e, ERRK_INPUT,
			       "lease: the id of a lease or kept volume, for these types only");
	if (*m->subpath && m->type != SPEC_KEPT)
		return err_set(e, ERRK_INPUT, "subpath: only of a kept volume");
	if (*m->subpath &&
	    spec_subpath((struct str){m->subpath, strnlen(m->subpath, sizeof(m->subpath))}, e))
		return -1;
	if (m->type != SPEC_TMPFS && (m->size || m->mode))
		return err_set(e, ERRK_INPUT, "%s: only a tmpfs has one",
			       m->size ? "size" : "mode");
	if (m->size && (m->size < SPEC_TMPFS_MIN || m->size > SPEC_MEMORY_MAX))
		return err_set(e, ERRK_INPUT, "size: out of range");
	if (m->mode > SPEC_TMPFS_MODE)
		return err_set(e, ERRK_INPUT, "mode: out of range");
	return 0;
}

/* Where others write, a link may be put in the way of what is mounted below while that is done. */
static bool is_shared(const struct spec_mount *m)
{
	return m->type == SPEC_VOLUME || m->type == SPEC_LEASE || m->type == SPEC_KEPT;
}

int spec_storage_check_paths(const struct spec_mounts *m, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		if (spec_mount_path(str_of(m->v[i].path), e))
			return read_under(e, "storage[%zu].", i);
		if (m->v[i].type != SPEC_TMPFS && strcmp(m->v[i].path, "/run") == 0)
			return err_set(
				e, ERRK_INPUT,
				"storage[%zu].path: only a tmpfs is mounted on /run; choose a "
				"path below it",
				i);
		for (size_t j = 0; j < m->n; j++) {
			if (j == i || !text_is_below(str_of(m->v[i].path), m->v[j].path))
				continue;
			if (strcmp(m->v[i].path, m->v[j].path) == 0)
				return err_set(e, ERRK_INPUT, "storage[%zu].path: used before",
					       i > j ? i : j);
			if (is_shared(&m->v[j]))
				return err_set(e, ERRK_INPUT,
					       "storage[%zu].path: lies in the volume at %s, which "
					       "another lease may use; choose a path beside it",
					       i, m->v[j].path);
		}
	}
	return 0;
}

int spec_storage_check(const struct spec_mounts *m, struct err *e)
{
	if (m->n > SPEC_STORAGE_MAX)
		return err_set(e, ERRK_LIMIT, "storage: more than %d mounts", SPEC_STORAGE_MAX);
	for (size_t i = 0; i < m->n; i++)
		if (check_mount(&m->v[i], e))
			return read_under(e, "storage[%zu].", i);
	return spec_storage_check_paths(m, e);
}

static bool covers(const struct spec_mounts *m, const char *path)
{
	for (size_t i = 0; i < m->n; i++)
		if (text_is_below(str_of(path), m->v[i].path))
			return true;
	return false;
}

void spec_storage_add_image(struct spec_mounts *m, const struct image_config *img)
{
	struct spec_mounts said = *m;

	if (!img->nvolumes)
		return;
	m->v = mem_grow(m->v, m->n + img->nvolumes, sizeof(*m->v));
	said.v = m->v;
	for (size_t i = 0; i < img->nvolumes; i++) {
		const char *path = image_config_volume(img, i);
		struct spec_mount *add = &m->v[m->n];

		if (covers(&said, path))
			continue;
		*add = (struct spec_mount){.type = SPEC_ANONYMOUS};
		memcpy(add->path, path, strlen(path) + 1);
		said.n = ++m->n; /* also twice in the image */
	}
}

/* What only an operator may give has an error of its own. */
static int read_type(enum spec_storage *out, const struct json *obj, struct err *e)
{
	struct str s = {"", 0};
	unsigned type = 0;
	int r = read_text(&s, obj, "type", e);

	if (r < 0)
		return -1;
	if (r == READ_ABSENT)
		return err_set(e, ERRK_INPUT, "type: missing");
	if (str_is(s, "bind"))
		return err_set(e, ERRK_DENIED,
			       "type: folders of the host come from the operator's template only");
	if (str_is(s, "s3"))
		return err_set(e, ERRK_DENIED, "type: mount it from inside with your own keys");
	if (read_choice(&type, obj, "type", TYPES, e))
		return -1;
	*out = (enum spec_storage)type;
	return 0;
}

static int read_into(char *dst, size_t size, const struct json *obj, const char *key, struct err *e)
{
	struct str s;
	int r = read_text(&s, obj, key, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (s.n >= size)
		return err_set(e, ERRK_INPUT, "%s: longer than %zu bytes", key, size - 1);
	if (s.n == 0)
		return err_set(e, ERRK_INPUT, "%s: empty", key);
	memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return 0;
}

/* Octal, as chmod has it: JSON knows no such numbers, so it is a text. */
int spec_mode_parse(uint32_t *out, struct str s, struct err *e)
{
	*out = 0;
	for (size_t i = 0; i < s.n && s.n <= 4; i++) {
		if (s.p[i] < '0' || s.p[i] > '7')
			break;
		*out = *out * 8 + (uint32_t)(s.p[i] - '0');
		if (i + 1 == s.n && s.n >= 3 && *out != 0 && *out <= SPEC_TMPFS_MODE)
			return 0;
	}
	return err_set(e, ERRK_INPUT, "mode: three or four octal digits, as \"1777\"");
}

static int read_mode(uint32_t *out, const struct json *obj, struct err *e)
{
	struct str s;
	int r = read_text(&s, obj, "mode", e);

	if (r)
		return r < 0 ? -1 : 0;
	return spec_mode_parse(out, s, e);
}

static int read_mount(struct spec_mount *m, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"type",	 "path", "name", "lease", "subpath",
					    "read_only", "size", "mode", NULL};
	static const struct read_range SIZE = {SPEC_TMPFS_MIN, SPEC_MEMORY_MAX};

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "type: not an object");
	if (read_type(&m->type, obj, e) || read_known(obj, NAMES, e) ||
	    read_into(m->path, sizeof(m->path), obj, "path", e) ||
	    read_into(m->name, sizeof(m->name), obj, "name", e) ||
	    read_into(m->lease, sizeof(m->lease), obj, "lease", e) ||
	    read_into(m->subpath, sizeof(m->subpath), obj, "subpath", e) ||
	    read_flag(&m->read_only, obj, "read_only", e) ||
	    read_size(&m->size, obj, "size", SIZE, e))
		return -1;
	return read_mode(&m->mode, obj, e);
}

int spec_storage_read(struct spec_mounts *out, const struct json *spec, struct err *e)
{
	const struct json *list;
	int r = read_child(&list, spec, "storage", JSON_ARRAY, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (json_count(list) > SPEC_STORAGE_MAX)
		return err_set(e, ERRK_LIMIT, "storage: more than %d mounts", SPEC_STORAGE_MAX);
	out->v = mem_array(json_count(list), sizeof(*out->v));
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		if (read_mount(&out->v[out->n], j, e))
			return read_under(e, "storage[%zu].", out->n);
		out->n++;
	}
	return spec_storage_check(out, e);
}

static void write_mount(struct jsonw *w, const struct spec_mount *m)
{
	auto_buf struct buf mode = BUF(8);

	jsonw_object(w, NULL);
	jsonw_text(w, "type", TYPES[m->type]);
	jsonw_text(w, "path", m->path);
	jsonw_text(w, "name", m->name);
	jsonw_text(w, "lease", m->lease);
	jsonw_text(w, "subpath", m->subpath);
	write_flag(w, "read_only", m->read_only);
	write_number(w, "size", m->size);
	if (m->mode) {
		buf_printf(&mode, "%04o", m->mode);
		jsonw_str(w, "mode", buf_view(&mode));
	}
	jsonw_end_object(w);
}

void spec_storage_write(struct jsonw *w, const struct spec_mounts *m)
{
	if (!m->n)
		return;
	jsonw_array(w, "storage");
	for (size_t i = 0; i < m->n; i++)
		write_mount(w, &m->v[i]);
	jsonw_end_array(w);
}

void spec_storage_put(struct spec_mounts *m, const struct spec_mount *what)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].path, what->path) == 0) {
			m->v[i] = *what;
			return;
		}
	m->v = mem_grow(m->v, m->n + 1, sizeof(*m->v));
	m->v[m->n++] = *what;
}

void spec_storage_copy(struct spec_mounts *dst, const struct spec_mounts *src)
{
	*dst = (struct spec_mounts){.v = mem_array(src->n, sizeof(*dst->v)), .n = src->n};
	if (src->n)
		memcpy(dst->v, src->v, src->n * sizeof(*dst->v));
}
