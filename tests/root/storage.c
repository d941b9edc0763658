/*
 * A lease's storage by the helper and the real runtime: filled once, kept, nobody else's; links of
 * an image and of a tenant lead nowhere. Needs a static busybox.
 */
#include "helper_world.h"

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "make_layout.h"

#ifdef WITH_DOCKER
#include "contract/dockerd.h"
/* The first ones; with LEASED_FULL all. */
#define SOME(n) (getenv("LEASED_FULL") && *getenv("LEASED_FULL") ? (n) : 2)
#else
#define SOME(n) (n)
#endif

#define ID     "00000000000000a1"
#define LENDER "00000000000000a2"
#define OTHERS "89be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static struct helper_image images[3];
static struct helper_assets assets;

/* What an image may have where volumes are mounted, honest and not. */
static void make_stored(const char *layout, bool big)
{
	static const char *const applets[] = {"sh",    "cat",	"stat",	 "sleep", "ls",
					      "rm",    "ln",	"mkdir", "grep",  "id",
					      "touch", "chown", "dd",	 "df"};
	auto_buf struct buf busybox = BUF(16 << 20);
	struct tar_entry entries[64] = {{"bin/busybox", S_IFREG, 0755}};
	const struct tar_entry more[] = {
		{"data", S_IFDIR, 0750, .uid = 1000, .gid = 1001},
		{"data/file", S_IFREG, 0640, "of the image\n", .uid = 1000, .xattr = "user.kept",
		 .xattr_value = "yes", .xattr_n = 3},
		{"data/twin", S_IFREG, .hardlink = "data/file"},
		{"data/link", S_IFLNK, .content = "/etc/passwd"},
		{"data/pipe", S_IFIFO, 0600},
		{"data/set-id", S_IFREG, 04755, "x"},
		{"linked", S_IFLNK, .content = "/data"},
		{"up", S_IFLNK, .content = "../../../../../../data"},
		{"evil", S_IFLNK, .content = "/proc"},
		{"evil-sys", S_IFLNK, .content = "sys"},
		{"root-link", S_IFLNK, .content = "/"},
		{"to-run", S_IFLNK, .content = "run"},
		{"nothing", S_IFLNK, .content = "/nowhere/at/all"},
		{"a-file", S_IFREG, .content = "x"},
		{"big", S_IFDIR},
		{"big/zeros", S_IFREG, .content = "x", .hole = (uint64_t)80 << 20},
	};
	struct tar_layer layer = {entries, 1, IMAGE_GZIP, LAYER_HONEST};
	char names[ARRAY_SIZE(applets)][32];
	struct err e;

	assert_int_equal(fs_read(&busybox, "/bin/busybox", &e), 0);
	entries[0].content = busybox.p;
	entries[0].content_n = busybox.n;
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		snprintf(names[i], sizeof(names[i]), "bin/%s", applets[i]);
		entries[layer.n++] = (struct tar_entry){names[i], S_IFLNK, .content = "busybox"};
	}
	for (size_t i = 0; i < ARRAY_SIZE(more) - (big ? 0 : 2); i++)
		entries[layer.n++] = more[i];
	make_layout(
		layout, "latest", &layer, 1,
		"{\"Env\":[\"PATH=/bin\"],\"Volumes\":{\"/var/lib/app\":{},\"/var/lib/app/\":{},"
		"\"/proc/x\":{},\"/evil/y\":{},\"relative\":{}}}");
}

static void make_assets(void)
{
	auto_free char *file = mem_printf("%s/model", assets.folder);
	struct err e;

	assert_int_equal(fs_mkdirs(assets.folder, 0755, &e), 0);
	assert_int_equal(fs_write(file, "weights\n", 8, 0640, &e), 0);
	assert_int_equal(lchown(file, 0, 1000), 0);
}

