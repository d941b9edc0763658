#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	e->kind = kind;
	e->sys = 0;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return -1;
}

/* ": text" behind the n bytes of the message that are there; what does not fit is cut. */
static void append(struct err *e, int n, const char *text)
{
	size_t used = n < 0 ? sizeof(e->msg) : (size_t)n, room, take;

	if (used + 3 >= sizeof(e->msg))
		return;
	memcpy(e->msg + used, ": ", 2);
	room = sizeof(e->msg) - used - 3;
	take = strnlen(text, room);
	memcpy(e->msg + used + 2, text, take);
	e->msg[used + 2 + take] = '\0';
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;
	int n;

	if (!e)
		return -1;
	e->kind = ERRK_SYS;
	e->sys = sys;
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	append(e, n, strerror(sys));
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char inner[sizeof(((struct err *)0)->msg)];
	va_list ap;
	int n;

	if (!e)
		return -1;
	memcpy(inner, e->msg, sizeof(inner));
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	append(e, n, inner);
	return -1;
}
