/* The wallet's tables. Rows that say whose money something is are closed, never deleted. */
#include "wallet/schema.h"

#include "base/auto.h"

static const char step1[] =
	"CREATE TABLE mint ("
	" id INTEGER PRIMARY KEY,"
	" url TEXT NOT NULL UNIQUE,"
	" keysets_at INTEGER NOT NULL DEFAULT 0,"   /* last answer of /v1/keysets */
	" gives_change INTEGER NOT NULL DEFAULT 0," /* of payments: NUT-08 is announced */
	" quiet_until INTEGER NOT NULL DEFAULT 0"   /* after 429: nothing goes there before */
	") STRICT;"

	/* Keys are pinned: a row is written once and only active, fee and expiry ever change. */
	"CREATE TABLE keyset ("
	" id BLOB PRIMARY KEY," /* unique over all mints */
	" mint INTEGER NOT NULL REFERENCES mint,"
	" unit TEXT NOT NULL,"
	" active INTEGER NOT NULL,"
	" fee_ppk INTEGER NOT NULL,"
	" expiry INTEGER NOT NULL," /* 0: none */
	" keys TEXT NOT NULL"	    /* {"1":"02…",…} */
	") STRICT;"

	"CREATE TABLE counter (" /* NUT-13: the next one to use */
	" keyset BLOB PRIMARY KEY REFERENCES keyset,"
	" next INTEGER NOT NULL,"
	" scanned INTEGER NOT NULL DEFAULT 0" /* once looked past with restore */
	") STRICT;"

	"CREATE TABLE key (" /* refund keys, derived from the seed by id */
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" pub BLOB UNIQUE"
	") STRICT;"

	"CREATE TABLE plan ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" kind INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" mint INTEGER NOT NULL REFERENCES mint,"
	" keyset BLOB NOT NULL REFERENCES keyset," /* of every output */
	" ref TEXT NOT NULL,"
	" gross INTEGER NOT NULL, fee INTEGER NOT NULL, net INTEGER NOT NULL," /* sat */
	" not_after INTEGER NOT NULL,"
	" lock_key BLOB," /* inputs are locked to this key of ours */
	" body BLOB,"	  /* sealed: the exact bytes to POST; NULL once closed */
	" token_out INTEGER REFERENCES token_out," /* that it makes, takes back or refunds */
	" quote INTEGER REFERENCES quote,"
	" payout INTEGER REFERENCES payout,"
	" reason INTEGER NOT NULL DEFAULT 0,"
	" owner_pid INTEGER NOT NULL, owner_start INTEGER NOT NULL,"
	" created INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0"
	") STRICT;"
	"CREATE INDEX plan_open ON plan(id) WHERE state = 1;"
	"CREATE INDEX plan_ref ON plan(ref);"
	"CREATE INDEX plan_token_out ON plan(token_out);"

	"CREATE TABLE plan_input ("
	" plan INTEGER NOT NULL REFERENCES plan,"
	" idx INTEGER NOT NULL,"
	" y BLOB NOT NULL,"
	" PRIMARY KEY (plan, idx)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX plan_input_y ON plan_input(y);"

	"CREATE TABLE plan_output ("
	" plan INTEGER NOT NULL REFERENCES plan,"
	" idx INTEGER NOT NULL,"
	" amount INTEGER NOT NULL,"
	" b BLOB NOT NULL,"	 /* B_ */
	" private BLOB,"	 /* sealed r || secret; NULL once settled */
	" out INTEGER NOT NULL," /* 1: belongs to the outgoing token */
	" PRIMARY KEY (plan, idx)"
	") STRICT, WITHOUT ROWID;"

	/* Every Y that we ever took or released, over all mints, for ever. */
	"CREATE TABLE claim ("
	" y BLOB PRIMARY KEY,"
	" plan INTEGER REFERENCES plan,"
	" released INTEGER NOT NULL DEFAULT 0," /* time */
	" at INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE proof ("
	" y BLOB PRIMARY KEY,"
	" mint INTEGER NOT NULL REFERENCES mint,"
	" keyset BLOB NOT NULL REFERENCES keyset,"
	" amount INTEGER NOT NULL CHECK (amount > 0),"
	" secret BLOB," /* sealed; NULL once spent */
	" c BLOB NOT NULL,"
	" dleq BLOB," /* sealed e || s || r */
	" state INTEGER NOT NULL,"
	" made_by INTEGER NOT NULL REFERENCES plan,"
	" plan INTEGER REFERENCES plan" /* reserved for, or spent by */
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX proof_state ON proof(state, mint, amount);"
	"CREATE INDEX proof_plan ON proof(plan);"

	"CREATE TABLE quote ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" mint INTEGER NOT NULL REFERENCES mint,"
	" quote TEXT NOT NULL,"
	" invoice TEXT NOT NULL,"
	" amount INTEGER NOT NULL,"
	" key BLOB NOT NULL," /* sealed: NUT-20 */
	" state INTEGER NOT NULL,"
	" expiry INTEGER NOT NULL,"
	" owner_pid INTEGER NOT NULL, owner_start INTEGER NOT NULL,"
	" created INTEGER NOT NULL,"
	" UNIQUE (mint, quote)"
	") STRICT;"

	"CREATE TABLE token_out ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" mint INTEGER NOT NULL REFERENCES mint,"
	" ref TEXT NOT NULL,"
	" lease TEXT NOT NULL DEFAULT ''," /* limits count by it; '': they do not */
	" amount INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" kind INTEGER NOT NULL DEFAULT 1," /* enum wallet_out_kind */
	" lock_key BLOB,"		    /* NULL: whoever has it spends it */
	" refund_key BLOB REFERENCES key(pub),"
	" locktime INTEGER NOT NULL,"
	" token BLOB," /* sealed text; NULL before it is made and once its fate is known */
	" created INTEGER NOT NULL"
	") STRICT;"
	"CREATE UNIQUE INDEX token_out_ref ON token_out(ref) WHERE ref <> '' AND state <> 6;"
	"CREATE INDEX token_out_state ON token_out(state);"
	"CREATE INDEX token_out_lease ON token_out(lease);"
	"CREATE INDEX token_out_refund ON token_out(refund_key);"

	"CREATE TABLE payout (" /* Lightning payments */
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" mint INTEGER NOT NULL REFERENCES mint,"
	" ref TEXT NOT NULL,"
	" hash BLOB NOT NULL," /* of the payment: one invoice is paid once */
	" invoice TEXT NOT NULL,"
	" quote TEXT NOT NULL," /* the mint's name for it */
	" amount INTEGER NOT NULL, reserve INTEGER NOT NULL,"
	" cost INTEGER NOT NULL DEFAULT 0,"
	" preimage TEXT NOT NULL DEFAULT '',"
	" state INTEGER NOT NULL,"
	" created INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0"
	") STRICT;"
	"CREATE UNIQUE INDEX payout_hash ON payout(hash) WHERE state <> 3;"
	"CREATE UNIQUE INDEX payout_ref ON payout(ref) WHERE ref <> '' AND state <> 3;"

	"CREATE TABLE posting ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" at INTEGER NOT NULL,"
	" source INTEGER NOT NULL,"
	" target INTEGER NOT NULL CHECK (target <> source),"
	" msat INTEGER NOT NULL CHECK (msat > 0),"
	" mint TEXT NOT NULL,"
	" ref TEXT NOT NULL,"
	" plan INTEGER"
	") STRICT;"
	"CREATE INDEX posting_ref ON posting(ref);"

	"CREATE TABLE balance (" /* what the postings come to: read often, proven by the audit */
	" account INTEGER NOT NULL,"
	" mint TEXT NOT NULL,"
	" msat INTEGER NOT NULL,"
	" PRIMARY KEY (account, mint)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE refund ("
	" lease TEXT NOT NULL,"
	" number INTEGER NOT NULL,"
	" mint TEXT NOT NULL,"
	" msat INTEGER NOT NULL,"
	" key BLOB NOT NULL,"
	" source INTEGER NOT NULL," /* the account that it comes from */
	" state INTEGER NOT NULL,"
	" plan INTEGER REFERENCES plan," /* the last one that was to make it */
	" sat INTEGER NOT NULL DEFAULT 0, fee INTEGER NOT NULL DEFAULT 0," /* once made */
	" token BLOB,"				/* sealed text, from made to taken */
	" check_at INTEGER NOT NULL DEFAULT 0," /* made: when the mint is asked again */
	" created INTEGER NOT NULL,"
	" PRIMARY KEY (lease, number)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX refund_state ON refund(state, check_at);"
	"CREATE INDEX refund_plan ON refund(plan);";

/* Money may still have to move at a mint that is not configured any more. */
static const char step2[] = "ALTER TABLE mint ADD COLUMN local INTEGER NOT NULL DEFAULT 0;"
			    /* when the mint is asked again whether it was taken */
			    "ALTER TABLE token_out ADD COLUMN check_at INTEGER NOT NULL DEFAULT 0;";

static const struct db_migration steps[] = {
	{1, step1},
	{2, step2},
};

const struct db_schema wallet_schema = {
	.name = "wallet",
	.steps = steps,
	.nsteps = ARRAY_SIZE(steps),
};
