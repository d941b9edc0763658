/* A runtime's console socket: the runtime connects and sends the master of the terminal that it
 * made inside the container. */
#ifndef BACKEND_CONSOLE_H
#define BACKEND_CONSOLE_H

#include "base/err.h"

struct console {
	int dir, listener;
	char path[64]; /* what the runtime is told: any folder's socket, in few bytes */
};

/* Listen in `dir`, a folder that nobody but root can write. console_close in any case. */
int console_open(struct console *c, const char *dir, struct err *e) MUST_CHECK;
/* The master that a runtime which has ended sent: a terminal of 80 by 24, non-blocking. */
int console_take(const struct console *c, int *master, struct err *e) MUST_CHECK;
/* The same of one that came on another way: *fd is taken where all is well with it. */
int console_set_up(int *master, int *fd, struct err *e) MUST_CHECK;
void console_close(struct console *c);
#define auto_console __attribute__((cleanup(console_close)))

#endif
