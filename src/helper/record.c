/* Files of a lease on tmpfs. */
#include "helper/record.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "priv/fields.h"

#define RECORD_MAX 4096
#define LOG_BYTES  ((uint64_t)16 << 20)
#define LOG_SHARE  8 /* of a volume at most an eighth */

/* The file's form: the same tables as the messages. */
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
};
static const struct wire_table stored_table = TABLE(stored);
/* Leases that began before there was more than one backend. */
static const struct wire_table older_table = {sizeof(struct stored), stored_fields,
					      ARRAY_SIZE(stored_fields) - 1};
#undef MSG

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
			     .survives = s->survives};
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

static int read_from(struct record *out, const char *path, const char *id, struct err *e)
{
	auto_buf struct buf text = BUF(RECORD_MAX);
	struct stored s;
	int r = fs_read(&text, path, e);

	if (r == FS_NOT_FOUND)
		return RECORD_NOT_FOUND;
	if (r < 0)
		return -1;
	if (wire_decode(&s, &stored_table, buf_view(&text), e) < 0 &&
	    wire_decode(&s, &older_table, buf_view(&text), NULL) < 0)
		return err_wrap(e, "%s", path);
	record_of_stored(out, &s);
	wire_clear(&s, &stored_table);
	if (strcmp(out->id, id) != 0 || !str_is_name(str_of(out->volume), VOLUME_ID_MAX))
		return err_set(e, ERRK_INPUT, "%s is not that lease's", path);
	return 0;
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
	gid_t group = c->id_slots ? c->id_base + r->slot * 65536 : 0;

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
			   .backend = (char *)r->backend};

	for (size_t i = 0; i < r->nports; i++)
		ports[i] = (struct priv_port){r->ports[i].inside, r->ports[i].outside,
					      r->ports[i].protocol};
	give_to_stored(&s, cards, r);
	memcpy(s.id, r->id, sizeof(s.id));
	memcpy(s.owner, r->owner, sizeof(s.owner));
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

static int recover_one(void *ctx, const char *id)
{
	const struct recovery *x = ctx;
	auto_free char *path = record_path(x->c, id, "lease");
	auto_free char *kept = kept_path(x->c, id);
	struct record r;

	if (fs_exists(path))
		return 0;
	return read_from(&r, kept, id, x->err) == 0 ? record_write(&r, x->c, x->err) : -1;
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
	return wire_decode(out, &keeper_record_table, buf_view(&text), e);
}

bool record_alive(uint32_t pid, uint64_t started)
{
	return pid > 0 && started != 0 && proc_start_time((pid_t)pid) == started;
}
