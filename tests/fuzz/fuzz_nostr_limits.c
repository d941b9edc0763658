/* What a relay says of itself: any text is read, and no limit is what was not said. */
#include <stdlib.h>

#include "nostr/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nostr_limits one, two;

	nostr_limits_read(&one, (struct str){(const char *)data, size});
	nostr_limits_read(&two, (struct str){(const char *)data, size});
	if (one.message_max != two.message_max || one.oldest != two.oldest || one.pow != two.pow)
		abort();
	if (size < 2 && (one.message_max || one.content_max || one.oldest || one.pow))
		abort();
	return 0;
}
