/*
 * What an offer gives its leases: a grant of the operator's, graphics cards, capabilities that may
 * be asked for. No card is here: nodes of harmless devices stand for them.
 */
#include "helper_world.h"

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "backend/cgroup.h"
#include "base/fs.h"
#include "base/mem.h"
#include "spec/guard.h"

#ifdef WITH_DOCKER
#include "contract/dockerd.h"
#endif

#define A "00000000000000a1"
#define B "00000000000000b2"
#define C "00000000000000c3"

/* Devices that no lease may use by itself, and that do nothing when they are only opened. */
static const struct {
	const char *name;
	unsigned major, minor;
} STAND_INS[] = {
	{"nvidia0", 10, 229}, /* fuse */
	{"nvidia1", 1, 11},   /* kmsg; not the tunnel's: runc lets everybody open that */
	{"nvidiactl", 1, 3},  {"nvidia-uvm", 1, 5}, {"given", 10, 237}, /* loop-control */
};

static struct spec_grant given, privileged, host;
static struct spec_template box; /* with what `given` is */
static struct helper_offer offers[] = {
	{.name = "plain"},
	{.name = "cards", .allow.cards = {SPEC_NVIDIA, 2, 1, {0}, 0}},
	{.name = "second", .allow.cards = {SPEC_NVIDIA, 1, 1, {1}, 1}},
	{.name = "given", .grant = &given},
	{.name = "privileged", .grant = &privileged},
	{.name = "allow"},
	{.name = "host", .grant = &host},
	{.name = "box", .templates = &box, .ntemplates = 1},
};

static char *node_of(struct world *w, const char *name)
{
	return mem_printf("%s/host/dev/%s", w->dir, name);
}

static void write_file(const char *path, const char *text)
{
	struct err e;

	assert_int_equal(fs_write(path, text, strlen(text), 0644, &e), 0);
}

static void fill_grants(struct world *w)
{
	auto_free char *device = node_of(w, "given"), *file = mem_printf("%s/models/one", w->dir);
	auto_free char *path = mem_printf("%s/grant.json", w->dir);
	auto_free char *text =
		mem_printf("{\"devices\":[{\"path\":\"%s\",\"target\":\"/dev/given\"}],"
			   "\"binds\":[{\"source\":\"%s/models\",\"target\":\"/models\","
			   "\"read_only\":true},{\"source\":\"%s/scratch\",\"target\":"
			   "\"/scratch\"}],\"capabilities\":[\"NET_ADMIN\"]}",
			   device, w->dir, w->dir);
	auto_free char *models = mem_printf("%s/models", w->dir);
	auto_free char *scratch = mem_printf("%s/scratch", w->dir);
	auto_free char *own = mem_printf("%s/models/root", w->dir);
	struct err e;

	assert_int_equal(fs_mkdirs(models, 0755, &e), 0);
	assert_int_equal(fs_mkdirs(scratch, 0755, &e), 0);
	assert_int_equal(chmod(scratch, 01777), 0);
	write_file(file, "model");
	assert_int_equal(fs_write(own, "root's", 6, 0600, &e), 0);
	write_file(path, text);
	if (spec_grant_load(&given, path, &e) < 0)
		fail_msg("%s", e.msg);
	write_file(path, "{\"privileged\":true}");
	assert_int_equal(spec_grant_load(&privileged, path, &e), 0);
	write_file(path, "{\"network\":\"host\",\"new_privileges\":true}");
	assert_int_equal(spec_grant_load(&host, path, &e), 0);
	memcpy(box.name, "box", 4);
	spec_grant_copy(&box.grant, &given);
	box.spec.powers.add = spec_cap(STR("NET_RAW"));
	offers[5].allow.caps = spec_cap(STR("NET_RAW"));
}

