/*
 * How fast junk is thrown away: gift wraps that are whole down to a rumor which is no request, read
 * from the relay's frame, verified, opened and refused. Measured beside the curve operations of
 * that alone: two signatures and two shared keys. Prints one line a round: microseconds of the
 * curve operations, and of everything, for one wrap; the two take turns.
 *
 *   wraps BYTES [ROUNDS]        BYTES of rumor content
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "nostr/frame.h"
#include "nostr/wrap.h"
#include "proto/request.h"

#define WRAPS 20 /* in a round */

struct bench {
	struct nostr_unwrap_key me;
	struct secret stranger;
	struct pubkey stranger_public;
	struct buf frame;
	uint8_t sig[64], hash[32]; /* some signature of the stranger's */
};

static int make_frame(struct bench *b, size_t bytes, struct err *e)
{
	const struct nostr_wrap_how how = {.now = clock_wall()};
	auto_buf struct buf junk = BUF(1 << 20);
	auto_event struct nostr_event *rumor = NULL, *wrap = NULL;
	struct secret mine;

	secret_new(&mine);
	secret_new(&b->stranger);
	memset(b->hash, 7, sizeof(b->hash));
	schnorr_sign(b->sig, b->hash, &b->stranger);
	if (nostr_unwrap_key(&b->me, &mine, e) < 0)
		return -1;
	if (!pubkey_of(&b->stranger_public, &b->stranger))
		return err_set(e, ERRK_STATE, "key");
	for (size_t i = 0; i < bytes; i++)
		buf_byte(&junk, (uint8_t)('a' + i % 26));
	rumor = nostr_event_new(24402, how.now, buf_view(&junk));
	if (nostr_wrap(&wrap, rumor, &b->stranger, &b->me.pubkey, &how, e) < 0)
		return -1;
	nostr_frame_event(&b->frame, "inbox", wrap);
	return buf_check(&b->frame, "frame", e);
}

static int curve_alone(struct bench *b, struct err *e)
{
	struct secret x;

	for (int i = 0; i < 2; i++)
		if (!schnorr_verify(b->sig, b->hash, sizeof(b->hash), &b->stranger_public) ||
		    !ecdh_x(x.b, &b->stranger_public, &b->me.secret))
			return err_set(e, ERRK_STATE, "curve");
	return 0;
}

static int refuse(struct bench *b, struct err *e)
{
	auto_event struct nostr_event *rumor = NULL;
	auto_frame struct nostr_frame f = {0};
	auto_request struct request *r = NULL;
	struct err why;

	if (nostr_frame_read(&f, NOSTR_FROM_RELAY, buf_view(&b->frame), e) < 0 ||
	    nostr_event_verify(f.event, e) < 0 || nostr_unwrap(&rumor, f.event, &b->me, e) < 0)
		return -1;
	if (request_decode(&r, rumor->content, &why) == 0)
		return err_set(e, ERRK_STATE, "junk is a request");
	return 0;
}

static double used_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int run(struct bench *b, uint64_t rounds, struct err *e)
{
	for (uint64_t i = 0; i < rounds; i++) {
		double alone = 0, whole = 0, from;

		for (int k = 0; k < WRAPS; k++) {
			from = used_us();
			if (curve_alone(b, e) < 0)
				return -1;
			alone += used_us() - from;
			from = used_us();
			if (refuse(b, e) < 0)
				return -1;
			whole += used_us() - from;
		}
		printf("%.1f %.1f\n", alone / WRAPS, whole / WRAPS);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = {.frame = BUF(1 << 20)};
	uint64_t bytes = 0, rounds = 50;
	struct err e;
	int rc = argc < 2 ? err_set(&e, ERRK_INPUT, "usage: wraps BYTES [ROUNDS]") : 0;

	log_open("bench-wraps", LOGL_BROKEN);
	if (rc == 0)
		rc = str_u64(str_of(argv[1]), 60000, &bytes, &e);
	if (rc == 0 && argc > 2)
		rc = str_u64(str_of(argv[2]), 100000, &rounds, &e);
	if (rc == 0 && (make_frame(&b, bytes, &e) < 0 || run(&b, rounds, &e) < 0))
		rc = -1;
	if (rc < 0)
		printf("failed %s\n", e.msg);
	buf_free(&b.frame);
	return rc < 0;
}
