/* doctor's look at Docker's daemon, where offers have it. */
#include <string.h>

#include "base/mem.h"
#include "base/proc.h"
#include "ctl/doctor.h"

enum { RUN_MS = 10000, SAYS_MAX = 65536 };

/* Lines, in this order. */
struct daemon {
	struct str version, driver, cgroups, security;
};

#define DAEMON "{{.ServerVersion}}\n{{.CgroupDriver}}\n{{.CgroupVersion}}\n{{.SecurityOptions}}"

static void say_silent(struct doctor *d, const struct proc_result *r)
{
	struct str rest = str_trim(buf_view(&r->err)), line = {NULL, 0};
	char why[200];

	str_cut(&rest, '\n', &line);
	str_printable(why, sizeof(why), line);
	doctor_say(d, DOCTOR_FAIL, "docker", "systemctl start docker, or correct [runtime] docker",
		   "no daemon answers at %s: %s", d->conf->docker, why);
}

static void check_driver(struct doctor *d, const struct daemon *x)
{
	if (str_is(x->driver, "cgroupfs"))
		doctor_say(d, DOCTOR_OK, "docker: cgroups", NULL, "by path, version %.*s",
			   (int)x->cgroups.n, x->cgroups.p);
	else
		doctor_say(d, DOCTOR_WARN, "docker: cgroups",
			   "\"exec-opts\": [\"native.cgroupdriver=cgroupfs\"] in "
			   "/etc/docker/daemon.json",
			   "%.*s names them: what leases use is not measured, their limits hold",
			   (int)x->driver.n, x->driver.p);
}

static bool has_word(struct str s, const char *word)
{
	auto_free char *text = mem_strndup(s.p, s.n);

	return strstr(text, word) != NULL;
}

static void check_users(struct doctor *d, const struct daemon *x)
{
	const char *fix = "a daemon without it for leases: [runtime] docker";

	if (has_word(x->security, "name=rootless"))
		doctor_say(d, DOCTOR_FAIL, "docker: users", fix,
			   "rootless: it cannot mount the disks of leases");
	else if (has_word(x->security, "name=userns"))
		doctor_say(d, DOCTOR_FAIL, "docker: users", fix,
			   "userns-remap: files of leases would belong to nobody");
	else
		doctor_say(
			d, DOCTOR_WARN, "docker: users", "backend = oci",
			"root in a lease is root of this machine, with few powers; offers say so");
}

static void check_daemon(struct doctor *d, struct str said)
{
	struct daemon x = {0};

	str_cut(&said, '\n', &x.version);
	str_cut(&said, '\n', &x.driver);
	str_cut(&said, '\n', &x.cgroups);
	str_cut(&said, '\n', &x.security);
	doctor_say(d, DOCTOR_OK, "docker", NULL, "version %.*s answers at %s", (int)x.version.n,
		   x.version.p, d->conf->docker);
	check_driver(d, &x);
	check_users(d, &x);
}

void doctor_docker(struct doctor *d)
{
	const char *const argv[] = {"docker",	"--host",	d->conf->docker,
				    "--config", "/nonexistent", "info",
				    "--format", DAEMON,		NULL};
	struct proc_spec s = {.argv = argv, .in = -1, .out = -1, .err = -1};
	struct proc_result r = {.out = BUF(SAYS_MAX), .err = BUF(SAYS_MAX)};
	struct err e = {0};

	if (!config_uses(d->conf, CONFIG_DOCKER))
		return;
	if (proc_run(&s, NULL, 0, RUN_MS, &r, &e) < 0)
		doctor_say(d, DOCTOR_FAIL, "docker", "apt install docker.io", "%s", e.msg);
	else if (r.status != 0)
		say_silent(d, &r);
	else
		check_daemon(d, str_trim(buf_view(&r.out)));
	proc_result_free(&r);
}
