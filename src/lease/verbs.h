/* What an owner asks of a lease that is there: the files of the engine that answer it. */
#ifndef LEASE_VERBS_H
#define LEASE_VERBS_H

#include "lease/engine_impl.h"

void images_asked(struct ask *a);
void template_asked(struct ask *a); /* owns a */
void verb_asked(struct ask *a); /* status, end, exec, logs, signal, stop, start, refund, set, input,
		put, get */

/* Refuse without storing: nothing was done, and asking again may be answered differently. */
void verb_deny(const struct ask *a, enum reply_code code, const char *message);
void ask_status(struct ask *a, const struct lease *l);			/* answer how it is */
bool verb_finds_it_running(const struct ask *a, const struct lease *l); /* else it is denied */
/* Does a spec say more than this one, which has some of its fields? What would be ignored is
 * refused. */
bool verb_says_more(const struct spec *s, const struct spec *only);

/* --- exec.c --- */

void exec_asked(struct ask *a, const struct lease *l); /* owns a */

/* --- output.c --- */

/* Both streams side by side, so many bytes of each in a reply; the last one is final. */
struct lease_output {
	struct str out, err;
	int64_t exit_status;
	uint64_t offset, left; /* logs */
	bool truncated, final;
	bool tells_left; /* `left` is said: logs do, and backups */
	int signal;	 /* exec */
	bool timed_out;
	enum reply_stage stage;
};
void output_send(struct ask *a, const struct lease *l, const struct lease_output *o);

/* --- stats.c --- */

void stats_asked(struct ask *a, const struct lease *l); /* owns a */

/* --- files.c --- */

void put_asked(struct ask *a, const struct lease *l); /* own a */
void get_asked(struct ask *a, const struct lease *l);
/* After the helper's answer: `o` where it was done, else it is denied with `why`. */
void files_answer(struct ask *a, const struct lease_output *o, enum priv_copy_outcome outcome,
		  const char *why);

/* --- kept_files.c: put, get and snapshot of a kept volume --- */

bool kept_is_open(const struct ask *a, const struct lease *l); /* else it is denied */
void save_asked(struct ask *a, const struct lease *l);	       /* own a */
void load_asked(struct ask *a, const struct lease *l);
void snapshot_asked(struct ask *a, const struct lease *l);

/* --- upload.c --- */

/* One more piece for the owner's running lease. ERRK_LIMIT: too much, or out of order. */
int upload_add(struct engine *g, const struct request *r, struct err *e) MUST_CHECK;
/* The input of `r`: its own, or the upload that it names, which is gone then. The caller frees. */
int upload_take(struct buf *out, struct engine *g, const struct request *r,
		struct err *e) MUST_CHECK;
void uploads_close(struct engine *g);

#endif
