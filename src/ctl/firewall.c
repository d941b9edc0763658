/* Following the chains at the forward hook; see firewall.h. */
#include "ctl/firewall.h"

#include <string.h>

#include "base/auto.h"
#include "base/mem.h"

#define CHAINS_MAX 4096
#define DEPTH_MAX  16
#define WORDS_MAX  64

struct chain {
	struct str table; /* "ip filter" */
	struct str name;
	struct str body; /* its lines */
};

struct look {
	const struct firewall_ask *ask;
	struct chain *chains;
	size_t n;
	firewall_fn *fn;
	void *ctx;
	unsigned found;
};

/* --- reading --- */

/* The first n words after which comes "{", such as "table ip filter {". */
static bool opens(struct str line, const char *what, struct str *name)
{
	struct str rest = str_trim(line);
	size_t skip = strlen(what);

	if (!str_starts(rest, what) || rest.n < skip + 2 || rest.p[rest.n - 1] != '{')
		return false;
	*name = str_trim((struct str){rest.p + skip, rest.n - skip - 1});
	return true;
}

static void read_chains(struct look *l)
{
	struct str rest = l->ask->rules, line, table = {NULL, 0}, name;
	struct chain *open = NULL;

	while (rest.n > 0 && str_cut(&rest, '\n', &line)) {
		if (open && str_is(str_trim(line), "}")) {
			open->body.n = (size_t)(line.p - open->body.p);
			open = NULL;
		} else if (opens(line, "table ", &name)) {
			table = name;
		} else if (!open && opens(line, "chain ", &name) && l->n < CHAINS_MAX) {
			l->chains = mem_grow(l->chains, l->n + 1, sizeof(*l->chains));
			open = &l->chains[l->n++];
			*open = (struct chain){table, name, rest};
		}
	}
	if (open)
		open->body.n = (size_t)(rest.p + rest.n - open->body.p);
}

static const struct chain *find(const struct look *l, struct str table, struct str name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->chains[i].table, table) && str_eq(l->chains[i].name, name))
			return &l->chains[i];
	return NULL;
}

/* "type filter hook forward priority filter; policy drop;" */
static bool is_base(const struct chain *c, const char *hook, bool *drops)
{
	auto_free char *want = mem_printf("hook %s ", hook);
	struct str rest = c->body, line;
	auto_free char *text = NULL;

	str_cut(&rest, '\n', &line);
	text = mem_strndup(line.p ? line.p : "", line.n);
	*drops = strstr(text, "policy drop") != NULL;
	return strstr(text, want) != NULL;
}

static enum firewall_owner owner_of(const struct look *l, struct str table)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct chain *c = &l->chains[i];

		if (!str_eq(c->table, table))
			continue;
		if (str_starts(c->name, "DOCKER"))
			return FIREWALL_DOCKER;
		if (str_starts(c->name, "ufw"))
			return FIREWALL_UFW;
	}
	return table.n > 9 && memcmp(table.p + table.n - 9, "firewalld", 9) == 0
		       ? FIREWALL_FIREWALLD
		       : FIREWALL_NFT;
}

/* --- one rule --- */

struct words {
	struct str v[WORDS_MAX];
	size_t n;
};

/* Blanks separate, but not inside quotes and braces. What is too long to be followed has no end. */
static void split(struct words *w, struct str rule)
{
	bool quoted = false;
	unsigned depth = 0;
	size_t from = 0;

	w->n = 0;
	for (size_t i = 0; i <= rule.n && w->n < WORDS_MAX; i++) {
		char c = i < rule.n ? rule.p[i] : ' ';

		quoted ^= c == '"';
		depth += c == '{' && !quoted;
		depth -= c == '}' && !quoted && depth > 0;
		if (c != ' ' || ((quoted || depth) && i < rule.n))
			continue;
		if (i > from)
			w->v[w->n++] = (struct str){rule.p + from, i - from};
		from = i + 1;
	}
}

/* "eth0", "ls*" or a list of them; `link` stands for all that begin so. */
static bool names_link(struct str pattern, const char *link)
{
	size_t n = strlen(link);
	struct str rest = pattern, one;

	while (rest.n > 0 && str_cut(&rest, '"', &one) && str_cut(&rest, '"', &one)) {
		size_t fixed = one.n && one.p[one.n - 1] == '*' ? one.n - 1 : one.n;

		if (fixed < one.n &&
		    (fixed <= n ? memcmp(one.p, link, fixed) == 0 : memcmp(one.p, link, n) == 0))
			return true;
	}
	return false;
}

