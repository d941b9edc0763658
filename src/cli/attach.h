/* Following what a lease's command prints, until it ends. */
#ifndef CLI_ATTACH_H
#define CLI_ATTACH_H

#include "cli/book.h"
#include "cli/session.h"

struct attach {
	struct app *app;
	struct session *session;
	struct book_entry *entry;
	uint64_t offset;	    /* where the log continues */
	uint64_t tail;		    /* >0: only the last so many lines at first */
	int64_t since_ms, until_ms; /* only what was written then; 0: all */
	bool timestamps;	    /* before each line */
	uint64_t midline;	    /* where the streams stand, see request.h */
	bool follow;		    /* until the command ends; else what is there now */
	bool interrupt;		    /* the first Ctrl-C is sent to the command */
	bool restarting;     /* its command failed and waits to run again; set by attach_run */
	int64_t exit_status; /* -1: it runs, or the lease ended first */
	bool plain;	     /* the provider is too old for tail, times and stamps */
};

/* Copies the log to standard output and error. 0 or the exit status of `lease` itself. */
int attach_run(struct attach *t);

#endif
