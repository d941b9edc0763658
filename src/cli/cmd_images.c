/* lease images: which images of its offers a provider has unpacked already. */
#include <stdio.h>

#include "base/jsonw.h"
#include "cli/market.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/verbs.h"

#define ANSWER_MS 30000

static void print_json(const struct reply *r)
{
	for (size_t i = 0; i < r->nimages; i++) {
		auto_buf struct buf text = BUF(4096);
		struct jsonw w = JSONW(&text);

		jsonw_object(&w, NULL);
		jsonw_text(&w, "name", r->images[i].name);
		jsonw_text(&w, "digest", r->images[i].digest);
		jsonw_u64(&w, "size", r->images[i].size);
		jsonw_end_object(&w);
		out_line(&text);
	}
}

static void print_table(const struct reply *r)
{
	printf("%-71s  %8s  %s\n", "DIGEST", "SIZE", "NAME");
	for (size_t i = 0; i < r->nimages; i++) {
		char digest[sizeof(r->images[i].digest)], size[32];

		str_printable(digest, sizeof(digest), str_of(r->images[i].digest));
		out_bytes(size, sizeof(size), r->images[i].size);
		printf("%-71s  %8s  ", digest, size);
		out_text(str_of(r->images[i].name));
		putchar('\n');
	}
}

static int ask(struct app *a, const struct pubkey *provider, struct reply **out)
{
	auto_session struct session *s = NULL;
	auto_request struct request *req = request_new(REQUEST_IMAGES);
	struct err e;
	int rc;

	if (session_open(&s, a, provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	rc = session_call(s, req, ANSWER_MS, out, &e);
	if (rc < 0)
		return app_fail(EXIT_OTHER, &e);
	if (rc)
		return session_failed(rc);
	if ((*out)->stage == REPLY_STAGE_REFUSED)
		return app_failf(EXIT_REFUSED, "%s", (*out)->message);
	return 0;
}

int verb_images(void *ctx, const void *options, int argc, char **argv)
{
	const struct images_options *o = options;
	struct app *a = ctx;
	auto_market struct market m = {0};
	auto_reply struct reply *r = NULL;
	const struct listing *l;
	struct err e;
	int rc;

	if (argc || !o->provider)
		return app_failf(EXIT_USAGE, "want --provider KEY; lease offers lists them");
	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	if (market_load(a, &m, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	l = market_choose(&m, &(struct market_want){.provider = o->provider}, &e);
	if (!l)
		return app_fail(EXIT_NO_OFFER, &e);
	rc = ask(a, &l->offer.provider, &r);
	if (rc)
		return rc;
	if (a->g.json)
		print_json(r);
	else
		print_table(r);
	return 0;
}
