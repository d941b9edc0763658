/* Network, ports and graphics cards. */
#include "spec/reach.h"

#include <string.h>

#include "base/mem.h"
#include "spec/read.h"
#include "spec/spec.h"

static const char *const NETWORKS[] = {"offered", "none", "internet", NULL};
static const char *const PROTOCOLS[] = {"tcp", "udp", NULL};
static const char *const VENDORS[] = {"nvidia", "amd", "intel", NULL};

const char *spec_vendor_name(enum spec_vendor v)
{
	return v < SPEC_VENDOR_ANY ? VENDORS[v] : "any";
}

int spec_vendor_parse(enum spec_vendor *out, struct str word, struct err *e)
{
	for (unsigned i = 0; VENDORS[i]; i++)
		if (str_is(word, VENDORS[i])) {
			*out = (enum spec_vendor)i;
			return 0;
		}
	return err_set(e, ERRK_INPUT, "want nvidia, amd or intel");
}

static int read_network(struct spec *out, const struct json *spec, struct err *e)
{
	struct str s = {"", 0};
	unsigned i = out->network;

	if (read_text(&s, spec, "network", e) < 0)
		return -1;
	if (str_is(s, "host"))
		return err_set(e, ERRK_DENIED,
			       "network: the host's comes from the operator's template only");
	if (read_choice(&i, spec, "network", NETWORKS, e))
		return -1;
	out->network = (enum spec_network)i;
	return 0;
}

int spec_network_parse(enum spec_network *out, struct str word, struct err *e)
{
	for (unsigned i = 0; NETWORKS[i]; i++)
		if (str_is(word, NETWORKS[i])) {
			*out = (enum spec_network)i;
			return 0;
		}
	return err_set(e, ERRK_INPUT, "want none or internet");
}

static int read_port(struct spec_port *p, const struct json *obj, struct err *e)
{
	static const char *const NAMES[] = {"inside", "outside", "protocol", NULL};
	static const struct read_range PORT = {1, UINT16_MAX};
	uint64_t inside = 0, outside = 0;
	unsigned protocol = SPEC_TCP;

	if (json_type(obj) != JSON_OBJECT)
		return err_set(e, ERRK_INPUT, "inside: not an object");
	if (read_known(obj, NAMES, e) || read_number(&inside, obj, "inside", PORT, e) ||
	    read_number(&outside, obj, "outside", PORT, e) ||
	    read_choice(&protocol, obj, "protocol", PROTOCOLS, e))
		return -1;
	*p = (struct spec_port){(uint16_t)inside, (uint16_t)outside, (enum spec_protocol)protocol};
	return 0;
}