static int set_up_offers(void **state)
{
	static const char *no_cdi[] = {NULL};
	auto_free char *dev = NULL;
	struct world *w;
	struct err e;

	if (set_up(state) < 0)
		return -1;
	w = *state;
	dev = mem_printf("%s/host/dev", w->dir);
	if (fs_mkdirs(dev, 0755, &e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(STAND_INS); i++) {
		auto_free char *path = node_of(w, STAND_INS[i].name);

		if (mknod(path, S_IFCHR | 0600, makedev(STAND_INS[i].major, STAND_INS[i].minor)))
			return -1;
	}
	fill_grants(w);
	w->c.host_root = mem_printf("%s/host", w->dir);
	w->c.cdi_dirs = no_cdi;
	w->c.offers = offers;
	w->c.noffers = ARRAY_SIZE(offers);
	helper_down(w, SIGTERM);
	helper_up(w);
	return 0;
}

static int tear_down_offers(void **state)
{
	if (!*state)
		return -1;
	free((char *)((struct world *)*state)->c.host_root);
	spec_grant_clear(&given);
	spec_template_clear(&box);
	spec_grant_clear(&privileged);
	spec_grant_clear(&host);
	return tear_down(state);
}

/* The answer's message; NULL where it runs. */
static char *start_under(struct world *w, const char *id, const char *offer, const char *json)
{
	struct priv_start m;
	char *why = NULL;
	struct answer a;
	struct err e;

	fill_start(&m, id, "sleep 1000");
	if (json) {
		auto_free char *text = mem_printf("{%s}", json);
		auto_spec struct spec wanted = {0};

		assert_int_equal(spec_decode(&wanted, str_of(text), &e), 0);
		m.spec.gpu = wanted.gpu;
		m.spec.powers = wanted.powers;
		m.spec.network = wanted.network;
		memcpy(m.spec.template, wanted.template, sizeof(m.spec.template));
	}
	m.offer = (char *)offer;
	do_start(w, &m, &a);
	if (a.err.kind)
		why = mem_strdup(a.err.msg);
	else if (a.r.start.outcome != PRIV_START_RUNNING)
		why = mem_strdup(a.r.start.message);
	free_answer(&a, PRIV_BOX_START);
	spec_clear(&m.spec);
	return why;
}

static void runs_under(struct world *w, const char *id, const char *offer, const char *json)
{
	auto_free char *why = start_under(w, id, offer, json);

	if (why)
		fail_msg("%s: %s", offer, why);
}

static void refused_under(struct world *w, const char *id, const char *offer, const char *json,
			  const char *with)
{
	auto_free char *why = start_under(w, id, offer, json);

	if (!why || !strstr(why, with))
		fail_msg("%s %s: %s", offer, json, why ? why : "runs");
}

static void assert_says(struct world *w, const char *id, const char *script, const char *want)
{
	struct answer a;

	exec_sh(w, id, script, &a);
	if (a.r.exec.out.n != strlen(want) || memcmp(a.r.exec.out.p, want, strlen(want)) != 0)
		fail_msg("%s: %.*s", script, (int)a.r.exec.out.n, (char *)a.r.exec.out.p);
	free_answer(&a, PRIV_BOX_EXEC);
}

/* Of another image in the lease. */
static void assert_beside_says(struct world *w, const char *id, const char *script,
			       const char *want)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
	struct priv_exec m = {.argv = {argv, 3},
			      .image = (char *)"busybox",
			      .timeout_ms = 50000,
			      .output_max = 65536};
	struct answer a;

	memcpy(m.id, id, sizeof(m.id));
	name_exec(&m);
	do_exec(w, &m, &a);
	if (a.r.exec.outcome != PRIV_EXEC_DONE)
		fail_msg("%s", a.r.exec.message);
	assert_out(&a, want);
	free_answer(&a, PRIV_BOX_EXEC);
}

#define GPU	"\"gpu\":{\"vendor\":\"nvidia\"}"
#define NUMBERS "echo $NVIDIA_VISIBLE_DEVICES $CUDA_VISIBLE_DEVICES; cd /dev; echo nvidia*"

static void two_leases_never_have_the_same_card(void **state)
{
	struct world *w = *state;

	runs_under(w, A, "cards", GPU);
	assert_says(w, A, NUMBERS, "0 0\nnvidia-uvm nvidia0 nvidiactl\n");
	assert_says(w, A,
		    "head -c 3 /dev/nvidia-uvm | od -An -tx1; : < /dev/nvidia0 && echo opened",
		    " 00 00 00\nopened\n");
	assert_beside_says(w, A, NUMBERS "; : < nvidia0 && echo opened",
			   "0 0\nnvidia-uvm nvidia0 nvidiactl\nopened\n");
	helper_down(w, SIGKILL); /* who has which is in the records */
	helper_up(w);
	runs_under(w, B, "cards", GPU);
	assert_says(w, B, NUMBERS, "1 0\nnvidia-uvm nvidia1 nvidiactl\n");
	refused_under(w, C, "cards", GPU, "less than 1 free");
	destroy_ok(w, A);
	refused_under(w, C, "second", GPU, "less than 1 free"); /* that one is B's */
	runs_under(w, C, "cards", GPU);
	assert_says(w, C, NUMBERS, "0 0\nnvidia-uvm nvidia0 nvidiactl\n");
	destroy_ok(w, C);
	destroy_ok(w, B);
}