enum fit { FIT_NO, FIT_MAYBE, FIT_YES };

struct step {
	enum fit fit;
	bool named;	    /* our links are named in it: somebody thought of them */
	bool elsewhere;	    /* only to or from one other link, such as a bridge of its owner's */
	struct str verdict; /* last of accept, drop, reject, return, jump, goto; n = 0: none */
	struct str to;	    /* of jump and goto */
};

/* Words at i that say nothing about which packets: how many. */
static size_t plain_words(const struct words *w, size_t i)
{
	if (str_is(w->v[i], "counter"))
		return 1;
	if (str_is(w->v[i], "comment"))
		return 2;
	return 0;
}

static bool is_verdict(struct str word)
{
	static const char *const WORDS[] = {"accept", "drop", "reject", "return"};

	for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
		if (str_is(word, WORDS[i]))
			return true;
	return false;
}

/* An interface at i: FIT_YES or FIT_NO for our way; FIT_MAYBE where it is none. */
static enum fit fit_interface(struct step *s, const struct words *w, size_t *i,
			      const struct look *l, enum firewall_way way)
{
	bool in = str_is(w->v[*i], "iifname") || str_is(w->v[*i], "iif");
	bool out = str_is(w->v[*i], "oifname") || str_is(w->v[*i], "oif");
	bool not, ours;

	if ((!in && !out) || *i + 1 >= w->n)
		return FIT_MAYBE;
	not = str_is(w->v[*i + 1], "!=");
	*i += not ;
	if (*i + 1 >= w->n || w->v[*i + 1].p[0] == '@')
		return FIT_MAYBE;
	(*i)++;
	ours = names_link(w->v[*i], l->ask->link);
	if (in == (way == FIREWALL_FROM_LEASE)) {
		s->named |= ours && !not ;
		return ours != not ? FIT_YES : FIT_NO;
	}
	s->elsewhere |= !not ;
	/* the other end is some link of the host, and not one of a lease */
	return ours ? (not ? FIT_YES : FIT_NO) : FIT_MAYBE;
}

/* A new connection is neither of these. */
static bool is_for_others(const struct words *w, size_t i)
{
	struct str states;

	if (i + 2 >= w->n || !str_is(w->v[i], "ct") || !str_is(w->v[i + 1], "state"))
		return false;
	states = w->v[i + 2];
	for (size_t k = 0; k + 3 <= states.n; k++)
		if (memcmp(states.p + k, "new", 3) == 0 || states.p[k] == '!')
			return false;
	return true;
}

static struct step read_rule(const struct words *w, const struct look *l, enum firewall_way way)
{
	struct step s = {.fit = FIT_YES};

	for (size_t i = 0; i < w->n; i++) {
		size_t plain = plain_words(w, i);
		enum fit fit;

		if (plain) {
			i += plain - 1;
			continue;
		}
		if (is_verdict(w->v[i])) {
			s.verdict = w->v[i];
			break; /* what follows says how it is rejected */
		}
		if ((str_is(w->v[i], "jump") || str_is(w->v[i], "goto")) && i + 1 < w->n) {
			s.verdict = w->v[i];
			s.to = w->v[i + 1];
			break;
		}
		if (is_for_others(w, i)) {
			s.fit = FIT_NO;
			break;
		}
		if (str_is(w->v[i], "log")) {
			while (i + 1 < w->n && !is_verdict(w->v[i + 1]) &&
			       !str_is(w->v[i + 1], "jump") && !str_is(w->v[i + 1], "goto"))
				i++;
			continue;
		}
		fit = fit_interface(&s, w, &i, l, way);
		if (fit < s.fit)
			s.fit = fit;
	}
	return s;
}

/* --- following --- */

struct walk {
	struct look *l;
	struct str table;
	enum firewall_way way;
	unsigned depth;
	struct str doubt_chain, doubt; /* the first rule that may drop */
	struct str drop_chain, drop;
};
enum end { END_NEXT, END_ACCEPTED, END_DROPPED };

static enum end walk(struct walk *k, const struct chain *c);

static enum end take_step(struct walk *k, const struct chain *c, const struct step *s,
			  struct str rule)
{
	bool drop = str_is(s->verdict, "drop") || str_is(s->verdict, "reject");
	const struct chain *to = s->to.n ? find(k->l, k->table, s->to) : NULL;
	enum end end;

