/* leasectl init: write leased.conf and the keys. What is missing is asked for on a terminal. */
#include <string.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/keys.h"
#include "agent/sandbox.h"
#include "base/fs.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/probe.h"
#include "nostr/nip19.h"

enum { CONFIG_MAX = 1 << 16, ANSWER_MAX = 512 };

struct init_options {
	struct opt_list relays, mints, images, set;
	const char *price;
	const char *offer, *cpu, *memory, *disk, *description;
	const char *name, *user;
	bool allow_local, no_check, force;
};

#define AT(m) offsetof(struct init_options, m)

static const struct opt opts[] = {
	{0, "relay", OPT_LIST, AT(relays), "URL", "relay to work with; repeat it"},
	{0, "mint", OPT_LIST, AT(mints), "URL", "mint whose tokens are taken; repeat it"},
	{0, "price", OPT_STRING, AT(price), "PRICE", "such as 10sat/h or 500msat/s"},
	{0, "image", OPT_LIST, AT(images), "NAME=oci:/LAYOUT", "image that may run; repeat it"},
	{0, "offer", OPT_STRING, AT(offer), "NAME", "name of the offer (default: small)"},
	{0, "offer-cpu", OPT_STRING, AT(cpu), "CORES", "cores of a lease, such as 2 or 500m"},
	{0, "offer-memory", OPT_STRING, AT(memory), "SIZE", "memory of a lease, such as 512Mi"},
	{0, "offer-disk", OPT_STRING, AT(disk), "SIZE", "encrypted disk of a lease"},
	{0, "offer-description", OPT_STRING, AT(description), "TEXT", "a line for buyers"},
	{0, "name", OPT_STRING, AT(name), "NAME", "name that buyers see"},
	{0, "user", OPT_STRING, AT(user), "USER", "user of leased-core, or an unused number"},
	{0, "allow-local", OPT_FLAG, AT(allow_local), NULL,
	 "allow unencrypted relays and mints on loopback, for trials"},
	{0, "set", OPT_LIST, AT(set), "SECTION.KEY=VALUE",
	 "any other key; \"offer\" is the section of the offer"},
	{0, "no-check", OPT_FLAG, AT(no_check), NULL, "do not ask whether relays and mints answer"},
	{0, "force", OPT_FLAG, AT(force), NULL,
	 "replace an existing leased.conf (never an existing key)"},
};

/* --- asking --- */

/* Answers live as long as the plan. */
struct plan {
	const struct ctl *c;
	struct init_options o;
	struct buf text; /* leased.conf as the options say it */
	char *answers[4];
	size_t nanswers;
};

static void plan_clear(struct plan *p)
{
	buf_free(&p->text);
	while (p->nanswers)
		free(p->answers[--p->nanswers]);
}

static const char *ask(struct plan *p, const char *question)
{
	char line[ANSWER_MAX];
	struct str s;

	fprintf(stderr, "%s: ", question);
	if (!fgets(line, sizeof(line), stdin))
		return NULL;
	s = str_trim(str_of(line));
	if (s.n == 0)
		return NULL;
	p->answers[p->nanswers] = mem_strndup(s.p, s.n);
	return p->answers[p->nanswers++];
}

/* The list gets the answer as its only item; `slot` keeps it. */
static int need_list(struct plan *p, struct opt_list *list, const char **slot, const char *question)
{
	if (list->n)
		return 0;
	*slot = isatty(STDIN_FILENO) ? ask(p, question) : NULL;
	*list = (struct opt_list){slot, *slot ? 1 : 0};
	return *slot ? 0 : -1;
}

/* --- the configuration --- */

static void put(struct buf *b, const char *key, const char *value)
{
	if (value)
		buf_printf(b, "%s = %s\n", key, value);
}

static void put_list(struct buf *b, const char *key, const struct opt_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		put(b, key, list->v[i]);
}

static int put_set(struct buf *b, const char *offer, const char *set, struct err *e)
{
	struct str rest = str_of(set), section = {NULL, 0};

	str_cut(&rest, '.', &section);
	if (!rest.p || !memchr(rest.p, '=', rest.n) || strpbrk(set, "\n[]"))
		return err_set(e, ERRK_INPUT, "--set %s: write SECTION.KEY=VALUE", set);
	if (str_is(section, "offer"))
		buf_printf(b, "[offer %s]\n%.*s\n", offer, (int)rest.n, rest.p);
	else
		buf_printf(b, "[%.*s]\n%.*s\n", (int)section.n, section.p, (int)rest.n, rest.p);
	return 0;
}

static int write_text(struct plan *p, struct err *e)
{
	const struct init_options *o = &p->o;
	const char *offer = o->offer ? o->offer : "small";
	struct buf *b = &p->text;
	size_t i;

	buf_puts(b, "[agent]\n");
	put(b, "name", o->name);
	put(b, "user", o->user);
	put(b, "state_dir", p->c->state_dir);
	put(b, "control_socket", p->c->socket);
	buf_puts(b, "[nostr]\n");
	put_list(b, "relay", &o->relays);
	put(b, "allow_local", o->allow_local ? "yes" : NULL);
	buf_puts(b, "[wallet]\n");
	put_list(b, "mint", &o->mints);
	buf_printf(b, "[offer %s]\n", offer);
	put(b, "price", o->price);
	put(b, "description", o->description);
	put(b, "cpu", o->cpu);
	put(b, "memory", o->memory);
	put(b, "disk", o->disk);
	put_list(b, "image", &o->images);
	for (i = 0; i < o->set.n; i++)
		if (put_set(b, offer, o->set.v[i], e))
			return -1;
	return buf_check(b, "configuration", e);
}

