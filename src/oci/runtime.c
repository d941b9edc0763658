/* The table of runtimes, and comparing versions. */
#include "oci/runtime.h"

#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/proc.h"

/* runc's verbs live for milliseconds: nothing is worth collecting. With one processor (GOMAXPROCS)
 * they take longer, as whoever blocks must be noticed first. Other runtimes hand their environment
 * on to what stays. */
static const char *const RUNC_ENV[] = {"PATH=" PROC_PATH, "LANG=C", "GOGC=off", NULL};

static const struct oci_runtime RUNTIMES[] = {
	{.name = "runc",
	 .isolation = "shared-kernel",
	 .env = RUNC_ENV,
	 .seccomp = true,
	 .unified = true,
	 .exec_group = 1,
	 .gate = "exec.fifo",
	 .floors = {"1.3.6", "1.4.3", "1.5.0"}},
	{.name = "crun",
	 .isolation = "shared-kernel",
	 .seccomp = true,
	 .unified = true,
	 .exec_group = 2,
	 .floors = {"1.28"}},
	/* Its own kernel answers the system calls; the filter of config.json is not applied. It
	 * copies addresses and routes into a network of its own, and fails where there are none.
	 * Where it gets no more threads it dies, and the lease with it. */
	{.name = "runsc",
	 .isolation = "user-kernel",
	 .option = "--fsgofer-host-uds", /* for the socket that is mounted inside */
	 .alone = "--network=none",
	 .state_file = true,
	 .writable = true,
	 .tasks = 256,
	 .tasks_each = 4},
	{.name = "krun", .isolation = "vm", .seccomp = true, .unified = true, .floors = {"1.28"}},
};
static const struct oci_runtime OTHER = {
	.name = "other", .isolation = "shared-kernel", .seccomp = true};

const struct oci_runtime *oci_runtime(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < ARRAY_SIZE(RUNTIMES); i++)
		if (strcmp(RUNTIMES[i].name, name) == 0)
			return &RUNTIMES[i];
	return &OTHER;
}

#define PARTS 3

/* The numbers at the beginning: "1.1.5+ds1" has three, "release-20240729.0" begins after its
 * word. */
static unsigned read_version(uint64_t parts[PARTS], struct str version)
{
	unsigned n = 0;

	memset(parts, 0, PARTS * sizeof(*parts));
	while (version.n > 0 && (version.p[0] < '0' || version.p[0] > '9')) {
		version.p++;
		version.n--;
	}
	while (n < PARTS) {
		size_t digits = 0;

		while (digits < version.n && version.p[digits] >= '0' && version.p[digits] <= '9')
			digits++;
		if (digits == 0 ||
		    str_u64((struct str){version.p, digits}, UINT32_MAX, &parts[n], NULL) < 0)
			return n;
		n++;
		if (digits == version.n || version.p[digits] != '.')
			return n;
		version.p += digits + 1;
		version.n -= digits + 1;
	}
	return n;
}

static int compare(const uint64_t a[PARTS], const uint64_t b[PARTS])
{
	for (size_t i = 0; i < PARTS; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

/* Good is: at or above the floor of its own line (same first two numbers), or above the highest. */
static bool is_good(const struct oci_runtime *r, const uint64_t have[PARTS])
{
	uint64_t floor[PARTS] = {0};

	for (size_t i = 0; i < OCI_RUNTIME_LINES && r->floors[i]; i++) {
		read_version(floor, str_of(r->floors[i]));
		if (have[0] == floor[0] && have[1] == floor[1])
			return compare(have, floor) >= 0;
	}
	return compare(have, floor) >= 0;
}

int oci_runtime_check(const struct oci_runtime *r, struct str version, struct err *why)
{
	uint64_t have[PARTS];
	char shown[64];

	str_printable(shown, sizeof(shown), version);
	if (!r->floors[0] || !read_version(have, version)) {
		err_set(why, ERRK_STATE, "nothing is known of %s %s", r->name, shown);
		return OCI_RUNTIME_UNKNOWN;
	}
	if (is_good(r, have))
		return 0;
	err_set(why, ERRK_STATE, "%s %s has known ways out; take %s or later", r->name, shown,
		r->floors[0]);
	return OCI_RUNTIME_OLD;
}
