/* leasectl doctor: is this machine, and what it talks to, ready for leases? */
#include "ctl/doctor.h"

#include <stdarg.h>
#include <sys/stat.h>

#include "agent/sandbox.h"
#include "base/fs.h"
#include "base/mem.h"

void doctor_say(struct doctor *d, enum doctor_level level, const char *what, const char *fix,
		const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "fail"};
	char raw[400], finding[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	str_printable(finding, sizeof(finding), str_of(raw));
	d->failed = d->failed || level == DOCTOR_FAIL;
	if (d->ctl->json) {
		jsonw_object(&d->w, NULL);
		jsonw_text(&d->w, "level", words[level]);
		jsonw_text(&d->w, "check", what);
		jsonw_text(&d->w, "finding", finding);
		jsonw_text(&d->w, "fix", level == DOCTOR_OK ? NULL : fix);
		jsonw_end_object(&d->w);
		return;
	}
	printf("%-4s  %s: %s", words[level], what, finding);
	if (level != DOCTOR_OK && fix)
		printf("  (fix: %s)", fix);
	putchar('\n');
	fflush(stdout);
}

bool doctor_number(const char *path, uint64_t *out)
{
	auto_buf struct buf text = BUF(64);

	return fs_read(&text, path, NULL) == 0 &&
	       str_u64(str_trim(buf_view(&text)), INT64_MAX, out, NULL) == 0;
}

/* --- keys --- */

static void check_secret(struct doctor *d, const char *file, const char *path, uid_t owner)
{
	auto_free char *chmod = mem_printf("chmod 600 %s", path);
	struct stat st;

	if (lstat(path, &st))
		doctor_say(d, DOCTOR_FAIL, file, "leasectl init", "%s cannot be read", path);
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		doctor_say(d, DOCTOR_FAIL, file, chmod, "others can read %s", path);
	else if (st.st_uid != owner)
		doctor_say(d, DOCTOR_FAIL, file, "chown it to the user of leased-core",
			   "%s belongs to user %u", path, (unsigned)st.st_uid);
	else
		doctor_say(d, DOCTOR_OK, file, NULL, "there, readable by its owner only");
}

static void check_key(struct doctor *d, const char *file, uid_t owner)
{
	auto_free char *path = mem_printf("%s/core/%s", d->conf->state_dir, file);

	check_secret(d, file, path, owner);
}

static void check_keys(struct doctor *d)
{
	struct sandbox_user user;
	struct err e = {0};

	if (sandbox_find_user(&user, d->conf->user, &e)) {
		doctor_say(d, DOCTOR_FAIL, "user", "useradd --system, or user = NUMBER", "%s",
			   e.msg);
		return;
	}
	doctor_say(d, DOCTOR_OK, "user", NULL, "leased-core runs as %u", (unsigned)user.uid);
	check_key(d, "nostr.key", user.uid);
	check_key(d, "seed.sealed", user.uid);
	check_key(d, "column.key", user.uid);
	check_secret(d, "seed_key_file", d->conf->seed_key_file, user.uid);
}

/* What the agent itself has seen of a mint, beside our own question. */
static void check_treasury(struct doctor *d, const struct json *mint)
{
	char url[256], cap[16], fault[200];

	ctl_text(url, sizeof(url), mint, "url");
	ctl_text(cap, sizeof(cap), mint, "cap");
	if (str_is(str_of(cap), "near") || str_is(str_of(cap), "over"))
		doctor_say(d, DOCTOR_WARN, "exposure", "leasectl wallet withdraw",
			   "%s is %s its exposure_cap", url, cap);
	if (ctl_u64(mint, "quiet_ms"))
		doctor_say(d, DOCTOR_WARN, "rate limit", "wait, or use more mints",
			   "%s limits the agent's requests for %llu s", url,
			   (unsigned long long)ctl_u64(mint, "quiet_ms") / 1000);
	if (ctl_u64(mint, "failures"))
		doctor_say(d, DOCTOR_WARN, "mint", "leasectl wallet mints",
			   "%s failed %llu times in a row for the agent: %s", url,
			   (unsigned long long)ctl_u64(mint, "failures"),
			   ctl_text(fault, sizeof(fault), mint, "fault"));
}

static void check_agent(struct doctor *d)
{
	const struct json *m;

	auto_ctl_reply struct ctl_reply r = {NULL};
	struct err e = {0};
	int outcome = ctl_ask(d->ctl, STR("{\"verb\":\"status\"}"), &r, &e);

	if (outcome == CTL_NO_AGENT)
		doctor_say(d, DOCTOR_WARN, "agent", "systemctl start leased", "does not run");
	else if (outcome)
		doctor_say(d, DOCTOR_FAIL, "agent", "look at its log", "%s", e.msg);
	else
		doctor_say(d, DOCTOR_OK, "agent", NULL, "runs");
	for (m = json_first(json_get(r.result, "mints")); m; m = json_next(m))
		check_treasury(d, m);
}

static void check_all(struct doctor *d)
{
	auto_config struct config *conf = NULL;
	struct err e = {0};

	if (config_load(&conf, ctl_config_path(d->ctl), &e)) {
		doctor_say(d, DOCTOR_FAIL, "configuration", "leasectl init, or correct that line",
			   "%s", e.msg);
		return;
	}
	doctor_say(d, DOCTOR_OK, "configuration", NULL, "%zu offer(s)", conf->noffers);
	d->conf = conf;
	doctor_host(d);
	doctor_docker(d);
	doctor_isolation(d);
	doctor_offers(d);
	doctor_network(d);
	check_keys(d);
	doctor_peers(d);
	check_agent(d);
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	struct doctor d = {.ctl = ctx, .json = BUF(1 << 18)};

	if (argc)
		return ctl_usage("doctor", "takes no arguments");
	d.w = JSONW(&d.json);
	jsonw_object(&d.w, NULL);
	jsonw_array(&d.w, "checks");
	check_all(&d);
	jsonw_end_array(&d.w);
	jsonw_bool(&d.w, "ready", !d.failed);
	jsonw_end_object(&d.w);
	if (d.ctl->json)
		puts(buf_view(&d.json).p);
	buf_free(&d.json);
	return d.failed ? CTL_FAILED : CTL_OK;
}

const struct verb verb_doctor = {
	"doctor", "", "check this machine, relays and mints", NULL, 0, false, false, 0, run};
