/*
 * Volumes that outlive leases by the helper and the real runtime: written by one lease, read by the
 * next ones, in part, by nobody else; gone when they end, whoever uses them. Needs a static
 * busybox.
 */
#include "helper_world.h"

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "helper/part.h"

#ifdef WITH_DOCKER
#include "contract/dockerd.h"
/* The first one; with LEASED_FULL all. */
#define SOME(n) (getenv("LEASED_FULL") && *getenv("LEASED_FULL") ? (n) : 1)
#else
#define SOME(n) (n)
#endif

#define VOL    "00000000000000b1"
#define FIRST  "00000000000000b2"
#define SECOND "00000000000000b3"
#define THIRD  "00000000000000b4"
#define OTHERS "89be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static void fill_volume(struct priv_start *m)
{
	fill_start(m, VOL, "");
	spec_clear(&m->spec);
	memcpy(m->spec.kept, "data", sizeof("data"));
	m->spec.limits.disk = VOLUME;
}

static void keep(struct world *w)
{
	struct priv_start m;

	fill_volume(&m);
	start_ok(w, &m);
	spec_clear(&m.spec);
}

static void fill_user(struct priv_start *m, const char *id, const char *subpath, bool read_only)
{
	struct spec_mount v = {SPEC_KEPT, "/data", .lease = VOL, .read_only = read_only};

	snprintf(v.subpath, sizeof(v.subpath), "%s", subpath);
	fill_start(m, id, "sleep 1000");
	spec_storage_put(&m->spec.storage, &v);
}

