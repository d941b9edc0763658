/*
 * The crash matrix: every step of base/step.h that a scenario reaches, on buyer and provider, and
 * every request on the wire, each disturbed in a run of its own; then everything is recovered and
 * all books must agree.
 *
 *   matrix [--full] [--only TEXT] [--sample N] [--jobs N] [--list]
 *
 * --full: also later passings, later requests, and a second kill during the recovery.
 * --only: points whose text contains TEXT. --sample: about one point in N, other ones each time;
 * LEASED_SEED repeats a draw. The last line is "points N, runs N, broken N".
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "point.h"

#define RUN_S	    120 /* no run takes longer */
#define JOBS_MAX    16
#define TEXT_MAX    160
#define SPARED_RUNS 3 /* more, where a second kill was not reached */

enum depth { ONCE, FULL };

struct options {
	enum depth depth;
	const char *only;
	uint64_t sample; /* one point in so many; 0: all */
	unsigned jobs;
	bool list;
};

struct job {
	pid_t pid; /* 0: free */
	size_t point;
	struct result *result;
	FILE *said;
};

struct matrix {
	struct options opt;
	uint64_t luck; /* what draws the sample: xorshift */
	struct crash_point *v;
	size_t n;
	const struct result **want; /* a scenario's undisturbed run */
	struct result *results;	    /* beside v, without the shared part's use */
	unsigned points, runs, broken, tests;
};

/* --- one run --- */

static void show(const struct matrix *m, const struct job *j, const char *why)
{
	char line[512], text[TEXT_MAX];

	point_text(text, sizeof(text), &m->v[j->point]);
	printf("# broken: %s\n", text);
	for (const char *p = why; *p; p += strcspn(p, "\n") + (p[strcspn(p, "\n")] == '\n'))
		if (*p != '\n')
			printf("#   %.*s\n", (int)strcspn(p, "\n"), p);
	rewind(j->said);
	while (fgets(line, sizeof(line), j->said))
		printf("#     | %s", line);
	fflush(stdout);
}

static void start(struct matrix *m, struct job *j, size_t point)
{
	const struct crash_point *p = &m->v[point];

	j->point = point;
	memset(j->result, 0, sizeof(*j->result));
	j->said = tmpfile();
	fflush(stdout);
	j->pid = fork();
	if (j->pid < 0 || !j->said)
		abort();
	if (j->pid)
		return;
	dup2(fileno(j->said), STDERR_FILENO);
	setpgid(0, 0);
	alarm(RUN_S);
	point_run(p, p->kind == POINT_NONE ? NULL : m->want[p->scenario - scenarios], j->result);
	_exit(0);
}

static void finish(struct matrix *m, struct job *j, int status)
{
	char why[WHY_MAX];

	kill(-j->pid, SIGKILL); /* what it may have left */
	if (!j->result->finished)
		snprintf(why, sizeof(why), "the run came to no end (status %#x)", status);
	else
		memcpy(why, j->result->why, sizeof(why));
	m->runs++;
	if (why[0]) {
		m->broken++;
		show(m, j, why);
	}
	memcpy(&m->results[j->point], j->result, sizeof(*j->result));
	memcpy(m->results[j->point].why, why, sizeof(why));
	fclose(j->said);
	j->pid = 0;
}

static void wait_one(struct matrix *m, struct job *jobs)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	for (unsigned i = 0; pid > 0 && i < m->opt.jobs; i++)
		if (jobs[i].pid == pid)
			finish(m, &jobs[i], status);
}

static bool wanted(const struct matrix *m, const struct crash_point *p)
{
	char text[TEXT_MAX];

	point_text(text, sizeof(text), p);
	return !m->opt.only || p->kind == POINT_NONE || strstr(text, m->opt.only);
}

/* All points from `from` on, several at once. */
static void run_from(struct matrix *m, size_t from)
{
	struct job jobs[JOBS_MAX] = {0};
	unsigned busy = 0;

	m->results = mem_grow(m->results, m->n, sizeof(*m->results));
	for (unsigned i = 0; i < m->opt.jobs; i++)
		jobs[i].result = shared_memory(sizeof(*jobs[i].result));
	for (size_t i = from; i < m->n; i++) {
		if (busy == m->opt.jobs) {
			wait_one(m, jobs);
			busy--;
		}
		for (unsigned k = 0; k < m->opt.jobs; k++)
			if (!jobs[k].pid) {
				start(m, &jobs[k], i);
				busy++;
				break;
			}
	}
	for (; busy; busy--)
		wait_one(m, jobs);
	for (unsigned i = 0; i < m->opt.jobs; i++)
		munmap(jobs[i].result, sizeof(*jobs[i].result));
}

