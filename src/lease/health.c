/*
 * One check a lease at a time, and the next one an interval after its end; what it finds is kept in
 * memory. A check costs the host the start of a process, so all leases together begin no more of
 * them than one each PACE_MS: whoever wants many waits behind the others, in order.
 */
#include "lease/health.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "lease/engine_impl.h"
#include "lease/halt.h"

#define PACE_MS	   100
#define INTERVAL_S 30
#define TIMEOUT_S  10
#define RETRIES	   3

enum verdict { HEALTH_STARTING, HEALTH_GOOD, HEALTH_ILL };

struct health {
	struct health *next;
	struct engine *g;
	char id[LEASE_ID_HEX + 1];
	uint32_t generation, asked; /* of its command; of the check under way, 0: none */
	struct spec_health how;
	enum verdict verdict;
	uint32_t failures; /* in a row */
	int64_t began_ms;
	struct loop_timer *timer;
	bool over; /* of a lease that ended: goes with the answer that it waits for */
};

static struct health *find(const struct engine *g, const char *id)
{
	struct health *h = g->health;

	while (h && (h->over || strcmp(h->id, id) != 0))
		h = h->next;
	return h;
}

static void drop(struct health *h)
{
	struct health **at = &h->g->health;

	loop_timer_del(h->timer);
	h->timer = NULL;
	h->over = true;
	if (h->asked)
		return;
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	free(h);
}

void health_end(struct engine *g, const char *id)
{
	struct health *h = find(g, id);

	if (h)
		drop(h);
}

void health_close(struct engine *g)
{
	while (g->health) {
		g->health->asked = 0;
		drop(g->health);
	}
}

static bool is_there(const struct health *h, const struct lease *l)
{
	return l->state == LEASE_RUNNING && l->halt == LEASE_RUNS && l->exit_status < 0 &&
	       l->generation == h->generation;
}

const char *health_word(const struct engine *g, const struct lease *l)
{
	static const char *const words[] = {"starting", "healthy", "unhealthy"};
	const struct health *h = find(g, l->id);

	return h && is_there(h, l) ? words[h->verdict] : "";
}

/* --- one check --- */

static void look_later(struct health *h);

/* With restarts left it is stopped and run again; else that it is ill is only said. */
static void fall_ill(struct health *h, struct lease *l)
{
	struct engine *g = h->g;
	struct work *w;
	struct err e;
	int rc;

	h->verdict = HEALTH_ILL;
	w = l->restart.max ? work_begin(g, h->id) : NULL;
	rc = w ? restart_failed(g, l, LEASE_HALTING, "unhealthy", &e) : RESTART_NOT;
	if (rc == RESTART_WILL) {
		drop(h);
		halt_step(w, l);
		return;
	}
	if (rc < 0)
		log_broken("lease %s: %s", h->id, e.msg);
	if (w)
		work_end(w);
	look_later(h); /* also where the host does something else with it just now */
}

static void judge(struct health *h, struct lease *l, bool good)
{
	uint32_t most = h->how.retries ? h->how.retries : RETRIES;
	bool grace = h->verdict == HEALTH_STARTING &&
		     clock_mono_ms() - h->began_ms < (int64_t)h->how.grace * 1000;

	if (good) {
		h->failures = 0;
		h->verdict = HEALTH_GOOD;
	} else if (!grace && h->failures < most) {
		h->failures++;
	}
	if (h->failures >= most)
		fall_ill(h, l);
	else
		look_later(h);
}

static void checked(void *ctx, const struct priv_exec_reply *r, const struct err *error)
{
	struct health *h = ctx;
	uint32_t asked = h->asked;
	struct lease l;
	struct err e;

	h->asked = 0;
	if (h->over || lease_load(h->g->db, h->id, &l, &e) || !is_there(h, &l))
		drop(h);
	else if (error || r->outcome == PRIV_EXEC_NOT_RUNNING || asked != h->generation)
		look_later(h); /* it says nothing of this one */
	else
		judge(h, &l, r->outcome == PRIV_EXEC_DONE && r->exit_status == 0);
}

static void ask(struct health *h)
{
	uint32_t seconds = h->how.timeout ? h->how.timeout : TIMEOUT_S;
	struct priv_exec m = {.output_max = 1, .check = true};
	auto_free char **argv = mem_array(h->how.nargs + 1, sizeof(*argv));
	uint8_t name[PRIV_EXEC_LEN / 2];
	char *arg = h->how.command;

	for (uint32_t i = 0; i < h->how.nargs; i++) {
		argv[i] = arg;
		arg += strlen(arg) + 1;
	}
	memcpy(m.id, h->id, sizeof(m.id));
	rand_bytes(name, sizeof(name));
	hex_encode(m.name, name, sizeof(name));
	m.argv = (struct wire_strings){argv, h->how.nargs};
	m.timeout_ms = seconds < PRIV_EXEC_MAX_MS / 1000 ? seconds * 1000 : PRIV_EXEC_MAX_MS;
	h->asked = h->generation;
	priv_client_exec(h->g->host, &m, checked, h);
}

static void its_turn(void *ctx)
{
	struct health *h = ctx;
	struct lease l;
	struct err e;

	h->timer = NULL;
	if (lease_load(h->g->db, h->id, &l, &e) || !is_there(h, &l))
		drop(h);
	else if (!h->asked)
		ask(h);
}

static void queue_up(void *ctx)
{
	struct health *h = ctx;
	int64_t now = clock_mono_ms(), turn = h->g->health_turn_ms;

	if (turn < now)
		turn = now;
	h->g->health_turn_ms = turn + PACE_MS;
	h->timer = loop_timer_add(h->g->loop, turn - now, its_turn, h);
}

static void look_later(struct health *h)
{
	int64_t seconds = h->how.interval ? h->how.interval : INTERVAL_S;

	loop_timer_del(h->timer);
	h->timer = loop_timer_add(h->g->loop, seconds * 1000, queue_up, h);
}

/* --- a lease's command begins --- */

static bool read_how(struct spec_health *how, struct engine *g, const char *id)
{
	auto_buf struct buf text = BUF(SPEC_JSON_MAX);
	auto_spec struct spec spec = {0};

	if (lease_load_spec(g->db, id, &text, NULL) < 0 ||
	    spec_decode(&spec, buf_view(&text), NULL) < 0)
		return false; /* the start says what is wrong */
	*how = spec.health;
	return how->nargs > 0;
}

void health_begin(struct engine *g, const struct lease *l)
{
	struct health *h = find(g, l->id);
	struct spec_health how;

	if ((h && h->generation == l->generation) || !read_how(&how, g, l->id))
		return;
	if (!h) {
		h = mem_zero(sizeof(*h));
		h->g = g;
		memcpy(h->id, l->id, sizeof(h->id));
		h->next = g->health;
		g->health = h;
	}
	h->generation = l->generation;
	h->how = how;
	h->verdict = HEALTH_STARTING;
	h->failures = 0;
	h->began_ms = clock_mono_ms();
	look_later(h);
}
