/* The wallet's tables. */
#ifndef WALLET_SCHEMA_H
#define WALLET_SCHEMA_H

#include "db/db.h"

extern const struct db_schema wallet_schema;

/* Stored numbers: never change one. */
enum proof_state { PROOF_UNSPENT = 1, PROOF_RESERVED, PROOF_SPENT };
enum plan_state { PLAN_OPEN = 1, PLAN_SETTLED, PLAN_REJECTED, PLAN_REPLACED };
enum quote_state { QUOTE_WAITING = 1, QUOTE_PLANNED, QUOTE_DONE, QUOTE_LAPSED };

#endif