static int set_up_stored(void **state)
{
	auto_free char *layout = NULL, *small = NULL;
	struct priv_ping ping = {PRIV_VERSION};
	struct answer a;
	struct world *w;

	if (set_up(state))
		return -1;
	w = *state;
	do_ping(w, &ping, &a); /* it listens to signals by now */
	helper_down(w, SIGTERM);
	layout = mem_printf("%s/stored", w->dir);
	make_stored(layout, true);
	small = mem_printf("%s/small", w->dir);
	make_stored(small, false);
	images[0] = w->image;
	images[1] = (struct helper_image){"stored", mem_printf("oci:%s:latest", layout)};
	images[2] = (struct helper_image){"small", mem_printf("oci:%s:latest", small)};
	w->c.images = images;
	w->c.nimages = ARRAY_SIZE(images);
	assets = (struct helper_assets){"models", mem_printf("%s/assets", w->dir)};
	make_assets();
	w->c.assets = &assets;
	w->c.nassets = 1;
	helper_up(w);
	return 0;
}

static int tear_down_stored(void **state)
{
	return tear_down(state);
}

/* --- starts --- */

static void fill(struct priv_start *m, const char *id, const char *script)
{
	struct err e;

	fill_start(m, id, script);
	assert_int_equal(spec_set_image(&m->spec, STR("stored"), &e), 0);
}

