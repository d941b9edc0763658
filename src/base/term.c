#include "base/term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"

enum { LINE_MAX_BYTES = 1024 };
enum { ASKED = 0, ASK_SIGNAL = 1 };

/* What may end or stop us while the echo is off. They stay pending until it is on again. */
static int hold_signals(int *fd, sigset_t *before, struct err *e)
{
	static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(held); i++)
		sigaddset(&set, held[i]);
	*fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (*fd < 0)
		return err_sys(e, "signalfd");
	return sigprocmask(SIG_BLOCK, &set, before) ? err_sys(e, "sigprocmask") : 0;
}

/* A line comes in one piece from a terminal; what follows it is dropped with the echo's return. */
static int read_line(struct buf *out, struct err *e)
{
	char line[LINE_MAX_BYTES];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	if (n > 0 && line[n - 1] == '\n')
		buf_str(out, str_trim((struct str){line, (size_t)n}));
	wipe(line, sizeof(line));
	if (n == (ssize_t)sizeof(line))
		return err_set(e, ERRK_LIMIT, "the answer is too long");
	if (n < 0)
		return err_sys(e, "read the answer");
	return out->n ? buf_check(out, "answer", e) : err_set(e, ERRK_INPUT, "the answer is empty");
}

static int wait_line(struct buf *out, int signals, struct err *e)
{
	struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			     {.fd = signals, .events = POLLIN}};
	int n;

	do
		n = poll(p, ARRAY_SIZE(p), -1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "wait for the answer");
	return p[1].revents ? ASK_SIGNAL : read_line(out, e);
}

/* One try. Restoring the mask delivers what came meanwhile: usually this never returns then. */
static int ask(struct buf *out, const struct termios *shown, struct err *e)
{
	struct termios hidden = *shown;
	auto_close int signals = -1;
	sigset_t before;
	int rc;

	if (hold_signals(&signals, &before, e) < 0)
		return -1;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	rc = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) ? err_sys(e, "hide the answer")
							 : wait_line(out, signals, e);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, shown);
	fputc('\n', stderr);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int term_ask_hidden(struct buf *out, const char *question, struct err *e)
{
	struct termios shown;
	int rc;

	if (tcgetattr(STDIN_FILENO, &shown))
		return err_set(e, ERRK_INPUT, "there is no terminal to ask on");
	do {
		fprintf(stderr, "%s: ", question);
		rc = ask(out, &shown, e);
	} while (rc == ASK_SIGNAL);
	return rc;
}
