/* main of `lease`: one table of verbs. */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/step.h"
#include "cli/verbs.h"

#define O(type, name) offsetof(struct type, name)

const struct opt cli_run_opts[] = {
	{'d', "detach", OPT_FLAG, O(run_options, detach), NULL, "print the name and return"},
	{0, "keep", OPT_FLAG, O(run_options, keep), NULL, "keep the lease when the command ends"},
	{0, "rm", OPT_FLAG, O(run_options, rm), NULL, "erase it then, which is done anyway"},
	{0, "for", OPT_STRING, O(run_options, wait), "TIME", "time to buy (10m)"},
	{0, "name", OPT_STRING, O(run_options, name), "NAME", "name of the lease"},
	{0, "in", OPT_STRING, O(run_options, in), "NAME",
	 "buy nothing: run it beside the command of this lease"},
	{0, "spec", OPT_STRING, O(run_options, spec), "FILE",
	 "what to run as JSON; options and COMMAND win over it"},
	{0, "pull", OPT_STRING, O(run_options, pull), "WHEN",
	 "ask the image's registry always, never, or if missing there (missing)"},
	{0, "registry-auth", OPT_STRING, O(run_options, registry_auth), "FILE",
	 "credentials for it: USER:PASSWORD, or Docker's config.json; - is standard input"},
	{0, "own-key", OPT_FLAG, O(run_options, own_key), NULL,
	 "its disk opens with a key of this wallet only, never stored there: lease unlock"},
	{0, "volume-key", OPT_STRING, O(run_options, volume_key), "FILE",
	 "… with this one, 64 hex characters; - is standard input"},
	{'e', "env", OPT_LIST, O(run_options, env), "K=V", "environment; may repeat"},
	{'w', "workdir", OPT_STRING, O(run_options, workdir), "PATH", "working directory"},
	{'u', "user", OPT_STRING, O(run_options, user), "USER", "user inside"},
	{0, "entrypoint", OPT_STRING, O(run_options, entrypoint), "PATH", "instead of the image's"},
	{0, "hostname", OPT_STRING, O(run_options, hostname), "NAME", "host name inside"},
	{0, "bandwidth-in", OPT_STRING, O(run_options, bandwidth_in), "SIZE",
	 "get at most so many bytes a second from the network"},
	{0, "bandwidth-out", OPT_STRING, O(run_options, bandwidth_out), "SIZE",
	 "send at most so many"},
	{0, "cpus", OPT_STRING, O(run_options, cpus), "N", "an offer with at least so many"},
	{0, "memory", OPT_STRING, O(run_options, memory), "SIZE", "an offer with at least so much"},
	{0, "provider", OPT_STRING, O(run_options, provider), "KEY", "buy from this one"},
	{0, "offer", OPT_STRING, O(run_options, offer), "NAME", "buy this offer"},
	{0, "mint", OPT_STRING, O(run_options, mint), "URL", "pay with this mint's ecash"},
	{0, "token-file", OPT_STRING, O(run_options, token_file), "FILE",
	 "pay with the token in it; - is standard input"},
	{0, "budget", OPT_STRING, O(run_options, budget), "SAT", "pay at most so much"},
	{0, "max-risk", OPT_STRING, O(run_options, max_risk), "TIME",
	 "first payment to a provider that is new (10m)"},
	{0, "any", OPT_FLAG, O(run_options, any), NULL,
	 "if a provider refuses or says nothing, ask the next"},
	{'i', "interactive", OPT_FLAG, O(run_options, interactive), NULL,
	 "with --in: send standard input; else see exec -i"},
	{'t', "tty", OPT_FLAG, O(run_options, tty), NULL, "a terminal for its output"},
	{0, "stop-signal", OPT_STRING, O(run_options, stop_signal), "NAME",
	 "what lease stop sends (the image's, or TERM)"},
	{0, "stop-timeout", OPT_STRING, O(run_options, stop_timeout), "TIME",
	 "between it and the kill (30s)"},
	{0, "restart", OPT_STRING, O(run_options, restart), "WHEN",
	 "no, or on-failure:N, at most N times (no)"},
	{0, "health-cmd", OPT_STRING, O(run_options, health_cmd), "COMMAND",
	 "check by this, in a shell inside, whether it is well"},
	{0, "health-interval", OPT_STRING, O(run_options, health_interval), "TIME",
	 "between two checks (30s)"},
	{0, "health-timeout", OPT_STRING, O(run_options, health_timeout), "TIME",
	 "of one check (10s)"},
	{0, "health-retries", OPT_STRING, O(run_options, health_retries), "N",
	 "failures in a row that make it unhealthy (3)"},
	{0, "health-start-period", OPT_STRING, O(run_options, health_start_period), "TIME",
	 "in which failures do not count (0s)"},
	{0, "no-healthcheck", OPT_FLAG, O(run_options, no_healthcheck), NULL,
	 "not even the one of --spec"},
	{'p', "publish", OPT_LIST, O(run_options, publish), "PORT",
	 "publish [OUTSIDE:]INSIDE[/udp]; may repeat"},
	{0, "network", OPT_STRING, O(run_options, network), "WORD",
	 "none, or internet (what the offer has)"},
	{0, "gpus", OPT_STRING, O(run_options, gpus), "N",
	 "graphics cards: [VENDOR:]N, or all that a lease of the offer may have"},
	{0, "cap-add", OPT_LIST, O(run_options, cap_add), "NAME",
	 "a capability that the offer lets buyers have; may repeat"},
	{0, "cap-drop", OPT_LIST, O(run_options, cap_drop), "NAME",
	 "without this one, or ALL; may repeat"},
	{0, "ulimit", OPT_LIST, O(run_options, ulimit), "NAME=N",
	 "limit of a process, SOFT[:HARD]; may repeat"},
	{0, "sysctl", OPT_LIST, O(run_options, sysctl), "NAME=N",
	 "a kernel setting of the container's own; may repeat"},
	{0, "device", OPT_LIST, O(run_options, device), "PATH", "the provider's to give"},
	{0, "privileged", OPT_FLAG, O(run_options, privileged), NULL, "the provider's to give"},
	{'v', "volume", OPT_LIST, O(run_options, volume), "VOLUME",
	 "NAME:/PATH[:ro], /PATH, kept:VOLUME:/PATH[:ro,subpath=FOLDER], lease:OTHER/NAME:/PATH or "
	 "assets:NAME:/PATH; may repeat"},
	{0, "tmpfs", OPT_LIST, O(run_options, tmpfs), "PATH",
	 "in memory: /PATH[:size=64Mi,mode=1777]; may repeat"},
};

