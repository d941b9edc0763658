/* Graphics cards: see cards.h. */
#include "oci/cards.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

#define RENDER_FIRST 128 /* minor of the first render node */
#define FILES_MAX    64

static const struct vendor {
	const char *kind; /* of CDI */
	const char *pci;  /* what sysfs says of a card; NULL: it has nodes of its own name */
} VENDORS[] = {
	[SPEC_NVIDIA] = {"nvidia.com/gpu", NULL},
	[SPEC_AMD] = {"amd.com/gpu", "0x1002"},
	[SPEC_INTEL] = {"intel.com/gpu", "0x8086"},
};

void cards_clear(struct cards *c)
{
	free(c->cdi);
	*c = (struct cards){0};
}

static void add_number(struct cards *c, uint32_t number)
{
	size_t i = c->n;

	for (size_t k = 0; k < c->n; k++)
		if (c->number[k] == number)
			return;
	if (c->n == CARDS_MAX)
		return;
	for (; i > 0 && c->number[i - 1] > number; i--)
		c->number[i] = c->number[i - 1];
	c->number[i] = number;
	c->n++;
}

static bool is_number(uint32_t *out, const char *text)
{
	uint64_t v;

	if (str_u64(str_of(text), UINT16_MAX, &v, NULL) < 0)
		return false;
	*out = (uint32_t)v;
	return true;
}

/* --- CDI --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The paths of a folder's files that end so, sorted. */
static size_t list_files(char **out, const char *dir, const char *ending)
{
	auto_closedir DIR *d = opendir(dir);
	const struct dirent *entry;
	size_t n = 0, end = strlen(ending);

	while (d && n < FILES_MAX && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name);

		if (len > end && strcmp(entry->d_name + len - end, ending) == 0)
			out[n++] = mem_printf("%s/%s", dir, entry->d_name);
	}
	qsort(out, n, sizeof(*out), by_name);
	return n;
}

enum { CDI_NONE = 1 };

/* CDI_NONE: of another kind. */
static int read_file(struct spec_cdi *out, const char *path, const char *kind, struct err *e)
{
	auto_buf struct buf text = BUF(SPEC_CDI_JSON_MAX);
	int r = fs_read(&text, path, e);

	if (r)
		return r < 0 ? -1 : CDI_NONE;
	/* another vendor's file may be of a later version: only ours has to be understood */
	if (!memmem(text.p, text.n, kind, strlen(kind)))
		return CDI_NONE;
	if (spec_cdi_decode(out, buf_view(&text), e) < 0)
		return err_wrap(e, "%s", path);
	if (strcmp(out->kind, kind) == 0)
		return 0;
	spec_cdi_clear(out);
	return CDI_NONE;
}

static int read_folder(struct spec_cdi *out, char **path, const char *dir, const char *kind,
		       struct err *e)
{
	char *files[FILES_MAX];
	size_t n = list_files(files, dir, ".json");
	int r = CDI_NONE;

	for (size_t i = 0; i < n; i++) {
		if (r == CDI_NONE) {
			r = read_file(out, files[i], kind, e);
			if (r == 0)
				*path = steal(&files[i]);
		}
		free(files[i]);
	}
	return r;
}

static const char *const *folders_of(const struct cards_host *h)
{
	static const char *const USUAL[] = {"/etc/cdi", "/var/run/cdi", NULL};

	return h->cdi_dirs ? h->cdi_dirs : USUAL;
}

/* The later folder wins. */
static int find_cdi(struct spec_cdi *out, char **path, const struct cards_host *h,
		    enum spec_vendor v, struct err *e)
{
	const char *const *dirs = folders_of(h);
	size_t n = 0;
	int r = CDI_NONE;

	while (dirs[n])
		n++;
	while (n > 0 && r == CDI_NONE)
		r = read_folder(out, path, dirs[--n], VENDORS[v].kind, e);
	return r;
}

char *cards_yaml(const struct cards_host *h, enum spec_vendor v)
{
	static const char *const ENDINGS[] = {".yaml", ".yml"};
	char *found = NULL;

	for (const char *const *dir = folders_of(h); *dir; dir++)
		for (size_t k = 0; k < ARRAY_SIZE(ENDINGS); k++) {
			char *files[FILES_MAX];
			size_t n = list_files(files, *dir, ENDINGS[k]);

			for (size_t i = 0; i < n; i++) {
				auto_buf struct buf text = BUF(SPEC_CDI_JSON_MAX);

				if (!found && fs_read(&text, files[i], NULL) == 0 &&
				    memmem(text.p, text.n, VENDORS[v].kind,
					   strlen(VENDORS[v].kind)))
					found = steal(&files[i]);
				free(files[i]);
			}
		}
	return found;
}

/* Names are numbers, beside which there may be "all" and serial numbers of the same cards; where
 * none is, the order in the file counts. */
static bool has_numbers(const struct spec_cdi *c)
{
	uint32_t unused;

	for (size_t i = 0; i < c->ndevices; i++)
		if (is_number(&unused, c->devices[i].name))
			return true;
	return false;
}

static bool card_of(uint32_t *out, const struct spec_cdi *c, size_t i, bool numbers)
{
	uint32_t before = 0;

	if (numbers)
		return is_number(out, c->devices[i].name);
	if (strcmp(c->devices[i].name, "all") == 0)
		return false;
	for (size_t k = 0; k < i; k++)
		before += strcmp(c->devices[k].name, "all") != 0;
	*out = before;
	return true;
}

