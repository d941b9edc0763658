/* Files of a lease on tmpfs. */
#include "helper/record.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "priv/fields.h"
#include "volume/overlay.h"

#define RECORD_MAX	 4096
#define RECORD_BYTES_MAX 65536 /* of another version's */
#define LOG_BYTES	 ((uint64_t)16 << 20)
#define LOG_SHARE	 8 /* of a volume at most an eighth */

/*
 * The file's form: a line with the version that wrote it and the oldest one that may act on it,
 * then the fields, by the same tables as the messages. Fields are only appended; who appends one
 * adds a version with their number to `written`, and raises RECORD_READER where an older build that
 * knows nothing of the field would do harm. Files of the first two versions have no such line.
 */
#define HEAD	       "leased record "
#define RECORD_VERSION 5
#define RECORD_READER  3
#define RECORD_KEY     4 /* who reads one with own_key: an older one would look for it on disk */
#define BARE_VERSIONS  2

struct stored {
	char id[PRIV_ID_LEN + 1];
	char owner[PRIV_OWNER_LEN + 1];
	uint32_t generation;
	int64_t deadline;
	uint64_t volume_bytes, inodes;
	char *volume;
	uint32_t activation, slot;
	struct spec_bandwidth bandwidth;
	struct wire_list ports;
	bool survives;
	char *offer, *template;
	uint64_t asked, granted;
	bool privileged, new_privileges, host_network;
	uint32_t vendor;
	struct wire_list cards;
	char *backend;
	bool own_key;
	bool kept;
};

struct stored_card {
	uint32_t number;
};

#define MSG stored_card
static const struct wire_field stored_card_fields[] = {U32(number, 0, UINT16_MAX)};
static const struct wire_table stored_card_table = TABLE(stored_card);
#undef MSG

#define MSG stored
static const struct wire_field stored_fields[] = {
	ID,
	HEX(owner, PRIV_OWNER_LEN),
	U32(generation, 0, UINT32_MAX),
	WALL(deadline),
	U64(volume_bytes, 0, PRIV_VOLUME_MAX),
	U64(inodes, 0, UINT32_MAX),
	TEXT(volume, VOLUME_ID_MAX),
	U32(activation, 0, VOLUME_DM_CRYPT),
	U32(slot, 0, UINT32_MAX),
	U64(bandwidth.in, 0, SPEC_RATE_MAX),
	U64(bandwidth.out, 0, SPEC_RATE_MAX),
	LIST(ports, SPEC_PORTS_MAX, &priv_port_table),
	BOOL(survives),
	TEXT(offer, PRIV_OFFER_NAME_MAX),
	TEXT(template, SPEC_TEMPLATE_NAME_MAX),
	U64(asked, 0, UINT64_MAX),
	U64(granted, 0, UINT64_MAX),
	BOOL(privileged),
	BOOL(new_privileges),
	BOOL(host_network),
	U32(vendor, 0, SPEC_VENDOR_ANY),
	LIST(cards, RECORD_CARDS_MAX, &stored_card_table),
	TEXT(backend, RECORD_BACKEND_MAX),
	BOOL(own_key),
	BOOL(kept),
};
static const struct wire_table stored_table = TABLE(stored);
#undef MSG

/* How many fields each version wrote. */
static const size_t written[RECORD_VERSION + 1] = {
	[1] = 22, [2] = 23, [3] = 23, [4] = 24, [5] = 25};
_Static_assert(ARRAY_SIZE(stored_fields) == 25, "as many as the newest version writes");

char *record_dir(const struct helper_config *c, const char *id)
{
	return mem_printf("%s/leases/%s", c->run_dir, id);
}

char *record_path(const struct helper_config *c, const char *id, const char *name)
{
	return mem_printf("%s/leases/%s/%s", c->run_dir, id, name);
}

struct volume record_volume(const struct record *r, const struct helper_config *c)
{
	return (struct volume){.state_dir = c->state_dir,
			       .run_dir = c->run_dir,
			       .id = r->volume,
			       .activation = r->activation,
			       .bytes = r->volume_bytes,
			       .inodes = r->inodes,
			       .survives = r->survives,
			       .own_key = r->own_key,
			       .kept = record_log_max(c, r->volume_bytes)};
}

uint64_t record_log_max(const struct helper_config *c, uint64_t volume_bytes)
{
	uint64_t max = c->log_bytes ? c->log_bytes : LOG_BYTES;

	return max < volume_bytes / LOG_SHARE ? max : volume_bytes / LOG_SHARE;
}

char *record_log_dir(const struct helper_config *c, const struct record *r)
{
	struct volume v = record_volume(r, c);
	auto_free char *path = volume_path(&v);

	return mem_printf("%s/log", path);
}

