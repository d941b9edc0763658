/* The process object: who runs what, with which powers. */
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "oci/parts.h"

/* Podman's eleven: Docker's fourteen without MKNOD, NET_RAW and AUDIT_WRITE. */
static const char *const CAPABILITIES[] = {
	"CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",	 "CAP_FSETID",
	"CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",	 "CAP_SETGID",
	"CAP_SETPCAP", "CAP_SETUID",	       "CAP_SYS_CHROOT",
};

void part_strings(struct jsonw *w, const char *key, const char *const *v, size_t n)
{
	jsonw_array(w, key);
	for (size_t i = 0; i < n; i++)
		jsonw_text(w, NULL, v[i]);
	jsonw_end_array(w);
}

static void write_user(struct jsonw *w, const struct image_user *u)
{
	jsonw_object(w, "user");
	jsonw_u64(w, "uid", u->uid);
	jsonw_u64(w, "gid", u->gid);
	if (u->ngroups) {
		jsonw_array(w, "additionalGids");
		for (size_t i = 0; i < u->ngroups && i < IMAGE_GROUPS_MAX; i++)
			jsonw_u64(w, NULL, u->groups[i]);
		jsonw_end_array(w);
	}
	jsonw_end_object(w);
}

/* Never inheritable or ambient (CVE-2022-29162). Only root has them from the start: the runtime
 * would give them to any other user as well. */
static void write_capabilities(struct jsonw *w, uint32_t uid)
{
	size_t n = uid == 0 ? ARRAY_SIZE(CAPABILITIES) : 0;

	jsonw_object(w, "capabilities");
	part_strings(w, "bounding", CAPABILITIES, ARRAY_SIZE(CAPABILITIES));
	part_strings(w, "effective", CAPABILITIES, n);
	part_strings(w, "permitted", CAPABILITIES, n);
	jsonw_end_object(w);
}

static void write_rlimit(struct jsonw *w, const char *type, uint64_t soft, uint64_t hard)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "type", type);
	jsonw_u64(w, "hard", hard);
	jsonw_u64(w, "soft", soft);
	jsonw_end_object(w);
}

static void write_rlimits(struct jsonw *w, uint64_t nofile)
{
	const uint64_t usual = 65536;

	jsonw_array(w, "rlimits");
	write_rlimit(w, "RLIMIT_CORE", 0, 0);
	if (nofile)
		write_rlimit(w, "RLIMIT_NOFILE", nofile < usual ? nofile : usual, nofile);
	jsonw_end_array(w);
}

void part_process(struct jsonw *w, const char *key, const struct process *p)
{
	jsonw_object(w, key);
	jsonw_bool(w, "terminal", false);
	write_user(w, p->user);
	jsonw_array(w, "args");
	for (size_t i = 0; i < p->argc; i++)
		jsonw_str(w, NULL, str_of(p->argv[i]));
	jsonw_end_array(w);
	env_write(w, p->env);
	jsonw_text(w, "cwd", p->cwd);
	write_capabilities(w, p->user->uid);
	write_rlimits(w, p->nofile);
	jsonw_bool(w, "noNewPrivileges", true);
	jsonw_end_object(w);
}

int part_workdir(const char **cwd, const struct spec *s, const struct image_config *img,
		 struct err *e)
{
	auto_spec struct spec checked = {0};

	*cwd = s->workdir ? s->workdir : img->workdir[0] ? img->workdir : "/";
	return spec_set_workdir(&checked, str_of(*cwd), e);
}

int oci_exec(struct buf *out, const struct spec *s, const struct image_config *img,
	     const struct oci_exec *x, struct err *e)
{
	auto_free struct env *env = mem_zero(sizeof(*env));
	struct process p = {.argv = x->argv, .user = &x->user, .env = env, .nofile = x->nofile};
	auto_spec struct spec checked = {0};
	struct jsonw w = JSONW(out);

	while (x->argv[p.argc])
		p.argc++;
	if (p.argc == 0)
		return err_set(e, ERRK_INPUT, "no command");
	if (part_workdir(&p.cwd, s, img, e))
		return -1;
	if (x->workdir && spec_set_workdir(&checked, str_of(x->workdir), e))
		return -1;
	if (x->workdir)
		p.cwd = x->workdir;
	env_build(env, s, img, &x->user);
	for (size_t i = 0; i < x->nenv && i < SPEC_ENV_MAX; i++)
		env_add(env, str_of(x->env[i].name), str_of(x->env[i].value));
	part_process(&w, NULL, &p);
	return buf_check(out, "process object", e);
}

const char *oci_user(const struct spec *s, const struct image_config *img)
{
	if (s->user)
		return s->user;
	return img->user[0] ? img->user : "0";
}

int oci_stop_signal(const struct spec *s, const struct image_config *img)
{
	if (s->stop_signal)
		return s->stop_signal;
	return img->stop_signal ? img->stop_signal : 15;
}

uint32_t oci_stop_timeout(const struct spec *s)
{
	return s->stop_timeout ? s->stop_timeout : 30;
}