/* --- points --- */

static bool drawn(struct matrix *m)
{
	m->luck ^= m->luck << 13;
	m->luck ^= m->luck >> 7;
	m->luck ^= m->luck << 17;
	return !m->opt.sample || m->luck % m->opt.sample == 0;
}

static void add(struct matrix *m, const struct crash_point *p)
{
	if (!wanted(m, p) || (p->kind != POINT_NONE && !drawn(m)))
		return;
	m->v = mem_grow(m->v, m->n + 1, sizeof(*m->v));
	m->v[m->n++] = *p;
}

static uint32_t at_most(const struct matrix *m, uint64_t passed)
{
	uint32_t most = m->opt.depth == FULL ? 3 : 1;

	return passed < most ? (uint32_t)passed : most;
}

static void add_kills(struct matrix *m, const struct scenario *c, const struct result *r)
{
	for (int a = 0; a < ACTORS; a++)
		for (unsigned s = 0; s < STEP_COUNT; s++)
			for (uint32_t i = 1; i <= at_most(m, r->passed[a][s]); i++)
				add(m, &(struct crash_point){.scenario = c,
							     .kind = POINT_KILL,
							     .actor = (enum actor)a,
							     .death = {(enum step)s, i}});
}

static void add_mint(struct matrix *m, const struct scenario *c, const struct result *r)
{
	for (size_t k = 0; k < PATHS_MAX && r->asked[k].path[0]; k++)
		for (unsigned f = 0; f < mint_faults_n; f++) {
			struct crash_point p = {.scenario = c, .kind = POINT_MINT, .fault = f};

			if (mint_faults[f].only[0] &&
			    strcmp(mint_faults[f].only, r->asked[k].path) != 0)
				continue;
			memcpy(p.path, r->asked[k].path, sizeof(p.path));
			for (; p.skip < at_most(m, r->asked[k].n); p.skip++)
				add(m, &p);
		}
}

static void add_relay(struct matrix *m, const struct scenario *c, const struct result *r)
{
	for (unsigned f = 0; f < relay_faults_n; f++)
		for (uint32_t i = 0; i < r->wraps && i < (m->opt.depth == FULL ? 4 : 2); i++)
			add(m, &(struct crash_point){
				       .scenario = c, .kind = POINT_RELAY, .fault = f, .skip = i});
}

/* A second kill at every step that the recovery passed. */
static void add_second(struct matrix *m, size_t point)
{
	struct crash_point p = m->v[point];
	const struct result r = m->results[point];

	if (p.kind != POINT_KILL || r.why[0])
		return;
	for (unsigned s = 0; s < STEP_COUNT; s++)
		if (r.passed[p.actor][s]) {
			p.second = (struct death){(enum step)s, 1};
			add(m, &p);
		}
}

/* Answers race with each other, so a recovery may pass other steps than the time before. */
static void add_spared(struct matrix *m, size_t from)
{
	size_t n = m->n;

	for (size_t i = from; i < n; i++)
		if (m->results[i].spared) {
			const struct crash_point p = m->v[i];

			add(m, &p);
		}
}

static void run_seconds(struct matrix *m, size_t from)
{
	char text[TEXT_MAX];

	run_from(m, from);
	for (unsigned i = 0; i < SPARED_RUNS; i++) {
		size_t n = m->n;

		add_spared(m, from);
		from = n;
		run_from(m, from);
	}
	for (size_t i = from; i < m->n; i++)
		if (m->results[i].spared) {
			point_text(text, sizeof(text), &m->v[i]);
			printf("# recovered another way each time: %s\n", text);
		}
}

/* --- the whole --- */

static void test(struct matrix *m, bool good, const char *name)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++m->tests, name);
	fflush(stdout);
}

static void tell_scenario(struct matrix *m, const struct scenario *c)
{
	unsigned n = 0, broken = 0;
	char text[TEXT_MAX];

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].scenario != c)
			continue;
		n++;
		broken += m->results[i].why[0] != 0;
	}
	snprintf(text, sizeof(text), "%s: %u runs, %u broken", c->name, n, broken);
	test(m, !broken, text);
}

