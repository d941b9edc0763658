/*
 * Helper, keeper and the real runtime together: the test is leased-core, a forked child is leased.
 * The life of a lease, kill -9 of the helper, deadlines without an agent, and that nothing is left.
 */
#include "helper_world.h"

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "backend/cgroup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/step.h"
#include "base/ustar.h"
#include "helper/helper.h"
#include "helper/record.h"
#include "priv/client.h"
#include "priv/logline.h"
#include "volume/overlay.h"

static void image_and_node(void **state)
{
	struct world *w = *state;
	struct priv_image image = {.name = (char *)"busybox"};
	struct priv_node node = {0};
	struct priv_ping ping = {PRIV_VERSION};
	struct answer a;

	do_ping(w, &ping, &a);
	assert_int_equal(a.r.ping.pid, w->helper);
	do_image(w, &image, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.image.outcome, PRIV_IMAGE_FOUND);
	assert_true(spec_is_digest(str_of(a.r.image.digest)));
	free_answer(&a, PRIV_IMAGE);
	image.name = (char *)"oci:/etc:passwd";
	do_image(w, &image, &a);
	assert_int_equal(a.r.image.outcome, PRIV_IMAGE_NOT_ALLOWED);
	free_answer(&a, PRIV_IMAGE);
	do_node(w, &node, &a);
	assert_true(a.r.node.cpus > 0 && a.r.node.memory_total > 0 && a.r.node.disk_free > 0);
	assert_true(a.r.node.memory_available <= a.r.node.memory_total);
	assert_string_equal(a.r.node.isolation, "shared-kernel");
	assert_int_equal(strncmp(a.r.node.runtime, "runc 1.1.", 9) == 0 ||
				 strncmp(a.r.node.runtime, "crun 1.8", 8) == 0,
			 a.r.node.runtime_old);
	print_message("# runtime %s, kernel %s, %s, load %u/1000\n", a.r.node.runtime,
		      a.r.node.kernel, a.r.node.arch, (unsigned)a.r.node.load1_milli);
	free_answer(&a, PRIV_NODE);
}

static void fetch_images(struct world *w, struct answer *a)
{
	struct priv_images m = {0};

	do_images(w, &m, a);
	assert_int_equal(a->err.kind, 0);
}

static enum priv_drop_outcome drop_image(struct world *w, const char *digest)
{
	struct priv_image_drop m = {(char *)digest};
	enum priv_drop_outcome outcome;
	struct answer a;

	do_image_drop(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	outcome = a.r.image_drop.outcome;
	free_answer(&a, PRIV_IMAGE_DROP);
	return outcome;
}

/* An image belongs to the leases that were started from it until they are destroyed. */
static void images_are_kept_while_used(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000d1";
	const struct priv_images_item *it;
	char digest[SPEC_DIGEST_SIZE];
	struct answer a;

	run_script(w, id, "exit 0");
	wait_stopped(w, id);
	helper_down(w, SIGKILL);
	helper_up(w);
	fetch_images(w, &a);
	assert_int_equal(a.r.images.items.n, 1);
	it = priv_images_at(&a.r.images, 0);
	assert_true(it->held && it->bytes > 0 && it->own == it->bytes && it->layers == 1);
	assert_true(a.r.images.bytes == it->bytes && it->used > 0);
	assert_string_equal(it->names.v[0], w->ref);
	assert_int_equal(it->users.n, 1);
	assert_string_equal(it->users.v[0], id);
	memcpy(digest, it->digest, sizeof(digest));
	free_answer(&a, PRIV_IMAGES);
	assert_int_equal(drop_image(w, digest), PRIV_DROP_IN_USE);
	assert_int_equal(drop_image(w, ""), PRIV_DROP_DONE);
	destroy_ok(w, id);
	fetch_images(w, &a);
	assert_int_equal(a.r.images.items.n, 1); /* warm */
	assert_false(priv_images_at(&a.r.images, 0)->held);
	free_answer(&a, PRIV_IMAGES);
	assert_int_equal(drop_image(w, digest), PRIV_DROP_DONE);
	assert_int_equal(drop_image(w, digest), PRIV_DROP_NOT_FOUND);
	fetch_images(w, &a);
	assert_int_equal(a.r.images.items.n, 0);
	free_answer(&a, PRIV_IMAGES);
}

/* Of /bin/busybox, as the lease sees it: the inode of the file that it reads. */
static uint64_t inode_inside(struct world *w, const char *id)
{
	struct answer a;
	uint64_t n = 0;

	exec_sh(w, id, "stat -c %i /bin/busybox", &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_int_equal(a.r.exec.exit_status, 0);
	assert_int_equal(
		str_u64(str_trim((struct str){(const char *)a.r.exec.out.p, a.r.exec.out.n}),
			UINT64_MAX, &n, NULL),
		0);
	free_answer(&a, PRIV_BOX_EXEC);
	return n;
}

/* Of the only layer's busybox below `layers`. */
static uint64_t inode_below(const char *layers)
{
	auto_closedir DIR *d = opendir(layers);
	const struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d))) {
		auto_free char *path = mem_printf("%s/%s/bin/busybox", layers, entry->d_name);
		struct stat st;

		if (entry->d_name[0] != '.' && stat(path, &st) == 0)
			return st.st_ino;
	}
	fail_msg("no busybox below %s", layers);
	return 0;
}

