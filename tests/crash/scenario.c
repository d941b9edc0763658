/* The scenarios of the crash matrix, and how a line of one is played: see scenario.h. */
#include "scenario.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ghost.h"

#define FUND	  "lease wallet fund 500"
#define RUN	  "lease run -d --name one --for 60s oci:a"
#define RUN_ANY	  "lease run --any -d --name one --for 60s oci:a"
#define RUN_AGAIN "lease run -d --name one --for 60s --restart on-failure:2 oci:a"
#define KEEP	  "lease volume create --size 64Mi --for 60s two"
#define RECOVER	  "lease recover"

const struct scenario scenarios[] = {
	{.name = "fund", .tested = {FUND}},
	{.name = "start", .before = {FUND}, .tested = {RUN}},
	{.name = "release", .before = {FUND, "image gone"}, .tested = {RUN}, .status = {4}},
	{.name = "failed start", .before = {FUND, "host fails"}, .tested = {RUN}, .status = {5}},
	{.name = "top-up", .before = {FUND, RUN}, .tested = {"lease topup --for 30s one"}},
	{.name = "refused top-up",
	 .before = {FUND, RUN, "pass 52"},
	 .tested = {"lease topup --for 30s one"},
	 .status = {4}},
	{.name = "end by the owner", .before = {FUND, RUN, "pass 10"}, .tested = {"lease rm one"}},
	{.name = "small refund", .before = {FUND, RUN, "pass 55"}, .tested = {"lease rm one"}},
	{.name = "refund is looked after",
	 .before = {FUND, RUN, "pass 10", "lease rm one"},
	 .tested = {"pass 3000"}},
	{.name = "end by expiry", .before = {FUND, RUN}, .tested = {"pass 61", "until ended"}},
	{.name = "keep a volume", .before = {FUND}, .tested = {KEEP}},
	{.name = "extend a volume",
	 .before = {FUND, KEEP},
	 .tested = {"lease volume extend --for 30s two"}},
	{.name = "remove a volume",
	 .before = {FUND, KEEP, "pass 10"},
	 .tested = {"lease volume rm two"}},
	{.name = "stop", .before = {FUND, RUN}, .tested = {"lease stop one"}},
	{.name = "start after a stop",
	 .before = {FUND, RUN, "lease stop one"},
	 .tested = {"lease start one"}},
	{.name = "end of a stopped one",
	 .before = {FUND, RUN, "lease stop one"},
	 .tested = {"pass 61", "until ended"}},
	{.name = "lost by the host",
	 .before = {FUND, RUN, "pass 10", "host lost"},
	 .tested = {"off 1", "until ended"}},
	{.name = "a failed command runs again",
	 .before = {FUND, RUN_AGAIN},
	 .tested = {"host exits", "until again", "pass 2"}},
	{.name = "withdraw",
	 .before = {FUND, RUN, "off 700", "until ended", "pass 5"},
	 .tested = {"leasectl wallet withdraw INVOICE"}},
	{.name = "the treasury sends",
	 .before = {FUND, RUN, "off 700", "until ended", "pass 5"},
	 .tested = {"leasectl wallet send 20 >token", "leasectl wallet reclaim 1"},
	 .after = {"leasectl wallet reclaim 1"}},
	{.name = "pay by Lightning", .before = {FUND}, .tested = {"lease wallet pay INVOICE"}},
	{.name = "move", .before = {FUND}, .tested = {"lease wallet move 60 --to OTHER"}},
	{.name = "move that fails",
	 .before = {FUND, "mint fails"},
	 .tested = {"lease wallet move 60 --to OTHER"},
	 .status = {8},
	 .ends = ENDS_ANY_WAY},
	{.name = "pay a request",
	 .before = {FUND},
	 .tested = {"lease wallet pay REQUEST", "lease wallet reclaim 1"},
	 .after = {"lease wallet reclaim 1"}},
	{.name = "payment that fails",
	 .before = {FUND, "mint fails"},
	 .tested = {"lease wallet pay INVOICE"},
	 .status = {8},
	 .ends = ENDS_ANY_WAY},
	{.name = "send and take back",
	 .before = {FUND},
	 .tested = {"lease wallet send 30 >token", "lease wallet reclaim 1"},
	 .after = {"lease wallet reclaim 1"}},
	{.name = "send without a swap",
	 .before = {FUND},
	 .tested = {"lease wallet send 32 >token", "lease wallet reclaim 1"},
	 .after = {"lease wallet reclaim 1"}},
	{.name = "receive",
	 .before = {FUND, "lease wallet send 30 >token"},
	 .tested = {"lease wallet receive @token"}},
	{.name = "keyset rotated", .before = {FUND, "mint rotates"}, .tested = {RUN}},
	{.name = "renewal",
	 .before = {FUND, "mint rotates", "lease wallet fund 20"},
	 .tested = {RECOVER}},
	{.name = "refused by the mint",
	 .before = {FUND, "mint refuses"},
	 .tested = {RUN, "mint up"},
	 .status = {4},
	 .ends = ENDS_ANY_WAY},
	{.name = "mint down for an hour",
	 .before = {FUND, "mint leaves"},
	 .tested = {RUN, "pass 3600", "mint up", "pass 600", RECOVER},
	 .status = {7},
	 .ends = ENDS_ANY_WAY},
	{.name = "mint down after the swap",
	 .before = {FUND, "mint forgets"},
	 .tested = {RUN, "pass 3600", "mint up", "pass 600", RECOVER},
	 .status = {7},
	 .ends = ENDS_ANY_WAY},
	{.name = "the next one answers",
	 .before = {FUND, "ghost sells"},
	 .tested = {RUN_ANY},
	 .ends = ENDS_ANY_WAY},
	{.name = "no money for the next one",
	 .before = {"lease wallet fund 70", "ghost sells"},
	 .tested = {RUN_ANY},
	 .status = {7},
	 .ends = ENDS_ANY_WAY},
	{.name = "nobody takes the token",
	 .before = {FUND, "provider down"},
	 .tested = {RUN, "off 12000", RECOVER},
	 .status = {7},
	 .ends = ENDS_ANY_WAY},
};
const size_t scenarios_n = ARRAY_SIZE(scenarios);

