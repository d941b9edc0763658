/* Allow-lists of capabilities, process limits and kernel settings. */
#include "spec/powers.h"

#include <string.h>
#include <sys/resource.h>

#include "base/auto.h"
#include "spec/read.h"

enum cap_class { CAP_USUAL, CAP_REQUESTABLE, CAP_OPERATOR };

static const struct {
	const char *name;
	enum cap_class class;
} CAPS[SPEC_CAPS] = {
	{"CAP_AUDIT_CONTROL", CAP_OPERATOR},
	{"CAP_AUDIT_READ", CAP_OPERATOR},
	{"CAP_AUDIT_WRITE", CAP_REQUESTABLE},
	{"CAP_BLOCK_SUSPEND", CAP_OPERATOR},
	{"CAP_BPF", CAP_OPERATOR},
	{"CAP_CHECKPOINT_RESTORE", CAP_OPERATOR},
	{"CAP_CHOWN", CAP_USUAL},
	{"CAP_DAC_OVERRIDE", CAP_USUAL},
	{"CAP_DAC_READ_SEARCH", CAP_OPERATOR},
	{"CAP_FOWNER", CAP_USUAL},
	{"CAP_FSETID", CAP_USUAL},
	{"CAP_IPC_LOCK", CAP_REQUESTABLE},
	{"CAP_IPC_OWNER", CAP_OPERATOR},
	{"CAP_KILL", CAP_USUAL},
	{"CAP_LEASE", CAP_OPERATOR},
	{"CAP_LINUX_IMMUTABLE", CAP_OPERATOR},
	{"CAP_MAC_ADMIN", CAP_OPERATOR},
	{"CAP_MAC_OVERRIDE", CAP_OPERATOR},
	{"CAP_MKNOD", CAP_REQUESTABLE},
	{"CAP_NET_ADMIN", CAP_REQUESTABLE},
	{"CAP_NET_BIND_SERVICE", CAP_USUAL},
	{"CAP_NET_BROADCAST", CAP_OPERATOR},
	{"CAP_NET_RAW", CAP_REQUESTABLE},
	{"CAP_PERFMON", CAP_OPERATOR},
	{"CAP_SETFCAP", CAP_USUAL},
	{"CAP_SETGID", CAP_USUAL},
	{"CAP_SETPCAP", CAP_USUAL},
	{"CAP_SETUID", CAP_USUAL},
	{"CAP_SYSLOG", CAP_OPERATOR},
	{"CAP_SYS_ADMIN", CAP_OPERATOR},
	{"CAP_SYS_BOOT", CAP_OPERATOR},
	{"CAP_SYS_CHROOT", CAP_USUAL},
	{"CAP_SYS_MODULE", CAP_OPERATOR},
	{"CAP_SYS_NICE", CAP_REQUESTABLE},
	{"CAP_SYS_PACCT", CAP_OPERATOR},
	{"CAP_SYS_PTRACE", CAP_REQUESTABLE},
	{"CAP_SYS_RAWIO", CAP_OPERATOR},
	{"CAP_SYS_RESOURCE", CAP_OPERATOR},
	{"CAP_SYS_TIME", CAP_OPERATOR},
	{"CAP_SYS_TTY_CONFIG", CAP_OPERATOR},
	{"CAP_WAKE_ALARM", CAP_OPERATOR},
};

/* Maxima that hosts usually allow; the policy compares with what this one does. */
static const struct {
	const char *name;
	int number;
	uint64_t max;
} RLIMITS[SPEC_RLIMITS] = {
	[SPEC_RLIMIT_AS] = {"as", RLIMIT_AS, JSON_INT_MAX},
	[SPEC_RLIMIT_CPU] = {"cpu", RLIMIT_CPU, JSON_INT_MAX},
	[SPEC_RLIMIT_DATA] = {"data", RLIMIT_DATA, JSON_INT_MAX},
	[SPEC_RLIMIT_FSIZE] = {"fsize", RLIMIT_FSIZE, JSON_INT_MAX},
	[SPEC_RLIMIT_MEMLOCK] = {"memlock", RLIMIT_MEMLOCK, UINT64_C(64) << 20},
	[SPEC_RLIMIT_NOFILE] = {"nofile", RLIMIT_NOFILE, 1048576},
	[SPEC_RLIMIT_NPROC] = {"nproc", RLIMIT_NPROC, 4194304},
	[SPEC_RLIMIT_STACK] = {"stack", RLIMIT_STACK, JSON_INT_MAX},
};