const size_t cli_nrun_opts = ARRAY_SIZE(cli_run_opts);

static const struct opt exec_opts[] = {
	{'i', "interactive", OPT_FLAG, O(exec_options, interactive), NULL,
	 "send standard input (at most 1 MiB)"},
	{'d', "detach", OPT_FLAG, O(exec_options, detach), NULL,
	 "print its id and return; see kill --exec"},
	{'t', "tty", OPT_FLAG, O(exec_options, tty), NULL, "not carried by relays"},
	{'e', "env", OPT_LIST, O(exec_options, env), "K=V", "environment; may repeat"},
	{'w', "workdir", OPT_STRING, O(exec_options, workdir), "PATH", "working directory"},
	{'u', "user", OPT_STRING, O(exec_options, user), "USER", "user inside"},
	{0, "timeout", OPT_STRING, O(exec_options, timeout), "TIME", "kill it after so long (1h)"},
};

static const struct opt logs_opts[] = {
	{'f', "follow", OPT_FLAG, O(logs_options, follow), NULL, "until the command ends"},
	{'n', "tail", OPT_STRING, O(logs_options, tail), "N", "only the last N lines"},
	{0, "since", OPT_STRING, O(logs_options, since), "TIME",
	 "from then on: 10m, 2026-11-22T17:41:00Z, or seconds since 1970"},
	{0, "until", OPT_STRING, O(logs_options, until), "TIME", "nothing later"},
	{'t', "timestamps", OPT_FLAG, O(logs_options, timestamps), NULL,
	 "the host's time before each line"},
};

static const struct opt stats_opts[] = {
	{'f', "watch", OPT_FLAG, O(stats_options, follow), NULL, "again every two seconds"},
};

static const struct opt topup_opts[] = {
	{0, "for", OPT_STRING, O(topup_options, wait), "TIME", "time to add (10m)"},
	{0, "token-file", OPT_STRING, O(topup_options, token_file), "FILE",
	 "pay with the token in it; - is standard input"},
};