/* Started from copies of its own, again also where nobody says so any more; gone with the lease. */
static void private_layers_are_the_leases_own(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000d2";
	auto_free char *mount = NULL, *layers = NULL, *store = NULL;
	struct priv_stop stop = {.grace_ms = 0};
	struct priv_start m;
	struct answer a;
	struct record rec;
	struct volume v;
	struct err err;

	for (uint32_t generation = 1; generation <= 2; generation++) {
		fill_start(&m, id, "sleep 1000");
		m.generation = generation;
		m.private_layers = generation == 1;
		start_ok(w, &m);
		spec_clear(&m.spec);
		assert_int_equal(record_read(&rec, &w->c, id, &err), 0);
		v = record_volume(&rec, &w->c);
		free(mount);
		free(layers);
		mount = volume_path(&v);
		layers = mem_printf("%s/layers", mount);
		assert_int_equal(inode_inside(w, id), inode_below(layers));
		memcpy(stop.id, id, sizeof(stop.id));
		do_stop(w, &stop, &a);
		assert_int_equal(a.r.stop.state, PRIV_BOX_STOPPED);
	}
	destroy_ok(w, id);
	assert_nothing_left(w, id);
	assert_false(fs_exists(mount));
	/* and one that shares */
	run_script(w, id, "sleep 1000");
	store = mem_printf("%s/images/layers", w->state);
	assert_int_equal(inode_inside(w, id), inode_below(store));
	destroy_ok(w, id);
}