static void add(struct priv_start *m, struct spec_mount what)
{
	struct spec_mounts *s = &m->spec.storage;

	s->v = mem_grow(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = what;
}

static void start_done(struct world *w, struct priv_start *m)
{
	start_ok(w, m);
	spec_clear(&m->spec);
}

static void start_refused(struct world *w, struct priv_start *m, const char *word)
{
	struct answer a;

	do_start(w, m, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
	if (!strstr(a.r.start.message, word))
		fail_msg("\"%s\" does not say \"%s\"", a.r.start.message, word);
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m->spec);
	destroy_ok(w, m->id);
}

static void stop_ok(struct world *w, const char *id)
{
	struct priv_stop m = {.grace_ms = 0};
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	do_stop(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.stop.state, PRIV_BOX_STOPPED);
}

static void says(struct world *w, const char *id, const char *script, const char *want)
{
	struct answer a;

	exec_sh(w, id, script, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	if (a.r.exec.out.n != strlen(want) ||
	    (a.r.exec.out.n && memcmp(a.r.exec.out.p, want, strlen(want)) != 0))
		fail_msg("%s: \"%.*s\", not \"%s\"", script, (int)a.r.exec.out.n,
			 (const char *)a.r.exec.out.p, want);
	free_answer(&a, PRIV_BOX_EXEC);
}

/* --- tests --- */

static void filled_once_and_kept(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	fill(&m, ID, "sleep 1000");
	add(&m, (struct spec_mount){SPEC_VOLUME, "/data", "main"});
	add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/a/b"});
	add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/a_b"});
	add(&m, (struct spec_mount){SPEC_VOLUME, "/again", "main"});
	add(&m, (struct spec_mount){SPEC_VOLUME, "/fixed", "fixed", .read_only = true});
	add(&m, (struct spec_mount){SPEC_TMPFS, "/small", .size = 1 << 20, .mode = 0700});
	start_done(w, &m);
	says(w, ID, "stat -c '%u %g %a' /data /data/file /data/set-id /a/b",
	     "1000 1001 750\n1000 0 640\n0 0 4755\n0 0 755\n");
	says(w, ID, "cat /data/file; stat -c %h /data/file", "of the image\n2\n");
	says(w, ID,
	     "[ -L /data/link ] && [ -p /data/pipe ] && [ /data/file -ef /data/twin ] && echo so",
	     "so\n");
	says(w, ID, "[ /data/file -ef /again/file ] && echo same", "same\n");
	says(w, ID, "echo x > /fixed/x || echo read-only; stat -c '%u %a' /fixed",
	     "read-only\n0 755\n");
	says(w, ID, "stat -c %a /small; grep -c ' /small tmpfs.*size=1024k' /proc/self/mounts",
	     "700\n1\n");
	says(w, ID,
	     "grep -c ' /\\(data\\|a/b\\|a_b\\|again\\|fixed\\) ext4 .*nosuid,nodev' "
	     "/proc/self/mounts",
	     "5\n");
	says(w, ID,
	     "echo 1 > /a/b/x; echo 2 > /a_b/x; cat /a/b/x /a_b/x; rm /data/file;"
	     "touch /data/new; chown 1234:5 /data/new",
	     "1\n2\n");
	stop_ok(w, ID);
	helper_down(w, SIGKILL);
	helper_up(w);
	fill(&m, ID, "id -u; sleep 1001");
	m.generation = 2;
	add(&m, (struct spec_mount){SPEC_VOLUME, "/data", "main"});
	add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/a/b"});
	add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/a_b"});
	start_done(w, &m);
	says(w, ID, "stat -c '%u %g' /data/new; cat /a/b/x /a_b/x; ls /data",
	     "1234 5\n1\n2\nlink\nnew\npipe\nset-id\ntwin\n");
	destroy_ok(w, ID);
}

static void the_images_volumes(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	fill(&m, ID, "sleep 1000");
	start_done(w, &m);
	says(w, ID,
	     "grep -c ' /var/lib/app ext4 ' /proc/self/mounts; grep -c ' /var.*ext4' "
	     "/proc/self/mounts",
	     "1\n1\n");
	says(w, ID, "echo kept > /var/lib/app/x", "");
	stop_ok(w, ID);
	fill(&m, ID, "sleep 1000");
	m.generation = 2;
	start_done(w, &m);
	says(w, ID, "cat /var/lib/app/x", "kept\n");
	destroy_ok(w, ID);
	fill(&m, ID, "sleep 1000");
	add(&m, (struct spec_mount){SPEC_TMPFS, "/var/lib/app"});
	start_done(w, &m);
	says(w, ID,
	     "grep -c ' /var/lib/app tmpfs ' /proc/self/mounts; grep -c ' /var.*ext4' "
	     "/proc/self/mounts",
	     "1\n0\n");
	destroy_ok(w, ID);
}

static void start_at(struct world *w, const char *path, const char *word)
{
	struct priv_start m;
	struct spec_mount v = {SPEC_VOLUME, .name = "v"};

	memcpy(v.path, path, strlen(path) + 1);
	fill(&m, ID, "sleep 1000");
	add(&m, v);
	if (word)
		start_refused(w, &m, word);
	else
		start_done(w, &m);
}

/* A plain path and an honest link, then those that would lead where the runtime mounts. */
static void links_of_the_image_lead_nowhere(void **state)
{
	static const char *const honest[] = {"/up/sub", "/linked/sub"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(honest); i++) {
		start_at(w, honest[i], NULL);
		says(w, ID, "grep -c ' /data/sub ext4' /proc/self/mounts; ls /data | grep -c file",
		     "1\n1\n");
		destroy_ok(w, ID);
	}
	start_at(w, "/evil", "nothing is mounted below /proc");
	start_at(w, "/evil/sys", "nothing is mounted below /proc");
	start_at(w, "/evil-sys", "nothing is mounted below /sys");
	start_at(w, "/root-link", "path: ");
	start_at(w, "/nothing", "a link to nothing");
	start_at(w, "/nothing/below", "a link to nothing");
	start_at(w, "/a-file", "a file in its way");
	start_at(w, "/a-file/below", "path: ");
	start_at(w, "/to-run", "only a tmpfs");
}

/* Where one volume lies in another, by itself or by a link of the image. */
static void none_below_one_that_others_use(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	fill(&m, ID, "sleep 1000");
	add(&m, (struct spec_mount){SPEC_VOLUME, "/data", "v"});
	add(&m, (struct spec_mount){SPEC_TMPFS, "/linked/sub"});
	start_refused(w, &m, "lies in the volume at /data");
	fill(&m, ID, "sleep 1000");
	add(&m, (struct spec_mount){SPEC_VOLUME, "/data", "v"});
	add(&m, (struct spec_mount){SPEC_TMPFS, "/linked"});
	start_refused(w, &m, "used before");
}

/* The tenant leaves a link in its volume where the next start would mount. */
static void links_of_the_tenant_lead_nowhere(void **state)
{
	static const char *const left[] = {"mkdir /n/sub", "ln -s /proc /n/sub",
					   "ln -s /dev /n/sub", "touch /n/sub"};
	struct world *w = *state;
	struct priv_start m;

	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		fill(&m, ID, "sleep 1000");
		add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/n"});
		start_done(w, &m);
		says(w, ID, left[i], "");
		stop_ok(w, ID);
		fill(&m, ID, "sleep 1000");
		m.generation = 2;
		add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/n"});
		add(&m, (struct spec_mount){SPEC_TMPFS, "/n/sub"});
		if (i > 0) {
			start_refused(w, &m, "a link or a file in it");
			continue;
		}
		start_done(w, &m);
		says(w, ID, "grep -c ' /n/sub tmpfs' /proc/self/mounts", "1\n");
		destroy_ok(w, ID);
	}
}

/* Volumes count against the lease's disk, also what the image has for them. */
static void the_disk_is_the_limit(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	start_at(w, "/big", "does not fit the disk");
	fill(&m, ID, "sleep 1000");
	add(&m, (struct spec_mount){SPEC_VOLUME, "/data", "v"});
	start_done(w, &m);
	says(w, ID, "dd if=/dev/zero of=/data/x bs=1M count=70 2>&1 | grep -c 'No space'", "1\n");
	says(w, ID, "echo x > /tmp/x 2>&1 | cat; rm /data/x; echo x > /tmp/x && cat /tmp/x", "x\n");
	destroy_ok(w, ID);
}

static void killed_while_it_is_filled(void **state)
{
	struct world *w = *state;
	struct priv_start m;
	struct answer a;

	helper_down(w, SIGKILL);
	w->step = "STORAGE_FILLED";
	helper_up(w);
	fill(&m, ID, "sleep 1000");
	add(&m, (struct spec_mount){SPEC_VOLUME, "/data", "v"});
	do_start(w, &m, &a);
	assert_int_equal(a.err.kind, ERRK_SYS);
	helper_down(w, SIGKILL);
	w->step = NULL;
	helper_up(w);
	start_done(w, &m);
	says(w, ID, "cat /data/file", "of the image\n");
	destroy_ok(w, ID);
}

static void assets_are_read(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	fill(&m, ID, "sleep 1000");
	add(&m, (struct spec_mount){SPEC_ASSETS, "/models", "models"});
	start_done(w, &m);
	says(w, ID,
	     "stat -c '%u %g %a' /models/model; cat /models/model; echo x > /models/x || echo ro",
	     "0 1000 640\nweights\nro\n");
	says(w, ID, "grep -c ' /models .* ro,nosuid,nodev' /proc/self/mounts", "1\n");
	destroy_ok(w, ID);
	fill(&m, ID, "sleep 1000");
	add(&m, (struct spec_mount){SPEC_ASSETS, "/models", "other"});
	start_refused(w, &m, "does not offer assets of that name");
}

static void start_lender(struct world *w, uint32_t generation)
{
	struct priv_start m;

	fill(&m, LENDER, "sleep 1000");
	m.generation = generation;
	add(&m, (struct spec_mount){SPEC_VOLUME, "/data", "shared"});
	start_done(w, &m);
}

static void fill_borrower(struct priv_start *m, const char *script, const char *name)
{
	struct spec_mount v = {SPEC_LEASE, "/theirs", .lease = LENDER};

	memcpy(v.name, name, strlen(name) + 1);
	fill(m, ID, script);
	add(m, v);
}

/* Each sees the files of the other as those of the same users of its own. */
static void lent_to_the_same_owner(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	start_lender(w, 1);
	fill_borrower(&m, "sleep 1000", "shared");
	start_done(w, &m);
	says(w, ID,
	     "stat -c '%u %g' /theirs/file; touch /theirs/of-borrower; chown 7:8 "
	     "/theirs/of-borrower",
	     "1000 0\n");
	says(w, LENDER,
	     "stat -c '%u %g' /data/of-borrower; touch /data/of-lender; chown 5:6 /data/of-lender",
	     "7 8\n");
	says(w, ID, "stat -c '%u %g' /theirs/of-lender", "5 6\n");
	stop_ok(w, LENDER); /* a halted lender still has its disk */
	says(w, ID, "cat /theirs/file", "of the image\n");
	destroy_ok(w, ID);
	fill_borrower(&m, "sleep 1000", "shared");
	m.spec.storage.v[0].read_only = true;
	start_done(w, &m);
	says(w, ID, "echo x > /theirs/x || echo ro", "ro\n");
	destroy_ok(w, ID);
	destroy_ok(w, LENDER);
}

static void lent_to_nobody_else(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	start_lender(w, 1);
	fill_borrower(&m, "sleep 1000", "shared");
	memcpy(m.owner, OTHERS, sizeof(m.owner));
	start_refused(w, &m, "you have no lease " LENDER " here");
	fill_borrower(&m, "sleep 1000", "other");
	start_refused(w, &m, "has no volume other");
	fill_borrower(&m, "sleep 1000", "shared");
	memcpy(m.spec.storage.v[0].lease, ID, sizeof(ID));
	start_refused(w, &m, "it is this lease");
	fill_borrower(&m, "sleep 1000", "shared");
	memcpy(m.spec.storage.v[0].lease, "00000000000000ff", sizeof(ID));
	start_refused(w, &m, "you have no lease 00000000000000ff here");
	destroy_ok(w, LENDER);
}

/* The lender's end stops whoever uses its volume, and does not wait for one that is deaf. */
static void the_lenders_end_waits_for_nobody(void **state)
{
	struct world *w = *state;
	struct priv_start m;
	struct answer a;

	start_lender(w, 1);
	fill_borrower(&m, "trap '' TERM; cd /theirs; while :; do sleep 1; done", "shared");
	start_done(w, &m);
	destroy_ok(w, LENDER);
	assert_int_equal(inspect(w, ID).state, PRIV_BOX_STOPPED);
	fill_borrower(&m, "sleep 1000", "shared");
	m.generation = 2;
	do_start(w, &m, &a);
	assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
	assert_non_null(strstr(a.r.start.message, "you have no lease " LENDER " here"));
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
	destroy_ok(w, ID);
}

static pid_t kill_server(struct world *w, const char *id)
{
	struct record rec;
	struct volume v;
	pid_t server;

	assert_int_equal(record_read(&rec, &w->c, id, NULL), 0);
	v = record_volume(&rec, &w->c);
	server = volume_server(&v);
	if (server == 0)
		return 0; /* this host needs none */
	assert_int_equal(kill(server, SIGKILL), 0);
	return server;
}

/* With what was on the disk, under another process, whose end is seen as well; whoever used the
 * old one is stopped, and can use the new one. */
static void started_again_on_a_disk_that_died(void **state)
{
	struct world *w = *state;
	struct priv_start m;
	pid_t before;

	start_lender(w, 1);
	says(w, LENDER, "echo in > /data/in; echo root > /in-root; busybox sync", "");
	fill_borrower(&m, "sleep 1000", "shared");
	start_done(w, &m);
	before = kill_server(w, LENDER);
	if (before == 0) {
		destroy_ok(w, ID);
		destroy_ok(w, LENDER);
		skip();
	}
	assert_int_equal(wait_stopped(w, LENDER).state, PRIV_BOX_STOPPED);
	start_lender(w, 2);
	says(w, LENDER, "cat /data/in /in-root /data/file; echo > /data/new",
	     "in\nroot\nof the image\n");
	assert_int_equal(inspect(w, ID).state, PRIV_BOX_STOPPED);
	fill_borrower(&m, "sleep 1000", "shared");
	m.generation = 2;
	start_done(w, &m);
	says(w, ID, "cat /theirs/in", "in\n");
	assert_true(kill_server(w, LENDER) != before);
	assert_int_equal(wait_stopped(w, LENDER).state, PRIV_BOX_STOPPED);
	destroy_ok(w, ID);
	destroy_ok(w, LENDER);
	assert_nothing_left(w, LENDER);
}

/* Killed between note and mount, and between the last mount's end and the erasure. */
static void lending_dies_at_every_step(void **state)
{
	struct world *w = *state;
	struct priv_destroy d = {.id = LENDER};
	struct priv_start m;
	struct answer a;

	start_lender(w, 1);
	helper_down(w, SIGKILL);
	w->step = "STORAGE_LENT";
	helper_up(w);
	fill_borrower(&m, "sleep 1000", "shared");
	do_start(w, &m, &a);
	assert_int_equal(a.err.kind, ERRK_SYS);
	helper_down(w, SIGKILL);
	w->step = NULL;
	helper_up(w);
	start_done(w, &m);
	says(w, ID, "cat /theirs/file", "of the image\n");
	helper_down(w, SIGKILL);
	w->step = "STORAGE_RECALLED";
	helper_up(w);
	do_destroy(w, &d, &a);
	assert_int_equal(a.err.kind, ERRK_SYS);
	helper_down(w, SIGKILL);
	w->step = NULL;
	helper_up(w);
	destroy_ok(w, LENDER);
	assert_int_equal(inspect(w, ID).state, PRIV_BOX_STOPPED);
	destroy_ok(w, ID);
}

/* --- another image --- */

static void start_of(struct world *w, const char *image, uint32_t generation)
{
	struct priv_start m;
	struct err e;

	fill(&m, ID, "sleep 1000");
	m.generation = generation;
	assert_int_equal(spec_set_image(&m.spec, str_of(image), &e), 0);
	add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/root"});
	add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/data"});
	start_done(w, &m);
}

/* The root begins anew; what is mounted by now comes along with what the lease had there. */
static void another_image_leaves_what_is_mounted(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	fill(&m, ID, "sleep 1000"); /* nothing is mounted yet */
	start_done(w, &m);
	says(w, ID,
	     "mkdir -p /root; echo home > /root/x; chown 5:6 /root/x; echo mine > /data/mine; echo "
	     "lost > "
	     "/lost; echo out > /bin/ours; cat /data/file",
	     "of the image\n");
	stop_ok(w, ID);
	start_of(w, "busybox", 2);
	says(w, ID,
	     "cat /root/x /data/mine /data/file; stat -c '%u %g' /root/x /data; ls /lost /bin/ours "
	     "/a-file 2>/dev/null | wc -l",
	     "home\nmine\nof the image\n5 6\n1000 1001\n0\n");
	says(w, ID, "echo more >> /root/x; echo again > /lost", "");
	stop_ok(w, ID);
	start_of(w, "busybox", 3); /* the same: all is there */
	says(w, ID, "cat /root/x /lost", "home\nmore\nagain\n");
	stop_ok(w, ID);
	start_of(w, "stored", 4); /* and back */
	says(w, ID, "cat /root/x /data/mine /a-file; ls /lost 2>/dev/null | wc -l",
	     "home\nmore\nmine\nx0\n");
	destroy_ok(w, ID);
}

/* As many as are left: those that leases have. */
static size_t drop_images(struct world *w)
{
	struct priv_image_drop all = {.digest = (char *)""};
	struct priv_images none = {0};
	struct answer a;
	size_t n;

	do_image_drop(w, &all, &a);
	assert_int_equal(a.err.kind, 0);
	do_images(w, &none, &a);
	assert_int_equal(a.err.kind, 0);
	n = a.r.images.items.n;
	free_answer(&a, PRIV_IMAGES);
	return n;
}

static void killed_while_its_image_is_changed(void **state)
{
	static const char *const steps[] = {"STORAGE_FILLED", "ROOT_SAVED", "IMAGE_TAKEN",
					    "ROOT_DROPPED"};
	struct world *w = *state;
	struct priv_start m;
	struct answer a;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		fill(&m, ID, "sleep 1000");
		start_done(w, &m);
		says(w, ID, "mkdir -p /root; echo home > /root/x; echo lost > /lost", "");
		stop_ok(w, ID);
		helper_down(w, SIGKILL);
		w->step = steps[i];
		helper_up(w);
		fill(&m, ID, "sleep 1000");
		m.generation = 2;
		assert_int_equal(spec_set_image(&m.spec, STR("busybox"), NULL), 0);
		add(&m, (struct spec_mount){SPEC_ANONYMOUS, "/root"});
		do_start(w, &m, &a);
		assert_int_equal(a.err.kind, ERRK_SYS);
		helper_down(w, SIGKILL);
		w->step = NULL;
		helper_up(w);
		(void)drop_images(w); /* what the root still needs is not among them */
		start_done(w, &m);
		says(w, ID, "cat /root/x; ls /lost 2>/dev/null | wc -l", "home\n0\n");
		assert_int_equal(drop_images(w), 1); /* the one before is needed no more */
		destroy_ok(w, ID);
	}
}

