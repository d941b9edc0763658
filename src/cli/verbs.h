/* The verbs of `lease`; each is one function in a file of its kind, called from the table in
 * main.c. ctx is the struct app. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli/app.h"
#include "cli/book.h"
#include "proto/request.h"
#include "spec/spec.h"

struct run_options {
	bool detach, keep, rm, any;
	bool tty;
	bool interactive; /* Docker's; refused with a word why */
	struct opt_list volume, tmpfs;
	struct opt_list publish;
	const char *in;	  /* a lease that runs: beside its main process, nothing is bought */
	const char *wait; /* --for */
	const char *name, *provider, *offer, *mint, *workdir, *user, *entrypoint, *hostname;
	const char *bandwidth_in, *bandwidth_out;
	const char *cpus, *memory, *budget, *max_risk, *token_file, *spec;
	const char *pull, *registry_auth, *network;
	const char *volume_key; /* file of the key of its volume, … */
	bool own_key;		/* … or the wallet's own */
	const char *stop_signal, *stop_timeout, *restart;
	const char *health_cmd, *health_interval, *health_timeout, *health_start_period,
		*health_retries;
	bool no_healthcheck;
	struct opt_list env;
	bool privileged;	/* Docker's; the operator's alone */
	struct opt_list device; /* this, too */
	struct opt_list cap_add, cap_drop, ulimit, sysctl;
	const char *gpus;
};

struct exec_options {
	bool interactive, tty, detach;
	const char *workdir, *user, *timeout;
	struct opt_list env;
};

struct logs_options {
	bool follow, timestamps;
	const char *tail, *since, *until;
};

struct stats_options {
	bool follow;
};

struct topup_options {
	const char *wait; /* --for */
	const char *token_file;
};

struct volume_options {
	const char *bytes, *wait; /* --size, --for */
	const char *provider, *offer, *mint, *budget, *max_risk, *token_file;
};

struct snapshot_options { /* backup and restore, too */
	const char *snapshot;
	bool rm;
};

struct stop_options {
	const char *time; /* -t */
};

struct start_options {
	const char *registry_auth, *image, *pull;
};

struct unlock_options {
	const char *volume_key;
};

struct kill_options {
	const char *signal, *command;
};

struct verify_options {
	const char *provider;
};

struct ls_options {
	bool all;
};

struct backup_options {
	bool words;
};

struct restore_options {
	const char *words, *mint;
};

struct history_options {
	const char *since, *limit;
};

struct mint_options {
	const char *mint;
};

struct pay_options {
	const char *mint, *amount, *max_fee;
	bool again;
};

struct pending_options {
	const char *token;
};

struct send_options {
	const char *mint, *lock, *until;
};

struct request_options {
	const char *mint, *memo;
};

struct move_options {
	const char *from, *to, *max_fee;
};

struct offers_options {
	bool gpu;
};

struct images_options {
	const char *provider;
};

struct template_options {
	const char *provider;
};

struct mints_options {
	bool offers;
};

/* run_powers.c: --cap-add, --cap-drop, --ulimit, --sysctl and --gpus into spec and offer wanted. */
struct market_want;
int run_read_powers(struct spec *s, struct market_want *want, const struct run_options *o,
		    struct err *e) MUST_CHECK;
/* Where the command begins in "IMAGE [--] COMMAND…". */
int cli_command_at(int argc, char **argv);
/* Environment, working directory and user from the options of run and exec. */
int cli_fill_spec(struct spec *s, const struct opt_list *env, const char *workdir, const char *user,
		  struct err *e) MUST_CHECK;

/* A time, or a number of seconds as Docker has them: from 1 to `most`. */
int cli_seconds(int64_t *out, const char *text, int64_t most, struct err *e) MUST_CHECK;
/* How its command stops and what it sees, from the options of run. */
int cli_fill_life(struct spec *s, const struct run_options *o, struct err *e) MUST_CHECK;

/* Run what `req` says in the lease `name` and copy its output; its exit status, or one of ours.
 * With `interactive`, standard input goes to it. */
