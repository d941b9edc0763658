/* Signals by name, as images and buyers write them. */
#include <signal.h>
#include <string.h>

#include "base/auto.h"
#include "spec/spec.h"

static const struct {
	const char *name;
	int number;
} SIGNALS[] = {
	{"HUP", SIGHUP},
	{"INT", SIGINT},
	{"QUIT", SIGQUIT},
	{"ILL", SIGILL},
	{"TRAP", SIGTRAP},
	{"ABRT", SIGABRT},
	{"BUS", SIGBUS},
	{"FPE", SIGFPE},
	{"KILL", SIGKILL},
	{"USR1", SIGUSR1},
	{"SEGV", SIGSEGV},
	{"USR2", SIGUSR2},
	{"PIPE", SIGPIPE},
	{"ALRM", SIGALRM},
	{"TERM", SIGTERM},
	{"CHLD", SIGCHLD},
	{"CONT", SIGCONT},
	{"STOP", SIGSTOP},
	{"TSTP", SIGTSTP},
	{"TTIN", SIGTTIN},
	{"TTOU", SIGTTOU},
	{"URG", SIGURG},
	{"XCPU", SIGXCPU},
	{"XFSZ", SIGXFSZ},
	{"VTALRM", SIGVTALRM},
	{"PROF", SIGPROF},
	{"WINCH", SIGWINCH},
	{"IO", SIGIO},
	{"PWR", SIGPWR},
	{"SYS", SIGSYS},
	/* init systems in images stop by these; numbers as seen from user space with glibc */
	{"RTMIN+3", 37},
	{"RTMIN+4", 38},
	{"RTMIN", 34},
	{"RTMAX", 64},
};

const char *spec_signal_name(int signal)
{
	for (size_t i = 0; i < ARRAY_SIZE(SIGNALS); i++)
		if (SIGNALS[i].number == signal)
			return SIGNALS[i].name;
	return NULL;
}

bool spec_signal_may_send(int signal)
{
	static const int allowed[] = {SIGHUP,  SIGINT,	SIGQUIT, SIGKILL,
				      SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH};

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (allowed[i] == signal)
			return true;
	return false;
}

int spec_signal(struct str name, int *signal, struct err *e)
{
	struct str bare = str_starts(name, "SIG") ? (struct str){name.p + 3, name.n - 3} : name;
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(SIGNALS); i++)
		if (str_is(bare, SIGNALS[i].name)) {
			*signal = SIGNALS[i].number;
			return 0;
		}
	if (str_u64(name, 64, &n, NULL) == 0 && spec_signal_name((int)n)) {
		*signal = (int)n;
		return 0;
	}
	return err_set(e, ERRK_INPUT, "unknown signal; write one as TERM or SIGTERM");
}