/* The disk holds the layers of one image, not of all that it ever had. */
static void private_layers_are_of_one_image(void **state)
{
	static const char *const names[] = {"busybox", "small", "busybox"};
	struct world *w = *state;

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *layers = NULL, *mount = NULL;
		struct priv_start m;
		struct record rec;
		struct volume v;
		struct stat st;

		fill(&m, ID, "sleep 1000");
		m.generation = i + 1;
		m.private_layers = true;
		assert_int_equal(spec_set_image(&m.spec, str_of(names[i]), NULL), 0);
		start_done(w, &m);
		says(w, ID, "ls /a-file 2>/dev/null | wc -l", i == 1 ? "1\n" : "0\n");
		assert_int_equal(record_read(&rec, &w->c, ID, NULL), 0);
		v = record_volume(&rec, &w->c);
		mount = volume_path(&v);
		layers = mem_printf("%s/layers", mount);
		assert_int_equal(stat(layers, &st), 0);
		assert_int_equal(st.st_nlink, 3); /* one folder */
		stop_ok(w, ID);
	}
	destroy_ok(w, ID);
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filled_once_and_kept),
		cmocka_unit_test(another_image_leaves_what_is_mounted),
		cmocka_unit_test(the_images_volumes),
		cmocka_unit_test(links_of_the_image_lead_nowhere),
		cmocka_unit_test(none_below_one_that_others_use),
		cmocka_unit_test(links_of_the_tenant_lead_nowhere),
		cmocka_unit_test(the_disk_is_the_limit),
		cmocka_unit_test(killed_while_it_is_filled),
		cmocka_unit_test(assets_are_read),
		cmocka_unit_test(lent_to_the_same_owner),
		cmocka_unit_test(lent_to_nobody_else),
		cmocka_unit_test(the_lenders_end_waits_for_nobody),
		cmocka_unit_test(started_again_on_a_disk_that_died),
		cmocka_unit_test(lending_dies_at_every_step),
		cmocka_unit_test(killed_while_its_image_is_changed),
		cmocka_unit_test(private_layers_are_of_one_image),
	};
	const char *only = getenv("LEASED_TEST_FILTER");

	cmocka_set_test_filter(only && *only ? only : NULL);
	return _cmocka_run_group_tests("storage", tests, SOME(ARRAY_SIZE(tests)), set_up_stored,
				       tear_down_stored);
}

#ifdef WITH_DOCKER

static int with_daemon(void)
{
	setenv("LEASED_TEST_DOCKER", dockerd.host, 1);
	return all_tests();
}

int main(void)
{
	return dockerd_main(with_daemon);
}
#else
int main(void)
{
	return all_tests();
}
#endif