static void cards_are_what_the_offer_has(void **state)
{
	struct world *w = *state;

	refused_under(w, A, "plain", GPU, "gpu: this provider does not offer");
	destroy_ok(w, A);
	refused_under(w, A, "cards", "\"gpu\":{\"count\":2}", "gpu.count: a lease of this offer");
	destroy_ok(w, A);
	refused_under(w, A, "cards", "\"gpu\":{\"vendor\":\"amd\"}", "gpu.vendor: this offer has");
	destroy_ok(w, A);
	runs_under(w, A, "second", GPU);
	assert_says(w, A, NUMBERS, "1 0\nnvidia-uvm nvidia1 nvidiactl\n");
	destroy_ok(w, A);
	runs_under(w, A, "cards", NULL); /* who asks for none has none */
	assert_says(w, A, "cd /dev; echo nvidia*", "nvidia*\n");
	destroy_ok(w, A);
}

/* The daemon makes one below ours, and its name is a file of the lease. */
static char *group_of(struct world *w, const char *id)
{
	auto_free char *path = record_path(&w->c, id, "docker.group");
	auto_buf struct buf text = BUF(4096);

	return fs_read(&text, path, NULL) == 0 ? mem_strndup(text.p, text.n)
					       : mem_printf("%s/%s", w->cgroup, id);
}