	if (s->fit == FIT_NO || (drop && s->elsewhere))
		return END_NEXT;
	if (to && k->depth < DEPTH_MAX) {
		k->depth++;
		end = walk(k, to);
		k->depth--;
		if (s->fit == FIT_YES || end == END_NEXT)
			return end;
		if (end == END_DROPPED && !k->doubt.n) {
			k->doubt_chain = k->drop_chain;
			k->doubt = k->drop;
		}
		return END_NEXT;
	}
	if (drop && s->fit == FIT_YES) {
		k->drop_chain = c->name;
		k->drop = rule;
		return END_DROPPED;
	}
	if (drop && !k->doubt.n) {
		k->doubt_chain = c->name;
		k->doubt = rule;
	}
	return (s->fit == FIT_YES || s->named) && str_is(s->verdict, "accept") ? END_ACCEPTED
									       : END_NEXT;
}

static enum end walk(struct walk *k, const struct chain *c)
{
	struct str rest = c->body, line;

	while (rest.n > 0 && str_cut(&rest, '\n', &line)) {
		struct str rule = str_trim(line);
		struct words w;
		struct step s;
		enum end end;

		if (rule.n == 0 || str_starts(rule, "type ") || str_starts(rule, "policy "))
			continue;
		split(&w, rule);
		s = read_rule(&w, k->l, k->way);
		if (s.fit == FIT_YES && str_is(s.verdict, "return"))
			return END_NEXT;
		end = take_step(k, c, &s, rule);
		if (end != END_NEXT)
			return end;
	}
	return END_NEXT;
}

static void tell(struct look *l, const struct firewall_finding *f)
{
	l->found++;
	l->fn(l->ctx, f);
}

static void follow(struct look *l, const struct chain *c, enum firewall_way way, bool policy_drops)
{
	struct walk k = {.l = l, .table = c->table, .way = way};
	struct firewall_finding f = {.way = way, .table = c->table, .owner = owner_of(l, c->table)};
	enum end end = walk(&k, c);

	if (end == END_NEXT && policy_drops) {
		k.drop_chain = c->name;
		k.drop = STR("policy drop");
		end = END_DROPPED;
	}
	if (end == END_DROPPED) {
		f.kind = FIREWALL_DROPS;
		f.chain = k.drop_chain;
		f.rule = k.drop;
		tell(l, &f);
	} else if (k.doubt.n) {
		f.kind = FIREWALL_MAY_DROP;
		f.chain = k.doubt_chain;
		f.rule = k.doubt;
		tell(l, &f);
	}
}

/* --- past our rules --- */

static void look_for(struct look *l, const struct chain *c, const char *what,
		     enum firewall_kind kind)
{
	struct str rest = c->body, line;

	while (rest.n > 0 && str_cut(&rest, '\n', &line)) {
		struct str rule = str_trim(line);
		struct words w;
		struct step s;

		split(&w, rule);
		s = read_rule(&w, l, FIREWALL_FROM_LEASE);
		for (size_t i = 0; i < w.n && s.fit != FIT_NO; i++)
			if (str_is(w.v[i], what)) {
				tell(l, &(struct firewall_finding){.kind = kind,
								   .table = c->table,
								   .owner = owner_of(l, c->table),
								   .chain = c->name,
								   .rule = rule});
				return;
			}
	}
}

static bool concerns_us(const struct look *l, struct str table)
{
	struct str rest = table, family;

	str_cut(&rest, ' ', &family);
	if (str_starts(rest, l->ask->own))
		return false;
	return str_is(family, "ip") || str_is(family, "inet") ||
	       (l->ask->ipv6 && str_is(family, "ip6"));
}

unsigned firewall_check(const struct firewall_ask *ask, firewall_fn *fn, void *ctx)
{
	struct look l = {.ask = ask, .fn = fn, .ctx = ctx};
	bool drops;

	read_chains(&l);
	for (size_t i = 0; i < l.n; i++) {
		const struct chain *c = &l.chains[i];

		if (!concerns_us(&l, c->table))
			continue;
		look_for(&l, c, "flow", FIREWALL_BYPASSES);
		look_for(&l, c, "notrack", FIREWALL_UNTRACKED);
		if (!is_base(c, "forward", &drops))
			continue;
		follow(&l, c, FIREWALL_FROM_LEASE, drops);
		if (ask->published)
			follow(&l, c, FIREWALL_TO_LEASE, drops);
	}
	free(l.chains);
	return l.found;
}

bool firewall_legacy_drops(struct str rules, const char *link)
{
	auto_free char *text = mem_strndup(rules.p ? rules.p : "", rules.n);
	auto_free char *ours = mem_printf("-i %s", link);

	return strstr(text, "-P FORWARD DROP") && !strstr(text, ours);
}