#define BY_HELPER  "tests/root/helper and tests/system/kills.py kill the helper there"
#define BY_VOLUME  "tests/root/volume kills the worker there"
#define BY_PULL	   "tests/root/image kills the worker there"
#define BY_STORE   "tests/root/shelf kills the worker there"
#define BY_STORAGE "tests/root/storage kills the worker there"
#define BY_KEPT	   "tests/root/kept kills the worker there"
#define BY_REBOOT  "tests/root/reboot kills the worker there"
#define BY_BESIDE  "tests/root/beside kills the worker there"
#define BY_KEEPER  "tests/root/helper kills the keeper there"
#define BY_GROW	   "tests/sim/grow kills the engine there"
#define BY_NETWORK "tests/sim/network kills the engine there"

const struct elsewhere elsewhere[] = {
	{STEP_IMAGE_HELD, BY_PULL},	      {STEP_IMAGE_UNPACKED, BY_PULL},
	{STEP_IMAGE_LAYER_ADDED, BY_PULL},    {STEP_IMAGE_ADDED, BY_PULL},
	{STEP_IMAGE_TAKEN, BY_STORE},	      {STEP_IMAGE_FORGOTTEN, BY_STORE},
	{STEP_IMAGE_LAYER_DROPPED, BY_STORE}, {STEP_IMAGE_COPIED, BY_STORE},
	{STEP_STORAGE_FILLED, BY_STORAGE},    {STEP_STORAGE_LENT, BY_STORAGE},
	{STEP_STORAGE_RECALLED, BY_STORAGE},  {STEP_KEEPER_STARTED, BY_HELPER},
	{STEP_BOX_CREATED, BY_KEEPER},	      {STEP_BOX_STARTED, BY_KEEPER},
	{STEP_BOX_KILLED, BY_HELPER},	      {STEP_VOLUME_CREATED, BY_VOLUME},
	{STEP_VOLUME_OPENED, BY_VOLUME},      {STEP_VOLUME_CLOSED, BY_VOLUME},
	{STEP_VOLUME_ERASED, BY_VOLUME},      {STEP_VOLUME_PAYLOAD, BY_VOLUME},
	{STEP_VOLUME_KEY, BY_VOLUME},	      {STEP_VOLUME_SERVED, BY_VOLUME},
	{STEP_VOLUME_ATTACHED, BY_VOLUME},    {STEP_VOLUME_FORMATTED, BY_VOLUME},
	{STEP_VOLUME_UNMOUNTED, BY_VOLUME},   {STEP_VOLUME_DETACHED, BY_VOLUME},
	{STEP_VOLUME_SLOTS_GONE, BY_VOLUME},  {STEP_VOLUME_HEADER_GONE, BY_VOLUME},
	{STEP_VOLUME_DISCARDED, BY_VOLUME},   {STEP_VOLUME_GROWING, BY_VOLUME},
	{STEP_VOLUME_GROWN, BY_VOLUME},	      {STEP_LEASE_PORTS_ASKED, BY_NETWORK},
	{STEP_LEASE_GROWING, BY_GROW},	      {STEP_LEASE_GROWN, BY_GROW},
	{STEP_LEASE_PORTS, BY_NETWORK},	      {STEP_BESIDE_SEATED, BY_BESIDE},
	{STEP_BESIDE_MOUNTED, BY_BESIDE},     {STEP_BESIDE_RUNS, BY_BESIDE},
	{STEP_SNAPSHOT_COPIED, BY_KEPT},      {STEP_SNAPSHOT_RESTORED, BY_KEPT},
	{STEP_SNAPSHOT_DROPPED, BY_KEPT},     {STEP_VOLUME_KEPT, BY_KEPT},
	{STEP_ROOT_SAVED, BY_STORAGE},	      {STEP_ROOT_DROPPED, BY_STORAGE},
	{STEP_IMAGE_COPY_DROPPED, BY_STORE},  {STEP_VOLUME_UNLOCKED, BY_REBOOT},
};
const size_t elsewhere_n = ARRAY_SIZE(elsewhere);