static const struct spec_cdi_device *device_of(const struct spec_cdi *c, uint32_t number)
{
	bool numbers = has_numbers(c);
	uint32_t at;

	for (size_t i = 0; i < c->ndevices; i++)
		if (card_of(&at, c, i, numbers) && at == number)
			return &c->devices[i];
	return NULL;
}

/* --- nodes --- */

static const char *root_of(const struct cards_host *h)
{
	return h->root ? h->root : "";
}

static bool is_of_vendor(const struct cards_host *h, enum spec_vendor v, unsigned minor)
{
	auto_free char *path =
		mem_printf("%s/sys/class/drm/renderD%u/device/vendor", root_of(h), minor);
	auto_buf struct buf text = BUF(64);

	return fs_read(&text, path, NULL) == 0 && str_is(str_trim(buf_view(&text)), VENDORS[v].pci);
}

static char *card_node(const struct cards_host *h, enum spec_vendor v, uint32_t number)
{
	return VENDORS[v].pci
		       ? mem_printf("%s/dev/dri/renderD%u", root_of(h), RENDER_FIRST + number)
		       : mem_printf("%s/dev/nvidia%u", root_of(h), number);
}

static void find_nodes(struct cards *out, const struct cards_host *h, enum spec_vendor v)
{
	for (uint32_t i = 0; i < CARDS_MAX; i++) {
		auto_free char *path = card_node(h, v, i);

		if (fs_exists(path) && (!VENDORS[v].pci || is_of_vendor(h, v, RENDER_FIRST + i)))
			add_number(out, i);
	}
}

/* Inside it is where programs look for it, whatever `root` is. */
static void add_node(struct spec_cdi_edits *out, const struct cards_host *h, const char *path)
{
	struct spec_device d = {.path = (char *)path,
				.target = (char *)path + strlen(root_of(h)),
				.read = true,
				.write = true};

	spec_grant_add_device(&out->grant, &d);
}

/* What all cards of the vendor need: one of nvidia's must be there, the others if they are. */
static void add_common(struct spec_cdi_edits *out, const struct cards_host *h, enum spec_vendor v)
{
	static const struct {
		enum spec_vendor vendor;
		const char *path;
		bool always;
	} COMMON[] = {
		{SPEC_NVIDIA, "/dev/nvidiactl", true},
		{SPEC_NVIDIA, "/dev/nvidia-uvm", false},
		{SPEC_NVIDIA, "/dev/nvidia-uvm-tools", false},
		{SPEC_AMD, "/dev/kfd", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(COMMON); i++) {
		auto_free char *path = mem_printf("%s%s", root_of(h), COMMON[i].path);

		if (COMMON[i].vendor == v && (COMMON[i].always || fs_exists(path)))
			add_node(out, h, path);
	}
}

/* --- both --- */

int cards_find(struct cards *out, const struct cards_host *h, enum spec_vendor v, struct err *e)
{
	auto_spec_cdi struct spec_cdi cdi = {0};
	bool numbers;
	uint32_t at;
	int r;

	*out = (struct cards){0};
	r = find_cdi(&cdi, &out->cdi, h, v, e);
	if (r < 0)
		return -1;
	if (r == CDI_NONE) {
		find_nodes(out, h, v);
		return 0;
	}
	numbers = has_numbers(&cdi);
	for (size_t i = 0; i < cdi.ndevices; i++)
		if (card_of(&at, &cdi, i, numbers))
			add_number(out, at);
	return 0;
}

bool cards_may_have(const struct spec_cards *of, uint32_t number)
{
	for (size_t i = 0; i < of->nonly; i++)
		if (of->only[i] == number)
			return true;
	return of->nonly == 0;
}

uint32_t cards_there(const struct cards *c, const struct spec_cards *of)
{
	uint32_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += cards_may_have(of, c->number[i]);
	return n < of->count ? n : of->count;
}

static int edits_of_cdi(struct spec_cdi_edits *out, const struct spec_cdi *cdi,
			const uint32_t *number, size_t n, struct err *e)
{
	spec_cdi_edits_add(out, &cdi->common);
	for (size_t i = 0; i < n; i++) {
		const struct spec_cdi_device *d = device_of(cdi, number[i]);

		if (!d)
			return err_set(e, ERRK_STATE, "%s has no card %u any more", cdi->kind,
				       number[i]);
		spec_cdi_edits_add(out, &d->edits);
	}
	return 0;
}

static int check_binds(const struct spec_grant *g, struct err *e)
{
	for (size_t i = 0; i < g->nbinds; i++)
		if (!fs_exists(g->binds[i].source))
			return err_set(e, ERRK_STATE, "%s is not there", g->binds[i].source);
	return 0;
}

int cards_edits(struct spec_cdi_edits *out, const struct cards_host *h, enum spec_vendor v,
		const uint32_t *number, size_t n, struct err *e)
{
	auto_spec_cdi struct spec_cdi cdi = {0};
	auto_free char *path = NULL;
	int r = find_cdi(&cdi, &path, h, v, e);

	*out = (struct spec_cdi_edits){0};
	if (r == CDI_NONE) {
		add_common(out, h, v);
		for (size_t i = 0; i < n; i++) {
			auto_free char *node = card_node(h, v, number[i]);

			add_node(out, h, node);
		}
	}
	if (r >= 0 && (r == CDI_NONE || edits_of_cdi(out, &cdi, number, n, e) == 0) &&
	    spec_grant_look_up(&out->grant, e) == 0 && check_binds(&out->grant, e) == 0)
		return 0;
	spec_cdi_edits_clear(out);
	return path ? err_wrap(e, "%s", path) : -1;
}
