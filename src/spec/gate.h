/*
 * What waits in a container's place until it may begin, and what is said to it. Where a daemon
 * makes containers, theirs is a root of ours that holds nothing: leased-probe is its first process
 * under the name GATE_PROGRAM, with the lease's user, powers and limits. It listens on GATE_SOCKET,
 * is given the command and where it writes to (struct gate_order, with descriptors), and becomes
 * the command when somebody connects again and sends a byte. All numbers are this machine's.
 */
#ifndef SPEC_GATE_H
#define SPEC_GATE_H

#include <stdint.h>

/* In the root that holds nothing. */
#define GATE_PROGRAM "/leased-gate"
#define GATE_FOLDER  "/leased-door"
#define GATE_SOCKET  "gate.sock"    /* in that folder */
#define GATE_ROOT    "/leased-root" /* where the lease's own root is, until it is the root */

/* In the lease's own root leased-probe runs a command whose environment cannot be said in another
 * way: argv is SPEC_PROBE, this, and the command's. Each variable that is named GATE_VARIABLE and a
 * number is the hexadecimal form of one "NAME=VALUE"; besides those it gets GATE_MARK alone. */
#define GATE_COMMAND  "--command"
#define GATE_VARIABLE "LEASE_ENV_"
#define GATE_MARK     "LEASE_COMMAND"

#define GATE_SIZE_MAX (UINT32_C(16) << 20)

/* With it come standard output and standard error, unless there is a terminal. */
struct gate_order {
	uint32_t size;	      /* bytes that follow: texts, each ended by a NUL … */
	uint32_t nargs, nenv; /* … working folder, arguments, environment */
	uint32_t tty;	      /* make a terminal, and send its master with the answer */
};

/* To the order; and after the byte, where the command could not be executed: else the connection
 * ends without one. */
struct gate_answer {
	enum gate_what {
		GATE_READY,
		GATE_DAMAGED,	 /* the order */
		GATE_NO_FOLDER,	 /* to work in */
		GATE_NO_PROGRAM, /* of that name */
		GATE_NO_TERMINAL,
		GATE_NOT_EXECUTED
	} what;
	int32_t error; /* errno */
};

#endif