static const char *killed_elsewhere(enum step s)
{
	for (size_t i = 0; i < elsewhere_n; i++)
		if (elsewhere[i].step == s)
			return elsewhere[i].where;
	return NULL;
}

/* Every row of the step table is killed here or named with where it is. */
static void tell_steps(struct matrix *m)
{
	char text[TEXT_MAX];

	for (unsigned s = 0; s < STEP_COUNT; s++) {
		const char *where = killed_elsewhere((enum step)s);
		bool reached = false;

		for (size_t i = 0; i < scenarios_n; i++)
			for (int a = 0; a < ACTORS; a++)
				reached |= m->want[i]->passed[a][s] > 0;
		if (reached && !where)
			continue;
		snprintf(text, sizeof(text), "%s: %s", step_name((enum step)s),
			 reached ? "reached, though it is said to be killed elsewhere"
			 : where ? where
				 : "no scenario reaches it");
		test(m, !reached && where, text);
	}
}

static void run_all(struct matrix *m)
{
	size_t kills;

	for (size_t i = 0; i < scenarios_n; i++)
		add(m, &(struct crash_point){.scenario = &scenarios[i]});
	run_from(m, 0);
	m->want = mem_array(scenarios_n, sizeof(*m->want));
	for (size_t i = 0; i < scenarios_n; i++) {
		m->want[i] = mem_dup(&m->results[i], sizeof(m->results[i]));
		if (m->want[i]->why[0])
			continue;
		add_kills(m, &scenarios[i], m->want[i]);
		add_mint(m, &scenarios[i], m->want[i]);
		add_relay(m, &scenarios[i], m->want[i]);
	}
	m->points = (unsigned)(m->n - scenarios_n);
	kills = m->n;
	if (!m->opt.list)
		run_from(m, scenarios_n);
	if (m->opt.depth != FULL || m->opt.list)
		return;
	for (size_t i = scenarios_n; i < kills; i++)
		add_second(m, i);
	m->points = (unsigned)(m->n - scenarios_n);
	run_seconds(m, kills);
}

static int read_options(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"full", no_argument, NULL, 'f'},	  {"only", required_argument, NULL, 'o'},
		{"sample", required_argument, NULL, 's'}, {"jobs", required_argument, NULL, 'j'},
		{"list", no_argument, NULL, 'l'},	  {0}};
	uint64_t jobs = 4; /* they wait more than they work */
	int c;

	*o = (struct options){.depth = ONCE};
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'f')
			o->depth = FULL;
		else if (c == 'o')
			o->only = optarg;
		else if (c == 'l')
			o->list = true;
		else if (c == 's' && str_u64(str_of(optarg), UINT32_MAX, &o->sample, NULL) == 0)
			continue;
		else if (c != 'j' || str_u64(str_of(optarg), JOBS_MAX, &jobs, NULL) < 0)
			return -1;
	}
	o->jobs = jobs ? (unsigned)jobs : 1;
	return optind == argc ? 0 : -1;
}

static void seed(struct matrix *m)
{
	const char *text = getenv("LEASED_SEED");

	if (!text || str_u64(str_of(text), UINT32_MAX, &m->luck, NULL) < 0 || !m->luck)
		m->luck = ((uint64_t)clock_mono_us() & UINT32_MAX) | 1;
	if (m->opt.sample)
		printf("# seed %" PRIu64 "\n", m->luck);
}

int main(int argc, char **argv)
{
	struct matrix m = {0};
	char text[TEXT_MAX];

	if (read_options(&m.opt, argc, argv) < 0) {
		fputs("usage: matrix [--full] [--only TEXT] [--sample N] [--jobs N] [--list]\n",
		      stderr);
		return 2;
	}
	seed(&m);
	run_all(&m);
	for (size_t i = scenarios_n; m.opt.list && i < m.n; i++) {
		point_text(text, sizeof(text), &m.v[i]);
		puts(text);
	}
	if (!m.opt.list) {
		for (size_t i = 0; i < scenarios_n; i++)
			tell_scenario(&m, &scenarios[i]);
		tell_steps(&m);
		printf("1..%u\n", m.tests);
	}
	printf("points %u, runs %u, broken %u\n", m.points, m.runs, m.broken);
	return m.broken > 0;
}
