/* libnftables, loaded where it is used: workers of the helper live for one job, while the helper
 * and the keepers, which share this code, stay and are counted by the memory that they hold. */
#include "backend/nft.h"

#include <nftables/libnftables.h>

#include "base/auto.h"
#include "base/lib.h"
#include "base/str.h"

#define LIBRARY "libnftables.so.1"

/* The functions that are needed, as the library's header declares them. */
#define FUNCTIONS(X)                                                                               \
	X(nft_ctx_new)                                                                             \
	X(nft_ctx_free)                                                                            \
	X(nft_ctx_buffer_output)                                                                   \
	X(nft_ctx_buffer_error)                                                                    \
	X(nft_ctx_output_set_flags)                                                                \
	X(nft_ctx_get_output_buffer)                                                               \
	X(nft_ctx_get_error_buffer)                                                                \
	X(nft_run_cmd_from_buffer)

struct nft {
	void *library;
	struct nft_ctx *ctx;
#define X(name) __typeof__(name) *name;
	FUNCTIONS(X)
#undef X
};

static void nft_close(struct nft *n)
{
	if (n->ctx)
		n->nft_ctx_free(n->ctx);
	lib_close(n->library);
}
#define auto_nft __attribute__((cleanup(nft_close)))

static int nft_open(struct nft *n, struct err *e)
{
	const struct lib_function functions[] = {
#define X(name) {#name, &n->name},
		FUNCTIONS(X)
#undef X
	};

	if (lib_open(&n->library, LIBRARY, functions, ARRAY_SIZE(functions), e) < 0)
		return -1;
	n->ctx = n->nft_ctx_new(NFT_CTX_DEFAULT);
	if (!n->ctx || n->nft_ctx_buffer_error(n->ctx) || n->nft_ctx_buffer_output(n->ctx))
		return err_set(e, ERRK_STATE, "nftables cannot be used");
	return 0;
}

static int run(struct nft *n, const char *commands, struct err *e)
{
	char said[200];

	if (n->nft_run_cmd_from_buffer(n->ctx, commands) == 0)
		return 0;
	str_printable(said, sizeof(said), str_of(n->nft_ctx_get_error_buffer(n->ctx)));
	return err_set(e, ERRK_STATE, "nftables: %s", said);
}

int nft_run(const char *commands, struct err *e)
{
	auto_nft struct nft n = {0};

	return nft_open(&n, e) < 0 ? -1 : run(&n, commands, e);
}

int nft_ask(struct buf *out, const char *command, struct err *e)
{
	auto_nft struct nft n = {0};

	if (nft_open(&n, e) < 0)
		return -1;
	n.nft_ctx_output_set_flags(n.ctx, NFT_CTX_OUTPUT_JSON);
	if (run(&n, command, e) < 0)
		return -1;
	buf_puts(out, n.nft_ctx_get_output_buffer(n.ctx));
	return 0;
}
