/* Mounts by /proc/self/mountinfo: see mounts.h. */
#include "volume/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

#include "base/auto.h"
#include "base/str.h"

#define STACK_MAX  16
#define BUSY_TRIES 100

/* mountinfo writes blanks, tabs, newlines and backslashes as three octal digits. */
static bool is_escaped(struct str field, const char *path)
{
	size_t i = 0;

	for (; *path; path++, i++) {
		unsigned char c = (unsigned char)*path;

		if (i >= field.n)
			return false;
		if (c == ' ' || c == '\t' || c == '\n' || c == '\\') {
			char octal[5];

			snprintf(octal, sizeof(octal), "\\%03o", c);
			if (field.n - i < 4 || memcmp(field.p + i, octal, 4) != 0)
				return false;
			i += 3;
		} else if (field.p[i] != *path) {
			return false;
		}
	}
	return i == field.n;
}

char *mounts_line(const char *target)
{
	auto_fclose FILE *f = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while (f && (n = getline(&line, &size, f)) > 0) {
		struct str piece, rest = {line, (size_t)n};
		unsigned i;

		for (i = 0; i < 5 && str_cut(&rest, ' ', &piece); i++)
			;
		if (i == 5 && is_escaped(piece, target))
			return steal(&line);
	}
	return NULL;
}

bool mounts_has(const char *target)
{
	auto_free char *line = mounts_line(target);

	return line != NULL;
}

/* A writer that was just killed may still hold it for a moment. */
static int unmount_once(const char *target)
{
	struct timespec moment = {0, 10 * 1000000};

	for (int i = 0; i < BUSY_TRIES; i++) {
		if (umount2(target, UMOUNT_NOFOLLOW) == 0)
			return 0;
		if (errno != EBUSY)
			return -1;
		nanosleep(&moment, NULL);
	}
	errno = EBUSY;
	return -1;
}

int mounts_remove(const char *target, struct err *e)
{
	for (int i = 0; i < STACK_MAX && mounts_has(target); i++)
		if (unmount_once(target) && errno != EINVAL) {
			if (errno == EBUSY)
				return err_set(e, ERRK_STATE, "%s is in use", target);
			return err_sys(e, "unmount %s", target);
		}
	if (mounts_has(target))
		return err_set(e, ERRK_STATE, "%s is still mounted", target);
	return 0;
}