/* --- lines --- */

static bool all_ended(struct stage *s)
{
	struct outcome o;

	books_outcome(&o, s);
	return o.live == 0;
}

static void tell_exit(struct host *h)
{
	struct priv_event ev = {.state = PRIV_BOX_STOPPED,
				.why = PRIV_WHY_EXITED,
				.exit_status = 3,
				.generation = h->generation};

	memcpy(ev.id, h->id, sizeof(ev.id));
	h->inspect = PRIV_BOX_STOPPED;
	h->exit_status = 3;
	if (h->server)
		priv_server_event(h->server, &ev);
}

static int play_host(struct stage *s, struct str what)
{
	if (str_is(what, "exits")) {
		tell_exit(&s->host);
		return 0;
	}
	if (str_is(what, "fails"))
		s->host.start = HOST_FAILS;
	else if (str_is(what, "runs"))
		s->host.start = HOST_RUNS;
	else
		s->host.inspect = PRIV_BOX_GONE;
	return 0;
}

static int play_image(struct stage *s, struct str what)
{
	s->host.image = str_is(what, "gone") ? PRIV_IMAGE_NOT_FOUND : PRIV_IMAGE_FOUND;
	return 0;
}

static int64_t seconds_of(struct str what)
{
	uint64_t n = 0;

	if (str_u64(what, 1000000, &n, NULL) < 0)
		stage_die("want seconds: %.*s", (int)what.n, what.p);
	return (int64_t)n;
}

static int play_pass(struct stage *s, struct str what)
{
	stage_pass(s, seconds_of(what));
	return 0;
}

static int play_off(struct stage *s, struct str what)
{
	stage_pass_off(s, seconds_of(what));
	return 0;
}

static bool runs_again(struct stage *s)
{
	return s->host.generation > 1 && s->host.inspect == PRIV_BOX_RUNNING;
}

static int play_until(struct stage *s, struct str what)
{
	return !stage_until(s, str_is(what, "again") ? runs_again : all_ended, 600);
}

/* The buyer's own swap is the first one: everything begins after it. */
static int play_mint(struct stage *s, struct str what)
{
	struct faults *f = mint_node_faults(s->mint);
	struct err e;

	if (str_is(what, "up"))
		faults_clear(f);
	else if (str_is(what, "rotates") && mint_node_rotate(s->mint, &e) < 0)
		stage_die("%s", e.msg);
	else if (str_is(what, "fails"))
		stage_fault(f, "{\"fault\":\"fail\",\"path\":\"/v1/melt/bolt11\"}");
	else if (str_is(what, "refuses"))
		stage_fault(f,
			    "{\"fault\":\"refuse\",\"path\":\"/v1/swap\",\"skip\":1,\"next\":4}");
	else if (str_is(what, "forgets"))
		stage_fault(f,
			    "{\"fault\":\"forget\",\"path\":\"/v1/swap\",\"skip\":1,\"next\":0}");
	else if (str_is(what, "leaves"))
		stage_fault(f, "{\"fault\":\"drop\",\"path\":\"/v1/swap\",\"skip\":1,\"next\":0}");
	if (str_is(what, "forgets") || str_is(what, "leaves")) {
		stage_fault(f, "{\"fault\":\"drop\",\"path\":\"/v1/checkstate\",\"next\":0}");
		stage_fault(f, "{\"fault\":\"drop\",\"path\":\"/v1/restore\",\"next\":0}");
	}
	return 0;
}

static int play_ghost(struct stage *s, struct str what)
{
	(void)what;
	ghost_sells(s);
	return 0;
}

static int play_provider(struct stage *s, struct str what)
{
	if (str_is(what, "down"))
		stage_provider_stop(s);
	else
		stage_provider_start(s);
	return 0;
}

int scenario_play(struct stage *s, const char *line)
{
	static const struct {
		const char *word;
		int (*play)(struct stage *s, struct str what);
	} words[] = {
		{"host", play_host},	     {"image", play_image}, {"pass", play_pass},
		{"off", play_off},	     {"until", play_until}, {"mint", play_mint},
		{"provider", play_provider}, {"ghost", play_ghost},
	};
	struct str rest = str_of(line), word;

	if (!str_cut(&rest, ' ', &word))
		stage_die("an empty line");
	if (str_is(word, "lease") || str_is(word, "leasectl"))
		return stage_command(s, line);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_is(word, words[i].word))
			return words[i].play(s, rest);
	stage_die("what is \"%s\"?", line);
}
