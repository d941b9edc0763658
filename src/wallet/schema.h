/* The wallet's tables. */
#ifndef WALLET_SCHEMA_H
#define WALLET_SCHEMA_H

#include "db/db.h"

extern const struct db_schema wallet_schema;

/* Stored numbers: never change one. */
enum held_state { HELD_FREE = 1, HELD_RESERVED, HELD_SPENT };
enum plan_state { PLAN_OPEN = 1, PLAN_SETTLED, PLAN_REJECTED };
enum fund_state { FUND_WAITING = 1, FUND_PLANNED, FUND_DONE, FUND_LAPSED };

#endif