static void whole_life(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a1";
	auto_free char *out = NULL, *err = NULL;
	struct priv_list list = {(char *)"", 10};
	struct priv_stop stop = {.grace_ms = 2000};
	struct answer a;

	run_script(w, id,
		   "echo hello $SECRET; echo oops >&2; trap 'exit 7' TERM; while :; do sleep 0.1; "
		   "done");
	assert_int_equal(inspect(w, id).state, PRIV_BOX_RUNNING);
	exec_sh(w, id, "cat; echo; id -u; echo $SECRET; exit 3", &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_int_equal(a.r.exec.exit_status, 3);
	assert_out(&a, "input\n0\nswordfish\n");
	free_answer(&a, PRIV_BOX_EXEC);
	exec_sh(w, id, "ip link | grep -c 'lo:.*UP'; ls /sys/class/net | grep -vc lo", &a);
	assert_out(&a, "1\n0\n"); /* loopback is up and alone */
	free_answer(&a, PRIV_BOX_EXEC);
	do_list(w, &list, &a);
	assert_int_equal(a.r.list.items.n, 1);
	assert_string_equal(priv_list_at(&a.r.list, 0)->owner, OWNER);
	assert_int_equal(priv_list_at(&a.r.list, 0)->state, PRIV_BOX_RUNNING);
	free_answer(&a, PRIV_BOX_LIST);
	memcpy(stop.id, id, sizeof(stop.id));
	do_stop(w, &stop, &a);
	assert_int_equal(a.r.stop.state, PRIV_BOX_STOPPED);
	assert_int_equal(a.r.stop.exit_status, 7);
	assert_int_equal(inspect(w, id).why, PRIV_WHY_STOPPED);
	out = read_log(w, id, LOG_STDOUT);
	err = read_log(w, id, LOG_STDERR);
	assert_string_equal(out, "hello swordfish\n");
	assert_string_equal(err, "oops\n");
	destroy_ok(w, id);
	destroy_ok(w, id); /* once more */
}

static void starts_are_idempotent(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a2";
	struct priv_start m;
	struct answer a;
	int64_t first;

	fill_start(&m, id, "echo once; echo $(cat /root/n 2>/dev/null)x > /root/n; cat /root/n");
	start_ok(w, &m);
	first = wait_stopped(w, id).started_ms;
	assert_int_equal(inspect(w, id).exit_status, 0);
	do_start(w, &m, &a); /* the same again: its first answer, nothing runs */
	assert_int_equal(a.r.start.outcome, PRIV_START_RUNNING);
	assert_int_equal(a.r.start.started_ms, first);
	free_answer(&a, PRIV_BOX_START);
	assert_int_equal(inspect(w, id).state, PRIV_BOX_STOPPED);
	m.generation = 2; /* started again on the volume that it has */
	start_ok(w, &m);
	assert_int_equal(wait_stopped(w, id).generation, 2);
	auto_free char *out = read_log(w, id, LOG_STDOUT);
	assert_string_equal(out, "once\nx\nonce\nxx\n");
	memset(m.owner, 'a', PRIV_OWNER_LEN);
	m.generation = 3;
	do_start(w, &m, &a);
	assert_int_equal(a.err.kind, ERRK_DENIED);
	spec_clear(&m.spec);
	destroy_ok(w, id);
}

static bool send_signal(struct world *w, const char *id, uint32_t signal)
{
	struct priv_signal m = {.signal = signal};
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	do_signal(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	return a.r.signal.delivered;
}

/* To the main process: by its keeper, without one by us, and after the end to nobody. */
static void signals_reach_the_main_process(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000c1";
	struct priv_signal stop = {.signal = SIGSTOP};
	struct keeper_record rec;
	struct answer a;
	struct err err;

	run_script(w, id,
		   "trap 'echo usr1' USR1; trap 'echo int; exit 9' INT; echo ready; while :; do "
		   "sleep 0.1; done");
	wait_line(w, id, "ready");
	assert_true(send_signal(w, id, SIGUSR1));
	wait_line(w, id, "usr1");
	memcpy(stop.id, id, sizeof(stop.id));
	do_signal(w, &stop, &a);
	assert_int_equal(a.err.kind, ERRK_DENIED);
	assert_true(send_signal(w, id, SIGINT));
	assert_int_equal(wait_stopped(w, id).exit_status, 9);
	assert_int_equal(inspect(w, id).why, PRIV_WHY_EXITED);
	assert_false(send_signal(w, id, SIGKILL));
	destroy_ok(w, id);
	assert_false(send_signal(w, id, SIGKILL));
	run_script(w, id, "trap 'exit 0' INT; while :; do sleep 0.1; done");
	assert_int_equal(record_keeper(&rec, &w->c, id, &err), 0);
	kill((pid_t)rec.keeper, SIGKILL);
	pause_ms(100);
	assert_true(send_signal(w, id, SIGKILL));
	for (int i = 0; i < 500 && record_alive(rec.pid, rec.pid_started); i++)
		pause_ms(10);
	assert_false(record_alive(rec.pid, rec.pid_started));
	assert_false(send_signal(w, id, SIGKILL));
	destroy_ok(w, id);
}

/* Halted over a kill -9 of the helper, then run again: data and log go on, nothing else does. */
static void halted_and_run_again(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000c2";
	struct priv_stop stop = {.grace_ms = 5000};
	auto_free char *out = NULL;
	struct keeper_record rec;
	struct priv_start m;
	struct answer a;
	struct err err;

	fill_start(&m, id,
		   "cat /root/kept 2>/dev/null; echo run; echo kept > /root/kept; trap 'exit 7' "
		   "TERM; while :; do sleep 0.1; done");
	start_ok(w, &m);
	wait_line(w, id, "run");
	memcpy(stop.id, id, sizeof(stop.id));
	do_stop(w, &stop, &a);
	assert_int_equal(a.r.stop.exit_status, 7);
	assert_int_equal(record_keeper(&rec, &w->c, id, &err), 0);
	assert_false(record_alive(rec.pid, rec.pid_started));
	helper_down(w, SIGKILL);
	helper_up(w);
	assert_int_equal(inspect(w, id).state, PRIV_BOX_STOPPED);
	assert_int_equal(inspect(w, id).why, PRIV_WHY_STOPPED);
	do_stop(w, &stop, &a); /* once more */
	assert_int_equal(a.r.stop.state, PRIV_BOX_STOPPED);
	m.generation = 2;
	m.deadline = clock_wall() + 3;
	start_ok(w, &m);
	spec_clear(&m.spec);
	wait_line(w, id, "kept");
	out = read_log(w, id, LOG_STDOUT);
	assert_string_equal(out, "run\nkept\nrun\n");
	assert_int_equal(inspect(w, id).generation, 2);
	assert_int_equal(wait_stopped(w, id).why, PRIV_WHY_DEADLINE); /* the new keeper's */
	destroy_ok(w, id);
}

static void failures_say_where(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a3";
	struct priv_start m;
	struct answer a;
	struct err err;

	fill_start(&m, id, "true");
	assert_int_equal(spec_set_image(&m.spec, STR("oci:/root:x"), &err), 0);
	do_start(w, &m, &a);
	assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
	assert_int_equal(a.r.start.stage, PRIV_STAGE_CHECK);
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
	destroy_ok(w, id);
	fill_start(&m, id, "true");
	m.spec.network =
		SPEC_NETWORK_INTERNET; /* core should have refused it, and not be believed */
	do_start(w, &m, &a);
	assert_int_equal(a.r.start.stage, PRIV_STAGE_CHECK);
	assert_string_equal(a.r.start.message,
			    "network: this provider does not offer the Internet");
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
	destroy_ok(w, id);
	fill_start(&m, id, "true");
	free(m.spec.args.v[0]);
	m.spec.args.v[0] = mem_strdup("no-such-program");
	do_start(w, &m, &a);
	assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
	print_message("# %s: %s\n", priv_stage_name(a.r.start.stage), a.r.start.message);
	assert_true(a.r.start.stage >= PRIV_STAGE_CREATE);
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
	destroy_ok(w, id);
}

static void exec_has_limits(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a4";
	char *argv[] = {"sh", "-c", "echo said; (sleep 60 &); sleep 60", NULL};
	struct priv_exec m = {.argv = {argv, 3}, .timeout_ms = 3000, .output_max = 10};
	struct answer a;

	run_script(w, id, "sleep 1000");
	memcpy(m.id, id, sizeof(m.id));
	name_exec(&m);
	do_exec(w, &m, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_TIMED_OUT);
	assert_int_equal(a.r.exec.exit_status, 137);
	assert_int_equal(a.r.exec.signal, SIGKILL);
	assert_out(&a, "said\n"); /* what it said until then */
	free_answer(&a, PRIV_BOX_EXEC);
	exec_sh(w, id, "ps | grep -c 'sleep 6[0]'", &a);
	assert_out(&a, "0\n"); /* all that it started was ended, too */
	free_answer(&a, PRIV_BOX_EXEC);
	argv[0] = "no-such";
	m.timeout_ms = 50000;
	name_exec(&m);
	do_exec(w, &m, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_int_equal(a.r.exec.exit_status, 127);
	free_answer(&a, PRIV_BOX_EXEC);
	exec_sh(w, id, "yes | head -c 200000", &a);
	assert_int_equal(a.r.exec.out.n, 65536);
	assert_true(a.r.exec.cut);
	free_answer(&a, PRIV_BOX_EXEC);
	destroy_ok(w, id);
}

static unsigned groups_of_commands(const char *id)
{
	auto_buf struct buf out = BUF(4096);
	auto_free char *list =
		mem_printf("ls -d /sys/fs/cgroup/leased-*/%s/exec-* "
			   "/sys/fs/cgroup/freezer/leased-*/%s/exec-* 2>/dev/null | wc -l",
			   id, id);
	const char *const argv[] = {"sh", "-c", list, NULL};
	struct proc_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1};
	struct proc_result r = {0};
	struct err err;
	uint64_t n = 99;

	assert_int_equal(proc_run(&spec, NULL, 0, 10000, &r, &err), 0);
	assert_int_equal(str_u64(str_trim(buf_view(&r.out)), 99, &n, &err), 0);
	proc_result_free(&r);
	return (unsigned)n;
}

static void signal_command(struct world *w, const struct priv_exec *m, uint32_t signal, bool there)
{
	struct priv_signal s = {.signal = signal, .command = (char *)m->name};
	struct answer a;

	memcpy(s.id, m->id, sizeof(s.id));
	do_signal(w, &s, &a);
	assert_int_equal(a.err.kind, 0);
	assert_int_equal(a.r.signal.delivered, there);
	free_answer(&a, PRIV_BOX_SIGNAL);
}

/* A command goes on by itself, has a name, and is ended by it with all that it started. */
static void exec_detached_and_signalled(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000ab";
	char *argv[] = {"sh", "-c", "trap 'echo heard >/tmp/heard' INT; sleep 61 & wait; sleep 62",
			NULL};
	struct priv_exec m = {.argv = {argv, 3}, .detach = true, .input = {(uint8_t *)"x", 1}};
	struct answer a;
	struct stat null;

	run_script(w, id, "sleep 1000");
	memcpy(m.id, id, sizeof(m.id));
	name_exec(&m);
	do_exec(w, &m, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_FAILED);
	free_answer(&a, PRIV_BOX_EXEC);
	m.input = (struct wire_blob){NULL, 0};
	name_exec(&m);
	do_exec(w, &m, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_DONE);
	assert_int_equal(stat("/dev/null", &null), 0); /* its streams, and still the host's */
	assert_int_equal(null.st_uid, 0);
	free_answer(&a, PRIV_BOX_EXEC);
	exec_sh(w, id, "until ps | grep -q 'sleep 6[1]'; do sleep 0.05; done", &a);
	assert_int_equal(a.r.exec.exit_status, 0);
	free_answer(&a, PRIV_BOX_EXEC);
	if (!w->c.backend) /* Docker's commands have none */
		assert_true(groups_of_commands(id) >= 1);
	signal_command(w, &m, SIGINT, true);
	exec_sh(w, id, "until test -e /tmp/heard && ps | grep -q 'sleep 6[2]'; do sleep 0.05; done",
		&a);
	assert_int_equal(a.r.exec.exit_status, 0);
	free_answer(&a, PRIV_BOX_EXEC);
	signal_command(w, &m, SIGKILL, true);
	exec_sh(w, id, "ps | grep -c 'sleep 6[12]'", &a);
	assert_out(&a, "0\n");
	free_answer(&a, PRIV_BOX_EXEC);
	signal_command(w, &m, SIGKILL, false);
	/* Each command removes those before it, but a group may be busy for a moment after its end.
	 */
	for (int64_t end = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end;) {
		exec_sh(w, id, "true", &a);
		free_answer(&a, PRIV_BOX_EXEC);
		if (groups_of_commands(id) == 0)
			break;
	}
	assert_int_equal(groups_of_commands(id), 0);
	destroy_ok(w, id);
}

static enum priv_copy_outcome put_file(struct world *w, const char *id, const char *path)
{
	auto_buf struct buf archive = BUF(4096);
	auto_free struct ustar_entry *t = mem_zero(sizeof(*t));
	struct priv_put m = {.path = (char *)path};
	enum priv_copy_outcome outcome;
	struct answer a;

	*t = (struct ustar_entry){.kind = USTAR_FILE, .path = "f", .mode = 0755, .size = 4};
	ustar_add(&archive, t, "text");
	ustar_finish(&archive);
	memcpy(m.id, id, sizeof(m.id));
	m.archive = (struct wire_blob){(uint8_t *)archive.p, archive.n};
	do_put(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	outcome = a.r.put.outcome;
	if (*a.r.put.message)
		print_message("# %s: %s\n", path, a.r.put.message);
	free_answer(&a, PRIV_BOX_PUT);
	return outcome;
}

/* One tenant's commands take nobody else's turn, whatever they do. */
static void commands_of_one_lease_are_few(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000ad", *other = "00000000000000ae";
	char *argv[] = {"sleep", "1000", NULL};
	struct priv_exec m = {.argv = {argv, 2}, .timeout_ms = 600000};
	struct priv_exec all[8];
	struct answer answers[8], a;

	run_script(w, id, "sleep 1000");
	memcpy(m.id, id, sizeof(m.id));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		all[i] = m;
		name_exec(&all[i]);
		begin_exec(w, &all[i], &answers[i]);
	}
	name_exec(&m);
	do_exec(w, &m, &a);
	assert_int_equal(a.r.exec.outcome, PRIV_EXEC_FAILED);
	assert_non_null(strstr(a.r.exec.message, "8 commands"));
	free_answer(&a, PRIV_BOX_EXEC);
	assert_int_equal(put_file(w, id, "/"), PRIV_COPY_FAILED); /* copies count with them */
	run_script(w, other, "sleep 1000");
	exec_sh(w, other, "echo free", &a);
	assert_out(&a, "free\n");
	free_answer(&a, PRIV_BOX_EXEC);
	destroy_ok(w, other);
	destroy_ok(w, id);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		wait_answer(w, &answers[i]);
		free_answer(&answers[i], PRIV_BOX_EXEC);
	}
}

/* The archive of `path`, or nothing. */
static enum priv_copy_outcome get_file(struct world *w, const char *id, const char *path,
				       struct ustar_entry *t, char text[static 16])
{
	struct priv_get m = {.path = (char *)path, .max = 65536};
	enum priv_copy_outcome outcome;
	struct str rest, data;
	struct answer a;
	struct err err;

	memcpy(m.id, id, sizeof(m.id));
	do_get(w, &m, &a);
	assert_int_equal(a.err.kind, 0);
	outcome = a.r.get.outcome;
	rest = (struct str){(const char *)a.r.get.archive.p, a.r.get.archive.n};
	if (outcome == PRIV_COPY_DONE) {
		assert_int_equal(ustar_next(&rest, t, &data, &err), 0);
		snprintf(text, 16, "%.*s", (int)data.n, data.p);
	} else {
		assert_int_equal(rest.n, 0);
		print_message("# %s: %s\n", path, a.r.get.message);
	}
	free_answer(&a, PRIV_BOX_GET);
	return outcome;
}

/* Copying sees what the container sees, also what is mounted there alone, and nothing of the host,
 * wherever links point. */
static void copies_stay_inside(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000ac";
	auto_free struct ustar_entry *t = mem_zero(sizeof(*t));
	auto_free char *canary = mem_printf("%s/canary", w->state);
	auto_free char *script =
		mem_printf("ln -s %s /away; ln -s /proc/1/root /loop; ln -s ../../../../.. /up; "
			   "mkfifo /pipe; head -c 100000 /dev/zero >/big; mkdir /folder; echo done "
			   ">/ready; sleep 1000",
			   w->state);
	auto_free char *inside =
		mem_printf("mkdir -p %s; until test -e /ready; do sleep 0.05; done", w->state);
	struct err err;
	struct answer a;
	char text[16];

	assert_int_equal(fs_write(canary, "host", 4, 0644, &err), 0);
	run_script(w, id, script);
	exec_sh(w, id, "until test -e /ready; do sleep 0.05; done", &a);
	free_answer(&a, PRIV_BOX_EXEC);
	/* The host's folder is not there … */
	assert_int_equal(put_file(w, id, "/away/canary"), PRIV_COPY_FAILED);
	assert_int_equal(get_file(w, id, "/away/canary", t, text), PRIV_COPY_FAILED);
	/* … and one of that name in the container is the container's. */
	exec_sh(w, id, inside, &a);
	free_answer(&a, PRIV_BOX_EXEC);
	assert_int_equal(put_file(w, id, "/away/canary"), PRIV_COPY_DONE);
	assert_int_equal(get_file(w, id, "/up/away/canary", t, text), PRIV_COPY_DONE);
	assert_string_equal(text, "text");
	assert_int_equal(t->mode, 0755);
	{
		auto_buf struct buf host = BUF(100);

		assert_int_equal(fs_read(&host, canary, &err), 0);
		assert_memory_equal(host.p, "host", 4);
	}
	assert_int_equal(put_file(w, id, "/folder"), PRIV_COPY_DONE);
	assert_int_equal(put_file(w, id, "/dev/shm/here"), PRIV_COPY_DONE); /* mounted inside */
	exec_sh(w, id, "cat /folder/f /dev/shm/here; stat -c %u:%g /folder/f", &a);
	assert_out(&a, "texttext0:0\n");
	free_answer(&a, PRIV_BOX_EXEC);
	/* Ways through other processes' roots are not even entered. */
	assert_int_equal(get_file(w, id, "/loop/away/canary", t, text), PRIV_COPY_FAILED);
	assert_int_equal(get_file(w, id, "/pipe", t, text), PRIV_COPY_FAILED);
	assert_int_equal(get_file(w, id, "/big", t, text), PRIV_COPY_TOO_MUCH);
	assert_int_equal(put_file(w, id, "/proc/sys/kernel/hostname"), PRIV_COPY_FAILED);
	destroy_ok(w, id);
	assert_int_equal(put_file(w, id, "/folder"), PRIV_COPY_NOT_RUNNING);
}

/* The point of the keeper: kill -9 of the helper while the container writes all the time. */
static void helper_killed_while_it_writes(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a5";
	auto_free char *out = NULL;
	struct priv_inspect_reply r;
	struct str rest, line;
	unsigned n = 0;

	run_script(w, id,
		   "i=0; while [ $i -lt 3000 ]; do echo line $i; /bin/busybox true || exit 9; "
		   "i=$((i+1)); done; exit 42");
	pause_ms(300);
	helper_down(w, SIGKILL);
	pause_ms(500);
	helper_up(w);
	r = wait_stopped(w, id);
	assert_int_equal(r.exit_status, 42);
	assert_int_equal(r.why, PRIV_WHY_EXITED);
	out = read_log(w, id, LOG_STDOUT);
	for (rest = str_of(out); rest.n > 0 && str_cut(&rest, '\n', &line); n++) {
		auto_free char *want = mem_printf("line %u", n);

		if (line.n == 0)
			break;
		assert_true(str_is(line, want));
	}
	assert_int_equal(n, 3000);
	destroy_ok(w, id);
}

static void deadline_without_an_agent(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a6";
	int64_t end = clock_mono_ms() + WAIT_MS;
	struct keeper_record rec;
	struct priv_start m;
	struct err err;

	fill_start(&m, id, "trap '' TERM; while :; do sleep 0.1; done");
	m.deadline = clock_wall() + 3;
	start_ok(w, &m);
	spec_clear(&m.spec);
	helper_down(w, SIGKILL);
	do {
		pause_ms(50);
		assert_int_equal(record_keeper(&rec, &w->c, id, &err), 0);
	} while (rec.state != PRIV_BOX_STOPPED && clock_mono_ms() < end);
	assert_int_equal(rec.state, PRIV_BOX_STOPPED);
	assert_int_equal(rec.why, PRIV_WHY_DEADLINE);
	assert_int_equal(rec.exit_status, 128 + SIGKILL);
	assert_true(rec.ended_ms <= m.deadline * 1000 + 5000);
	assert_false(record_alive(rec.pid, rec.pid_started));
	helper_up(w);
	assert_int_equal(inspect(w, id).why, PRIV_WHY_DEADLINE);
	destroy_ok(w, id);
}

static void deadlines_move(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a7";
	struct priv_deadline d = {0};
	struct priv_start m;
	struct answer a;

	fill_start(&m, id, "sleep 1000");
	m.deadline = clock_wall() + 3;
	start_ok(w, &m);
	spec_clear(&m.spec);
	memcpy(d.id, id, sizeof(d.id));
	d.deadline = clock_wall() + 600;
	do_deadline(w, &d, &a);
	assert_true(a.r.deadline.found);
	pause_ms(3500);
	assert_int_equal(inspect(w, id).state, PRIV_BOX_RUNNING);
	d.deadline = clock_wall();
	w->events = 0;
	do_deadline(w, &d, &a);
	assert_int_equal(wait_stopped(w, id).why, PRIV_WHY_DEADLINE);
	assert_true(w->events > 0);
	assert_int_equal(w->event.why, PRIV_WHY_DEADLINE);
	destroy_ok(w, id);
}

/* A keeper that is killed takes nobody with it: the helper sees to the deadline and can destroy. */
static void keeper_killed(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a8";
	struct keeper_record rec;
	struct err err;

	run_script(w, id, "sleep 1000");
	assert_int_equal(record_keeper(&rec, &w->c, id, &err), 0);
	kill((pid_t)rec.keeper, SIGKILL);
	pause_ms(100);
	assert_int_equal(inspect(w, id).state, PRIV_BOX_RUNNING);
	destroy_ok(w, id);
	assert_false(record_alive(rec.pid, rec.pid_started));
}

static void limits_and_isolation(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000a9";
	struct answer a;

	run_script(w, id, "sleep 1000");
	exec_sh(w, id,
		"grep -c 'NoNewPrivs:.*1' /proc/self/status; grep -c 'Seccomp:.*2' "
		"/proc/self/status;"
		"ps | grep -c 'leased-keepe[r]'; dd if=/dev/zero of=/root/big bs=1M count=100 "
		"2>/dev/null || "
		"echo full;"
		"awk '{print ($2 > 0)}' /proc/self/uid_map",
		&a);
	print_message("# %.*s", (int)a.r.exec.out.n, a.r.exec.out.p);
	assert_memory_equal(a.r.exec.out.p, "1\n1\n0\nfull\n", 11);
	free_answer(&a, PRIV_BOX_EXEC);
	destroy_ok(w, id);
}

/* Environment on disk: only the lease's own cipher text may hold it. */
static void secrets_stay_in_memory(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000b1";
	const char *argv[] = {"grep", "-rl", "swordfish", w->state, NULL};
	struct proc_spec spec = {.argv = argv};
	struct proc_result r = {.out = BUF(4096)};
	struct err err;

	run_script(w, id, "sleep 1000");
	sync();
	assert_int_equal(proc_run(&spec, NULL, 0, 60000, &r, &err), 0);
	assert_int_equal(r.status, 1); /* nothing found */
	proc_result_free(&r);
	destroy_ok(w, id);
}

/* Anybody's mount namespace that begins while a lease runs gets copies of its mounts. */
static void other_namespaces_hold_nothing(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000b6";
	pid_t other;

	run_script(w, id, "sleep 1000");
	other = fork();
	if (other == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	pause_ms(200);
	destroy_ok(w, id);
	assert_int_equal(waitpid(other, NULL, WNOHANG), 0); /* it was there all the time */
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

static void prepared_ahead(void **state)
{
	struct world *w = *state;
	const char *id = "00000000000000b2";
	auto_free char *spares = mem_printf("%s/volumes/pool-", w->run);
	struct priv_image image = {.name = (char *)"busybox"};
	auto_free char *pull = mem_printf("%s/volumes/pull-3", w->state);
	struct priv_ping ping = {PRIV_VERSION};
	struct priv_node node = {0};
	struct priv_start m;
	struct answer a;
	int64_t end = clock_mono_ms() + WAIT_MS, from;
	uint32_t prepared;
	struct err err;

	helper_down(w, SIGTERM);
	w->prepared = (struct helper_prepared){VOLUME, 2};
	w->c.prepared = &w->prepared;
	w->c.nprepared = 1;
	helper_up(w);
	do {
		pause_ms(50);
		do_node(w, &node, &a);
		prepared = a.r.node.prepared;
		free_answer(&a, PRIV_NODE);
	} while (prepared < 2 && clock_mono_ms() < end);
	assert_int_equal(prepared, 2);
	fill_start(&m, id, "echo fast");
	do_image(w, &image, &a);
	memcpy(m.spec.digest, a.r.image.digest, sizeof(m.spec.digest)); /* as the engine does */
	free_answer(&a, PRIV_IMAGE);
	from = clock_mono_us();
	do_start(w, &m, &a);
	print_message("# %lld us in all\n", (long long)(clock_mono_us() - from));
	assert_int_equal(a.r.start.outcome, PRIV_START_RUNNING);
	assert_true(a.r.start.prepared);
	print_message("# image %u volume %u bundle %u keeper %u create %u start %u us\n",
		      a.r.start.image_us, a.r.start.volume_us, a.r.start.bundle_us,
		      a.r.start.keeper_us, a.r.start.create_us, a.r.start.start_us);
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
	wait_stopped(w, id);
	helper_down(w, SIGKILL); /* the left one is erased by the next */
	assert_int_equal(fs_write(pull, "", 0, 0600, &err), 0);
	helper_up(w);
	do_ping(w, &ping, &a); /* what pulls left is gone before it serves: new ones are named so */
	free_answer(&a, PRIV_PING);
	assert_false(fs_exists(pull));
	destroy_ok(w, id);
	helper_down(w, SIGTERM);
	assert_false(mentions("/proc/self/mountinfo", spares));
	w->c.nprepared = 0;
	helper_up(w);
}

/* Killed right after each step, then repeated by another helper: it ends as if nothing had been. */
static void restart(struct world *w, const char *step, const char *keeper_step)
{
	helper_down(w, SIGKILL);
	w->step = step;
	w->keeper_step = keeper_step;
	helper_up(w);
}

static void a_start_dies_at_every_step(void **state)
{
	static const char *const steps[] = {"VOLUME_PAYLOAD", "VOLUME_KEY",	 "VOLUME_CREATED",
					    "VOLUME_SERVED",  "VOLUME_ATTACHED", "VOLUME_FORMATTED",
					    "VOLUME_OPENED",  "KEEPER_STARTED"};
	struct world *w = *state;
	const char *id = "00000000000000b3";
	struct priv_start m;
	struct answer a;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		print_message("# %s\n", steps[i]);
		restart(w, steps[i], NULL);
		fill_start(&m, id, "sleep 1000");
		do_start(w, &m, &a);
		assert_int_equal(a.err.kind, ERRK_SYS); /* the worker died */
		restart(w, NULL, NULL);
		start_ok(w, &m);
		spec_clear(&m.spec);
		exec_sh(w, id, "echo alive", &a);
		assert_out(&a, "alive\n");
		free_answer(&a, PRIV_BOX_EXEC);
		destroy_ok(w, id);
	}
}

static void a_keeper_dies_in_a_start(void **state)
{
	static const char *const steps[] = {"LEASED_TEST_STEP=BOX_CREATED",
					    "LEASED_TEST_STEP=BOX_STARTED"};
	struct world *w = *state;
	const char *id = "00000000000000b4";
	struct priv_start m;
	struct answer a;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		restart(w, NULL, steps[i]);
		fill_start(&m, id, "sleep 1000");
		do_start(w, &m, &a);
		assert_int_equal(a.err.kind, 0);
		assert_int_equal(a.r.start.outcome, PRIV_START_FAILED);
		free_answer(&a, PRIV_BOX_START);
		restart(w, NULL, NULL);
		start_ok(w, &m);
		spec_clear(&m.spec);
		destroy_ok(w, id);
	}
}

static void a_destroy_dies_at_every_step(void **state)
{
	static const char *const steps[] = {
		"BOX_KILLED",	     "VOLUME_UNMOUNTED",   "VOLUME_DETACHED",  "VOLUME_CLOSED",
		"VOLUME_SLOTS_GONE", "VOLUME_HEADER_GONE", "VOLUME_DISCARDED", "VOLUME_ERASED"};
	struct world *w = *state;
	const char *id = "00000000000000b5";
	struct priv_destroy m;
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		print_message("# %s\n", steps[i]);
		run_script(w, id, "sleep 1000");
		restart(w, steps[i], NULL);
		do_destroy(w, &m, &a);
		assert_int_equal(a.err.kind, ERRK_SYS);
		restart(w, NULL, NULL);
		destroy_ok(w, id);
	}
}