static const struct opt volume_opts[] = {
	{0, "size", OPT_STRING, O(volume_options, bytes), "SIZE", "of the volume (1Gi)"},
	{0, "for", OPT_STRING, O(volume_options, wait), "TIME", "time to buy (24h)"},
	{0, "provider", OPT_STRING, O(volume_options, provider), "KEY", "buy from this one"},
	{0, "offer", OPT_STRING, O(volume_options, offer), "NAME", "buy this offer"},
	{0, "mint", OPT_STRING, O(volume_options, mint), "URL", "pay with this mint's ecash"},
	{0, "token-file", OPT_STRING, O(volume_options, token_file), "FILE",
	 "pay with the token in it; - is standard input"},
	{0, "budget", OPT_STRING, O(volume_options, budget), "SAT", "pay at most so much"},
	{0, "max-risk", OPT_STRING, O(volume_options, max_risk), "TIME",
	 "first payment to a provider that is new (10m)"},
};

static const struct opt snapshot_opts[] = {
	{0, "rm", OPT_FLAG, O(snapshot_options, rm), NULL, "remove the snapshot"},
};

static const struct opt volume_backup_opts[] = {
	{0, "snapshot", OPT_STRING, O(snapshot_options, snapshot), "NAME",
	 "of this snapshot, also while a lease writes to the volume"},
};

static const struct opt volume_restore_opts[] = {
	{0, "snapshot", OPT_STRING, O(snapshot_options, snapshot), "SNAPSHOT",
	 "put this one, instead of a FILE, in place of all that the volume has"},
};

static const struct opt stop_opts[] = {
	{'t', "time", OPT_STRING, O(stop_options, time), "TIME",
	 "between the stop signal and the kill (30s)"},
};

static const struct opt start_opts[] = {
	{0, "image", OPT_STRING, O(start_options, image), "IMAGE",
	 "of this image from now on; lease mounts says what of its files survives"},
	{0, "pull", OPT_STRING, O(start_options, pull), "WHEN", "with --image: as for run"},
	{0, "registry-auth", OPT_STRING, O(start_options, registry_auth), "FILE",
	 "as for run, where its image is to be asked for again"},
};

static const struct opt unlock_opts[] = {
	{0, "volume-key", OPT_STRING, O(unlock_options, volume_key), "FILE",
	 "the key that was brought; without it the wallet's own"},
};

static const struct opt kill_opts[] = {
	{'s', "signal", OPT_STRING, O(kill_options, signal), "NAME", "signal to send (KILL)"},
	{0, "exec", OPT_STRING, O(kill_options, command), "ID",
	 "to the command that exec -d printed, and all that it started"},
};

static const struct opt verify_opts[] = {
	{0, "provider", OPT_STRING, O(verify_options, provider), "KEY",
	 "who must have signed it; of a lease by name, its provider"},
};

static const struct opt ls_opts[] = {
	{'a', "all", OPT_FLAG, O(ls_options, all), NULL, "also those that have ended"},
};

static const struct opt pay_opts[] = {
	{0, "mint", OPT_STRING, O(pay_options, mint), "URL", "pay from this mint"},
	{0, "amount", OPT_STRING, O(pay_options, amount), "SAT", "where the payee leaves it open"},
	{0, "max-fee", OPT_STRING, O(pay_options, max_fee), "SAT", "at most so much for fees"},
	{0, "again", OPT_FLAG, O(pay_options, again), NULL,
	 "give up an attempt that the mint has forgotten, and pay once more"},
};

static const struct opt pending_opts[] = {
	{0, "token", OPT_STRING, O(pending_options, token), "NUMBER", "print this token again"},
};

static const struct opt send_opts[] = {
	{0, "mint", OPT_STRING, O(send_options, mint), "URL", "which mint"},
	{0, "lock", OPT_STRING, O(send_options, lock), "KEY", "only this key can spend it"},
	{0, "until", OPT_STRING, O(send_options, until), "TIME", "end of the lock: ours again"},
};

static const struct opt request_opts[] = {
	{0, "mint", OPT_STRING, O(request_options, mint), "URL", "only money of this mint"},
	{0, "memo", OPT_STRING, O(request_options, memo), "TEXT", "what it is for"},
};

static const struct opt move_opts[] = {
	{0, "to", OPT_STRING, O(move_options, to), "URL", "mint that gets it"},
	{0, "from", OPT_STRING, O(move_options, from), "URL", "mint that pays (the richest)"},
	{0, "max-fee", OPT_STRING, O(move_options, max_fee), "SAT", "at most so much for fees"},
};

