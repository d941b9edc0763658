/* The contract of a backend; `box` and `backend` are made by the program that runs it. */
#ifndef TESTS_CONTRACT_BACKEND_H
#define TESTS_CONTRACT_BACKEND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "backend/backend.h"

struct contract {
	const struct backend *backend;
	struct box box;	  /* its command runs until it is killed */
	const char *echo; /* what exec of echo "a b" c says */
};

/* DIR/rootfs, for real backends; and a spec that sleeps in it. */
int contract_make_root(const char *dir, struct err *e);
void contract_fill_spec(struct spec *s);

void contract_probe(void **state);
void contract_absent(void **state);
void contract_life(void **state);
void contract_destroy_running(void **state);
void contract_create_needs_prepare(void **state);
void contract_terminal(void **state);
void contract_exec(void **state);

#define CONTRACT_TESTS                                                                             \
	cmocka_unit_test(contract_probe), cmocka_unit_test(contract_absent),                       \
		cmocka_unit_test(contract_life), cmocka_unit_test(contract_destroy_running),       \
		cmocka_unit_test(contract_create_needs_prepare),                                   \
		cmocka_unit_test(contract_terminal), cmocka_unit_test(contract_exec)

#endif
