/* leasectl who, leasectl reconnect: which lease an abuse mail is about, and its network again. */
#include <arpa/inet.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "ctl/ctl.h"

struct who_options {
	const char *at, *sport, *address, *protocol;
};

static const struct opt opts[] = {
	{0, "at", OPT_STRING, offsetof(struct who_options, at), "TIME",
	 "when, UTC: 2026-11-22T21:08:00, or seconds since 1970 (required)"},
	{0, "sport", OPT_STRING, offsetof(struct who_options, sport), "PORT",
	 "port of this host that it came from"},
	{0, "address", OPT_STRING, offsetof(struct who_options, address), "ADDR",
	 "IPv6 address that it came from, instead of a port"},
	{0, "proto", OPT_STRING, offsetof(struct who_options, protocol), "NAME", "tcp or udp"},
};

/* As it is stored: "2001:db8::2". */
static int read_address(char out[static INET6_ADDRSTRLEN], const char *text, struct err *e)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, text, &a) != 1 || !inet_ntop(AF_INET6, &a, out, INET6_ADDRSTRLEN))
		return err_set(e, ERRK_INPUT, "--address: %s is no IPv6 address", text);
	return 0;
}

static int write_request(struct buf *out, const struct who_options *o, struct err *e)
{
	char address[INET6_ADDRSTRLEN] = "";
	struct jsonw w = JSONW(out);
	uint64_t port = 0;
	int64_t at_ms = 0;

	if (!o->at)
		return err_set(e, ERRK_INPUT, "--at: when was it?");
	if (!o->sport == !o->address)
		return err_set(e, ERRK_INPUT, "want --sport or --address");
	if (clock_parse(&at_ms, str_of(o->at), CLOCK_UTC, e) < 0)
		return err_wrap(e, "--at");
	if (o->address && read_address(address, o->address, e) < 0)
		return -1;
	if (o->sport && (str_u64(str_of(o->sport), UINT16_MAX, &port, NULL) < 0 || port == 0))
		return err_set(e, ERRK_INPUT, "--sport: want 1 to 65535");
	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", "who");
	jsonw_i64(&w, "at", at_ms / 1000);
	if (port)
		jsonw_u64(&w, "port", port);
	jsonw_text(&w, "address", address);
	jsonw_text(&w, "protocol", o->protocol);
	jsonw_end_object(&w);
	return buf_check(out, "request", e);
}

static void print_use(const struct json *use)
{
	char lease[32], owner[80], what[32], address[64], protocol[8], from[32], until[32];
	int64_t end = ctl_time(use, "until");

	printf("%s  %s  %s", ctl_text(lease, sizeof(lease), use, "lease"),
	       ctl_text(owner, sizeof(owner), use, "owner"),
	       ctl_text(what, sizeof(what), use, "what"));
	if (json_get(use, "address"))
		printf(" %s", ctl_text(address, sizeof(address), use, "address"));
	if (ctl_u64(use, "first"))
		printf(" %llu", (unsigned long long)ctl_u64(use, "first"));
	if (ctl_u64(use, "last") > ctl_u64(use, "first"))
		printf("-%llu", (unsigned long long)ctl_u64(use, "last"));
	if (json_get(use, "protocol"))
		printf("/%s", ctl_text(protocol, sizeof(protocol), use, "protocol"));
	printf("  %s to %s\n", ctl_date(from, sizeof(from), ctl_time(use, "from")),
	       end ? ctl_date(until, sizeof(until), end) : "now");
}

static int run_who(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	auto_buf struct buf request = BUF(1024);
	const struct ctl *c = ctx;
	const struct json *uses;
	struct err e = {0};
	int outcome;

	if (argc)
		return ctl_usage("who", "takes no arguments");
	if (write_request(&request, options, &e) < 0)
		return ctl_usage("who", e.msg);
	outcome = ctl_ask(c, buf_view(&request), &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	uses = json_get(r.result, "uses");
	if (c->json)
		puts(buf_view(&r.raw).p);
	for (const struct json *one = c->json ? NULL : json_first(uses); one; one = json_next(one))
		print_use(one);
	if (json_count(uses) > 0)
		return CTL_OK;
	fprintf(stderr, "leasectl: no lease had it then\n");
	return CTL_NOT_FOUND;
}

const struct verb verb_who = {"who",
			      "--at TIME --sport PORT | --address ADDR",
			      "which lease it was that an abuse mail is about",
			      opts,
			      ARRAY_SIZE(opts),
			      false,
			      false,
			      sizeof(struct who_options),
			      run_who};

static int run_reconnect(void *ctx, const void *options, int argc, char **argv)
{
	auto_ctl_reply struct ctl_reply r = {NULL};
	auto_buf struct buf request = BUF(1024);
	struct jsonw w = JSONW(&request);
	const struct ctl *c = ctx;
	struct err e = {0};
	int outcome;

	if (argc != 1)
		return ctl_usage("reconnect", "which lease?");
	jsonw_object(&w, NULL);
	jsonw_text(&w, "verb", "reconnect");
	jsonw_text(&w, "lease", argv[0]);
	jsonw_end_object(&w);
	outcome = buf_check(&request, "lease", &e) ? -1 : ctl_ask(c, buf_view(&request), &r, &e);
	if (outcome)
		return ctl_fail(outcome, &e);
	if (c->json)
		puts("{\"ok\":true}");
	else
		printf("%s has its network again\n", argv[0]);
	return CTL_OK;
}

const struct verb verb_reconnect = {"reconnect", "LEASE", "join a network again that was cut off",
				    NULL,	 0,	  false,
				    false,	 0,	  run_reconnect};