/* Through a file, so that the one reader of leased.conf checks it. */
static int load_text(struct plan *p, const char *path, struct config **out, struct err *e)
{
	auto_free char *draft = mem_printf("%s.draft", path);
	auto_free char *dir = mem_strdup(path);
	char *slash = strrchr(dir, '/');
	int done;

	if (slash && slash != dir) {
		*slash = '\0';
		if (fs_mkdirs(dir, 0755, e))
			return -1;
	}
	if (write_text(p, e) || fs_write(draft, p->text.p, p->text.n, 0600, e))
		return -1;
	done = config_load(out, draft, e);
	unlink(draft);
	return done;
}

static int save(const struct plan *p, const struct config *conf, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF(CONFIG_MAX);

	buf_puts(&text,
		 "# leased.conf, see leased.conf(5). Written by leasectl init; yours to edit.\n\n");
	config_print(&text, conf);
	if (buf_check(&text, path, e))
		return -1;
	if (p->o.force)
		return fs_write(path, text.p, text.n, 0644, e);
	if (fs_exists(path))
		return err_set(e, ERRK_STATE, "%s exists: --force replaces it", path);
	return fs_write_new(path, text.p, text.n, 0644, e);
}

/* --- keys --- */

static int make_keys(const struct config *conf, struct pubkey *who, struct err *e)
{
	auto_free char *dir = config_state_file(conf, "core");
	struct sandbox_user user = {getuid(), getgid()};
	struct keys_plan plan = {.state_dir = dir, .seed_key = conf->seed_key_file};
	auto_keys struct keys keys = {0};

	/* Not root: a trial in a folder of our own. */
	if (geteuid() == 0 && sandbox_find_user(&user, conf->user, e))
		return -1;
	plan.uid = user.uid;
	plan.gid = user.gid;
	if (fs_mkdirs(conf->state_dir, 0711, e) || keys_create(&plan, e) ||
	    keys_load(&keys, dir, conf->seed_key_file, e))
		return -1;
	return pubkey_of(who, &keys.nostr) ? 0 : err_set(e, ERRK_INPUT, "nostr.key is not valid");
}

/* --- do they answer? --- */

static void say(const char *kind, const char *url, const struct probe_answer *a)
{
	fprintf(stderr, "%s %s %s: %s\n", a->ok ? "ok  " : "fail", kind, url, a->text);
}

/* CTL_OK where at least one relay and one mint answer. */
static int check_peers(const struct config *conf, struct err *e)
{
	enum probe_reach reach = conf->allow_local ? PROBE_LOCAL : PROBE_PUBLIC;
	auto_probe struct probe *p = NULL;
	struct probe_answer a;
	bool relay = false, mint = false;
	char **url;

	if (probe_new(&p, e))
		return CTL_FAILED;
	for (url = conf->relays; *url; url++) {
		probe_relay(p, *url, &a);
		say("relay", *url, &a);
		relay = relay || a.ok;
	}
	for (url = conf->mints; *url; url++) {
		probe_mint(p, *url, reach, &a);
		say("mint", *url, &a);
		mint = mint || a.ok;
	}
	err_set(e, ERRK_PEER, "no %s answers (--no-check goes on without)",
		relay ? "mint" : "relay");
	return !relay ? CTL_RELAYS : !mint ? CTL_MINT : CTL_OK;
}

static int finish(struct plan *p, struct err *e)
{
	const char *path = ctl_config_path(p->c);
	auto_config struct config *conf = NULL;
	auto_buf struct buf npub = BUF(128);
	struct pubkey who;
	int status;

	if (!p->o.force && fs_exists(path)) {
		err_set(e, ERRK_STATE, "%s exists: --force replaces it", path);
		return CTL_FAILED;
	}
	if (load_text(p, path, &conf, e))
		return CTL_FAILED;
	status = p->o.no_check ? CTL_OK : check_peers(conf, e);
	if (status != CTL_OK)
		return status;
	if (make_keys(conf, &who, e) || save(p, conf, path, e))
		return CTL_FAILED;
	nip19_npub(&npub, &who);
	if (p->c->json)
		printf("{\"provider\":\"%s\",\"config\":\"%s\"}\n", npub.p, path);
	else
		printf("provider  %s\nconfig    %s\nkeys      %s/core (leasectl backup)\n"
		       "next      leasectl doctor; systemctl enable --now leased\n",
		       npub.p, path, conf->state_dir);
	return CTL_OK;
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	struct plan p = {
		.c = ctx, .o = *(const struct init_options *)options, .text = BUF(CONFIG_MAX)};
	const char *slots[3] = {NULL};
	struct err e = {0};
	int status;

	if (argc)
		return ctl_usage("init", "takes no arguments");
	if (need_list(&p, &p.o.relays, &slots[0], "Relay (wss://…)"))
		status = ctl_usage("init", "--relay is missing");
	else if (need_list(&p, &p.o.mints, &slots[1], "Mint (https://…)"))
		status = ctl_usage("init", "--mint is missing");
	else if (need_list(&p, &p.o.images, &slots[2], "Image (NAME=oci:/LAYOUT)"))
		status = ctl_usage("init", "--image is missing");
	else if (!p.o.price &&
		 !(p.o.price = isatty(STDIN_FILENO) ? ask(&p, "Price (such as 10sat/h)") : NULL))
		status = ctl_usage("init", "--price is missing");
	else if ((status = finish(&p, &e)) != CTL_OK)
		fprintf(stderr, "leasectl init: %s\n", e.msg);
	plan_clear(&p);
	return status;
}

const struct verb verb_init = {
	"init", "[OPTION…]", "write leased.conf and the keys", opts, ARRAY_SIZE(opts),
	false,	false,	     sizeof(struct init_options),      run};
