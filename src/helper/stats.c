/* Cgroup, disk and counters of a lease; see stats.h. */
#include "helper/stats.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "backend/cgroup.h"
#include "backend/usage.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "helper/job.h"

/* The file system of the lease's own disk, where it is mounted. Its numbers are in the kernel's
 * memory, whatever serves the disk. */
static void look_at_disk(struct spec_usage *use, dev_t *disk, const struct helper_config *c,
			 const struct record *rec)
{
	struct volume v = record_volume(rec, c);
	auto_free char *mount = volume_path(&v);
	struct stat here, around;
	struct statvfs fs;

	if (stat(mount, &here) < 0 || stat(c->run_dir, &around) < 0 ||
	    here.st_dev == around.st_dev || statvfs(mount, &fs) < 0)
		return;
	*disk = here.st_dev;
	use->disk_used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	use->disk_size = use->disk_used + (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* Where its limits are, which a daemon may have chosen. */
static char *find_group(const struct helper_config *c, const struct record *rec)
{
	auto_free char *dir = record_dir(c, rec->id);
	auto_free char *usual = job_cgroup(c, rec->id);
	const struct box box = {.id = rec->id, .dir = dir, .cgroup = usual};

	return record_backend(rec)->group(&box);
}

static void look(struct priv_stats_item *it, const struct helper_config *c, const struct lease *l)
{
	auto_free char *group = find_group(c, &l->rec);
	struct usage_place place = {"/sys/fs/cgroup", cgroup_version(), group, 0};
	struct spec_usage disk = {0};

	*it = (struct priv_stats_item){.state = lease_state(l), .at_ms = clock_wall_ms()};
	memcpy(it->id, l->rec.id, sizeof(it->id));
	if (l->said)
		it->started_ms = l->status.started_ms;
	look_at_disk(&disk, &place.disk, c, &l->rec);
	usage_read(&it->use, &place);
	it->use.disk_used = disk.disk_used;
	it->use.disk_size = disk.disk_size;
	it->use.net_in = l->net.count.down; /* of the last look: a second old at most */
	it->use.net_out = l->net.count.up;
}

void stats_list(struct priv_stats_reply *r, struct priv_stats_item *items,
		const struct helper_config *c, const struct table *t, const struct priv_stats *m)
{
	const struct lease *one = *m->id ? table_find(t, m->id) : NULL;

	*r = (struct priv_stats_reply){.items = {items, 0}};
	if (one)
		look(&items[r->items.n++], c, one);
	if (*m->id)
		return;
	for (size_t i = table_after(t, m->after); i < t->n; i++) {
		r->more = r->items.n == PRIV_STATS_MAX;
		if (r->more)
			return;
		look(&items[r->items.n++], c, t->v[i]);
	}
}