static const struct opt mint_opts[] = {
	{0, "mint", OPT_STRING, O(mint_options, mint), "URL", "which mint"},
};

static const struct opt mints_opts[] = {
	{0, "offers", OPT_FLAG, O(mints_options, offers), NULL, "also what providers take"},
};

#define OPTS(o, type) .opts = o, .nopts = ARRAY_SIZE(o), .size = sizeof(struct type)

static const struct opt backup_opts[] = {
	{0, "words", OPT_FLAG, O(backup_options, words), NULL, "print the seed words"},
};

static const struct opt restore_opts[] = {
	{0, "words", OPT_STRING, O(restore_options, words), "FILE",
	 "seed words for a wallet that is not there yet; - for standard input"},
	{0, "mint", OPT_STRING, O(restore_options, mint), "URL", "ask this mint too"},
};

static const struct opt history_opts[] = {
	{0, "since", OPT_STRING, O(history_options, since), "TIME", "so far back, such as 30d"},
	{'n', "limit", OPT_STRING, O(history_options, limit), "LINES",
	 "so many of the newest (50)"},
};

static const struct opt offers_opts[] = {
	{0, "gpu", OPT_FLAG, O(offers_options, gpu), NULL, "only those with graphics cards"},
};

static const struct opt template_opts[] = {
	{'p', "provider", OPT_STRING, O(template_options, provider), "KEY", "of this one"},
};

static const struct opt images_opts[] = {
	{'p', "provider", OPT_STRING, O(images_options, provider), "KEY", "ask this one"},
};