int spec_ports_read(struct spec_ports *out, const struct json *obj, const char *name, struct err *e)
{
	const struct json *list;
	int r = read_child(&list, obj, name, JSON_ARRAY, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (json_count(list) > SPEC_PORTS_MAX)
		return err_set(e, ERRK_LIMIT, "%s: more than %d", name, SPEC_PORTS_MAX);
	out->v = mem_array(json_count(list), sizeof(*out->v));
	for (const struct json *j = json_first(list); j; j = json_next(j)) {
		if (read_port(&out->v[out->n], j, e))
			return read_under(e, "%s[%zu].", name, out->n);
		out->n++;
	}
	return 0;
}

static int read_gpu(struct spec_gpu *out, const struct json *spec, struct err *e)
{
	static const char *const NAMES[] = {"vendor", "count", NULL};
	static const struct read_range COUNT = {1, SPEC_GPUS_MAX};
	const struct json *obj;
	uint64_t count = 1;
	unsigned vendor = SPEC_VENDOR_ANY;
	int r = read_child(&obj, spec, "gpu", JSON_OBJECT, e);

	if (r)
		return r < 0 ? -1 : 0;
	if (read_known(obj, NAMES, e) || read_choice(&vendor, obj, "vendor", VENDORS, e) ||
	    read_number(&count, obj, "count", COUNT, e))
		return read_under(e, "gpu.");
	*out = (struct spec_gpu){(enum spec_vendor)vendor, (uint32_t)count};
	return 0;
}

int spec_reach_read(struct spec *out, const struct json *spec, struct err *e)
{
	if (read_network(out, spec, e) || spec_ports_read(&out->ports, spec, "ports", e) ||
	    read_gpu(&out->gpu, spec, e))
		return -1;
	return spec_reach_check(out, e);
}

static void write_port(struct jsonw *w, const struct spec_port *p)
{
	jsonw_object(w, NULL);
	jsonw_u64(w, "inside", p->inside);
	write_number(w, "outside", p->outside);
	if (p->protocol != SPEC_TCP)
		jsonw_text(w, "protocol", PROTOCOLS[p->protocol]);
	jsonw_end_object(w);
}

void spec_ports_write(struct jsonw *w, const char *name, const struct spec_ports *ports)
{
	if (ports->n == 0)
		return;
	jsonw_array(w, name);
	for (size_t i = 0; i < ports->n; i++)
		write_port(w, &ports->v[i]);
	jsonw_end_array(w);
}

void spec_reach_write(struct jsonw *w, const struct spec *s)
{
	if (s->network != SPEC_NETWORK_OFFERED)
		jsonw_text(w, "network", NETWORKS[s->network]);
	spec_ports_write(w, "ports", &s->ports);
	if (s->gpu.count) {
		jsonw_object(w, "gpu");
		if (s->gpu.vendor != SPEC_VENDOR_ANY)
			jsonw_text(w, "vendor", VENDORS[s->gpu.vendor]);
		jsonw_u64(w, "count", s->gpu.count);
		jsonw_end_object(w);
	}
}

static int check_port(const struct spec_ports *ports, size_t i, struct err *e)
{
	const struct spec_port *p = &ports->v[i];

	if (p->inside == 0)
		return err_set(e, ERRK_INPUT, "ports[%zu].inside: missing", i);
	if ((unsigned)p->protocol > SPEC_UDP)
		return err_set(e, ERRK_INPUT, "ports[%zu].protocol: unknown", i);
	for (size_t j = 0; j < i; j++)
		if (p->outside && p->outside == ports->v[j].outside &&
		    p->protocol == ports->v[j].protocol)
			return err_set(e, ERRK_INPUT, "ports[%zu].outside: used before", i);
	return 0;
}

int spec_reach_check(const struct spec *s, struct err *e)
{
	if ((unsigned)s->network > SPEC_NETWORK_INTERNET)
		return err_set(e, ERRK_INPUT, "network: unknown");
	if (s->network == SPEC_NETWORK_NONE && s->ports.n)
		return err_set(e, ERRK_INPUT, "ports: none without a network");
	if (s->ports.n > SPEC_PORTS_MAX)
		return err_set(e, ERRK_LIMIT, "ports: more than %d", SPEC_PORTS_MAX);
	for (size_t i = 0; i < s->ports.n; i++)
		if (check_port(&s->ports, i, e))
			return -1;
	if (s->gpu.count > SPEC_GPUS_MAX || (unsigned)s->gpu.vendor > SPEC_VENDOR_ANY)
		return err_set(e, ERRK_INPUT, "gpu: out of range");
	return 0;
}

bool spec_port_eq(const struct spec_port *a, const struct spec_port *b)
{
	return a->inside == b->inside && a->outside == b->outside && a->protocol == b->protocol;
}

static int parse_number(uint16_t *out, struct str text, struct err *e)
{
	uint64_t n;

	if (str_u64(text, UINT16_MAX, &n, NULL) < 0 || n == 0)
		return err_set(e, ERRK_INPUT, "\"%.*s\" is no port: want 1 to 65535", (int)text.n,
			       text.p);
	*out = (uint16_t)n;
	return 0;
}

int spec_port_parse(struct spec_port *out, struct str text, struct err *e)
{
	struct str protocol = text, inside, outside;

	*out = (struct spec_port){0};
	str_cut(&protocol, '/', &inside);
	if (protocol.p && !str_is(protocol, "tcp") && !str_is(protocol, "udp"))
		return err_set(e, ERRK_INPUT, "\"%.*s\": want /tcp or /udp", (int)text.n, text.p);
	out->protocol = protocol.p && str_is(protocol, "udp") ? SPEC_UDP : SPEC_TCP;
	if (inside.n && memchr(inside.p, ':', inside.n)) {
		str_cut(&inside, ':', &outside);
		if (parse_number(&out->outside, outside, e) < 0)
			return -1;
	}
	return parse_number(&out->inside, inside, e);
}

void spec_port_print(struct buf *out, const struct spec_port *p)
{
	buf_printf(out, "%u/%s", p->inside, PROTOCOLS[p->protocol]);
}

void spec_ports_add(struct spec_ports *ports, const struct spec_port *p)
{
	ports->v = mem_grow(ports->v, ports->n + 1, sizeof(*ports->v));
	ports->v[ports->n++] = *p;
}

void spec_ports_copy(struct spec_ports *dst, const struct spec_ports *src)
{
	*dst = (struct spec_ports){.v = mem_array(src->n, sizeof(*dst->v)), .n = src->n};
	if (src->n)
		memcpy(dst->v, src->v, src->n * sizeof(*dst->v));
}
