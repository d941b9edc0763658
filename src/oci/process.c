/* The process object: who runs what, with which powers. */
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "oci/parts.h"

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

int oci_caps(uint64_t *out, const struct spec *s, uint64_t offered, const struct spec_grant *g,
	     struct err *e)
{
	uint64_t beyond = s->powers.add & ~(spec_caps_usual() | offered);

	if (beyond)
		return err_set(e, ERRK_DENIED, "capabilities.add: %s is not given to buyers",
			       spec_cap_name((size_t)__builtin_ctzll(beyond)));
	/* Docker's order: what is asked for by its name is there, also after "drop ALL" */
	*out = (spec_caps_usual() & ~s->powers.drop) | s->powers.add;
	if (g)
		*out |= spec_grant_caps(g);
	return 0;
}

static void write_cap_set(struct jsonw *w, const char *key, uint64_t set)
{
	jsonw_array(w, key);
	for (size_t i = 0; i < SPEC_CAPS; i++)
		if (set >> i & 1)
			jsonw_text(w, NULL, spec_cap_name(i));
	jsonw_end_array(w);
}

/* Never inheritable or ambient (CVE-2022-29162). Only root has them from the start: the runtime
 * would give them to any other user as well. */
static void write_capabilities(struct jsonw *w, uint64_t set, uint32_t uid)
{
	uint64_t now = uid == 0 ? set : 0;

	jsonw_object(w, "capabilities");
	write_cap_set(w, "bounding", set);
	write_cap_set(w, "effective", now);
	write_cap_set(w, "permitted", now);
	jsonw_end_object(w);
}

static void write_rlimit(struct jsonw *w, const char *type, struct spec_rlimit l)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "type", type);
	jsonw_u64(w, "hard", l.hard);
	jsonw_u64(w, "soft", l.soft);
	jsonw_end_object(w);
}

static void write_rlimits(struct jsonw *w, const struct process *p)
{
	static const char *const TYPES[SPEC_RLIMITS] = {
		[SPEC_RLIMIT_AS] = "RLIMIT_AS",		  [SPEC_RLIMIT_CPU] = "RLIMIT_CPU",
		[SPEC_RLIMIT_DATA] = "RLIMIT_DATA",	  [SPEC_RLIMIT_FSIZE] = "RLIMIT_FSIZE",
		[SPEC_RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK", [SPEC_RLIMIT_NOFILE] = "RLIMIT_NOFILE",
		[SPEC_RLIMIT_NPROC] = "RLIMIT_NPROC",	  [SPEC_RLIMIT_STACK] = "RLIMIT_STACK",
	};
	const uint64_t usual = 65536;

	jsonw_array(w, "rlimits");
	write_rlimit(w, "RLIMIT_CORE", (struct spec_rlimit){0, 0});
	for (size_t i = 0; i < SPEC_RLIMITS; i++)
		if (p->rlimits[i].hard)
			write_rlimit(w, TYPES[i], p->rlimits[i]);
	if (p->nofile && !p->rlimits[SPEC_RLIMIT_NOFILE].hard)
		write_rlimit(
			w, "RLIMIT_NOFILE",
			(struct spec_rlimit){p->nofile < usual ? p->nofile : usual, p->nofile});
	jsonw_end_array(w);
}

void part_process(struct jsonw *w, const char *key, const struct process *p)
{
	jsonw_object(w, key);
	jsonw_bool(w, "terminal", p->terminal);
	write_user(w, p->user);
	jsonw_array(w, "args");
	for (size_t i = 0; i < p->argc; i++)
		jsonw_str(w, NULL, str_of(p->argv[i]));
	jsonw_end_array(w);
	env_write(w, p->env);
	jsonw_text(w, "cwd", p->cwd);
	write_capabilities(w, p->caps, p->user->uid);
	write_rlimits(w, p);
	jsonw_text(w, "apparmorProfile", p->apparmor);
	jsonw_bool(w, "noNewPrivileges", !p->new_privileges);
	jsonw_end_object(w);
}

int part_workdir(const char **cwd, const struct spec *s, const struct image_config *img,
		 struct err *e)
{
	auto_spec struct spec checked = {0};

	*cwd = s->workdir ? s->workdir : img->workdir[0] ? img->workdir : "/";
	return spec_set_workdir(&checked, str_of(*cwd), e);
}

static int exec_workdir(const char **cwd, const struct spec *s, const struct image_config *img,
			const struct oci_exec *x, struct err *e)
{
	auto_spec struct spec checked = {0};

	if (part_workdir(cwd, s, img, e) ||
	    (x->workdir && spec_set_workdir(&checked, str_of(x->workdir), e)))
		return -1;
	if (x->workdir)
		*cwd = x->workdir;
	return 0;
}

static int build_exec_env(struct env *env, const struct spec *s, const struct image_config *img,
			  const struct oci_exec *x, struct err *e)
{
	if (env_build(env, s, img, &x->user, e))
		return -1;
	for (size_t i = 0; i < x->nenv && i < SPEC_ENV_MAX; i++)
		if (env_add(env, s, &x->env[i], e))
			return -1;
	env_add_gpus(env, &x->gpus);
	return 0;
}

int oci_env_texts(struct buf *out, const char **workdir, const struct spec *s,
		  const struct image_config *img, const struct oci_exec *x, struct err *e)
{
	auto_env struct env *env = mem_zero(sizeof(*env));

	if (exec_workdir(workdir, s, img, x, e) || build_exec_env(env, s, img, x, e))
		return -1;
	for (size_t i = 0; i < env->n; i++) {
		buf_str(out, env->v[i].name);
		buf_byte(out, '=');
		buf_str(out, env->v[i].value);
		buf_byte(out, '\0');
	}
	return buf_check(out, "environment", e);
}

int oci_exec(struct buf *out, const struct spec *s, const struct image_config *img,
	     const struct oci_exec *x, struct err *e)
{
	auto_env struct env *env = mem_zero(sizeof(*env));
	struct process p = {.argv = x->argv,
			    .user = &x->user,
			    .env = env,
			    .nofile = x->nofile,
			    .rlimits = s->powers.rlimits,
			    .apparmor = x->grant && x->grant->privileged ? NULL : x->apparmor,
			    .new_privileges = x->grant && x->grant->new_privileges};
	struct jsonw w = JSONW(out);

	while (x->argv[p.argc])
		p.argc++;
	if (p.argc == 0)
		return err_set(e, ERRK_INPUT, "no command");
	if (oci_caps(&p.caps, s, x->caps, x->grant, e) || exec_workdir(&p.cwd, s, img, x, e) ||
	    build_exec_env(env, s, img, x, e))
		return -1;
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
