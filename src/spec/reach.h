/* What a container reaches outside its file system: the network, published ports, graphics cards.
 */
#ifndef SPEC_REACH_H
#define SPEC_REACH_H

#include <stddef.h>
#include <stdint.h>

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
	enum spec_vendor { SPEC_NVIDIA, SPEC_AMD, SPEC_INTEL } vendor;
	uint32_t count; /* 0: none */
};

/* network, ports and gpu of the JSON form. */
int spec_reach_read(struct spec *out, const struct json *spec, struct err *e) MUST_CHECK;
void spec_reach_write(struct jsonw *w, const struct spec *s);
int spec_reach_check(const struct spec *s, struct err *e) MUST_CHECK;
void spec_ports_copy(struct spec_ports *dst, const struct spec_ports *src);

#endif
