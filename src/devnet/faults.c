#include "devnet/faults.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct entry {
	struct entry *next;
	struct fault fault;
	bool endless;
};

struct faults {
	struct entry *first;
};

static const char *const actions[FAULT_ACTIONS] = {
	[FAULT_DROP] = "drop",		 [FAULT_REFUSE] = "refuse",   [FAULT_CLOSE] = "close",
	[FAULT_DELAY] = "delay",	 [FAULT_FORGET] = "forget",   [FAULT_SHADOW] = "shadow",
	[FAULT_DUPLICATE] = "duplicate", [FAULT_REORDER] = "reorder", [FAULT_LIE] = "lie",
	[FAULT_STATUS] = "status",	 [FAULT_PENDING] = "pending", [FAULT_FAIL] = "fail",
};

static const char *const lies[] = {
	[LIE_SIGNATURE] = "signature",
	[LIE_EVENT] = "event",
	[LIE_AMOUNT] = "amount",
	[LIE_COUNT] = "count",
};

static int one_of(const char *const *names, size_t n, struct str s, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (str_is(s, names[i]))
			return (int)i;
	}
	return err_set(e, ERRK_INPUT, "unknown: %.*s", (int)s.n, s.p);
}

static int opt_text(const struct json *j, const char *key, char *out, size_t size, struct err *e)
{
	struct str s = STR("");

	if (json_opt_str(j, key, size - 1, &s, e) < 0)
		return -1;
	snprintf(out, size, "%.*s", (int)s.n, s.p);
	return 0;
}

static int fault_read(struct fault *f, const struct json *j, struct err *e)
{
	struct str action, lie = STR("signature");
	uint64_t kind = UINT64_MAX;
	int a, l;

	*f = (struct fault){.left = 1, .kind = -1, .ms = 1000, .status = 503, .code = 11000};
	if (json_str(j, "fault", 32, &action, e) < 0 || json_opt_str(j, "lie", 32, &lie, e) < 0 ||
	    json_opt_u64(j, "next", 1u << 30, &f->left, e) < 0 ||
	    json_opt_u64(j, "skip", 1u << 30, &f->skip, e) < 0 ||
	    json_opt_u64(j, "kind", 65535, &kind, e) < 0 ||
	    json_opt_u64(j, "ms", 3600000, &f->ms, e) < 0 ||
	    json_opt_u64(j, "status", 599, &f->status, e) < 0 ||
	    json_opt_u64(j, "code", 99999, &f->code, e) < 0 ||
	    opt_text(j, "frame", f->frame, sizeof(f->frame), e) < 0 ||
	    opt_text(j, "path", f->path, sizeof(f->path), e) < 0 ||
	    opt_text(j, "text", f->text, sizeof(f->text), e) < 0)
		return -1;
	a = one_of(actions, ARRAY_SIZE(actions), action, e);
	l = one_of(lies, ARRAY_SIZE(lies), lie, e);
	if (a < 0 || l < 0)
		return -1;
	f->action = (enum fault_action)a;
	f->lie = (enum fault_lie)l;
	if (kind != UINT64_MAX)
		f->kind = (int64_t)kind;
	return 0;
}

struct faults *faults_new(void)
{
	return mem_zero(sizeof(struct faults));
}

void faults_clear(struct faults *f)
{
	while (f->first) {
		struct entry *x = f->first;

		f->first = x->next;
		free(x);
	}
}

void faults_free(struct faults *f)
{
	if (!f)
		return;
	faults_clear(f);
	free(f);
}

int faults_add(struct faults *f, const struct json *j, struct err *e)
{
	struct entry *x = mem_zero(sizeof(*x)), **end = &f->first;

	if (fault_read(&x->fault, j, e) < 0) {
		free(x);
		return -1;
	}
	x->endless = x->fault.left == 0;
	while (*end)
		end = &(*end)->next;
	*end = x;
	return 0;
}

size_t faults_count(const struct faults *f)
{
	size_t n = 0;

	for (const struct entry *x = f->first; x; x = x->next)
		n++;
	return n;
}

static bool fits(const struct fault *f, enum fault_action a, const struct fault_scene *s)
{
	if (f->action != a || (f->kind >= 0 && f->kind != s->kind))
		return false;
	if (f->frame[0] && (!s->frame || strcmp(f->frame, s->frame) != 0))
		return false;
	/* A drop that names no frame is about what comes in. */
	if (!f->frame[0] && a == FAULT_DROP && s->frame && !strcmp(s->frame, "OUT"))
		return false;
	return !f->path[0] || (s->path && !strncmp(f->path, s->path, strlen(f->path)));
}

bool faults_take(struct faults *f, enum fault_action a, const struct fault_scene *scene,
		 struct fault *out)
{
	for (struct entry **at = &f->first; *at; at = &(*at)->next) {
		struct entry *x = *at;

		if (!fits(&x->fault, a, scene))
			continue;
		if (x->fault.skip) {
			x->fault.skip--;
			continue;
		}
		*out = x->fault;
		if (!x->endless && --x->fault.left == 0) {
			*at = x->next;
			free(x);
		}
		return true;
	}
	return false;
}