static void attach(struct world *w, const char *id, const char *subpath, bool read_only)
{
	struct priv_start m;

	fill_user(&m, id, subpath, read_only);
	start_ok(w, &m);
	spec_clear(&m.spec);
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

static void says(struct world *w, const char *id, const char *script, const char *want)
{
	struct answer a;

	exec_sh(w, id, script, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_out(&a, want);
	free_answer(&a, PRIV_BOX_EXEC);
}

/* --- tests --- */

/* Every lease sees the files of the one before as those of the same users of its own. */
static void outlives_the_leases_that_use_it(void **state)
{
	struct world *w = *state;

	keep(w);
	keep(w); /* again: it is there */
	attach(w, FIRST, "", false);
	says(w, FIRST, "stat -c '%u %g %a' /data; echo kept > /data/file; chown 7:8 /data/file",
	     "0 0 755\n");
	destroy_ok(w, FIRST);
	assert_int_equal(inspect(w, VOL).state, PRIV_BOX_STOPPED);
	attach(w, SECOND, "", false);
	says(w, SECOND, "cat /data/file; stat -c '%u %g' /data/file", "kept\n7 8\n");
	destroy_ok(w, SECOND);
	destroy_ok(w, VOL);
}

static void read_by_many_written_by_one(void **state)
{
	struct world *w = *state;

	keep(w);
	attach(w, FIRST, "", false);
	attach(w, SECOND, "", true);
	attach(w, THIRD, "", true);
	says(w, FIRST, "echo one > /data/x", "");
	says(w, SECOND, "cat /data/x; touch /data/y || echo ro", "one\nro\n");
	says(w, THIRD, "cat /data/x; grep -c ' /data ext4 .*ro,nosuid,nodev' /proc/self/mounts",
	     "one\n1\n");
	destroy_ok(w, THIRD);
	says(w, SECOND, "cat /data/x", "one\n");
	destroy_ok(w, VOL);
	destroy_ok(w, FIRST);
	destroy_ok(w, SECOND);
}

static void a_folder_of_it(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	keep(w);
	attach(w, FIRST, "a/b", false); /* made where it is not there */
	says(w, FIRST, "stat -c '%u %a' /data; echo in > /data/file", "0 755\n");
	destroy_ok(w, FIRST);
	attach(w, SECOND, "", false);
	says(w, SECOND,
	     "cat /data/a/b/file; ln -s /etc /data/link; ln -s a /data/rel; ln -s ../../.. "
	     "/data/up; "
	     "echo x > /data/plain",
	     "in\n");
	fill_user(&m, THIRD, "link", true);
	start_refused(w, &m, "is no folder");
	fill_user(&m, THIRD, "rel/b", true);
	start_refused(w, &m, "is no folder");
	fill_user(&m, THIRD, "up", false);
	start_refused(w, &m, "is no folder");
	fill_user(&m, THIRD, "plain/x", false);
	start_refused(w, &m, "is no folder");
	fill_user(&m, THIRD, "nowhere", true);
	start_refused(w, &m, "is not there");
	attach(w, THIRD, "a", true);
	says(w, THIRD, "cat /data/b/file", "in\n");
	destroy_ok(w, THIRD);
	destroy_ok(w, SECOND);
	destroy_ok(w, VOL);
}

static void nobody_elses(void **state)
{
	struct world *w = *state;
	struct priv_start m;

	keep(w);
	fill_user(&m, FIRST, "", true);
	memcpy(m.owner, OTHERS, sizeof(m.owner));
	start_refused(w, &m, "you have no lease " VOL " here");
	run_script(w, SECOND, "sleep 1000"); /* a lease's own disk is none */
	fill_user(&m, FIRST, "", true);
	memcpy(m.spec.storage.v[0].lease, SECOND, sizeof(SECOND));
	start_refused(w, &m, "is no kept volume");
	destroy_ok(w, SECOND);
	fill_volume(&m); /* it runs nothing */
	memcpy(m.id, FIRST, sizeof(FIRST));
	assert_int_equal(spec_set_image(&m.spec, STR("busybox"), NULL), 0);
	start_refused(w, &m, "nothing else");
	destroy_ok(w, VOL);
}

/* Whoever uses it is stopped first, and cannot take it again. */
static void ends_while_it_is_used(void **state)
{
	struct world *w = *state;
	struct priv_start m;
	struct answer a;

	keep(w);
	attach(w, FIRST, "", false);
	attach(w, SECOND, "a", false);
	says(w, FIRST, "(cd /data; exec sleep 1000) > /dev/null 2>&1 &", "");
	destroy_ok(w, VOL);
	assert_int_equal(inspect(w, FIRST).state, PRIV_BOX_STOPPED);
	assert_int_equal(inspect(w, SECOND).state, PRIV_BOX_STOPPED);
	fill_user(&m, FIRST, "", false);
	m.generation = 2;
	do_start(w, &m, &a);
	assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
	destroy_ok(w, FIRST);
	destroy_ok(w, SECOND);
}

static struct volume its_volume(struct world *w, struct record *rec)
{
	assert_int_equal(record_read(rec, &w->c, VOL, NULL), 0);
	return record_volume(rec, &w->c);
}

/* By another one than before. */
static void await_served(const struct volume *v, pid_t before)
{
	pid_t now = 0;

	for (int i = 0; i < 600 && (!now || now == before || !volume_is_mounted(v)); i++) {
		pause_ms(100);
		now = volume_server(v);
	}
	assert_true(now && now != before && volume_is_mounted(v));
}

/* Its user is killed, as one whose own server dies; the volume is there for the next, with what was
 * on the disk. Nobody's use, and a helper that was away then, change nothing of that. */
static void its_disk_server_dies(void **state)
{
	struct world *w = *state;
	struct record rec;
	struct volume v;
	pid_t server;

	keep(w);
	v = its_volume(w, &rec);
	server = volume_server(&v);
	if (!server)
		skip(); /* this host needs none */
	attach(w, FIRST, "", false);
	says(w, FIRST, "echo kept > /data/file; sync", "");
	assert_int_equal(kill(server, SIGKILL), 0);
	assert_int_equal(wait_stopped(w, FIRST).state, PRIV_BOX_STOPPED);
	await_served(&v, server);
	destroy_ok(w, FIRST);
	attach(w, SECOND, "", false);
	says(w, SECOND, "cat /data/file; echo more >> /data/file; sync", "kept\n");
	destroy_ok(w, SECOND);
	server = volume_server(&v);
	assert_int_equal(kill(server, SIGKILL), 0); /* nobody has it */
	await_served(&v, server);
	helper_down(w, SIGKILL);
	server = volume_server(&v);
	assert_int_equal(kill(server, SIGKILL), 0);
	for (int i = 0; i < 600 && volume_server(&v) == server; i++)
		pause_ms(100);
	assert_true(volume_is_dead(&v));
	helper_up(w);
	keep(w); /* as core does at its start */
	attach(w, FIRST, "", true);
	says(w, FIRST, "cat /data/file", "kept\nmore\n");
	destroy_ok(w, FIRST);
	destroy_ok(w, VOL);
}

static void killed_while_it_is_made(void **state)
{
	static const char *const steps[] = {"VOLUME_CREATED", "VOLUME_OPENED", "VOLUME_KEPT"};
	struct world *w = *state;
	struct priv_start m;
	struct answer a;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		helper_down(w, SIGKILL);
		w->step = steps[i];
		helper_up(w);
		fill_volume(&m);
		do_start(w, &m, &a);
		assert_int_equal(a.err.kind, ERRK_SYS);
		spec_clear(&m.spec);
		helper_down(w, SIGKILL);
		w->step = NULL;
		helper_up(w);
		keep(w);
		attach(w, FIRST, "", false);
		destroy_ok(w, FIRST);
		destroy_ok(w, VOL);
	}
}

static bool grow(struct world *w, uint64_t bytes)
{
	struct priv_grow m = {.id = VOL, .volume_bytes = bytes};
	struct answer a;
	bool grown;

	do_grow(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	grown = a.r.grow.grown;
	if (!grown && !strstr(a.r.grow.message, "not while it is used"))
		fail_msg("%s", a.r.grow.message);
	free_answer(&a, PRIV_BOX_GROW);
	return grown;
}

/* At once where the host can; else, where somebody uses it, not, and nothing changes for them. */
static void grows(void **state)
{
	static const char size[] = "df -m /data | awk 'NR == 2 {print ($2 > 100)}'";
	struct world *w = *state;
	bool at_once;

	keep(w);
	attach(w, FIRST, "", false);
	says(w, FIRST, "echo kept > /data/file", "");
	at_once = grow(w, 2 * VOLUME);
	says(w, FIRST, size, at_once ? "1\n" : "0\n");
	says(w, FIRST, "cat /data/file; echo more >> /data/file; sync", "kept\n");
	destroy_ok(w, FIRST);
	assert_true(grow(w, 2 * VOLUME));
	keep(w);
	attach(w, SECOND, "", false);
	says(w, SECOND, size, "1\n");
	says(w, SECOND, "cat /data/file", "kept\nmore\n");
	destroy_ok(w, SECOND);
	destroy_ok(w, VOL);
}

/* --- saved and filled --- */

static void save(struct world *w, const char *id, struct answer *a)
{
	struct priv_save m = {.max = 1 << 20};

	memcpy(m.id, id, sizeof(m.id));
	do_save(w, &m, a);
	assert_int_equal(a->err.kind, 0);
}

static void load(struct world *w, const char *id, struct str parcel, const char *word)
{
	struct priv_load m = {.parcel = {(uint8_t *)parcel.p, parcel.n}};
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	do_load(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.load.outcome == PRIV_COPY_DONE, !word);
	if (word && !strstr(a.r.load.message, word))
		fail_msg("\"%s\" does not say \"%s\"", a.r.load.message, word);
	free_answer(&a, PRIV_BOX_LOAD);
}

static void saved_whole(struct world *w, struct answer *a, struct str *parcel)
{
	save(w, VOL, a);
	assert_int_equal(a->r.save.outcome, PRIV_COPY_DONE);
	assert_int_equal(a->r.save.left, 0);
	*parcel = (struct str){(const char *)a->r.save.parcel.p, a->r.save.parcel.n};
}

/* Nothing beside the content stays on the disk. */
static void assert_swept(struct world *w)
{
	struct record rec;
	struct volume v;
	auto_free char *mount = NULL, *path = NULL;
	auto_closedir DIR *d = NULL;
	const struct dirent *entry;

	assert_int_equal(record_read(&rec, &w->c, VOL, NULL), 0);
	v = record_volume(&rec, &w->c);
	mount = volume_path(&v);
	path = mem_printf("%s/volumes", mount);
	d = opendir(path);
	assert_non_null(d);
	while ((entry = readdir(d)))
		if (strstr(entry->d_name, "load"))
			fail_msg("%s/%s is left", path, entry->d_name);
}

static void saved_and_filled(void **state)
{
	struct world *w = *state;
	struct str parcel;
	struct answer a, no;

	keep(w);
	attach(w, FIRST, "", false);
	says(w, FIRST,
	     "cd /data; echo one > x; ln -s /etc/shadow s; ln -s / root; chown 7:8 x; chmod 4711 "
	     "x; "
	     "mkfifo p",
	     "");
	save(w, FIRST, &no); /* a lease's own disk is none */
	assert_int_equal(no.r.save.outcome, PRIV_COPY_NOT_RUNNING);
	free_answer(&no, PRIV_BOX_SAVE);
	destroy_ok(w, FIRST);
	saved_whole(w, &a, &parcel);
	assert_null(memmem(parcel.p, parcel.n, "root:", 5)); /* no link was followed */
	load(w, VOL, parcel, "not empty");
	destroy_ok(w, VOL);
	load(w, VOL, parcel, "not open");
	keep(w);
	attach(w, FIRST, "", true);
	load(w, VOL, parcel, "use the volume");
	destroy_ok(w, FIRST);
	load(w, VOL, (struct str){parcel.p, parcel.n - 1}, "cut short");
	load(w, VOL, (struct str){parcel.p, 31}, "not a part");
	assert_swept(w);
	load(w, VOL, parcel, NULL);
	assert_swept(w);
	free_answer(&a, PRIV_BOX_SAVE);
	attach(w, FIRST, "", false);
	says(w, FIRST, "cd /data; stat -c '%n %u %g %a' x; readlink s; readlink root; cat x; ls -A",
	     "x 7 8 4711\n/etc/shadow\n/\none\nroot\ns\nx\n");
	destroy_ok(w, FIRST);
	destroy_ok(w, VOL);
}

static void add_part(struct buf *out, struct part p)
{
	p.mode = 0755;
	part_add(out, &p);
}

/* What was begun goes with its failure, the next beginning, or the helper's next start; the
 * volume stays empty until all of it is there. */
static void half_filled_is_empty(void **state)
{
	static const struct parcel first = {.print = "a"}, second = {.from = 9, .print = "a"},
				   other = {.from = 9, .print = "b"};
	struct part end = {.kind = PART_END}, file = {.kind = PART_FILE, .path = STR("x")};
	auto_buf struct buf begin = BUF(65536), go_on = BUF(65536), strange = BUF(65536);
	auto_buf struct buf full = BUF(2 << 20), data = BUF(1 << 20);
	struct world *w = *state;

	keep(w);
	parcel_put(buf_extend(&begin, PARCEL_HEAD), &first);
	add_part(&begin, file);
	parcel_put(buf_extend(&go_on, PARCEL_HEAD), &second);
	add_part(&go_on, end);
	parcel_put(buf_extend(&strange, PARCEL_HEAD), &other);
	add_part(&strange, end);
	load(w, VOL, buf_view(&go_on), "begin it again");
	load(w, VOL, buf_view(&begin), NULL);
	load(w, VOL, buf_view(&strange), "begin it again");
	attach(w, FIRST, "", true);
	says(w, FIRST, "ls -A /data", "");
	load(w, VOL, buf_view(&go_on), "use the volume");
	destroy_ok(w, FIRST);
	helper_down(w, SIGKILL);
	helper_up(w);
	keep(w); /* as core does at its start */
	assert_swept(w);
	load(w, VOL, buf_view(&go_on), "begin it again");
	load(w, VOL, buf_view(&begin), NULL);
	file.size = VOLUME; /* more than the disk has */
	file.data = (struct str){buf_extend(&data, 900000), 900000};
	for (size_t i = 0; i < 80; i++) {
		struct priv_load m = {.id = VOL};
		struct answer a;
		bool done;

		buf_reset(&full);
		parcel_put(buf_extend(&full, PARCEL_HEAD), &second);
		file.offset = i * file.data.n;
		if (file.offset + file.data.n > file.size)
			file.size = file.offset + file.data.n;
		add_part(&full, file);
		m.parcel = (struct wire_blob){(uint8_t *)full.p, full.n};
		do_load(w, &m, &a);
		done = a.r.load.outcome == PRIV_COPY_DONE;
		if (!done && !strstr(a.r.load.message, "No space left"))
			fail_msg("%s", a.r.load.message);
		free_answer(&a, PRIV_BOX_LOAD);
		if (!done)
			break;
		assert_int_not_equal(i, 79);
	}
	assert_swept(w);
	load(w, VOL, buf_view(&begin), NULL);
	load(w, VOL, buf_view(&go_on), NULL);
	load(w, VOL, buf_view(&begin), "not empty");
	attach(w, FIRST, "", true);
	says(w, FIRST, "ls -A /data", "x\n");
	destroy_ok(w, FIRST);
	destroy_ok(w, VOL);
}

/* --- copies on its disk --- */

static void snap(struct world *w, enum priv_snapshot_action action, const char *name,
		 const char *word)
{
	struct priv_snapshot m = {.id = VOL, .action = action};
	auto_free char *owned = mem_strdup(name);
	struct answer a;

	m.name = owned;
	do_snapshot(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	if (a.r.snapshot.outcome != PRIV_COPY_DONE && !word)
		fail_msg("%s", a.r.snapshot.message);
	assert_int_equal(a.r.snapshot.outcome == PRIV_COPY_DONE, !word);
	if (word && !strstr(a.r.snapshot.message, word))
		fail_msg("\"%s\" does not say \"%s\"", a.r.snapshot.message, word);
	free_answer(&a, PRIV_BOX_SNAPSHOT);
}

static void assert_names(struct world *w, const char *want)
{
	struct priv_snapshot m = {.id = VOL, .action = PRIV_SNAPSHOT_LIST};
	auto_buf struct buf names = BUF(4096);
	struct str rest, line, name;
	struct answer a;

	do_snapshot(w, &m, &a);
	assert_int_equal(a.r.snapshot.outcome, PRIV_COPY_DONE);
	for (rest = str_of(a.r.snapshot.names); str_cut(&rest, '\n', &line) && line.n > 0;) {
		assert_true(str_cut(&line, ' ', &name));
		buf_printf(&names, "%.*s ", (int)name.n, name.p);
	}
	assert_string_equal(names.n ? names.p : "", want);
	free_answer(&a, PRIV_BOX_SNAPSHOT);
}

/* A note that stayed would keep its owner from restoring. */
static void user_is_forgotten_whatever_its_spec(void **state)
{
	auto_free char *path = NULL;
	struct world *w = *state;
	struct err e;

	keep(w);
	snap(w, PRIV_SNAPSHOT_MAKE, "before", NULL);
	attach(w, FIRST, "", false);
	snap(w, PRIV_SNAPSHOT_RESTORE, "before", "use the volume");
	path = record_path(&w->c, FIRST, "spec");
	assert_int_equal(fs_write(path, "{", 1, 0600, &e), 0);
	destroy_ok(w, FIRST);
	snap(w, PRIV_SNAPSHOT_RESTORE, "before", NULL);
	destroy_ok(w, VOL);
}

/* What is on the disk beside the content and whole copies. */
static void assert_no_half(struct world *w)
{
	struct record rec;
	struct volume v;
	auto_free char *mount = NULL, *path = NULL;
	auto_closedir DIR *d = NULL;
	const struct dirent *entry;

	assert_swept(w);
	assert_int_equal(record_read(&rec, &w->c, VOL, NULL), 0);
	v = record_volume(&rec, &w->c);
	mount = volume_path(&v);
	path = mem_printf("%s/volumes/snapshots", mount);
	d = opendir(path);
	while (d && (entry = readdir(d)))
		if (strstr(entry->d_name, "half"))
			fail_msg("%s/%s is left", path, entry->d_name);
}

#define LOOK                                                                                       \
	"cd /data; find . ! -type p | sort | while read -r f; do stat -c '%n %F %a %u %g %h %Y' "  \
	"\"$f\"; "                                                                                 \
	"[ -L \"$f\" ] && readlink \"$f\"; [ -L \"$f\" ] || [ -d \"$f\" ] || md5sum \"$f\"; done"

/* What a lease sees in the volume. */
static char *look(struct world *w)
{
	struct answer a;
	char *seen;

	attach(w, SECOND, "", true);
	exec_sh(w, SECOND, LOOK, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	seen = mem_strndup((const char *)a.r.exec.out.p, a.r.exec.out.n);
	free_answer(&a, PRIV_BOX_EXEC);
	destroy_ok(w, SECOND);
	return seen;
}

static void writes(struct world *w, const char *script)
{
	attach(w, FIRST, "", false);
	says(w, FIRST, script, "");
	destroy_ok(w, FIRST);
}

static void copied_and_put_back(void **state)
{
	auto_free char *was = NULL, *changed = NULL, *back = NULL, *again = NULL;
	struct world *w = *state;
	struct answer a;
	struct priv_save m = {.id = VOL, .max = 1 << 20};
	char name[8];

	keep(w);
	writes(w, "cd /data; mkdir -p a/b; echo one > a/b/x; ln a/b/x a/y; ln -s /etc/shadow s; "
		  "ln -s / root; ln -s ../../.. up; chown 7:8 a/y; chmod 4711 a/y; chmod 1777 a; "
		  "mkfifo p; echo end > holes; truncate -s 200M holes; : > 'odd name'; "
		  "touch -d @1000000000 a/b");
	was = look(w);
	assert_non_null(strstr(was, "./a/y regular file 4711 7 8 2"));
	snap(w, PRIV_SNAPSHOT_RESTORE, "before", "no snapshot before");
	snap(w, PRIV_SNAPSHOT_MAKE, "../kept", "no name");
	snap(w, PRIV_SNAPSHOT_MAKE, "before", NULL);
	snap(w, PRIV_SNAPSHOT_MAKE, "before", "already");
	assert_names(w, "before ");
	writes(w, "cd /data; rm -r a s; mkdir -p 'd d'; echo two > new; ln -s /data a");
	changed = look(w);
	assert_string_not_equal(changed, was);
	attach(w, FIRST, "", true);
	snap(w, PRIV_SNAPSHOT_RESTORE, "before", "use the volume");
	m.snapshot = name;
	memcpy(name, "before", 7);
	do_save(w, &m, &a); /* of the copy, while a lease has the volume */
	assert_int_equal(a.r.save.outcome, PRIV_COPY_DONE);
	assert_non_null(memmem(a.r.save.parcel.p, a.r.save.parcel.n, "a/b/x", 5));
	assert_null(memmem(a.r.save.parcel.p, a.r.save.parcel.n, "root:", 5));
	free_answer(&a, PRIV_BOX_SAVE);
	destroy_ok(w, FIRST);
	snap(w, PRIV_SNAPSHOT_RESTORE, "before", NULL);
	back = look(w);
	assert_string_equal(back, was);
	assert_no_half(w);
	writes(w, "echo more >> /data/a/y"); /* the copy stays what it was */
	snap(w, PRIV_SNAPSHOT_RESTORE, "before", NULL);
	again = look(w);
	assert_string_equal(again, was);
	for (int i = 1; i < 16; i++) {
		snprintf(name, sizeof(name), "s%02d", i);
		snap(w, PRIV_SNAPSHOT_MAKE, name, NULL);
	}
	snap(w, PRIV_SNAPSHOT_MAKE, "one-more", "remove one");
	snap(w, PRIV_SNAPSHOT_REMOVE, "s07", NULL);
	snap(w, PRIV_SNAPSHOT_REMOVE, "s07", "no snapshot");
	snap(w, PRIV_SNAPSHOT_MAKE, "one-more", NULL);
	assert_no_half(w);
	destroy_ok(w, VOL);
}

static void full_disk_has_no_copy(void **state)
{
	auto_free char *was = NULL, *now = NULL;
	struct world *w = *state;

	keep(w);
	writes(w, "head -c 36000000 /dev/urandom > /data/large");
	was = look(w);
	snap(w, PRIV_SNAPSHOT_MAKE, "before", "no room");
	assert_names(w, "");
	assert_no_half(w);
	writes(w, "head -c 16000000 /dev/urandom > /data/large");
	snap(w, PRIV_SNAPSHOT_MAKE, "before", NULL);
	writes(w, "head -c 30000000 /dev/urandom > /data/large");
	free(was);
	was = look(w);
	snap(w, PRIV_SNAPSHOT_RESTORE, "before", "no room");
	now = look(w);
	assert_string_equal(now, was);
	assert_no_half(w);
	destroy_ok(w, VOL);
}

static void dies_at(struct world *w, const char *step, enum priv_snapshot_action action)
{
	struct priv_snapshot m = {.id = VOL, .action = action};
	char name[] = "before";
	struct answer a;

	helper_down(w, SIGKILL);
	w->step = step;
	helper_up(w);
	keep(w);
	m.name = name;
	do_snapshot(w, &m, &a);
	assert_int_equal(a.err.kind, ERRK_SYS);
	helper_down(w, SIGKILL);
	w->step = NULL;
	helper_up(w);
	keep(w); /* as core does at its start */
	assert_no_half(w);
}

static void killed_while_it_is_copied(void **state)
{
	auto_free char *was = NULL, *now = NULL;
	struct world *w = *state;

	keep(w);
	writes(w, "echo one > /data/x; ln /data/x /data/y");
	was = look(w);
	dies_at(w, "SNAPSHOT_COPIED", PRIV_SNAPSHOT_MAKE);
	assert_names(w, "");
	snap(w, PRIV_SNAPSHOT_MAKE, "before", NULL);
	writes(w, "rm /data/x; echo two > /data/z");
	dies_at(w, "SNAPSHOT_RESTORED", PRIV_SNAPSHOT_RESTORE);
	now = look(w);
	assert_string_equal(now, was);
	assert_names(w, "before ");
	dies_at(w, "SNAPSHOT_DROPPED", PRIV_SNAPSHOT_REMOVE);
	assert_names(w, "");
	destroy_ok(w, VOL);
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_of_it),
		cmocka_unit_test(outlives_the_leases_that_use_it),
		cmocka_unit_test(read_by_many_written_by_one),
		cmocka_unit_test(nobody_elses),
		cmocka_unit_test(grows),
		cmocka_unit_test(saved_and_filled),
		cmocka_unit_test(half_filled_is_empty),
		cmocka_unit_test(user_is_forgotten_whatever_its_spec),
		cmocka_unit_test(copied_and_put_back),
		cmocka_unit_test(full_disk_has_no_copy),
		cmocka_unit_test(killed_while_it_is_copied),
		cmocka_unit_test(ends_while_it_is_used),
		cmocka_unit_test(its_disk_server_dies),
		cmocka_unit_test(killed_while_it_is_made),
	};
	const char *only = getenv("LEASED_TEST_FILTER");

	cmocka_set_test_filter(only && *only ? only : NULL);
	return _cmocka_run_group_tests("kept", tests, SOME(ARRAY_SIZE(tests)), set_up, tear_down);
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