struct tenant_seat record_seat(const struct record *r)
{
	return (struct tenant_seat){
		.slot = r->slot, .ports = r->ports, .nports = r->nports, .bandwidth = r->bandwidth};
}

void record_set_ports(struct record *r, const struct wire_list *ports)
{
	const struct priv_port *from = ports->v;

	r->nports = 0;
	for (size_t i = 0; i < ports->n && i < SPEC_PORTS_MAX; i++)
		r->ports[r->nports++] =
			(struct spec_port){(uint16_t)from[i].inside, (uint16_t)from[i].outside,
					   (enum spec_protocol)from[i].protocol};
}

void record_set_spec_ports(struct record *r, const struct spec_ports *from)
{
	r->nports = (uint32_t)from->n; /* at most SPEC_PORTS_MAX: spec_check */
	if (from->n)
		memcpy(r->ports, from->v, from->n * sizeof(*from->v));
}

void record_set_backend(struct record *r, const struct backend *b)
{
	snprintf(r->backend, sizeof(r->backend), "%s", b->name);
}

const struct backend *record_backend(const struct record *r)
{
	const struct backend *b = backend_find(r->backend);

	return b ? b : &backend_oci; /* of the time before there were more */
}

uint32_t record_ids(const struct record *r, const struct helper_config *c)
{
	return c->id_slots && !record_backend(r)->shares_ids ? c->id_base + r->slot * 65536 : 0;
}

static void give_of_stored(struct record *r, const struct stored *s)
{
	const struct stored_card *cards = s->cards.v;

	memcpy(r->offer, s->offer, strlen(s->offer) + 1);
	memcpy(r->template, s->template, strlen(s->template) + 1);
	r->powers = (struct record_powers){s->asked, s->granted, s->privileged, s->new_privileges,
					   s->host_network};
	r->vendor = (enum spec_vendor)s->vendor;
	r->ncards = (uint32_t)s->cards.n;
	for (size_t i = 0; i < s->cards.n; i++)
		r->cards[i] = cards[i].number;
}

static void give_to_stored(struct stored *s, struct stored_card *cards, const struct record *r)
{
	s->offer = (char *)r->offer;
	s->template = (char *)r->template;
	s->asked = r->powers.asked;
	s->granted = r->powers.granted;
	s->privileged = r->powers.privileged;
	s->new_privileges = r->powers.new_privileges;
	s->host_network = r->powers.host_network;
	s->vendor = r->vendor;
	for (size_t i = 0; i < r->ncards; i++)
		cards[i].number = r->cards[i];
	s->cards = (struct wire_list){cards, r->ncards};
}

static void record_of_stored(struct record *r, const struct stored *s)
{
	*r = (struct record){.generation = s->generation,
			     .deadline = s->deadline,
			     .volume_bytes = s->volume_bytes,
			     .inodes = s->inodes,
			     .activation = s->activation,
			     .slot = s->slot,
			     .bandwidth = s->bandwidth,
			     .survives = s->survives,
			     .own_key = s->own_key,
			     .kept = s->kept};
	record_set_ports(r, &s->ports);
	give_of_stored(r, s);
	memcpy(r->id, s->id, sizeof(r->id));
	memcpy(r->owner, s->owner, sizeof(r->owner));
	memcpy(r->volume, s->volume, strlen(s->volume) + 1);
	snprintf(r->backend, sizeof(r->backend), "%s", s->backend ? s->backend : "");
}

static char *kept_path(const struct helper_config *c, const char *id)
{
	return mem_printf("%s/leases/%s", c->state_dir, id);
}

struct head {
	uint64_t version, reader;
};

/* The line, cut off `text`. Without one both are 0. */
static int take_head(struct head *h, struct str *text, struct err *e)
{
	struct str line, version, word;

	*h = (struct head){0, 0};
	if (!str_starts(*text, HEAD))
		return 0;
	str_cut(text, '\n', &line);
	line = (struct str){line.p + strlen(HEAD), line.n - strlen(HEAD)};
	str_cut(&line, ' ', &version);
	word = line;
	if (str_u64(version, UINT32_MAX, &h->version, e) < 0 ||
	    str_u64(word, UINT32_MAX, &h->reader, e) < 0)
		return err_wrap(e, "its first line");
	return h->version <= BARE_VERSIONS ? err_set(e, ERRK_INPUT, "its first line is wrong") : 0;
}