/* Of the container's own network, IPC and mount namespaces, each. */
static const char *const SYSCTLS[] = {
	"fs.mqueue.msg_default",
	"fs.mqueue.msg_max",
	"fs.mqueue.msgsize_default",
	"fs.mqueue.msgsize_max",
	"fs.mqueue.queues_max",
	"kernel.msgmax",
	"kernel.msgmnb",
	"kernel.msgmni",
	"kernel.sem",
	"kernel.shm_rmid_forced",
	"kernel.shmall",
	"kernel.shmmax",
	"kernel.shmmni",
	"net.core.somaxconn",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_max_syn_backlog",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_tw_reuse",
	"net.ipv4.tcp_wmem",
};

static uint64_t caps_up_to(enum cap_class class)
{
	uint64_t set = 0;

	for (size_t i = 0; i < SPEC_CAPS; i++)
		if (CAPS[i].class <= class)
			set |= UINT64_C(1) << i;
	return set;
}

uint64_t spec_caps_usual(void)
{
	return caps_up_to(CAP_USUAL);
}

uint64_t spec_caps_requestable(void)
{
	return caps_up_to(CAP_REQUESTABLE);
}

uint64_t spec_caps_all(void)
{
	return caps_up_to(CAP_OPERATOR);
}

const char *spec_cap_name(size_t bit)
{
	return CAPS[bit].name;
}

uint64_t spec_cap(struct str name)
{
	for (size_t i = 0; i < SPEC_CAPS; i++)
		if (str_is(name, CAPS[i].name) || str_is(name, CAPS[i].name + strlen("CAP_")))
			return UINT64_C(1) << i;
	return 0;
}

const char *spec_rlimit_name(enum spec_rlimit_name i)
{
	return RLIMITS[i].name;
}

int spec_rlimit_number(enum spec_rlimit_name i)
{
	return RLIMITS[i].number;
}

static int read_cap_list(uint64_t *out, const struct json *obj, const char *key, uint64_t allowed,
			 struct err *e)
{
	const struct json *list;
	struct str s = {"", 0};
	char shown[32];
	int r = read_child(&list, obj, key, JSON_ARRAY, e);

	if (r < 0)
		return -1;
	for (const struct json *j = r ? NULL : json_first(list); j; j = json_next(j)) {
		uint64_t bit = json_as_str(j, &s) ? spec_cap(s) : 0;

		str_printable(shown, sizeof(shown), s);
		if (!bit)
			return err_set(e, ERRK_INPUT, "%s: unknown capability \"%s\"", key, shown);
		if (bit & ~allowed)
			return err_set(e, ERRK_DENIED,
				       "%s: %s comes from the operator's template only", key,
				       shown);
		*out |= bit;
	}
	return 0;
}

