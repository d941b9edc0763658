/*
 * What runs inside a lease and tries to get out. Each attempt is a function that returns 0 when it
 * got what no tenant may have, and -1 with errno otherwise. It does no harm where it succeeds:
 * doors are opened, not walked through.
 */
#ifndef TESTS_ESCAPE_ATTACK_H
#define TESTS_ESCAPE_ATTACK_H

#include <stddef.h>

struct attack {
	const char *name;
	int (*run)(char *arg); /* what stands behind the name's colon, or "" */
};

/* Each ends with a NULL name. */
extern const struct attack attack_calls[];  /* system calls, sockets, capabilities */
extern const struct attack attack_files[];  /* paths, mounts, devices, descriptors */
extern const struct attack attack_limits[]; /* processes, memory, disk */
extern const struct attack attack_net[];    /* addresses */

/* Accept connections and answer packets at each ADDRESS,PORT; returns only where that fails. */
int serve(char **addresses, size_t n);

int refused(int sys); /* errno = sys; -1 */
/* Decimal, or with 0x in front; what comes after the digits does not count. */
unsigned long number_of(const char *text);
/* Cut the next comma-separated number from *arg. */
unsigned long next_number(char **arg);
char *next_word(char **arg);

#endif
