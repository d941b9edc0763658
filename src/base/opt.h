/*
 * Command lines from tables: verbs, options, help and completion come from the same rows. Long
 * options "--name value" or "--name=value", Docker's short ones "-e K=V", "--" ends options, and
 * for verbs with OPT_STOP_AT_ARG parsing stops at the first argument (IMAGE), as docker run does.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum opt_type {
	OPT_FLAG,   /* bool */
	OPT_STRING, /* const char * into argv */
	OPT_LIST,   /* struct opt_list */
};

struct opt_list {
	const char **v;
	size_t n;
};

struct opt {
	char brief;	  /* 0: none */
	const char *name; /* without "--" */
	enum opt_type type;
	size_t offset;	 /* in the verb's option struct */
	const char *arg; /* what the value is called in help: "SECONDS" */
	const char *help;
};

struct verb {
	const char *name; /* "run", or "wallet fund": at most two words; "": runs without one */
	const char *args; /* "[OPTION…] IMAGE [COMMAND…]" */
	const char *help; /* one line */
	const struct opt *opts;
	size_t nopts;
	bool stop_at_arg;
	bool hidden;
	size_t size; /* of the option struct, zeroed for the verb */
	int (*run)(void *ctx, const void *options, int argc, char **argv); /* exit status */
};

struct program {
	const char *name;
	const char *summary;
	const struct verb *verbs;
	size_t nverbs;
	const struct opt *globals; /* parsed before and after the verb */
	size_t nglobals;
	void *global_options;
};

/* Parse and run; prints usage on error and returns 2. Handles "help [VERB]", "--help", "--version"
 * and the hidden verb "complete" that shell completion calls. */
int opt_main(const struct program *p, void *ctx, int argc, char **argv);

#endif
