/* The buyer's program, called instead of executed: src/cli/main.c is built once more with its main
 * under this name. */
#ifndef TESTS_CRASH_BUYER_H
#define TESTS_CRASH_BUYER_H

int lease_main(int argc, char **argv);

#endif
