/* What leasectl's verbs share: global options, exit statuses, the agent's control socket, output.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/opt.h"

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NOT_FOUND = 3,
	CTL_MINT = 8,	/* no mint answers */
	CTL_RELAYS = 9, /* no relay answers */
};

struct ctl {
	const char *config;		/* NULL: the installed one */
	const char *state_dir, *socket; /* NULL: as the configuration says */
	bool json;
};

const char *ctl_config_path(const struct ctl *c);

/* One question to the agent. `text` keeps the reply's bytes; *result is the member "result", NULL
 * where there is none, and lives as long as *root. */
enum { CTL_NO_AGENT = 1, CTL_NO_SUCH = 2 };
struct ctl_reply {
	struct json *root;
	const struct json *result;
	struct buf raw; /* the result's text */
};
int ctl_ask(const struct ctl *c, struct str request, struct ctl_reply *out,
	    struct err *e) MUST_CHECK;
/* The same, for what takes so long. */
int ctl_ask_within(const struct ctl *c, struct str request, int64_t ms, struct ctl_reply *out,
		   struct err *e) MUST_CHECK;
void ctl_reply_clear(struct ctl_reply *r);
#define auto_ctl_reply __attribute__((cleanup(ctl_reply_clear)))

/* The member "token" of a reply, or all of it as JSON, on standard output; no copy stays behind. */
int ctl_print_token(const struct ctl *c, const struct ctl_reply *r);

/* Say what went wrong on standard error, and give the exit status for it. */
int ctl_fail(int outcome, const struct err *e);
int ctl_usage(const char *verb, const char *why);

/* Members of replies: 0, 0 and false where they are missing; text is made printable. */
uint64_t ctl_u64(const struct json *obj, const char *key);
int64_t ctl_time(const struct json *obj, const char *key);
bool ctl_bool(const struct json *obj, const char *key);
const char *ctl_text(char *to, size_t size, const struct json *obj, const char *key);
/* "2026-11-22 21:08", UTC; "never" for 0. */
const char *ctl_date(char *to, size_t size, int64_t at);

extern const struct verb verb_init, verb_doctor, verb_status, verb_leases, verb_drain, verb_undrain,
	verb_stop, verb_check_config, verb_wallet_balance, verb_wallet_history, verb_wallet_mints,
	verb_wallet_audit, verb_wallet_restore, verb_wallet_withdraw, verb_wallet_send,
	verb_wallet_pending, verb_wallet_token, verb_wallet_reclaim, verb_earnings, verb_backup,
	verb_restore, verb_bundle, verb_images, verb_images_rm, verb_images_prune, verb_who,
	verb_stats, verb_metrics, verb_reconnect;

#endif
