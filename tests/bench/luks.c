/*
 * luks format1 HEADER | format2 HEADER PAYLOAD | open NAME HEADER DEVICE | close NAME: the calls of
 * libcryptsetup that a volume needs, each in a process of its own, with one key for all.
 */
#include <stdio.h>
#include <string.h>

#include "volume/luks.h"

static int run(int argc, char **argv, const struct luks_key *key, struct err *e)
{
	if (argc == 3 && strcmp(argv[1], "format1") == 0)
		return luks1_format(argv[2], key, e);
	if (argc == 4 && strcmp(argv[1], "format2") == 0)
		return luks2_format(argv[2], argv[3], key, e);
	if (argc == 5 && strcmp(argv[1], "open") == 0)
		return luks2_open(argv[2], argv[3], argv[4], key, e);
	if (argc == 3 && strcmp(argv[1], "close") == 0)
		return luks_close(argv[2], e);
	return err_set(e, ERRK_INPUT, "see the source");
}

int main(int argc, char **argv)
{
	struct luks_key key;
	struct err err;

	memset(key.hex, 'a', sizeof(key.hex) - 1);
	key.hex[sizeof(key.hex) - 1] = '\0';
	if (run(argc, argv, &key, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return 1;
}
