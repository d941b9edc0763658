/*
 * attacker NAME[:ARGUMENT]...: make each attempt in a child of its own and say what came of it, a
 * line each: "NAME got", or "NAME refused WHY". `attacker wait` is the main process of a lease that
 * is attacked from inside.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define SECONDS 8 /* an attempt that hangs was refused */
#define TRIES	256

static const struct attack *const TABLES[] = {attack_calls, attack_files, attack_limits,
					      attack_net};

int refused(int sys)
{
	errno = sys;
	return -1;
}

char *next_word(char **arg)
{
	char *word = *arg, *comma = strchr(word, ',');

	if (comma)
		*comma = '\0';
	*arg = comma ? comma + 1 : word + strlen(word);
	return word;
}

unsigned long number_of(const char *text)
{
	static const char DIGITS[] = "0123456789abcdef";
	unsigned base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
	const char *digit;
	unsigned long n = 0;

	if (base == 16)
		text += 2;
	for (; *text && (digit = strchr(DIGITS, *text)) && digit - DIGITS < base; text++)
		n = n * base + (unsigned long)(digit - DIGITS);
	return n;
}

unsigned long next_number(char **arg)
{
	return number_of(next_word(arg));
}

static const struct attack *find(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof(TABLES) / sizeof(*TABLES); i++)
		for (const struct attack *a = TABLES[i]; a->name; a++)
			if (strlen(a->name) == n && memcmp(a->name, name, n) == 0)
				return a;
	return NULL;
}

static void attempt(const struct attack *a, char *arg)
{
	alarm(SECONDS);
	errno = 0;
	if (a->run(arg) == 0)
		_exit(0);
	_exit(errno > 0 && errno < 120 ? errno : 120);
}

static void say(const char *name, int status)
{
	if (WIFSIGNALED(status))
		printf("%s refused signal %d\n", name, WTERMSIG(status));
	else if (WEXITSTATUS(status) == 0)
		printf("%s got\n", name);
	else
		printf("%s refused %s\n", name,
		       strerrorname_np(WEXITSTATUS(status)) ? strerrorname_np(WEXITSTATUS(status))
							    : "?");
	fflush(stdout);
}

/* An attempt on its way. */
struct
try {
	const char *text;
	pid_t pid;
};

static int begin(struct try *t, char *text)
{
	const struct attack *a = find(text, strcspn(text, ":"));

	if (!a) {
		fprintf(stderr, "attacker: no attempt %s\n", text);
		return -1;
	}
	t->text = text;
	t->pid = fork();
	if (t->pid == 0)
		attempt(a, text + strcspn(text, ":") + (strchr(text, ':') != NULL));
	return t->pid < 0 ? -1 : 0;
}

static void finish(const struct try *t)
{
	int status = 0;

	while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
		;
	say(t->text, status);
}

/* AT_ONCE is for those that mostly wait. */
enum order { IN_TURN, AT_ONCE };

static int make_all(char **texts, size_t n, enum order how)
{
	struct try tries[TRIES];

	if (n > TRIES)
		return 2;
	for (size_t i = 0; i < n; i++) {
		if (begin(&tries[i], texts[i]))
			return 2;
		if (how == IN_TURN)
			finish(&tries[i]);
	}
	for (size_t i = 0; how == AT_ONCE && i < n; i++)
		finish(&tries[i]);
	return 0;
}

static _Noreturn void wait_for_end(void)
{
	signal(SIGTERM, exit);
	for (;;)
		if (wait(NULL) < 0)
			pause();
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "wait") == 0)
		wait_for_end();
	if (argc == 2 && strcmp(argv[1], "root?") == 0)
		return geteuid() == 0 ? 0 : EPERM; /* how a set-id copy is asked */
	if (argc > 2 && strcmp(argv[1], "serve") == 0)
		return serve(argv + 2, (size_t)argc - 2);
	if (argc > 1 && strcmp(argv[1], "-p") == 0)
		return make_all(argv + 2, (size_t)argc - 2, AT_ONCE);
	return make_all(argv + 1, (size_t)argc - 1, IN_TURN);
}
