/* NUT-18's payload: see payload.h. */
#include "cashu/payload.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/mem.h"

#define URL_MAX	  1024
#define UNIT_MAX  32
#define PROOF_MAX 4096 /* bytes of one as JSON */

void cashu_payload_free(struct cashu_payload *p)
{
	if (!p)
		return;
	token_free(p->token);
	free(p);
}

static char *text_of(struct str s)
{
	return mem_strndup(s.p, s.n);
}

static int read_money(struct cashu_payload *p, const struct json *j, const struct json *proofs,
		      struct err *e)
{
	auto_free char *mint = NULL, *unit = NULL;
	struct str s = {0};

	if (json_str(j, "mint", URL_MAX, &s, e) < 0)
		return -1;
	mint = text_of(s);
	if (json_str(j, "unit", UNIT_MAX, &s, e) < 0)
		return -1;
	unit = text_of(s);
	p->token = token_new(mint, unit, NULL);
	if (proofs_from_json(&p->token->proofs, proofs, e) < 0)
		return -1;
	return p->token->proofs.n ? 0 : err_set(e, ERRK_INPUT, "proofs: none");
}

int cashu_payload_decode(struct cashu_payload **out, struct str text, struct err *e)
{
	AUTO(cashu_payload_free) struct cashu_payload *p = mem_zero(sizeof(*p));
	auto_json struct json *j = NULL;
	const struct json *proofs;
	struct str id = {0};
	int rc;

	*out = NULL;
	if (json_parse(&j, text, NULL, NULL) < 0 || json_type(j) != JSON_OBJECT)
		return PAYLOAD_FOREIGN;
	proofs = json_get(j, "proofs");
	if (!proofs || json_type(proofs) != JSON_ARRAY)
		return PAYLOAD_FOREIGN;
	if (json_opt_str(j, "id", PAYLOAD_ID_MAX, &id, e) < 0)
		return err_wrap(e, "payment");
	if (id.n > 0)
		memcpy(p->id, id.p, id.n);
	rc = read_money(p, j, proofs, e);
	if (rc < 0) {
		token_free(steal(&p->token));
		err_wrap(e, "payment");
	}
	*out = steal(&p);
	return rc;
}

int cashu_payload_encode(struct buf *out, const char *id, const struct cashu_token *t,
			 struct err *e)
{
	auto_buf struct buf proofs = BUF(t->proofs.n * PROOF_MAX);
	struct jsonw w = JSONW(out);

	proofs_to_json(&proofs, &t->proofs, PROOF_FOR_TOKEN);
	if (buf_check(&proofs, "proofs", e) < 0)
		return -1;
	jsonw_object(&w, NULL);
	jsonw_text(&w, "id", id);
	jsonw_text(&w, "mint", t->mint);
	jsonw_text(&w, "unit", t->unit);
	jsonw_raw(&w, "proofs", buf_view(&proofs));
	jsonw_end_object(&w);
	return buf_check(out, "payment", e);
}
