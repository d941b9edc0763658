/*
 * leased-keeper LEASE: keeps one lease. Started by the helper's worker in the lease's folder, with
 * a connected socket as descriptor 3. Nothing secret is in its arguments or its environment.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/step.h"
#include "keeper/keeper.h"
#include "priv/msg.h"

#define START_FD 3

static int run(struct err *e)
{
	AUTO(loop_free) struct loop *l = NULL;
	AUTO(keeper_free) struct keeper *k = NULL;
	const char *step = getenv("LEASED_TEST_STEP");

	if (step && step_arm(step, e) < 0)
		return -1;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(e, "become a subreaper");
	if (loop_new(&l, e) < 0 || keeper_new(&k, l, START_FD, e) < 0)
		return -1;
	loop_run(l);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err;

	log_open("leased-keeper", LOGL_INFO);
	if (argc != 2 || !priv_id_valid(argv[1])) {
		fprintf(stderr, "usage: leased-keeper LEASE (started by leased only)\n");
		return 2;
	}
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN},
		  NULL); /* whoever reads our standard error may go away */
	if (run(&err) < 0) {
		log_broken("lease %s: %s", argv[1], err.msg);
		return 1;
	}
	return 0;
}
