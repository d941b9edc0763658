/* lease grow: a larger disk for a lease, and what that would cost. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "proto/offer.h"

#define ANSWER_MS 30000
#define GROW_MS	  180000 /* one that is stopped may have to be checked and mounted anew */

static int say_terms(const struct book_entry *b, const struct reply *r)
{
	char now[32], most[32], more[32], price[32];

	out_bytes(now, sizeof(now), r->disk);
	out_bytes(most, sizeof(most), r->disk_max);
	out_price(more, sizeof(more), r->disk_price);
	out_price(price, sizeof(price), r->price);
	printf("%s: %s at %s, up to %s at %s more a GiB\n", b->name, now, price, most, more);
	return 0;
}

/* Only what was asked for here changes what topup pays by. */
static int learn_price(struct app *a, struct book_entry *b, struct price p)
{
	auto_tx struct tx *tx = NULL;
	struct err e;

	b->price = p;
	if (db_begin(&tx, a->db, &e) < 0 || book_save(tx, b, &e) < 0 || db_commit(&tx, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	return 0;
}

static int say_done(struct app *a, const struct book_entry *b, uint64_t disk)
{
	char size[32], price[32], left[32];

	out_bytes(size, sizeof(size), disk);
	out_price(price, sizeof(price), b->price);
	out_left(left, sizeof(left), b->expires_at - clock_wall());
	app_say(a, "%s: its disk has %s and it costs %s now: %s left", b->name, size, price, left);
	printf("%s\n", b->name);
	return 0;
}

static int grow(struct app *a, struct book_entry *b, const struct reply *r, uint64_t disk)
{
	auto_request struct request *req = request_new(REQUEST_GROW);
	auto_reply struct reply *done = NULL;
	char most[32];
	int rc;

	if (disk <= r->disk)
		return app_failf(EXIT_USAGE, "%s: its disk has as much already; it only grows",
				 b->name);
	out_bytes(most, sizeof(most), r->disk_max);
	if (disk > r->disk_max)
		return app_failf(EXIT_REFUSED, "%s: its disk may grow to %s", b->name, most);
	if (!offer_disk_price(&req->price, r->price, r->disk_price, disk - r->disk))
		return app_failf(EXIT_REFUSED, "%s: no price is so high", b->name);
	req->disk = disk;
	rc = cli_ask_lease(a, b, req, GROW_MS, &done);
	if (!rc)
		rc = learn_price(a, b, req->price);
	return rc ? rc : say_done(a, b, disk);
}

int verb_grow(void *ctx, const void *options, int argc, char **argv)
{
	struct app *a = ctx;
	auto_request struct request *req = request_new(REQUEST_STATUS);
	auto_reply struct reply *r = NULL;
	struct book_entry b;
	uint64_t disk = 0;
	struct err e;
	int rc;

	if (argc < 1 || argc > 2)
		return app_failf(EXIT_USAGE, "want NAME [SIZE]; without SIZE: what it would cost");
	if (argc == 2 && str_bytes(str_of(argv[1]), SPEC_DISK_MAX, &disk, &e) < 0)
		return app_failf(EXIT_USAGE, "SIZE: %s", e.msg);
	rc = cli_find_lease(a, 1, argv, &b);
	if (!rc)
		rc = cli_ask_lease(a, &b, req, ANSWER_MS, &r);
	if (rc)
		return rc;
	if (b.state != BOOK_RUNNING)
		return app_failf(EXIT_EXPIRED, "%s has ended", b.name);
	if (!r->disk_max || !r->price.per || !r->disk_price.per)
		return app_failf(EXIT_REFUSED, "%s: its offer lets no disk grow", b.name);
	return argc == 1 ? say_terms(&b, r) : grow(a, &b, r, disk);
}