static const struct verb verbs[] = {
	{.name = "offers",
	 .args = "[--gpu]",
	 .help = "list what is for sale",
	 OPTS(offers_opts, offers_options),
	 .run = verb_offers},
	{.name = "images",
	 .args = "-p KEY",
	 .help = "list the images that a provider has unpacked",
	 OPTS(images_opts, images_options),
	 .run = verb_images},
	{.name = "template ls",
	 .args = "[-p KEY]",
	 .help = "list what offers have ready under a name",
	 OPTS(template_opts, template_options),
	 .run = verb_template_ls},
	{.name = "template show",
	 .args = "[-p KEY] NAME",
	 .help = "what it runs, what you may set, and what of the host it gets",
	 OPTS(template_opts, template_options),
	 .run = verb_template_show},
	{.name = "template run",
	 .args = "[OPTION…] NAME",
	 .help = "buy a lease of it; options are those of run",
	 OPTS(cli_run_opts, run_options),
	 .run = verb_template_run},
	{.name = "run",
	 .args = "[OPTION…] [IMAGE [COMMAND…]]",
	 .help = "buy a lease and run a command",
	 OPTS(cli_run_opts, run_options),
	 .stop_at_arg = true,
	 .run = verb_run},
	{.name = "exec",
	 .args = "[OPTION…] NAME COMMAND…",
	 .help = "run one more command in a lease",
	 OPTS(exec_opts, exec_options),
	 .stop_at_arg = true,
	 .run = verb_exec},
	{.name = "cp",
	 .args = "FILE NAME:PATH | NAME:PATH FILE",
	 .help = "copy files into a lease, or out of it",
	 .run = verb_cp},
	{.name = "logs",
	 .args = "[OPTION…] NAME",
	 .help = "what its command printed",
	 OPTS(logs_opts, logs_options),
	 .run = verb_logs},
	{.name = "stats",
	 .args = "[-f] [NAME…]",
	 .help = "what leases use: processor, memory, disk, network",
	 OPTS(stats_opts, stats_options),
	 .run = verb_stats},
	{.name = "ls",
	 .args = "[-a]",
	 .help = "list your leases",
	 OPTS(ls_opts, ls_options),
	 .run = verb_ls},
	{.name = "show",
	 .args = "NAME",
	 .help = "all that is known of a lease, with its receipt",
	 .run = verb_show},
	{.name = "status", .args = "NAME", .help = "ask the provider", .run = verb_status},
	{.name = "topup",
	 .args = "[--for TIME] NAME",
	 .help = "buy more time",
	 OPTS(topup_opts, topup_options),
	 .run = verb_topup},
	{.name = "volume create",
	 .args = "[OPTION…] NAME",
	 .help = "buy a volume that outlives leases; run -v kept:NAME:/PATH attaches it",
	 OPTS(volume_opts, volume_options),
	 .run = verb_volume_create},
	{.name = "volume ls",
	 .args = "[-a]",
	 .help = "list your volumes",
	 OPTS(ls_opts, ls_options),
	 .run = verb_volume_ls},
	{.name = "volume extend",
	 .args = "[--for TIME] NAME",
	 .help = "buy more time for a volume",
	 OPTS(topup_opts, topup_options),
	 .run = verb_topup},
	{.name = "volume grow",
	 .args = "NAME [SIZE]",
	 .help = "a larger volume at a higher price; without SIZE, what that would be",
	 .run = verb_grow},
	{.name = "volume snapshot",
	 .args = "[--rm] NAME SNAPSHOT",
	 .help = "copy what a volume has on its own disk, which has to have room for it",
	 OPTS(snapshot_opts, snapshot_options),
	 .run = verb_volume_snapshot},
	{.name = "volume snapshots",
	 .args = "NAME",
	 .help = "list a volume's snapshots, with the time of each",
	 .run = verb_volume_snapshots},
	{.name = "volume backup",
	 .args = "[--snapshot NAME] NAME FILE|-",
	 .help = "bring what a volume has, encrypted with your wallet's seed",
	 OPTS(volume_backup_opts, snapshot_options),
	 .run = verb_volume_backup},
	{.name = "volume restore",
	 .args = "NAME FILE|- | NAME --snapshot SNAPSHOT",
	 .help = "put a backup into an empty volume, or replace what one has by a snapshot",
	 OPTS(volume_restore_opts, snapshot_options),
	 .run = verb_volume_restore},
	{.name = "volume rm",
	 .args = "NAME…",
	 .help = "end a volume, have it erased, and get the rest of its time back",
	 .run = verb_volume_rm},
	{.name = "grow",
	 .args = "NAME [SIZE]",
	 .help = "a larger disk at a higher price; without SIZE, what that would be",
	 .run = verb_grow},
	{.name = "stop",
	 .args = "[-t TIME] NAME",
	 .help = "end its processes, keep its data; its time goes on",
	 OPTS(stop_opts, stop_options),
	 .run = verb_stop},
	{.name = "start",
	 .args = "[OPTION…] NAME [COMMAND…]",
	 .help = "run a stopped lease again, or another command or image in it",
	 .stop_at_arg = true,
	 OPTS(start_opts, start_options),
	 .run = verb_start},
	{.name = "unlock",
	 .args = "[--volume-key FILE] NAME",
	 .help = "bring its disk's key again, which a restart of the host took, and run it",
	 OPTS(unlock_opts, unlock_options),
	 .run = verb_unlock},
	{.name = "set",
	 .args = "NAME pull=WHEN",
	 .help = "ask its image's registry at the next start: always, missing, never",
	 .run = verb_set},
	{.name = "mounts ls",
	 .args = "NAME",
	 .help = "what of its files is kept when its image is changed",
	 .run = verb_mounts_ls},
	{.name = "mounts set",
	 .args = "NAME PATH[,PATH…]",
	 .help = "keep these paths then, from its next start on",
	 .run = verb_mounts_set},
	{.name = "kill",
	 .args = "[-s NAME] [--exec ID] NAME",
	 .help = "send a signal to its command",
	 OPTS(kill_opts, kill_options),
	 .run = verb_kill},
	{.name = "port", .args = "NAME", .help = "what it publishes", .run = verb_port},
	{.name = "port add",
	 .args = "NAME [OUTSIDE:]INSIDE[/udp]…",
	 .help = "publish more ports while it runs",
	 .run = verb_port_add},
	{.name = "port rm",
	 .args = "NAME [OUTSIDE:]INSIDE[/udp]…",
	 .help = "publish ports no longer",
	 .run = verb_port_rm},
	{.name = "reconnect",
	 .args = "NAME",
	 .help = "join its network again, which was cut off",
	 .run = verb_reconnect},
	{.name = "rm", .args = "NAME…", .help = "end a lease and have it erased", .run = verb_rm},
	{.name = "recover",
	 .args = "",
	 .help = "settle payments whose fate is not known",
	 .run = verb_recover},
	{.name = "verify",
	 .args = "[--provider KEY] RECORD",
	 .help = "check what a receipt proves, offline: a file, - or a lease",
	 OPTS(verify_opts, verify_options),
	 .run = verb_verify},
	{.name = "verify-isolation",
	 .args = "NAME",
	 .help = "look from inside whether a lease is kept in as its offer says",
	 .run = verb_verify_isolation},
	{.name = "identity",
	 .args = "PROVIDER",
	 .help = "the key that a provider knows you by",
	 .run = verb_identity},
	{.name = "wallet fund",
	 .args = "[--mint URL] SAT",
	 .help = "add money by a Lightning invoice",
	 OPTS(mint_opts, mint_options),
	 .run = verb_wallet_fund},
	{.name = "wallet balance",
	 .args = "",
	 .help = "money at each mint",
	 .run = verb_wallet_balance},
	{.name = "wallet mints",
	 .args = "[--offers]",
	 .help = "mints that are known, and who takes them",
	 OPTS(mints_opts, mints_options),
	 .run = verb_wallet_mints},
	{.name = "wallet receive",
	 .args = "[FILE]",
	 .help = "take a token from a file or standard input",
	 .run = verb_wallet_receive},
	{.name = "wallet pay",
	 .args = "[OPTION…] INVOICE|ADDRESS|REQUEST",
	 .help = "pay by Lightning, or answer a payment request",
	 OPTS(pay_opts, pay_options),
	 .run = verb_wallet_pay},
	{.name = "wallet send",
	 .args = "[OPTION…] SAT",
	 .help = "print a token for somebody",
	 OPTS(send_opts, send_options),
	 .run = verb_wallet_send},
	{.name = "wallet reclaim",
	 .args = "NUMBER",
	 .help = "take back a token that nobody took",
	 .run = verb_wallet_reclaim},
	{.name = "wallet request",
	 .args = "[OPTION…] SAT",
	 .help = "print a payment request",
	 OPTS(request_opts, request_options),
	 .run = verb_wallet_request},
	{.name = "wallet move",
	 .args = "[OPTION…] --to URL SAT",
	 .help = "move money to another mint",
	 OPTS(move_opts, move_options),
	 .run = verb_wallet_move},
	{.name = "wallet history",
	 .args = "[--since TIME] [-n LINES]",
	 .help = "what came, was sent, came back and was taken",
	 OPTS(history_opts, history_options),
	 .run = verb_wallet_history},
	{.name = "wallet backup",
	 .args = "FILE | --words",
	 .help = "copy the database, or show the seed words",
	 OPTS(backup_opts, backup_options),
	 .run = verb_wallet_backup},
	{.name = "wallet restore",
	 .args = "[--words FILE] [--mint URL]",
	 .help = "bring settled money back from the seed alone",
	 OPTS(restore_opts, restore_options),
	 .run = verb_wallet_restore},
	{.name = "wallet pending",
	 .args = "[--token NUMBER]",
	 .help = "invoices, exchanges and tokens that are open",
	 OPTS(pending_opts, pending_options),
	 .run = verb_wallet_pending},
};

