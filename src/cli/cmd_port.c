/* lease port, port add, port rm, reconnect: a lease's network while it runs. */
#include <stdio.h>
#include <string.h>

#include "cli/out.h"
#include "cli/verbs.h"

#define ANSWER_MS 60000

static int ask(struct app *a, struct book_entry *b, struct request *req)
{
	auto_reply struct reply *r = NULL;

	return cli_ask_lease(a, b, req, ANSWER_MS, &r);
}

static void print_ports(const struct app *a, const struct book_entry *b)
{
	auto_buf struct buf text = BUF(65536);

	if (!a->g.json) {
		out_ports(b);
		return;
	}
	out_entry_json(&text, a->db, b);
	out_line(&text);
}

int verb_port(void *ctx, const void *options, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_STATUS);
	struct book_entry b;
	int rc = cli_find_lease(ctx, argc, argv, &b);

	if (!rc)
		rc = ask(ctx, &b, req);
	if (rc)
		return rc;
	if (b.state != BOOK_RUNNING)
		return app_failf(EXIT_EXPIRED, "%s has ended", b.name);
	print_ports(ctx, &b);
	return 0;
}

enum change { PORT_ADD, PORT_REMOVE };

static int change(struct app *a, int argc, char **argv, enum change which)
{
	auto_request struct request *req = request_new(REQUEST_PORTS);
	struct book_entry b;
	struct spec_port p;
	struct err e;
	int rc;

	if (argc < 2)
		return app_failf(EXIT_USAGE, "want NAME PORT…; lease port NAME lists them");
	for (int i = 1; i < argc; i++) {
		if (spec_port_parse(&p, str_of(argv[i]), &e) < 0)
			return app_fail(EXIT_USAGE, &e);
		spec_ports_add(which == PORT_ADD ? &req->publish : &req->unpublish, &p);
	}
	rc = cli_find_lease(a, 1, argv, &b);
	if (!rc)
		rc = ask(a, &b, req);
	if (!rc)
		print_ports(a, &b);
	return rc;
}

int verb_port_add(void *ctx, const void *options, int argc, char **argv)
{
	return change(ctx, argc, argv, PORT_ADD);
}

int verb_port_rm(void *ctx, const void *options, int argc, char **argv)
{
	return change(ctx, argc, argv, PORT_REMOVE);
}

int verb_reconnect(void *ctx, const void *options, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_RECONNECT);
	struct book_entry b;
	int rc = cli_find_lease(ctx, argc, argv, &b);

	if (!rc)
		rc = ask(ctx, &b, req);
	if (rc)
		return rc;
	if (b.cut)
		return app_failf(EXIT_REFUSED, "the network of %s is still cut off", b.name);
	printf("%s\n", b.name);
	return 0;
}
