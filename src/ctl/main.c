/* leasectl: the operator's program. Each verb is a file; see ctl.h. */
#include <stdio.h>

#include "base/auto.h"
#include "base/log.h"
#include "ctl/ctl.h"

static const struct opt globals[] = {
	{0, "config", OPT_STRING, offsetof(struct ctl, config), "FILE",
	 "read FILE instead of the installed leased.conf"},
	{0, "state-dir", OPT_STRING, offsetof(struct ctl, state_dir), "DIR",
	 "use DIR instead of the configuration's state_dir"},
	{0, "socket", OPT_STRING, offsetof(struct ctl, socket), "PATH",
	 "the agent's control socket, if not the configuration's"},
	{0, "json", OPT_FLAG, offsetof(struct ctl, json), NULL, "print JSON"},
};

int main(int argc, char **argv)
{
	const struct verb verbs[] = {verb_init,
				     verb_doctor,
				     verb_status,
				     verb_leases,
				     verb_images,
				     verb_images_rm,
				     verb_images_prune,
				     verb_drain,
				     verb_undrain,
				     verb_stop,
				     verb_check_config,
				     verb_wallet_balance,
				     verb_wallet_history,
				     verb_wallet_mints,
				     verb_wallet_audit,
				     verb_wallet_restore,
				     verb_wallet_withdraw,
				     verb_wallet_send,
				     verb_wallet_pending,
				     verb_wallet_token,
				     verb_wallet_reclaim,
				     verb_earnings,
				     verb_backup,
				     verb_restore,
				     verb_bundle,
				     verb_who,
				     verb_stats,
				     verb_metrics,
				     verb_reconnect};
	struct ctl c = {NULL, NULL, NULL, false};
	const struct program p = {"leasectl", "Set up, check and operate leased.",
				  verbs,      ARRAY_SIZE(verbs),
				  globals,    ARRAY_SIZE(globals),
				  &c};

	struct err e = {0};
	int rc;

	log_open("leasectl", LOGL_BROKEN);
	rc = opt_main(&p, &c, argc, argv);
	if ((fflush(stdout) || ferror(stdout)) && rc == CTL_OK) {
		err_set(&e, ERRK_SYS,
			"standard output cannot be written: what should be there is lost "
			"(tokens are not: leasectl wallet pending)");
		rc = ctl_fail(-1, &e);
	}
	return rc;
}
