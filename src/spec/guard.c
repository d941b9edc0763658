/* Words of guards. */
#include "spec/guard.h"

#include "base/auto.h"

static const char *const WORDS[] = {
#define X(upper, word) word,
	SPEC_GUARDS(X)
#undef X
};

const char *spec_guard_word(enum spec_guard g)
{
	return WORDS[g];
}

uint32_t spec_guard_of(struct str word)
{
	for (unsigned i = 0; i < ARRAY_SIZE(WORDS); i++)
		if (str_is(word, WORDS[i]))
			return spec_guard_bit((enum spec_guard)i);
	return 0;
}
