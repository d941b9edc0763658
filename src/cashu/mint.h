/*
 * One mint's HTTP calls. A call ends in its callback, once, never from inside the call: with the
 * parsed answer or with a fault that says what is known about the outcome. No retries here.
 */
#ifndef CASHU_MINT_H
#define CASHU_MINT_H

#include "base/auto.h"
#include "base/err.h"
#include "cashu/wire.h"
#include "net/http.h"

struct mint;

enum mint_reach {
	MINT_PUBLIC, /* https only, public addresses only */
	MINT_LOCAL,  /* plain http and loopback or private addresses too (operator's word) */
};

/* Lower-case scheme and host, no default port, no slash at the end; user-info, query, fragment,
 * other schemes and anything not printable ASCII are refused. The caller frees. */
int mint_url_normalise(char **out, struct str url, struct err *e) MUST_CHECK;

/* `url` as from mint_url_normalise. `h` must outlive the mint. */
int mint_new(struct mint **out, struct http *h, const char *url, enum mint_reach reach,
	     struct err *e) MUST_CHECK;
void mint_free(struct mint *m); /* cancels what is under way, without callbacks */
DEFINE_AUTO(struct mint, mint_free)
const char *mint_url(const struct mint *m);

enum mint_fault_kind {
	MINT_REFUSED, /* the mint said no: nothing happened (but see code and a.2: ask checkstate)
		       */
	MINT_UNKNOWN, /* sent, outcome not known: time-out, 5xx, unreadable or wrong answer */
	MINT_LIMITED, /* 429: silence for >= 65 s and retry_after */
	MINT_UNREACHABLE, /* nothing was sent */
};
struct mint_fault {
	enum mint_fault_kind kind;
	int status;	     /* HTTP, 0: none */
	int code;	     /* NUT error code, 0: none */
	bool sent;	     /* the mint may have seen it */
	int64_t retry_after; /* seconds, -1: not said */
	char detail[200];    /* printable */
};
/* Who owns the mint may hold calls back and hear of every answer, wherever the call came from.
 * While quiet_ms gives more than 0, calls end as MINT_LIMITED with sent = false and nothing leaves.
 */
struct mint_watch {
	struct loop *loop;
	int64_t (*quiet_ms)(void *ctx);
	void (*answered)(void *ctx, const struct mint_fault *f,
			 int64_t latency_ms); /* NULL: good */
	void *ctx;
};
void mint_set_watch(struct mint *m, const struct mint_watch *w);

const char *mint_fault_name(enum mint_fault_kind k);
/* What an HTTP answer other than a good one means; pure. */
void mint_fault_of(struct mint_fault *out, const struct http_answer *a);

enum mint_code { /* those that we act on; older mints use others for the same */
		 MINT_CODE_UNVERIFIED = 10001,
		 MINT_CODE_SPENT = 11001,
		 MINT_CODE_INPUTS_PENDING = 11002,
		 MINT_CODE_SIGNED = 11003,
		 MINT_CODE_OUTPUTS_PENDING = 11004,
		 MINT_CODE_UNBALANCED = 11005,
		 MINT_CODE_DUPLICATE_INPUTS = 11007,
		 MINT_CODE_DUPLICATE_OUTPUTS = 11008,
		 MINT_CODE_KEYSET_UNKNOWN = 12001,
		 MINT_CODE_KEYSET_INACTIVE = 12002,
		 MINT_CODE_KEYSET_EXPIRED = 12003,
		 MINT_CODE_QUOTE_UNPAID = 20001,
		 MINT_CODE_QUOTE_ISSUED = 20002,
		 MINT_CODE_QUOTE_PENDING = 20005,
		 MINT_CODE_QUOTE_SIGNATURE = 20008,
};

/* Each callback: exactly one of answer and fault is not NULL; both are borrowed, but the members of
 * an answer may be taken (steal), what is left is freed. */
struct mint_call;		       /* NULL-safe handle; gone once the callback ran */
void mint_cancel(struct mint_call *c); /* no callback afterwards */

typedef void mint_info_fn(void *ctx, const struct mint_info *i, const struct mint_fault *f);
struct mint_call *mint_get_info(struct mint *m, mint_info_fn *fn, void *ctx);

typedef void mint_keysets_fn(void *ctx, struct keysets *s, const struct mint_fault *f);
struct mint_call *mint_get_keysets(struct mint *m, mint_keysets_fn *fn, void *ctx);

/* `listed`: copied without keys; the answer has verified keys. */
typedef void mint_keys_fn(void *ctx, struct keyset **k, const struct mint_fault *f);
struct mint_call *mint_get_keys(struct mint *m, const struct keyset *listed, mint_keys_fn *fn,
				void *ctx);

/* `body` is sent as it is (stored before); `asked` is copied. Also for POST /v1/mint/bolt11. Kept
 * open for >= 120 s: an aborted swap leaves inputs pending at some mints. */
typedef void mint_signatures_fn(void *ctx, struct blind_sigs *s, const struct mint_fault *f);
struct mint_call *mint_swap(struct mint *m, struct str body, struct blinded_list asked,
			    mint_signatures_fn *fn, void *ctx);
struct mint_call *mint_mint(struct mint *m, struct str body, struct blinded_list asked,
			    mint_signatures_fn *fn, void *ctx);

typedef void mint_states_fn(void *ctx, struct y_states *s, const struct mint_fault *f);
struct mint_call *mint_checkstate(struct mint *m, const struct y_bytes *ys, size_t n,
				  mint_states_fn *fn, void *ctx);

typedef void mint_restore_fn(void *ctx, struct restored_list *s, const struct mint_fault *f);
struct mint_call *mint_restore(struct mint *m, struct blinded_list asked, mint_restore_fn *fn,
			       void *ctx);

typedef void mint_quote_fn(void *ctx, struct mint_quote *q, const struct mint_fault *f);
struct mint_call *mint_ask_quote(struct mint *m, struct str body, mint_quote_fn *fn, void *ctx);
struct mint_call *mint_get_quote(struct mint *m, const char *id, mint_quote_fn *fn, void *ctx);

typedef void mint_melt_fn(void *ctx, struct melt_quote *q, const struct mint_fault *f);
struct mint_call *mint_ask_melt_quote(struct mint *m, struct str body, mint_melt_fn *fn, void *ctx);
struct mint_call *mint_get_melt_quote(struct mint *m, const char *id, mint_melt_fn *fn, void *ctx);
struct mint_call *mint_melt(struct mint *m, struct str body, mint_melt_fn *fn, void *ctx);

#endif