/* What a version wrote that is not newer, whole; of a newer one what we know. */
static int take_fields(struct stored *s, const struct head *h, struct str text, struct err *e)
{
	struct wire_table known = stored_table;

	if (h->version > RECORD_VERSION)
		return wire_decode_begin(s, &stored_table, text, e);
	if (h->version > 0) {
		known.nfields = written[h->version];
		return wire_decode(s, &known, text, e);
	}
	for (size_t v = BARE_VERSIONS; v > 0; v--) {
		known.nfields = written[v];
		if (wire_decode(s, &known, text, e) == 0)
			return 0;
	}
	return -1;
}

static int fill(struct record *out, struct str text, const char *id, struct err *e)
{
	struct stored s;
	struct head h;

	if (take_head(&h, &text, e) < 0 || take_fields(&s, &h, text, e) < 0)
		return -1;
	record_of_stored(out, &s);
	wire_clear(&s, &stored_table);
	if (strcmp(out->id, id) != 0 || !str_is_name(str_of(out->volume), VOLUME_ID_MAX))
		return err_set(e, ERRK_INPUT, "it is not that lease's");
	if (h.reader <= RECORD_VERSION)
		return 0;
	out->known = RECORD_NEWER;
	err_set(e, ERRK_STATE, "a newer leased wrote it");
	return RECORD_STRANGE;
}

static int read_from(struct record *out, const char *path, const char *id, struct err *e)
{
	auto_buf struct buf text = BUF(RECORD_BYTES_MAX);
	int r = fs_read(&text, path, e);

	if (r == FS_NOT_FOUND)
		return RECORD_NOT_FOUND;
	if (r < 0 && e->kind != ERRK_LIMIT)
		return -1;
	if (r == 0)
		r = fill(out, buf_view(&text), id, e);
	if (r < 0) {
		*out = (struct record){.known = RECORD_BLANK, .slot = RECORD_NO_SLOT};
		memcpy(out->id, id, sizeof(out->id));
	}
	if (r == 0)
		return 0;
	err_wrap(e, "%s", path);
	return RECORD_STRANGE;
}

/* The volume that the container's root is mounted on. */
static bool find_mounted(struct record *r, const struct helper_config *c)
{
	auto_free char *dir = record_dir(c, r->id);
	auto_free char *mounted = overlay_volume(dir);
	auto_free char *volumes = mem_printf("%s/volumes/", c->run_dir);
	auto_free char *path = NULL;
	struct volume v = record_volume(r, c);
	struct str rest = str_of(mounted), name;

	if (!mounted || !str_starts(rest, volumes))
		return false;
	rest = (struct str){rest.p + strlen(volumes), rest.n - strlen(volumes)};
	if (!str_cut(&rest, '/', &name) || !str_is_name(name, VOLUME_ID_MAX))
		return false;
	memcpy(r->volume, name.p, name.n);
	r->volume[name.n] = '\0';
	path = volume_path(&v);
	return strcmp(path, mounted) == 0;
}

/* That one, or the one that has the lease's id. */
static void find_volume(struct record *r, const struct helper_config *c)
{
	auto_free char *own = mem_printf("%s/volumes/%s", c->state_dir, r->id);

	if (find_mounted(r, c))
		return;
	r->volume[0] = '\0';
	if (fs_exists(own))
		memcpy(r->volume, r->id, sizeof(r->id));
}

void record_find(struct record *r, const struct helper_config *c)
{
	auto_free char *dir = record_dir(c, r->id);
	struct keeper_record box;
	struct stat st;

	/* Never over by a number that is not known. */
	r->deadline = record_keeper(&box, c, r->id, NULL) == 0 ? box.deadline : (int64_t)WALL_MAX;
	memset(r->owner, '0', PRIV_OWNER_LEN);
	r->activation = c->activation;
	r->survives = c->survives;
	find_volume(r, c);
	if (c->id_slots && lstat(dir, &st) == 0 && st.st_gid >= c->id_base &&
	    (st.st_gid - c->id_base) % 65536 == 0)
		r->slot = (st.st_gid - c->id_base) / 65536;
}

int record_read(struct record *out, const struct helper_config *c, const char *id, struct err *e)
{
	auto_free char *path = record_path(c, id, "lease");

	return read_from(out, path, id, e);
}

/* The lease's own root, a group of nobody else, must be able to walk through to its mounts. */
static int make_dir(const char *dir, const struct record *r, const struct helper_config *c,
		    struct err *e)
{
	gid_t group = record_ids(r, c);

	if (fs_mkdirs(dir, 0710, e) < 0)
		return -1;
	return lchown(dir, 0, group) < 0 ? err_sys(e, "give %s to its lease", dir) : 0;
}

static int write_kept(const struct helper_config *c, const char *id, struct str text, struct err *e)
{
	auto_free char *dir = mem_printf("%s/leases", c->state_dir);
	auto_free char *path = kept_path(c, id);

	return fs_mkdirs(dir, 0700, e) < 0 ? -1 : fs_write(path, text.p, text.n, 0600, e);
}

