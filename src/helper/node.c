/* /proc, statvfs and uname; what cannot be read stays zero. */
#include "helper/node.h"

#include <inttypes.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "backend/cgroup.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "helper/offer.h"
#include "oci/guards.h"
#include "volume/speed.h"

static void read_text(struct buf *out, const char *path)
{
	if (fs_read(out, path, NULL) != 0)
		buf_reset(out);
}

/* The next word after white space. */
static bool next_word(struct str *rest, struct str *word)
{
	while (str_cut(rest, ' ', word))
		if (word->n > 0)
			return true;
	return false;
}

static uint64_t to_u64(struct str s)
{
	uint64_t v;

	return str_u64(s, INT64_MAX, &v, NULL) == 0 ? v : 0;
}

/* "cpu  user nice system idle iowait irq softirq steal …" */
static void measure_busy(struct priv_node_reply *r, struct node_meter *m)
{
	auto_buf struct buf text = BUF(1 << 20);
	struct str rest, line, word;
	uint64_t total = 0, idle = 0;

	read_text(&text, "/proc/stat");
	rest = buf_view(&text);
	if (!str_cut(&rest, '\n', &line) || !next_word(&line, &word))
		return;
	for (unsigned i = 0; i < 8 && next_word(&line, &word); i++) {
		total += to_u64(word);
		idle += i == 3 || i == 4 ? to_u64(word) : 0;
	}
	if (total > m->total)
		r->cpu_busy_permille =
			(uint32_t)((total - idle - m->busy) * 1000 / (total - m->total));
	if (r->cpu_busy_permille > 1000)
		r->cpu_busy_permille = 1000;
	*m = (struct node_meter){total - idle, total};
}

/* "0.52 0.58 …" to thousandths. */
static void measure_load(struct priv_node_reply *r)
{
	auto_buf struct buf text = BUF(4096);
	struct str rest, word, whole;

	read_text(&text, "/proc/loadavg");
	rest = buf_view(&text);
	if (!next_word(&rest, &word) || !str_cut(&word, '.', &whole))
		return;
	r->load1_milli = to_u64(whole) * 1000;
	if (word.n == 2 && word.p[0] >= '0' && word.p[0] <= '9')
		r->load1_milli += (uint64_t)((word.p[0] - '0') * 100 + (word.p[1] - '0') * 10);
}

static void measure_memory(struct priv_node_reply *r)
{
	auto_buf struct buf text = BUF(65536);
	struct str rest, line, word;

	read_text(&text, "/proc/meminfo");
	for (rest = buf_view(&text); rest.n > 0 && str_cut(&rest, '\n', &line);) {
		uint64_t *into = str_starts(line, "MemTotal:")	     ? &r->memory_total
				 : str_starts(line, "MemAvailable:") ? &r->memory_available
								     : NULL;

		if (into && next_word(&line, &word) && next_word(&line, &word))
			*into = to_u64(word) * 1024;
	}
}

static void measure_disk(struct priv_node_reply *r, const char *dir)
{
	struct statvfs fs;

	if (statvfs(dir, &fs) < 0)
		return;
	r->disk_total = (uint64_t)fs.f_blocks * fs.f_frsize;
	r->disk_free = (uint64_t)fs.f_bavail * fs.f_frsize;
}

static const char *oci_arch(const char *machine)
{
	static const char *const names[][2] = {
		{"x86_64", "amd64"},	{"aarch64", "arm64"},	{"armv7l", "arm"},
		{"riscv64", "riscv64"}, {"ppc64le", "ppc64le"}, {"s390x", "s390x"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i][0], machine) == 0)
			return names[i][1];
	return machine;
}

static char *security_module(void)
{
	auto_buf struct buf text = BUF(4096);
	struct str rest, word;

	read_text(&text, "/sys/kernel/security/lsm");
	for (rest = str_trim(buf_view(&text)); rest.n > 0 && str_cut(&rest, ',', &word);)
		if (str_is(word, "apparmor") || str_is(word, "selinux") || str_is(word, "smack"))
			return mem_strndup(word.p, word.n);
	return mem_strdup("none");
}

/* Of all leases, as far as they are the same; offers say it of theirs. */
static void describe(struct priv_node_reply *r, const struct helper_config *c,
		     const struct probed *probed)
{
	const struct backend *b = offer_backend(c, NULL);
	const struct probed *p = probed_find(probed, b->name);
	struct oci_host host = {.cgroup_version = r->cgroup_version,
				.user_namespace = r->user_namespace,
				.seccomp = r->seccomp,
				.apparmor = oci_apparmor() != NULL};

	r->backend = mem_strdup(b->name);
	r->runtime = mem_strdup(p ? p->runtime : "");
	r->runtime_old = p && p->old;
	r->isolation = mem_strdup(oci_runtime(c->runtime)->isolation);
	r->guards = oci_guards(oci_runtime(c->runtime), &host);
	r->offers.v = mem_array(PRIV_OFFERS_MAX, sizeof(struct priv_node_offer));
	r->offers.n = offer_list(r->offers.v, c, &host, probed);
}

void node_measure(struct priv_node_reply *r, struct node_meter *m, const struct helper_config *c,
		  const struct probed *probed)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname u;

	r->cpus = cpus > 0 ? (uint32_t)cpus : 1;
	measure_busy(r, m);
	measure_load(r);
	measure_memory(r);
	measure_disk(r, c->state_dir);
	r->cgroup_version = (uint32_t)cgroup_version();
	r->user_namespace = c->id_slots > 0;
	r->seccomp = prctl(PR_GET_SECCOMP) >= 0;
	r->activation = c->activation == VOLUME_DM_CRYPT ? PRIV_DM_CRYPT
			: c->activation == VOLUME_FUSE	 ? PRIV_FUSE
							 : PRIV_PLAIN;
	r->header_on_disk = c->survives;
	r->volume_speed = volume_speed(c->state_dir, c->activation);
	r->activation_why = mem_strdup(c->activation_why ? c->activation_why : "");
	if (uname(&u) == 0) {
		r->kernel = mem_strdup(u.release);
		r->arch = mem_strdup(oci_arch(u.machine));
	}
	r->lsm = security_module();
	describe(r, c, probed);
}