static int read_caps(struct spec_powers *out, const struct json *spec, struct err *e)
{
	static const char *const NAMES[] = {"add", "drop", NULL};
	const struct json *obj;
	int r = read_child(&obj, spec, "capabilities", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (read_known(obj, NAMES, e) ||
	    read_cap_list(&out->add, obj, "add", spec_caps_requestable(), e) ||
	    read_cap_list(&out->drop, obj, "drop", spec_caps_all(), e))
		return read_under(e, "capabilities.");
	return 0;
}

static int read_rlimit(struct spec_rlimit *out, const struct json *obj, uint64_t max, struct err *e)
{
	static const char *const NAMES[] = {"soft", "hard", NULL};
	const struct read_range range = {0, max};
	uint64_t soft = UINT64_MAX;

	out->hard = 0;
	if (read_known(obj, NAMES, e) || read_number(&soft, obj, "soft", range, e) ||
	    read_number(&out->hard, obj, "hard", (struct read_range){1, max}, e))
		return -1;
	if (out->hard == 0)
		return err_set(e, ERRK_INPUT, "hard: missing");
	out->soft = soft == UINT64_MAX ? out->hard : soft;
	return out->soft <= out->hard ? 0 : err_set(e, ERRK_INPUT, "soft: above hard");
}

static int read_rlimits(struct spec_powers *out, const struct json *spec, struct err *e)
{
	const char *names[SPEC_RLIMITS + 1] = {NULL};
	const struct json *all, *obj;
	int r = read_child(&all, spec, "rlimits", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		names[i] = RLIMITS[i].name;
	if (read_known(all, names, e))
		return read_under(e, "rlimits.");
	for (size_t i = 0; i < SPEC_RLIMITS; i++) {
		r = read_child(&obj, all, names[i], JSON_OBJECT, e);
		if (r < 0)
			return read_under(e, "rlimits.");
		if (r == 0 && read_rlimit(&out->rlimits[i], obj, RLIMITS[i].max, e))
			return read_under(e, "rlimits.%s.", names[i]);
	}
	return 0;
}

int spec_powers_read(struct spec_powers *out, const struct json *spec, struct err *e)
{
	return read_caps(out, spec, e) || read_rlimits(out, spec, e) ? -1 : 0;
}

static void write_caps(struct jsonw *w, const char *key, uint64_t set)
{
	if (!set)
		return;
	jsonw_array(w, key);
	for (size_t i = 0; i < SPEC_CAPS; i++)
		if (set >> i & 1)
			jsonw_text(w, NULL, CAPS[i].name + strlen("CAP_"));
	jsonw_end_array(w);
}

static void write_rlimits(struct jsonw *w, const struct spec_rlimit *limits)
{
	uint64_t any = 0;

	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		any |= limits[i].hard;
	if (!any)
		return;
	jsonw_object(w, "rlimits");
	for (size_t i = 0; i < SPEC_RLIMITS; i++) {
		if (!limits[i].hard)
			continue;
		jsonw_object(w, RLIMITS[i].name);
		jsonw_u64(w, "soft", limits[i].soft);
		jsonw_u64(w, "hard", limits[i].hard);
		jsonw_end_object(w);
	}
	jsonw_end_object(w);
}

void spec_powers_write(struct jsonw *w, const struct spec_powers *p)
{
	if (p->add | p->drop) {
		jsonw_object(w, "capabilities");
		write_caps(w, "add", p->add);
		write_caps(w, "drop", p->drop);
		jsonw_end_object(w);
	}
	write_rlimits(w, p->rlimits);
}

int spec_powers_check(const struct spec_powers *p, struct err *e)
{
	if (p->add & ~spec_caps_requestable())
		return err_set(e, ERRK_DENIED, "capabilities.add: not for buyers");
	if (p->drop & ~spec_caps_all())
		return err_set(e, ERRK_INPUT, "capabilities.drop: unknown");
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (p->rlimits[i].soft > p->rlimits[i].hard || p->rlimits[i].hard > RLIMITS[i].max)
			return err_set(e, ERRK_INPUT, "rlimits.%s: out of range", RLIMITS[i].name);
	return 0;
}

/* Whole numbers of at most 18 digits, a blank between them. */
static bool is_numbers(struct str value)
{
	struct str piece, rest = value;
	uint64_t n;

	if (value.n == 0 || value.n > SPEC_SYSCTL_VALUE_MAX)
		return false;
	while (str_cut(&rest, ' ', &piece))
		if (piece.n > 18 || str_u64(piece, UINT64_MAX, &n, NULL))
			return false;
	return value.p[value.n - 1] != ' ';
}

int spec_sysctl_check(struct str name, struct str value, struct err *e)
{
	char shown[64];

	str_printable(shown, sizeof(shown), name);
	for (size_t i = 0; i < ARRAY_SIZE(SYSCTLS); i++) {
		if (!str_is(name, SYSCTLS[i]))
			continue;
		if (!is_numbers(value))
			return err_set(e, ERRK_INPUT,
				       "sysctls.%s: whole numbers with a blank between them",
				       shown);
		return 0;
	}
	return err_set(e, ERRK_DENIED, "sysctls.%s: not a setting of the container's own", shown);
}