int record_write(const struct record *r, const struct helper_config *c, struct err *e)
{
	auto_buf struct buf text = BUF(RECORD_MAX);
	auto_free char *dir = record_dir(c, r->id);
	auto_free char *path = record_path(c, r->id, "lease");
	struct priv_port ports[SPEC_PORTS_MAX];
	struct stored_card cards[RECORD_CARDS_MAX];
	struct stored s = {.generation = r->generation,
			   .deadline = r->deadline,
			   .volume_bytes = r->volume_bytes,
			   .inodes = r->inodes,
			   .volume = (char *)r->volume,
			   .activation = r->activation,
			   .slot = r->slot,
			   .bandwidth = r->bandwidth,
			   .ports = {ports, r->nports},
			   .survives = r->survives,
			   .own_key = r->own_key,
			   .kept = r->kept,
			   .backend = (char *)r->backend};

	for (size_t i = 0; i < r->nports; i++)
		ports[i] = (struct priv_port){r->ports[i].inside, r->ports[i].outside,
					      r->ports[i].protocol};
	if (r->known != RECORD_WHOLE)
		return err_set(e, ERRK_STATE, "the record of %s says more than is known here",
			       r->id);
	give_to_stored(&s, cards, r);
	memcpy(s.id, r->id, sizeof(s.id));
	memcpy(s.owner, r->owner, sizeof(s.owner));
	buf_printf(&text, HEAD "%d %d\n", RECORD_VERSION, r->own_key ? RECORD_KEY : RECORD_READER);
	if (wire_encode(&text, &stored_table, &s, e) < 0 ||
	    (r->survives && write_kept(c, r->id, buf_view(&text), e) < 0) ||
	    make_dir(dir, r, c, e) < 0)
		return -1;
	return fs_write(path, text.p, text.n, 0600, e);
}

int record_remove(const struct helper_config *c, const char *id, struct err *e)
{
	auto_free char *dir = record_dir(c, id);
	auto_free char *kept = kept_path(c, id);

	if (fs_remove_tree(dir, e) < 0)
		return -1;
	return unlink(kept) < 0 && errno != ENOENT ? err_sys(e, "remove %s", kept) : 0;
}

static int each_in(const char *path, int (*fn)(void *ctx, const char *id), void *ctx, struct err *e)
{
	auto_closedir DIR *d = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	while (r == 0 && (entry = readdir(d)))
		if (priv_id_valid(entry->d_name))
			r = fn(ctx, entry->d_name);
	return r;
}

int record_each(const struct helper_config *c, int (*fn)(void *ctx, const char *id), void *ctx,
		struct err *e)
{
	auto_free char *path = mem_printf("%s/leases", c->run_dir);

	return each_in(path, fn, ctx, e);
}

struct recovery {
	const struct helper_config *c;
	struct err *err;
};

/* As it is: whoever wrote it may read it again. */
static int recover_strange(const struct recovery *x, const char *kept, const char *path,
			   const char *id)
{
	auto_buf struct buf text = BUF(RECORD_BYTES_MAX);
	auto_free char *dir = record_dir(x->c, id);

	return fs_read(&text, kept, x->err) == 0 && fs_mkdirs(dir, 0710, x->err) == 0
		       ? fs_write(path, text.p, text.n, 0600, x->err)
		       : -1;
}

static int recover_one(void *ctx, const char *id)
{
	const struct recovery *x = ctx;
	auto_free char *path = record_path(x->c, id, "lease");
	auto_free char *kept = kept_path(x->c, id);
	struct record r;
	int found;

	if (fs_exists(path))
		return 0;
	found = read_from(&r, kept, id, x->err);
	if (found == RECORD_STRANGE)
		return recover_strange(x, kept, path, id);
	return found == 0 ? record_write(&r, x->c, x->err) : -1;
}

int record_recover(const struct helper_config *c, struct err *e)
{
	auto_free char *path = mem_printf("%s/leases", c->state_dir);
	struct recovery x = {c, e};

	return each_in(path, recover_one, &x, e);
}

int record_keeper(struct keeper_record *out, const struct helper_config *c, const char *id,
		  struct err *e)
{
	auto_buf struct buf text = BUF(RECORD_MAX);
	auto_free char *path = record_path(c, id, KEEPER_STATE);
	int r = fs_read(&text, path, e);

	if (r == FS_NOT_FOUND)
		return RECORD_NOT_FOUND;
	if (r < 0)
		return -1;
	return keeper_record_read(out, buf_view(&text), e);
}

bool record_alive(uint32_t pid, uint64_t started)
{
	return pid > 0 && started != 0 && proc_start_time((pid_t)pid) == started;
}