/* In the lease's group: opened, or the error. */
static int opens_in_group(struct world *w, const char *id, const char *name)
{
	auto_free char *group = group_of(w, id);
	auto_free char *procs = mem_printf("/sys/fs/cgroup%s%s/cgroup.procs",
					   cgroup_version() == 2 ? "" : "/devices", group);
	auto_free char *path = node_of(w, name);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(procs, O_WRONLY);

		if (fd < 0 || write(fd, "0", 1) != 1)
			_exit(255);
		fd = open(path, O_RDWR);
		_exit(fd < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void the_device_cgroup_refuses_the_others_card(void **state)
{
	struct world *w = *state;
	auto_free char *other = node_of(w, "nvidia1");
	int fd = open(other, O_RDWR);

	assert_true(fd >= 0); /* outside nothing is in the way */
	close(fd);
	runs_under(w, A, "cards", GPU);
	runs_under(w, B, "cards", GPU);
	assert_int_equal(opens_in_group(w, A, "nvidia0"), 0);
	assert_int_equal(opens_in_group(w, A, "nvidia1"), EPERM);
	assert_int_equal(opens_in_group(w, A, "given"), EPERM);
	assert_int_equal(opens_in_group(w, B, "nvidia1"), 0);
	assert_int_equal(opens_in_group(w, B, "nvidia0"), EPERM);
	assert_says(w, A, "mknod /tmp/x c 1 11 2>/dev/null || echo no", "no\n");
	destroy_ok(w, A);
	destroy_ok(w, B);
}

static void what_cdi_says_is_inside(void **state)
{
	struct world *w = *state;
	auto_free char *dir = mem_printf("%s/cdi", w->dir), *path = mem_printf("%s/x.json", dir);
	auto_free char *text = mem_printf(
		"{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia.com/gpu\",\"devices\":["
		"{\"name\":\"7\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/nvidia7\","
		"\"hostPath\":\"%s/host/dev/nvidia1\",\"major\":195,\"minor\":7}],"
		"\"env\":[\"CARD=seven\"]}},{\"name\":\"all\",\"containerEdits\":{\"deviceNodes\":"
		"[{\"path\":\"/dev/nvidia0\",\"hostPath\":\"%s/host/dev/nvidia0\"}]}}],"
		"\"containerEdits\":{\"env\":[\"NVIDIA_VISIBLE_DEVICES=void\"],\"mounts\":["
		"{\"hostPath\":\"%s/models/one\",\"containerPath\":\"/usr/lib/libcuda.so\"}],"
		"\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/bin/false\"}]}}",
		w->dir, w->dir, w->dir);
	const char *dirs[] = {dir, NULL};
	const char *const *before = w->c.cdi_dirs;
	struct err e;

	assert_int_equal(fs_mkdirs(dir, 0755, &e), 0);
	write_file(path, text);
	helper_down(w, SIGTERM);
	w->c.cdi_dirs = dirs;
	helper_up(w);
	runs_under(w, A, "cards", GPU);
	assert_says(w, A, NUMBERS "; echo $CARD; cat /usr/lib/libcuda.so",
		    "void 0\nnvidia7\nseven\nmodel");
	assert_says(w, A, "echo x 2>/dev/null > /usr/lib/libcuda.so || echo read-only",
		    "read-only\n");
	assert_int_equal(opens_in_group(w, A, "nvidia1"), 0);
	assert_int_equal(opens_in_group(w, A, "nvidia0"), EPERM);
	refused_under(w, B, "cards", GPU, "less than 1 free"); /* "all" is no card */
	write_file(path, "{}");				       /* the driver's tool is at work */
	assert_says(w, A, "cat /usr/lib/libcuda.so", "model");
	destroy_ok(w, A);
	write_file(path, "{\"cdiVersion\":\"2.0.0\",\"kind\":\"nvidia.com/gpu\"}");
	refused_under(w, A, "cards", GPU, "cdiVersion");
	helper_down(w, SIGTERM);
	w->c.cdi_dirs = before;
	helper_up(w);
}

static void a_grant_is_the_offer_s_alone(void **state)
{
	static const char LOOK[] =
		"ls /dev/given /models 2>/dev/null; grep CapBnd /proc/self/status";
	struct world *w = *state;
	auto_free char *device = node_of(w, "given");
	struct priv_node node = {0};
	struct answer a;

	runs_under(w, A, "given", NULL);
	assert_says(w, A, LOOK, "/dev/given\n\n/models:\none\nroot\nCapBnd:\t00000000800415fb\n");
	assert_says(
		w, A,
		": < /dev/given && cat /models/one; (echo > /models/two) 2>/dev/null || echo no",
		"modelno\n");
	destroy_ok(w, A);
	runs_under(w, A, "plain", NULL);
	assert_says(w, A, LOOK, "CapBnd:\t00000000800405fb\n");
	destroy_ok(w, A);
	runs_under(w, A, "gone", NULL); /* an offer that the helper does not know gives nothing */
	assert_says(w, A, LOOK, "CapBnd:\t00000000800405fb\n");
	destroy_ok(w, A);
	do_node(w, &node, &a);
	for (size_t i = 0; i < a.r.node.offers.n; i++) {
		const struct priv_node_offer *o =
			(const struct priv_node_offer *)a.r.node.offers.v + i;
		bool is_given = strcmp(o->name, "given") == 0;

		assert_int_equal(strstr(o->granted, "device /dev/given\n") != NULL, is_given);
		if (is_given)
			assert_false(o->guards & spec_guard_bit(SPEC_GUARD_FEW_CAPABILITIES));
		if (strcmp(o->name, "cards") == 0)
			assert_int_equal(o->cards, 2);
		if (strcmp(o->name, "second") == 0)
			assert_int_equal(o->cards, 1);
	}
	free_answer(&a, PRIV_NODE);
	assert_int_equal(unlink(device), 0);
	refused_under(w, A, "given", NULL, "given");
	destroy_ok(w, A);
	assert_int_equal(mknod(device, S_IFCHR | 0600, makedev(10, 237)), 0);
}

/* What is read looks inside as outside; what a lease makes out here is never root's. */
static void folders_keep_their_owners(void **state)
{
	struct world *w = *state;
	auto_free char *made = mem_printf("%s/scratch/made", w->dir);
	struct stat st;

	runs_under(w, A, "given", NULL);
	if (w->c.id_slots)
		assert_says(w, A, "cat /models/root; stat -c ' %u %g' /models/root",
			    "root's 0 0\n");
	assert_beside_says(w, A, "cat /models/one", "model");
	assert_says(w, A, "cp /bin/busybox /scratch/made && chmod 4755 /scratch/made && echo made",
		    "made\n");
	assert_int_equal(stat(made, &st), 0);
	assert_true(!w->c.id_slots || st.st_uid >= w->c.id_base);
	destroy_ok(w, A);
	assert_int_equal(unlink(made), 0);
}

/* By its name, under the offer that serves it, and from the helper's own table. */
static void a_template_s_grant_is_its_own(void **state)
{
	static const char LOOK[] = "ls /dev/given /models 2>/dev/null; grep CapBnd "
				   "/proc/self/status",
			  GIVEN[] =
				  "/dev/given\n\n/models:\none\nroot\nCapBnd:\t00000000800435fb\n",
			  NOTHING[] = "CapBnd:\t00000000800405fb\n",
			  ASK[] = "\"template\":\"box\",\"capabilities\":{\"add\":[\"NET_RAW\"]}";
	struct world *w = *state;

	runs_under(w, A, "box", ASK);
	assert_says(w, A, LOOK, GIVEN);
	assert_beside_says(w, A, LOOK, GIVEN);
	helper_down(w, SIGKILL);
	helper_up(w);
	assert_beside_says(w, A, LOOK, GIVEN); /* also by its record */
	destroy_ok(w, A);
	runs_under(w, A, "box", NULL); /* the offer alone has nothing of it */
	assert_says(w, A, LOOK, NOTHING);
	destroy_ok(w, A);
	runs_under(w, A, "plain", "\"template\":\"box\""); /* another offer does not serve it */
	assert_says(w, A, LOOK, NOTHING);
	destroy_ok(w, A);
	refused_under(w, A, "plain", ASK, "capabilities.add: this provider does not offer");
	destroy_ok(w, A);
	refused_under(w, A, "box",
		      "\"template\":\"box\",\"capabilities\":{\"add\":[\"SYS_PTRACE\"]}",
		      "capabilities.add: this provider does not offer");
	destroy_ok(w, A);
}

static void buyers_get_what_the_offer_allows(void **state)
{
	static const char ASK[] = "\"capabilities\":{\"add\":[\"NET_RAW\"]}";
	struct world *w = *state;

	refused_under(w, A, "plain", ASK, "capabilities.add: this provider does not offer");
	destroy_ok(w, A);
	runs_under(w, A, "allow", ASK);
	assert_beside_says(w, A, "grep CapBnd /proc/self/status", "CapBnd:\t00000000800425fb\n");
	assert_says(w, A, "grep CapBnd /proc/self/status", "CapBnd:\t00000000800425fb\n");
	destroy_ok(w, A);
	runs_under(w, A, "allow",
		   "\"capabilities\":{\"add\":[\"KILL\"],\"drop\":[\"KILL\",\"CHOWN\"]}");
	assert_says(w, A, "grep CapBnd /proc/self/status", "CapBnd:\t00000000800405fa\n");
	destroy_ok(w, A);
}

static void privileged_is_a_grant_s_alone(void **state)
{
	static const char LOOK[] = "grep Seccomp: /proc/self/status; /run/lease.probe | "
				   "grep -E '^(few|masked|user|own)' | cut -d' ' -f1,2";
	struct world *w = *state;

	runs_under(w, A, "privileged", NULL);
	assert_says(w, A, LOOK,
		    "Seccomp:\t0\nuser-namespace yes\nfew-capabilities no\n"
		    "masked-paths no\nown-disk yes\n");
	destroy_ok(w, A);
	runs_under(w, A, "plain", NULL);
	assert_says(w, A, LOOK,
		    "Seccomp:\t2\nuser-namespace yes\nfew-capabilities yes\n"
		    "masked-paths yes\nown-disk yes\n");
	destroy_ok(w, A);
}

/* Who asks for none at all has none. */
static void the_host_s_network_is_a_grant_s_alone(void **state)
{
	static const char LOOK[] = "readlink /proc/self/ns/net; grep NoNewPrivs /proc/self/status";
	struct world *w = *state;
	char ours[64], want[128], mine[128];
	ssize_t n = readlink("/proc/self/ns/net", ours, sizeof(ours) - 1);

	assert_true(n > 0);
	ours[n] = '\0';
	snprintf(want, sizeof(want), "%s\nNoNewPrivs:\t0\n", ours);
	runs_under(w, A, "host", NULL);
	assert_says(w, A, LOOK, want);
	assert_beside_says(w, A, "readlink /proc/self/ns/net; grep NoNewPrivs /proc/self/status",
			   want);
	snprintf(mine, sizeof(mine), "test $(readlink /proc/self/ns/net) != '%s' && echo own",
		 ours);
	destroy_ok(w, A);
	runs_under(w, A, "host", "\"network\":\"none\"");
	assert_says(w, A, mine, "own\n");
	destroy_ok(w, A);
	runs_under(w, A, "plain", NULL);
	assert_says(w, A, mine, "own\n");
	destroy_ok(w, A);
}

/* Also after a failed one the next begins with nothing. */
static int drop_leases(void **state)
{
	static const char *const IDS[] = {A, B, C};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(IDS); i++) {
		struct priv_destroy m;
		struct answer a;

		memcpy(m.id, IDS[i], sizeof(m.id));
		do_destroy(w, &m, &a);
		free_answer(&a, PRIV_BOX_DESTROY);
	}
	return 0;
}

#ifdef WITH_DOCKER

/* Root there is the machine's; what it may is the offer's all the same. */
static void docker_gives_what_the_offer_has(void **state)
{
	static const char CAPS[] = "grep CapBnd /proc/self/status",
			  ASK[] = "\"capabilities\":{\"add\":[\"NET_RAW\"]}";
	struct world *w = *state;

	runs_under(w, A, "given", NULL);
	assert_says(w, A, CAPS, "CapBnd:\t00000000800415fb\n");
	assert_says(
		w, A,
		": < /dev/given && cat /models/one; (echo > /models/two) 2>/dev/null || echo no; "
		"echo x > /scratch/made && echo made",
		"modelno\nmade\n");
	assert_int_equal(opens_in_group(w, A, "given"), 0);
	destroy_ok(w, A);
	runs_under(w, A, "plain", NULL);
	assert_says(w, A, CAPS, "CapBnd:\t00000000800405fb\n");
	assert_says(w, A, "ls /dev/given /models /scratch 2>/dev/null | wc -l", "0\n");
	assert_int_equal(opens_in_group(w, A, "given"), EPERM);
	destroy_ok(w, A);
	refused_under(w, A, "plain", ASK, "capabilities.add: this provider does not offer");
	destroy_ok(w, A);
	runs_under(w, A, "allow", ASK);
	assert_says(w, A, CAPS, "CapBnd:\t00000000800425fb\n");
	destroy_ok(w, A);
	runs_under(w, A, "box", "\"template\":\"box\"");
	assert_says(w, A, ": < /dev/given && cat /models/one", "model");
	destroy_ok(w, A);
}

static void docker_gives_each_its_own_card(void **state)
{
	struct world *w = *state;

	runs_under(w, A, "cards", GPU);
	runs_under(w, B, "cards", GPU);
	assert_says(w, A, NUMBERS "; : < nvidia0 && echo opened",
		    "0 0\nnvidia-uvm nvidia0 nvidiactl\nopened\n");
	assert_says(w, B, NUMBERS, "1 0\nnvidia-uvm nvidia1 nvidiactl\n");
	assert_int_equal(opens_in_group(w, A, "nvidia0"), 0);
	assert_int_equal(opens_in_group(w, A, "nvidia1"), EPERM);
	assert_says(w, A, "mknod /tmp/x c 1 11 2>/dev/null || echo no", "no\n");
	destroy_ok(w, A);
	destroy_ok(w, B);
}

static void docker_gives_neither_the_network_nor_all(void **state)
{
	struct world *w = *state;

	refused_under(w, A, "privileged", NULL, "runs nothing privileged");
	destroy_ok(w, A);
	refused_under(w, A, "host", NULL, "in the host's network");
	destroy_ok(w, A);
}

static int with_daemon(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(docker_gives_what_the_offer_has, drop_leases),
		cmocka_unit_test_teardown(docker_gives_each_its_own_card, drop_leases),
		cmocka_unit_test_teardown(docker_gives_neither_the_network_nor_all, drop_leases),
	};

	setenv("LEASED_TEST_DOCKER", dockerd.host, 1);
	return cmocka_run_group_tests(tests, set_up_offers, tear_down_offers);
}

int main(void)
{
	return dockerd_main(with_daemon);
}
#else
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(two_leases_never_have_the_same_card, drop_leases),
		cmocka_unit_test_teardown(cards_are_what_the_offer_has, drop_leases),
		cmocka_unit_test_teardown(the_device_cgroup_refuses_the_others_card, drop_leases),
		cmocka_unit_test_teardown(what_cdi_says_is_inside, drop_leases),
		cmocka_unit_test_teardown(a_grant_is_the_offer_s_alone, drop_leases),
		cmocka_unit_test_teardown(a_template_s_grant_is_its_own, drop_leases),
		cmocka_unit_test_teardown(folders_keep_their_owners, drop_leases),
		cmocka_unit_test_teardown(buyers_get_what_the_offer_allows, drop_leases),
		cmocka_unit_test_teardown(the_host_s_network_is_a_grant_s_alone, drop_leases),
		cmocka_unit_test_teardown(privileged_is_a_grant_s_alone, drop_leases),
	};

	return cmocka_run_group_tests(tests, set_up_offers, tear_down_offers);
}
#endif
