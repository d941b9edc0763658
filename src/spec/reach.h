/* What a container reaches outside its file system: the network, published ports, graphics cards.
 */
#ifndef SPEC_REACH_H
#define SPEC_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"

#define SPEC_PORTS_MAX 32
#define SPEC_GPUS_MAX  16

struct spec;

enum spec_network {
	SPEC_NETWORK_OFFERED, /* what the offer has */
	SPEC_NETWORK_NONE,    /* a loopback of its own */
	SPEC_NETWORK_INTERNET,
};

enum spec_protocol { SPEC_TCP, SPEC_UDP };

struct spec_port {
	uint16_t inside;
	uint16_t outside; /* on the provider's address; 0: the provider chooses */
	enum spec_protocol protocol;
};

struct spec_ports {
	struct spec_port *v;
	size_t n;
};

struct spec_gpu {
	enum spec_vendor { SPEC_NVIDIA, SPEC_AMD, SPEC_INTEL, SPEC_VENDOR_ANY } vendor;
	uint32_t count; /* 0: none */
};

const char *spec_vendor_name(enum spec_vendor v); /* "nvidia"; "any" */
/* Not "any". */
int spec_vendor_parse(enum spec_vendor *out, struct str word, struct err *e) MUST_CHECK;

/* network, ports and gpu of the JSON form. */
int spec_reach_read(struct spec *out, const struct json *spec, struct err *e) MUST_CHECK;
void spec_reach_write(struct jsonw *w, const struct spec *s);
int spec_reach_check(const struct spec *s, struct err *e) MUST_CHECK;
bool spec_port_eq(const struct spec_port *a, const struct spec_port *b);
/* "[OUTSIDE:]INSIDE[/udp|/tcp]", as people write it. */
int spec_port_parse(struct spec_port *out, struct str text, struct err *e) MUST_CHECK;
void spec_port_print(struct buf *out, const struct spec_port *p); /* "80/tcp" */
void spec_ports_add(struct spec_ports *ports, const struct spec_port *p);
/* A list of ports on its own: appends to `out`; nothing where there is none. */
int spec_ports_read(struct spec_ports *out, const struct json *obj, const char *name,
		    struct err *e) MUST_CHECK;
void spec_ports_write(struct jsonw *w, const char *name, const struct spec_ports *ports);
int spec_network_parse(enum spec_network *out, struct str word, struct err *e) MUST_CHECK;
void spec_ports_copy(struct spec_ports *dst, const struct spec_ports *src);

#endif
