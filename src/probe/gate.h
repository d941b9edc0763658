/* leased-probe in its second part: what waits in a container's place (spec/gate.h). */
#ifndef PROBE_GATE_H
#define PROBE_GATE_H

/* Returns only where something failed. */
int gate_main(void);
/* Run a command, `argv`, with what its variables stand for. Returns a shell's status where it did
 * not run. */
int gate_command(char **argv, char **env);

#endif
