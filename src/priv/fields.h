/* Rows of message tables: define MSG as the struct's name, then list its fields. Only for .c files.
 */
#ifndef PRIV_FIELDS_H
#define PRIV_FIELDS_H

#include <stddef.h>

#include "base/auto.h"
#include "priv/wire.h"

#define WALL_MAX    ((uint64_t)1 << 40) /* seconds */
#define WALL_MS_MAX ((uint64_t)1 << 50)
#define MESSAGE_MAX 1024

#define FIELD(member, type, min, max)                                                              \
	{                                                                                          \
#member, type, offsetof(struct MSG, member), min, max, NULL                        \
	}
#define BOOL(m)		   FIELD(m, WIRE_BOOL, 0, 1)
#define U32(m, min, max)   FIELD(m, WIRE_U32, min, max)
#define ENUM(m, count)	   FIELD(m, WIRE_U32, 0, (count)-1)
#define U64(m, min, max)   FIELD(m, WIRE_U64, min, max)
#define WALL(m)		   FIELD(m, WIRE_I64, 0, WALL_MAX)
#define WALL_MS(m)	   FIELD(m, WIRE_I64, 0, WALL_MS_MAX)
#define HEX(m, n)	   FIELD(m, WIRE_HEX, 0, n)
#define ID		   HEX(id, PRIV_ID_LEN)
#define TEXT(m, max)	   FIELD(m, WIRE_TEXT, 0, max)
#define BLOB(m, max)	   FIELD(m, WIRE_BLOB, 0, max)
#define STRINGS(m, n, max) FIELD(m, WIRE_STRINGS, n, max)
#define LIST(m, n, table)                                                                          \
	{                                                                                          \
#m, WIRE_LIST, offsetof(struct MSG, m), 0, n, table                                \
	}
#define SPEC(m) FIELD(m, WIRE_SPEC, 0, 0)
#define TABLE(name)                                                                                \
	{                                                                                          \
		sizeof(struct name), name##_fields, ARRAY_SIZE(name##_fields)                      \
	}

#endif
