/* Mounts as command lines have them: see storage.h. */
#include <string.h>

#include "base/mem.h"
#include "spec/limits.h"
#include "spec/read.h"
#include "spec/storage.h"

static int set_path(struct spec_mount *m, struct str path, struct err *e)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (spec_mount_path(path, e))
		return -1;
	memcpy(m->path, path.p, path.n);
	m->path[path.n] = '\0';
	return 0;
}

static int set_name(struct spec_mount *m, struct str name, struct err *e)
{
	if (!str_is_name(name, SPEC_NAME_MAX))
		return err_set(e, ERRK_INPUT, "a volume's name is a-z, 0-9 and -, at most %d",
			       SPEC_NAME_MAX);
	memcpy(m->name, name.p, name.n);
	m->name[name.n] = '\0';
	return 0;
}

static int set_subpath(struct spec_mount *m, struct str word, struct err *e)
{
	struct str key, path = word;

	str_cut(&path, '=', &key);
	if (spec_subpath(path, e))
		return -1;
	memcpy(m->subpath, path.p, path.n);
	m->subpath[path.n] = '\0';
	return 0;
}

static int set_access(struct spec_mount *m, struct str options, struct err *e)
{
	struct str word;

	while (str_cut(&options, ',', &word)) {
		if (m->type == SPEC_KEPT && str_starts(word, "subpath=")) {
			if (set_subpath(m, word, e))
				return -1;
		} else if (str_is(word, "ro"))
			m->read_only = true;
		else if (!str_is(word, "rw") || m->type == SPEC_ASSETS)
			return err_set(e, ERRK_INPUT, "option \"%.*s\": want %s", (int)word.n,
				       word.p,
				       m->type == SPEC_ASSETS ? "ro"
				       : m->type == SPEC_KEPT ? "ro, rw or subpath=FOLDER"
							      : "ro or rw");
	}
	return 0;
}

/* "lease:", "kept:" and "assets:" are ours where no path follows; then it is a volume of that name.
 */
static bool take_prefix(struct str *text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (!str_starts(*text, prefix) || text->n == n || text->p[n] == '/')
		return false;
	*text = (struct str){text->p + n, text->n - n};
	return true;
}

static int set_source(struct spec_mount *m, struct str *of, struct str source, struct err *e)
{
	if (m->type == SPEC_LEASE &&
	    (!memchr(source.p, '/', source.n) || !str_cut(&source, '/', of) || of->n == 0))
		return err_set(e, ERRK_INPUT, "want lease:OTHER/NAME:/PATH");
	if (m->type == SPEC_KEPT && source.n == 0)
		return err_set(e, ERRK_INPUT, "want kept:VOLUME:/PATH");
	if (m->type == SPEC_KEPT) {
		*of = source;
		return 0;
	}
	return set_name(m, source, e);
}

int spec_volume_parse(struct spec_mount *m, struct str *of, struct str text, struct err *e)
{
	struct str source, path;
	bool more = memchr(text.p, ':', text.n) != NULL;

	*m = (struct spec_mount){.type = SPEC_VOLUME};
	*of = (struct str){"", 0};
	if (text.n && strchr("/.~", text.p[0])) {
		if (text.p[0] != '/' || more)
			return err_set(e, ERRK_DENIED,
				       "a lease runs elsewhere and sees no folder of this machine; "
				       "write NAME:/PATH and copy files with lease cp");
		m->type = SPEC_ANONYMOUS;
		return set_path(m, text, e);
	}
	if (take_prefix(&text, "lease:"))
		m->type = SPEC_LEASE;
	else if (take_prefix(&text, "kept:"))
		m->type = SPEC_KEPT;
	else if (take_prefix(&text, "assets:"))
		m->type = SPEC_ASSETS;
	if (!str_cut(&text, ':', &source) || !str_cut(&text, ':', &path))
		return err_set(e, ERRK_INPUT, "want NAME:/PATH, or /PATH");
	if (set_source(m, of, source, e) || set_path(m, path, e))
		return -1;
	return set_access(m, text, e);
}

static int set_size(uint64_t *out, struct str value, struct err *e)
{
	if (str_bytes(value, SPEC_MEMORY_MAX, out, e))
		return err_wrap(e, "size");
	return *out < SPEC_TMPFS_MIN
		       ? err_set(e, ERRK_INPUT, "size: at least %d bytes", SPEC_TMPFS_MIN)
		       : 0;
}

/* nosuid and nodev hold in any case. */
static int set_option(struct spec_mount *m, struct str word, struct err *e)
{
	struct str value = word, key;

	str_cut(&value, '=', &key);
	if (str_is(key, "size"))
		return set_size(&m->size, value, e);
	if (str_is(key, "mode"))
		return spec_mode_parse(&m->mode, value, e);
	if (str_is(word, "ro"))
		m->read_only = true;
	else if (!str_is(word, "rw") && !str_is(word, "nosuid") && !str_is(word, "nodev"))
		return err_set(e, ERRK_INPUT, "option \"%.*s\": want size=, mode=, ro or rw",
			       (int)word.n, word.p);
	return 0;
}

int spec_tmpfs_parse(struct spec_mount *m, struct str text, struct err *e)
{
	struct str path, word;

	*m = (struct spec_mount){.type = SPEC_TMPFS};
	if (!str_cut(&text, ':', &path))
		return err_set(e, ERRK_INPUT, "want /PATH[:size=SIZE,mode=OCTAL]");
	if (set_path(m, path, e))
		return -1;
	while (str_cut(&text, ',', &word))
		if (set_option(m, word, e))
			return -1;
	return 0;
}

char *spec_volume_print(const struct spec_mount *m)
{
	const char *sub = *m->subpath ? ",subpath=" : "";
	const char *ro = m->read_only ? ":ro" : *m->subpath ? ":rw" : "";

	switch (m->type) {
	case SPEC_VOLUME:
		return mem_printf("%s:%s%s", m->name, m->path, ro);
	case SPEC_ANONYMOUS:
		return mem_strdup(m->path);
	case SPEC_TMPFS:
		return mem_printf("tmpfs:%s", m->path);
	case SPEC_ASSETS:
		return mem_printf("assets:%s:%s", m->name, m->path);
	case SPEC_LEASE:
		return mem_printf("lease:%s/%s:%s%s", m->lease, m->name, m->path, ro);
	case SPEC_KEPT:
		return mem_printf("kept:%s:%s%s%s%s", m->lease, m->path, ro, sub, m->subpath);
	case SPEC_STORAGE_COUNT:
		break;
	}
	return mem_strdup("");
}

int spec_storage_set_paths(struct spec_mounts *m, const char *const *paths, size_t n, struct err *e)
{
	size_t left = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].type != SPEC_ANONYMOUS)
			m->v[left++] = m->v[i];
	m->n = left;
	for (size_t i = 0; i < n; i++) {
		struct spec_mount add = {.type = SPEC_ANONYMOUS};

		if (set_path(&add, str_of(paths[i]), e))
			return -1;
		for (size_t k = 0; k < m->n; k++)
			if (strcmp(m->v[k].path, add.path) == 0)
				return err_set(e, ERRK_INPUT, "%s: something is mounted there",
					       add.path);
		spec_storage_put(m, &add);
	}
	return spec_storage_check(m, e);
}