int cli_exec(struct app *a, const char *name, struct request *req, bool interactive);
/* run --in */
extern const struct opt cli_run_opts[]; /* of run: main.c */
extern const size_t cli_nrun_opts;
int cli_run_in(struct app *a, const struct run_options *o, int argc, char **argv);

/* The lease that the one argument names; opens the wallet. 0 or the exit status. */
int cli_find_lease(struct app *a, int argc, char **argv, struct book_entry *b);
/* One that was answered once, for exec, logs and cp. */
int cli_find_running(struct app *a, const char *name, struct book_entry *b);
/* Ask its provider; the answer goes into the book. 0 or the exit status. */
int cli_ask_lease(struct app *a, struct book_entry *b, struct request *req, int64_t timeout_ms,
		  struct reply **out);

/* End leases, or kept volumes, by name. */
enum cli_kind { CLI_LEASE, CLI_VOLUME };
int cli_remove(struct app *a, enum cli_kind kind, int argc, char **argv);

int verb_volume_create(void *ctx, const void *options, int argc, char **argv);
int verb_volume_ls(void *ctx, const void *options, int argc, char **argv);
/* --- cmd_volume_snapshot.c --- */

/* 0, or the exit status of what was said. */
int cli_snapshot_named(const char *name);
int cli_find_volume(struct app *a, const char *name, struct book_entry *b);
int cli_restore_snapshot(struct app *a, const char *volume, const char *name);

int verb_volume_snapshot(void *ctx, const void *options, int argc, char **argv);
int verb_volume_snapshots(void *ctx, const void *options, int argc, char **argv);
int verb_volume_backup(void *ctx, const void *options, int argc, char **argv);
int verb_volume_restore(void *ctx, const void *options, int argc, char **argv);
int verb_volume_rm(void *ctx, const void *options, int argc, char **argv);
int verb_template_ls(void *ctx, const void *options, int argc, char **argv);
int verb_template_show(void *ctx, const void *options, int argc, char **argv);
int verb_template_run(void *ctx, const void *options, int argc, char **argv);
int verb_images(void *ctx, const void *options, int argc, char **argv);
int verb_offers(void *ctx, const void *options, int argc, char **argv);
int verb_run(void *ctx, const void *options, int argc, char **argv);
int verb_exec(void *ctx, const void *options, int argc, char **argv);
int verb_cp(void *ctx, const void *options, int argc, char **argv);
int verb_stats(void *ctx, const void *options, int argc, char **argv);
int verb_logs(void *ctx, const void *options, int argc, char **argv);
int verb_ls(void *ctx, const void *options, int argc, char **argv);
int verb_show(void *ctx, const void *options, int argc, char **argv);
int verb_status(void *ctx, const void *options, int argc, char **argv);
int verb_topup(void *ctx, const void *options, int argc, char **argv);
int verb_stop(void *ctx, const void *options, int argc, char **argv);
int verb_unlock(void *ctx, const void *options, int argc, char **argv);
int verb_start(void *ctx, const void *options, int argc, char **argv);
int verb_mounts_ls(void *ctx, const void *options, int argc, char **argv);
int verb_mounts_set(void *ctx, const void *options, int argc, char **argv);
int verb_set(void *ctx, const void *options, int argc, char **argv);
int verb_grow(void *ctx, const void *options, int argc, char **argv);
int verb_port(void *ctx, const void *options, int argc, char **argv);
int verb_port_add(void *ctx, const void *options, int argc, char **argv);
int verb_port_rm(void *ctx, const void *options, int argc, char **argv);
int verb_reconnect(void *ctx, const void *options, int argc, char **argv);
int verb_kill(void *ctx, const void *options, int argc, char **argv);
int verb_rm(void *ctx, const void *options, int argc, char **argv);
int verb_recover(void *ctx, const void *options, int argc, char **argv);
int verb_verify(void *ctx, const void *options, int argc, char **argv);
int verb_verify_isolation(void *ctx, const void *options, int argc, char **argv);
int verb_identity(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_fund(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_balance(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_mints(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_receive(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_pay(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_send(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_reclaim(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_request(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_move(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_backup(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_restore(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_history(void *ctx, const void *options, int argc, char **argv);
int verb_wallet_pending(void *ctx, const void *options, int argc, char **argv);

#endif