int helper_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(image_and_node),
		cmocka_unit_test(images_are_kept_while_used),
		cmocka_unit_test(private_layers_are_the_leases_own),
		cmocka_unit_test(whole_life),
		cmocka_unit_test(starts_are_idempotent),
		cmocka_unit_test(signals_reach_the_main_process),
		cmocka_unit_test(halted_and_run_again),
		cmocka_unit_test(failures_say_where),
		cmocka_unit_test(exec_has_limits),
		cmocka_unit_test(exec_detached_and_signalled),
		cmocka_unit_test(commands_of_one_lease_are_few),
		cmocka_unit_test(copies_stay_inside),
		cmocka_unit_test(helper_killed_while_it_writes),
		cmocka_unit_test(deadline_without_an_agent),
		cmocka_unit_test(deadlines_move),
		cmocka_unit_test(keeper_killed),
		cmocka_unit_test(limits_and_isolation),
		cmocka_unit_test(secrets_stay_in_memory),
		cmocka_unit_test(other_namespaces_hold_nothing),
		cmocka_unit_test(prepared_ahead),
		cmocka_unit_test(a_start_dies_at_every_step),
		cmocka_unit_test(a_keeper_dies_in_a_start),
		cmocka_unit_test(a_destroy_dies_at_every_step),
	};

	const char *only = getenv("LEASED_TEST_FILTER");

	cmocka_set_test_filter(only && *only ? only : NULL);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
