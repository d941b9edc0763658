/*
 * The graphics cards of this host. Where a file of the Container Device Interface describes those
 * of a vendor, it says which there are and what a lease needs for one; else the nodes do: nvidiaN,
 * and renderD(128+N) of AMD and Intel.
 */
#ifndef OCI_CARDS_H
#define OCI_CARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "spec/cdi.h"
#include "spec/policy.h"

#define CARDS_MAX 64

struct cards {
	uint32_t number[CARDS_MAX]; /* ascending */
	size_t n;
	char *cdi; /* the file; NULL: by their nodes */
};
void cards_clear(struct cards *c);
#define auto_cards __attribute__((cleanup(cards_clear)))

/* Where they are looked for. */
struct cards_host {
	const char *const *cdi_dirs; /* NULL-ended, the later win; NULL: /etc/cdi, /var/run/cdi */
	const char *root;	     /* where /dev and /sys are; NULL: there */
};

/* None is no error; a CDI file that cannot be used is. `out` is cleared first. */
int cards_find(struct cards *out, const struct cards_host *h, enum spec_vendor v,
	       struct err *e) MUST_CHECK;
/* How many of those that an offer may have there are, up to what it sells. */
uint32_t cards_there(const struct cards *c, const struct spec_cards *of);
bool cards_may_have(const struct spec_cards *of, uint32_t number);
/* What a container with these needs; devices are looked up. -1 where something is not there. */
int cards_edits(struct spec_cdi_edits *out, const struct cards_host *h, enum spec_vendor v,
		const uint32_t *number, size_t n, struct err *e) MUST_CHECK;
/* A file of the vendor's in YAML, which is not read; NULL: none. The caller frees. */
char *cards_yaml(const struct cards_host *h, enum spec_vendor v);

#endif