static const struct opt globals[] = {
	{0, "home", OPT_STRING, O(app_globals, home), "DIR", "keep everything there (LEASE_HOME)"},
	{0, "relay", OPT_LIST, O(app_globals, relays), "URL",
	 "relay to use; may repeat (LEASE_RELAYS)"},
	{0, "json", OPT_FLAG, O(app_globals, json), NULL, "print JSON"},
	{'q', "quiet", OPT_FLAG, O(app_globals, quiet), NULL, "say nothing that was not asked for"},
};

static int arm_step(void)
{
	const char *spec = getenv("LEASED_TEST_STEP");
	struct err e;

	return spec && step_arm(spec, &e) < 0 ? app_fail(EXIT_USAGE, &e) : 0;
}

int main(int argc, char **argv)
{
	struct app app = {0};
	const struct program program = {
		.name = "lease",
		.summary = "buy containers by the second for Cashu ecash",
		.verbs = verbs,
		.nverbs = ARRAY_SIZE(verbs),
		.globals = globals,
		.nglobals = ARRAY_SIZE(globals),
		.global_options = &app.g,
	};
	int rc;

	umask(077);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	log_open("lease", getenv("LEASE_DEBUG") ? LOGL_DEBUG : LOGL_BROKEN);
	rc = arm_step();
	if (!rc)
		rc = opt_main(&program, &app, argc, argv);
	app_close(&app);
	if ((fflush(stdout) || ferror(stdout)) && !rc)
		rc = app_failf(EXIT_OTHER,
			       "standard output cannot be written: what should be there "
			       "is lost (tokens are not: lease wallet pending)");
	return rc;
}
