/* What a lease is kept in by, as far as it follows from runtime and host; see guards.h. */
#include "oci/guards.h"

#include "base/auto.h"
#include "base/fs.h"
#include "spec/guard.h"
#include "spec/powers.h"

#define PROFILES_MAX ((size_t)1 << 20)

bool oci_apparmor_on(void)
{
	auto_buf struct buf text = BUF(16);

	return fs_read(&text, "/sys/module/apparmor/parameters/enabled", NULL) == 0 &&
	       str_starts(buf_view(&text), "Y");
}

/* A line of it: "leased-tenant (enforce)". */
const char *oci_apparmor(void)
{
	auto_buf struct buf text = BUF(PROFILES_MAX);
	struct str rest, line;

	if (!oci_apparmor_on() ||
	    fs_read(&text, "/sys/kernel/security/apparmor/profiles", NULL) != 0)
		return NULL;
	for (rest = buf_view(&text); rest.n > 0 && str_cut(&rest, '\n', &line);)
		if (str_is(line, OCI_APPARMOR " (enforce)"))
			return OCI_APPARMOR;
	return NULL;
}

uint32_t oci_guards(const struct oci_runtime *r, const struct oci_host *h)
{
	/* What config.json says of a process holds with every runtime. */
	uint32_t bits = spec_guard_bit(SPEC_GUARD_NO_NEW_PRIVILEGES) |
			spec_guard_bit(SPEC_GUARD_FEW_CAPABILITIES) |
			spec_guard_bit(SPEC_GUARD_NO_CORE_DUMPS) |
			spec_guard_bit(SPEC_GUARD_REAL_FOLDERS);

	if (!r->seccomp) /* a kernel of its own: looked at from inside, it is that one that answers
			  */
		return bits;
	bits |= spec_guard_bit(SPEC_GUARD_NAMESPACES) | spec_guard_bit(SPEC_GUARD_MASKED_PATHS) |
		spec_guard_bit(SPEC_GUARD_CLOSED_DESCRIPTORS) | spec_guard_bit(SPEC_GUARD_LIMITS) |
		spec_guard_bit(SPEC_GUARD_OWN_DISK);
	if (h->user_namespace)
		bits |= spec_guard_bit(SPEC_GUARD_USER_NAMESPACE);
	if (h->seccomp)
		bits |= spec_guard_bit(SPEC_GUARD_SECCOMP);
	if (h->cgroup_version == 2)
		bits |= spec_guard_bit(SPEC_GUARD_CGROUP_V2);
	if (h->apparmor)
		bits |= spec_guard_bit(SPEC_GUARD_APPARMOR);
	return bits;
}

uint32_t oci_guards_off(uint64_t caps, const struct spec_grant *g)
{
	uint64_t all = caps | (g ? spec_grant_caps(g) : 0);
	uint32_t bits = 0;

	if (all & ~spec_caps_usual())
		bits |= spec_guard_bit(SPEC_GUARD_FEW_CAPABILITIES);
	if (g && g->new_privileges)
		bits |= spec_guard_bit(SPEC_GUARD_NO_NEW_PRIVILEGES);
	if (g && g->host_network)
		bits |= spec_guard_bit(SPEC_GUARD_NAMESPACES);
	if (g && g->privileged)
		bits |= spec_guard_bit(SPEC_GUARD_SECCOMP) |
			spec_guard_bit(SPEC_GUARD_MASKED_PATHS) |
			spec_guard_bit(SPEC_GUARD_APPARMOR);
	return bits;
}
