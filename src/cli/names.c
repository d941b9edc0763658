/* Names for leases: see names.h. */
#include "cli/names.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/secret.h"

static const char *const adjectives[] = {
	"amber", "brave",  "brisk", "calm",  "clear", "early", "fond",	 "free",
	"glad",	 "hardy",  "keen",  "light", "loyal", "lucid", "mild",	 "neat",
	"plain", "prompt", "quick", "quiet", "ready", "sober", "steady", "sturdy",
	"sunny", "swift",  "tidy",  "vivid", "warm",  "wise",  "witty",	 "young",
};

static const char *const nouns[] = {
	"acorn", "anvil",  "badger", "beacon",	"birch",   "brook",  "cedar",  "comet",
	"crane", "falcon", "fern",   "finch",	"fjord",   "grove",  "harbor", "heron",
	"kite",	 "lark",   "maple",  "meadow",	"otter",   "pebble", "pine",   "plover",
	"quill", "raven",  "reed",   "sparrow", "thistle", "tide",   "willow", "wren",
};

void names_make(char *dst, size_t size)
{
	snprintf(dst, size, "%s-%s-%02x", adjectives[rand_below(ARRAY_SIZE(adjectives))],
		 nouns[rand_below(ARRAY_SIZE(nouns))], (unsigned)rand_below(256));
}
