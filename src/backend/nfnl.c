/* nfnetlink on libmnl; see nfnl.h. */
#include "backend/nfnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"

#define ATTRS	   16 /* of one level that are looked at: their numbers are below */
#define ANSWER	   32768
#define DUMP_TRIES 5
#define HASH_SEED  UINT64_C(14695981039346656037) /* FNV-1a */
#define HASH_PRIME UINT64_C(1099511628211)
#define FLOWS_MAX  65536 /* forgotten at once; what is left ends by itself */

static void socket_close(struct mnl_socket **s)
{
	if (*s)
		mnl_socket_close(*s);
}
#define auto_socket __attribute__((cleanup(socket_close)))

struct request {
	union {
		struct nlmsghdr head;
		char bytes[1024];
	};
};

static int open_socket(struct mnl_socket **out, struct err *e)
{
	auto_socket struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(e, "open nfnetlink");
	*out = steal(&s);
	return 0;
}

static void begin(struct request *q, unsigned subsystem, unsigned type, uint16_t flags,
		  uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(q->bytes);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(subsystem << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = (uint32_t)clock_mono_us();
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
}

/* Send, and give every message of the answer to `fn`. -1 with errno. */
static int ask(struct mnl_socket *s, const struct request *q, mnl_cb_t fn, void *ctx)
{
	auto_free char *answer = mem_array(ANSWER, 1);
	int r = MNL_CB_OK;
	ssize_t n;

	if (mnl_socket_sendto(s, q->bytes, q->head.nlmsg_len) < 0)
		return -1;
	while (r > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(s, answer, ANSWER);
		if (n < 0)
			return -1;
		r = mnl_cb_run(answer, (size_t)n, q->head.nlmsg_seq, mnl_socket_get_portid(s), fn,
			       ctx);
	}
	return r;
}

static void attrs_of(const struct nlattr **out, const struct nlattr *from, size_t n)
{
	const struct nlattr *a;

	memset(out, 0, ATTRS * sizeof(*out));
	for (a = from; mnl_attr_ok(a, (int)((const char *)from + n - (const char *)a));
	     a = mnl_attr_next(a))
		if (mnl_attr_get_type(a) < ATTRS)
			out[mnl_attr_get_type(a)] = a;
}

static void message_attrs(const struct nlattr **out, const struct nlmsghdr *h)
{
	attrs_of(out, mnl_nlmsg_get_payload_offset(h, sizeof(struct nfgenmsg)),
		 mnl_nlmsg_get_payload_len(h) - sizeof(struct nfgenmsg));
}

static void nested_attrs(const struct nlattr **out, const struct nlattr *a)
{
	memset(out, 0, ATTRS * sizeof(*out));
	if (a)
		attrs_of(out, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
}

static struct str text_of(const struct nlattr *a)
{
	const char *p = a ? mnl_attr_get_payload(a) : "";

	return (struct str){p, a ? strnlen(p, mnl_attr_get_payload_len(a)) : 0};
}

/* What a dump of one kind gives, once more where the kernel says that it changed meanwhile. */
struct dump {
	unsigned type;	 /* NFT_MSG_GET… */
	unsigned by;	 /* attribute of the table's name */
	unsigned set_by; /* of a set's, 0: none */
	const char *set; /* its name */
	mnl_cb_t fn;	 /* called with ctx … */
	size_t size;	 /* … whose bytes are put back before another try */
};

static int dump(const char *table, const struct dump *d, void *ctx, struct err *e)
{
	auto_socket struct mnl_socket *s = NULL;
	auto_free void *before = d->size ? mem_dup(ctx, d->size) : NULL;
	struct request q;
	int r = -1;

	for (unsigned i = 0; i < DUMP_TRIES; i++) {
		socket_close(&s);
		s = NULL;
		if (open_socket(&s, e) < 0)
			return -1;
		if (i > 0 && before)
			memcpy(ctx, before, d->size);
		begin(&q, NFNL_SUBSYS_NFTABLES, d->type, NLM_F_DUMP, NFPROTO_INET);
		mnl_attr_put_strz(&q.head, (uint16_t)d->by, table);
		if (d->set_by)
			mnl_attr_put_strz(&q.head, (uint16_t)d->set_by, d->set);
		r = ask(s, &q, d->fn, ctx);
		if (r >= 0 || errno != EINTR)
			break;
	}
	if (r < 0 && errno == ENOENT)
		return NFNL_ABSENT;
	return r < 0 ? err_sys(e, "read nftables") : 0;
}

/* --- fingerprint --- */

struct look {
	const char *table, *skip;
	uint64_t hash;
};

static void hash_bytes(struct look *l, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l->hash = (l->hash ^ ((const uint8_t *)p)[i]) * HASH_PRIME;
}

static void hash_attr(struct look *l, const struct nlattr *a)
{
	if (a)
		hash_bytes(l, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	hash_bytes(l, "", 1);
}

static bool is_skipped(const struct look *l, struct str chain)
{
	return str_starts(chain, l->skip);
}

static int see_table(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *a[ATTRS];
	struct look *l = ctx;

	message_attrs(a, h);
	hash_attr(l, a[NFTA_TABLE_FLAGS]);
	return MNL_CB_OK;
}

static int see_chain(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *a[ATTRS];
	struct look *l = ctx;

	message_attrs(a, h);
	if (!str_is(text_of(a[NFTA_CHAIN_TABLE]), l->table) ||
	    is_skipped(l, text_of(a[NFTA_CHAIN_NAME])))
		return MNL_CB_OK;
	hash_attr(l, a[NFTA_CHAIN_NAME]);
	hash_attr(l, a[NFTA_CHAIN_HOOK]);
	hash_attr(l, a[NFTA_CHAIN_POLICY]);
	hash_attr(l, a[NFTA_CHAIN_TYPE]);
	return MNL_CB_OK;
}

static int see_rule(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *a[ATTRS];
	struct look *l = ctx;

	message_attrs(a, h);
	if (is_skipped(l, text_of(a[NFTA_RULE_CHAIN])))
		return MNL_CB_OK;
	hash_attr(l, a[NFTA_RULE_CHAIN]);
	hash_attr(l, a[NFTA_RULE_EXPRESSIONS]);
	return MNL_CB_OK;
}

static int find_table(struct look *l, struct err *e)
{
	auto_socket struct mnl_socket *s = NULL;
	struct request q;
	int r;

	if (open_socket(&s, e) < 0)
		return -1;
	begin(&q, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, NLM_F_ACK, NFPROTO_INET);
	mnl_attr_put_strz(&q.head, NFTA_TABLE_NAME, l->table);
	r = ask(s, &q, see_table, l);
	if (r < 0 && errno == ENOENT)
		return NFNL_ABSENT;
	return r < 0 ? err_sys(e, "read nftables") : 0;
}

int nfnl_fingerprint(const char *table, const char *skip, uint64_t *out, struct err *e)
{
	static const struct dump chains = {.type = NFT_MSG_GETCHAIN,
					   .by = NFTA_CHAIN_TABLE,
					   .fn = see_chain,
					   .size = sizeof(struct look)};
	static const struct dump rules = {.type = NFT_MSG_GETRULE,
					  .by = NFTA_RULE_TABLE,
					  .fn = see_rule,
					  .size = sizeof(struct look)};
	struct look l = {.table = table, .skip = skip, .hash = HASH_SEED};
	int r = find_table(&l, e);

	if (r == 0)
		r = dump(table, &chains, &l, e);
	if (r == 0)
		r = dump(table, &rules, &l, e);
	*out = l.hash;
	return r;
}

/* --- elements and counters --- */

struct names {
	nfnl_name_fn *fn;
	void *ctx;
};

static int see_elements(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *a[ATTRS], *element[ATTRS], *key[ATTRS], *item;
	const struct names *n = ctx;

	message_attrs(a, h);
	if (!a[NFTA_SET_ELEM_LIST_ELEMENTS])
		return MNL_CB_OK;
	mnl_attr_for_each_nested(item, a[NFTA_SET_ELEM_LIST_ELEMENTS])
	{
		nested_attrs(element, item);
		nested_attrs(key, element[NFTA_SET_ELEM_KEY]);
		n->fn(n->ctx, text_of(key[NFTA_DATA_VALUE]));
	}
	return MNL_CB_OK;
}

int nfnl_each_name(const char *table, const char *set, nfnl_name_fn *fn, void *ctx, struct err *e)
{
	const struct dump d = {.type = NFT_MSG_GETSETELEM,
			       .by = NFTA_SET_ELEM_LIST_TABLE,
			       .set_by = NFTA_SET_ELEM_LIST_SET,
			       .set = set,
			       .fn = see_elements};

	return dump(table, &d, &(struct names){fn, ctx}, e);
}

struct counters {
	const char *table;
	nfnl_counter_fn *fn;
	void *ctx;
};

static int see_object(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *a[ATTRS], *counter[ATTRS];
	const struct counters *c = ctx;

	message_attrs(a, h);
	if (!str_is(text_of(a[NFTA_OBJ_TABLE]), c->table) || !a[NFTA_OBJ_TYPE] ||
	    ntohl(mnl_attr_get_u32(a[NFTA_OBJ_TYPE])) != NFT_OBJECT_COUNTER)
		return MNL_CB_OK;
	nested_attrs(counter, a[NFTA_OBJ_DATA]);
	if (counter[NFTA_COUNTER_BYTES])
		c->fn(c->ctx, text_of(a[NFTA_OBJ_NAME]),
		      be64toh(mnl_attr_get_u64(counter[NFTA_COUNTER_BYTES])));
	return MNL_CB_OK;
}

int nfnl_each_counter(const char *table, nfnl_counter_fn *fn, void *ctx, struct err *e)
{
	static const struct dump d = {
		.type = NFT_MSG_GETOBJ, .by = NFTA_OBJ_TABLE, .fn = see_object};

	return dump(table, &d, &(struct counters){table, fn, ctx}, e);
}

/* --- conntrack --- */

struct flow {
	char tuple[256]; /* the attribute CTA_TUPLE_ORIG as it came */
	size_t n;
	uint32_t id;
};

struct flows {
	const struct nfnl_flows *want;
	struct flow *v;
	size_t n;
};

struct end {
	const struct nlattr *from, *to; /* addresses */
	uint8_t protocol;
	uint16_t port, to_port;
};

static struct end end_of(const struct nlattr *tuple)
{
	const struct nlattr *t[ATTRS], *ip[ATTRS], *proto[ATTRS];
	struct end end = {0};

	nested_attrs(t, tuple);
	nested_attrs(ip, t[CTA_TUPLE_IP]);
	nested_attrs(proto, t[CTA_TUPLE_PROTO]);
	end.to = ip[CTA_IP_V4_DST] ? ip[CTA_IP_V4_DST] : ip[CTA_IP_V6_DST];
	end.from = ip[CTA_IP_V4_SRC] ? ip[CTA_IP_V4_SRC] : ip[CTA_IP_V6_SRC];
	if (proto[CTA_PROTO_NUM])
		end.protocol = mnl_attr_get_u8(proto[CTA_PROTO_NUM]);
	if (proto[CTA_PROTO_SRC_PORT])
		end.port = ntohs(mnl_attr_get_u16(proto[CTA_PROTO_SRC_PORT]));
	if (proto[CTA_PROTO_DST_PORT])
		end.to_port = ntohs(mnl_attr_get_u16(proto[CTA_PROTO_DST_PORT]));
	return end;
}

static bool comes_from(const struct end *end, const struct nfnl_flows *f)
{
	if (!end->from || mnl_attr_get_payload_len(end->from) != f->naddr)
		return false;
	if (f->each)
		return f->each(f->ctx, mnl_attr_get_payload(end->from), f->naddr);
	return memcmp(mnl_attr_get_payload(end->from), f->addr, f->naddr) == 0;
}

/* Not rewritten, and not answered. */
static bool is_knock(const struct nfnl_flows *f, const struct end *orig, const struct end *reply,
		     uint32_t status)
{
	return orig->protocol == f->protocol && orig->to_port == f->port &&
	       !(status & IPS_SEEN_REPLY) && orig->to && reply->from &&
	       mnl_attr_get_payload_len(orig->to) == mnl_attr_get_payload_len(reply->from) &&
	       memcmp(mnl_attr_get_payload(orig->to), mnl_attr_get_payload(reply->from),
		      mnl_attr_get_payload_len(orig->to)) == 0;
}

static bool is_wanted(const struct nfnl_flows *f, const struct end *orig, const struct end *reply,
		      uint32_t status)
{
	if (!f->addr && !f->each)
		return is_knock(f, orig, reply, status);
	if (f->port)
		return comes_from(reply, f) && reply->protocol == f->protocol &&
		       reply->port == f->port;
	return comes_from(orig, f) || comes_from(reply, f);
}

static int see_flow(const struct nlmsghdr *h, void *ctx)
{
	const struct nlattr *a[ATTRS];
	struct flows *all = ctx;
	struct end orig, reply;
	struct flow *f;

	message_attrs(a, h);
	orig = end_of(a[CTA_TUPLE_ORIG]);
	reply = end_of(a[CTA_TUPLE_REPLY]);
	if (!a[CTA_TUPLE_ORIG] || !a[CTA_ID] || all->n == FLOWS_MAX ||
	    !is_wanted(all->want, &orig, &reply,
		       a[CTA_STATUS] ? ntohl(mnl_attr_get_u32(a[CTA_STATUS])) : 0) ||
	    mnl_attr_get_payload_len(a[CTA_TUPLE_ORIG]) > sizeof(f->tuple))
		return MNL_CB_OK;
	all->v = mem_grow(all->v, all->n + 1, sizeof(*all->v));
	f = &all->v[all->n++];
	f->n = mnl_attr_get_payload_len(a[CTA_TUPLE_ORIG]);
	memcpy(f->tuple, mnl_attr_get_payload(a[CTA_TUPLE_ORIG]), f->n);
	f->id = mnl_attr_get_u32(a[CTA_ID]);
	return MNL_CB_OK;
}

static void flows_free(struct flows *f)
{
	free(f->v);
}

int nfnl_forget(const struct nfnl_flows *want, struct err *e)
{
	__attribute__((cleanup(flows_free))) struct flows all = {.want = want};
	uint8_t family = want->naddr == 16 ? AF_INET6 : AF_INET;
	auto_socket struct mnl_socket *s = NULL;
	struct request q;

	if (open_socket(&s, e) < 0)
		return -1;
	begin(&q, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	if (ask(s, &q, see_flow, &all) < 0)
		return err_sys(e, "read conntrack");
	for (size_t i = 0; i < all.n; i++) {
		begin(&q, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family);
		mnl_attr_put(&q.head, CTA_TUPLE_ORIG | NLA_F_NESTED, all.v[i].n, all.v[i].tuple);
		mnl_attr_put_u32(&q.head, CTA_ID, all.v[i].id);
		if (ask(s, &q, NULL, NULL) < 0 && errno != ENOENT)
			return err_sys(e, "clear conntrack");
	}
	return 0;
}

/* --- news --- */

int nfnl_listen(int *fd, struct err *e)
{
	auto_close int s =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	struct sockaddr_nl me = {.nl_family = AF_NETLINK};
	int group = NFNLGRP_NFTABLES;

	if (s < 0 || bind(s, (struct sockaddr *)&me, sizeof(me)) < 0 ||
	    setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return err_sys(e, "listen to nftables");
	*fd = steal_fd(&s);
	return 0;
}

static bool is_loss(const struct nlmsghdr *h)
{
	switch (h->nlmsg_type & 255) {
	case NFT_MSG_DELTABLE:
	case NFT_MSG_NEWTABLE: /* it may have been put to sleep */
	case NFT_MSG_DELCHAIN:
	case NFT_MSG_DELRULE:
		return h->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES;
	default:
		return false;
	}
}

bool nfnl_heard_loss(int fd)
{
	auto_free char *news = mem_array(ANSWER, 1);
	bool loss = false;
	ssize_t n;

	while ((n = recv(fd, news, ANSWER, 0)) > 0) {
		const struct nlmsghdr *h = (const void *)news;

		for (int left = (int)n; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			loss = loss || is_loss(h);
	}
	return loss || (n < 0 && errno == ENOBUFS);
}
