/* leasectl status: what the agent does now. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/hex.h"
#include "ctl/ctl.h"
#include "nostr/nip19.h"

/* Values come from the agent, but names in them come from relays and mints. */
static void print_text(const char *label, const struct json *obj, const char *key)
{
	char text[200];

	if (json_get(obj, key))
		printf("%-10s %s\n", label, ctl_text(text, sizeof(text), obj, key));
}

static void print_provider(const struct json *r)
{
	auto_buf struct buf npub = BUF(128);
	struct pubkey key;

	if (json_hex(r, "pubkey", key.b, sizeof(key.b), NULL))
		return;
	nip19_npub(&npub, &key);
	printf("%-10s %s\n", "provider", buf_view(&npub).p);
}

static void print_entry(const struct json *entry, const char *label, const char *name, bool good,
			const char *words[2])
{
	char text[200];

	printf("%-10s %s (%s)\n", label, ctl_text(text, sizeof(text), entry, name), words[good]);
}

static void print_trouble(const struct json *mint)
{
	char text[200];

	ctl_text(text, sizeof(text), mint, "cap");
	if (str_is(str_of(text), "near") || str_is(str_of(text), "over"))
		printf(", %s its cap", text);
	if (ctl_u64(mint, "quiet_ms"))
		printf(", limits our requests");
	if (ctl_u64(mint, "failures"))
		printf(", %llu failures: %s", (unsigned long long)ctl_u64(mint, "failures"),
		       ctl_text(text, sizeof(text), mint, "fault"));
	putchar('\n');
}

static void print_lists(const struct json *r)
{
	const char *published[2] = {"not published", "published"};
	const char *open[2] = {"not connected", "connected"};
	const struct json *i;
	char text[200];
	struct str url;

	for (i = json_first(json_get(r, "offers")); i; i = json_next(i))
		print_entry(i, "offer", "name", ctl_bool(i, "published"), published);
	for (i = json_first(json_get(r, "relays")); i; i = json_next(i))
		print_entry(i, "relay", "url", ctl_bool(i, "open"), open);
	for (i = json_first(json_get(r, "mints")); i; i = json_next(i)) {
		if (!json_as_str(json_get(i, "url"), &url))
			continue;
		str_printable(text, sizeof(text), url);
		printf("%-10s %s: %llu sat, %llu reserved, %llu in flight", "mint", text,
		       (unsigned long long)ctl_u64(i, "available_sat"),
		       (unsigned long long)ctl_u64(i, "reserved_sat"),
		       (unsigned long long)ctl_u64(i, "in_flight_sat"));
		print_trouble(i);
	}
}

static void print_network(const struct json *n)
{
	char text[32];

	if (!n)
		return;
	printf("%-10s %s", "network", ctl_text(text, sizeof(text), n, "mode"));
	if (ctl_u64(n, "cut"))
		printf(", ALARM: %llu leases are cut off", (unsigned long long)ctl_u64(n, "cut"));
	if (ctl_u64(n, "repairs"))
		printf(", ALARM: others changed its rules %llu times",
		       (unsigned long long)ctl_u64(n, "repairs"));
	if (ctl_bool(n, "down"))
		printf(", ALARM: they cannot be loaded, all leases are offline");
	putchar('\n');
}

/* A lease that ended and is not erased keeps its room. */
static void print_not_erased(const struct json *list)
{
	char since[21], id[32], why[200];

	for (const struct json *i = json_first(list); i; i = json_next(i)) {
		clock_format(since, ctl_time(i, "since"));
		printf("%-10s ALARM: lease %s, which ended at %s, is not erased after %llu "
		       "attempts: %s\n",
		       "erase", ctl_text(id, sizeof(id), i, "lease"), since,
		       (unsigned long long)ctl_u64(i, "attempts"),
		       ctl_text(why, sizeof(why), i, "why"));
	}
}

static int run(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("status", "takes no arguments");
	outcome = ctl_ask(c, STR("{\"verb\":\"status\"}"), &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json) {
		puts(buf_view(&r.raw).p);
		return CTL_OK;
	}
	print_provider(r.result);
	printf("%-10s %s\n", "state",
	       ctl_bool(r.result, "draining") ? "draining" : "taking leases");
	printf("%-10s %llu open, %llu running; %llu volumes kept\n", "leases",
	       (unsigned long long)ctl_u64(r.result, "leases"),
	       (unsigned long long)ctl_u64(r.result, "running"),
	       (unsigned long long)ctl_u64(r.result, "kept_volumes"));
	if (ctl_u64(r.result, "strange"))
		printf("%-10s ALARM: records of %llu leases are of another version, or damaged: "
		       "they only run on and end; see the agent's log\n",
		       "records", (unsigned long long)ctl_u64(r.result, "strange"));
	print_network(json_get(r.result, "network"));
	print_not_erased(json_get(r.result, "not_erased"));
	print_text("volume", r.result, "volume");
	print_text("header", r.result, "header");
	print_lists(r.result);
	return CTL_OK;
}

const struct verb verb_status = {
	"status", "", "show what the agent does now", NULL, 0, false, false, 0, run};
