/* Secrets of proofs: our one lock and the mint's general check. What is taken as a lock is written
 * and taken again. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cashu/lock.h"
#include "cashu/p2pk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct lock *l)
{
	auto_buf struct buf text = BUF(LOCK_SECRET_MAX);
	const uint8_t nonce[32] = {1};
	struct lock same;

	lock_write(&text, l, nonce);
	if (lock_parse(&same, buf_view(&text)) != LOCK_OK || !lock_is_to(&same, &l->key) ||
	    same.locktime != l->locktime || same.has_refund != l->has_refund)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = NULL;
	struct proof p = {.amount = SAT(1), .witness = (char *)"{\"signatures\":[]}"};
	const struct proofs in = {&p, 1};
	struct lock l;

	if (lock_parse(&l, (struct str){(const char *)data, size}) == LOCK_OK)
		check_round_trip(&l);
	if (size > PROOF_SECRET_MAX || memchr(data, 0, size))
		return 0;
	text = mem_strndup((const char *)data, size);
	p.secret = text;
	(void)!p2pk_check(&(struct p2pk_tx){.inputs = &in}, 1700000000, NULL);
	return 0;
}
