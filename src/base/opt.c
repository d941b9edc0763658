#include "base/opt.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

enum { EXIT_USAGE = 2, HELP_COLUMN = 28, LINE_WIDTH = 80 };

/* A list of options and the struct that they fill. */
struct set {
	const struct opt *opts;
	size_t n;
	void *values;
};

/* What is left of the command line. */
struct words {
	const struct program *p;
	const struct verb *v; /* NULL before the verb is known */
	char **at, **end;
};

/* --- usage --- */

static int usage(const struct words *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int usage(const struct words *w, const char *fmt, ...)
{
	const char *verb = w->v ? w->v->name : "", *space = *verb ? " " : "";
	va_list ap;

	fprintf(stderr, "%s%s%s: ", w->p->name, space, verb);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry '%s%s%s --help'.\n", w->p->name, space, verb);
	return EXIT_USAGE;
}

/* `text` from HELP_COLUMN on, broken at spaces. `used` columns of the line are taken. */
static void print_wrapped(size_t used, const char *text)
{
	struct str rest = str_of(text), word;
	size_t column = used;

	if (used + 2 > HELP_COLUMN) {
		putchar('\n');
		column = 0;
	}
	printf("%*s", (int)(HELP_COLUMN - column), "");
	for (column = HELP_COLUMN; str_cut(&rest, ' ', &word); column += word.n + 1) {
		if (column > HELP_COLUMN && column + word.n > LINE_WIDTH) {
			printf("\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		}
		printf("%s%.*s", column > HELP_COLUMN ? " " : "", (int)word.n, word.p);
	}
	putchar('\n');
}

static void print_option(char brief, const char *name, const char *arg, const char *help)
{
	char left[80], letter[8] = "   ";
	int n;

	if (brief)
		snprintf(letter, sizeof(letter), "-%c,", brief);
	n = snprintf(left, sizeof(left), "  %s --%s%s%s", letter, name, arg ? " " : "",
		     arg ? arg : "");
	fputs(left, stdout);
	print_wrapped(n < 0 ? 0 : (size_t)n, help);
}

static void print_options(const char *title, const struct opt *opts, size_t n)
{
	size_t i;

	if (n == 0)
		return;
	printf("\n%s:\n", title);
	for (i = 0; i < n; i++)
		print_option(opts[i].brief, opts[i].name,
			     opts[i].type == OPT_FLAG ? NULL : opts[i].arg, opts[i].help);
}

static void print_verb_help(const struct program *p, const struct verb *v)
{
	printf("Usage: %s%s%s%s%s\n\n%s\n", p->name, *v->name ? " " : "", v->name,
	       v->args && *v->args ? " " : "", v->args ? v->args : "", v->help);
	print_options("Options", v->opts, v->nopts);
	print_options("Everywhere", p->globals, p->nglobals);
}

static void print_program_help(const struct program *p)
{
	size_t i;

	printf("Usage: %s [OPTION…] VERB …\n\n%s\n\nVerbs:\n", p->name, p->summary);
	for (i = 0; i < p->nverbs; i++) {
		if (p->verbs[i].hidden || !*p->verbs[i].name)
			continue;
		printf("  %s", p->verbs[i].name);
		print_wrapped(2 + strlen(p->verbs[i].name), p->verbs[i].help);
	}
	print_options("Options", p->globals, p->nglobals);
	print_option(0, "help", NULL, "show this, or with a verb what that verb takes");
	print_option(0, "version", NULL, "show the version");
	printf("\n'%s help VERB' tells about one verb.\n", p->name);
}

/* --- verbs --- */

static size_t words_in(const char *name)
{
	return strchr(name, ' ') ? 2 : 1;
}

static bool verb_is(const struct verb *v, struct words *w)
{
	const char *space = strchr(v->name, ' ');

	if (!space)
		return strcmp(v->name, w->at[0]) == 0;
	return w->end - w->at >= 2 && strncmp(v->name, w->at[0], (size_t)(space - v->name)) == 0 &&
	       w->at[0][space - v->name] == '\0' && strcmp(space + 1, w->at[1]) == 0;
}

/* Two words win over one. */
static const struct verb *find_verb(struct words *w)
{
	const struct verb *found = NULL;
	size_t i;

	if (w->at == w->end)
		return NULL;
	for (i = 0; i < w->p->nverbs; i++)
		if (verb_is(&w->p->verbs[i], w) && (!found || words_in(w->p->verbs[i].name) == 2))
			found = &w->p->verbs[i];
	return found;
}

static const struct verb *default_verb(const struct program *p)
{
	size_t i;

	for (i = 0; i < p->nverbs; i++)
		if (!*p->verbs[i].name)
			return &p->verbs[i];
	return NULL;
}

/* "balance, fund, …": the second words of the verbs that begin with this one. */
static void list_group(struct buf *out, const struct program *p, const char *first)
{
	size_t n = strlen(first);

	for (size_t i = 0; i < p->nverbs; i++) {
		const char *name = p->verbs[i].name;

		if (!p->verbs[i].hidden && strncmp(name, first, n) == 0 && name[n] == ' ')
			buf_printf(out, "%s%s", out->n ? ", " : "", name + n + 1);
	}
}

static int unknown_verb(const struct words *w)
{
	auto_buf struct buf group = BUF(1024);
	char shown[40];

	if (w->at == w->end)
		return usage(w, "which verb?");
	str_printable(shown, sizeof(shown), str_of(*w->at));
	list_group(&group, w->p, *w->at);
	if (group.n)
		return usage(w, "%s what? %.*s", shown, (int)group.n, group.p);
	return usage(w, "there is no verb %s", shown);
}

/* --- options --- */

static const struct opt *find_long(const struct set *s, struct str name)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (str_is(name, s->opts[i].name))
			return &s->opts[i];
	return NULL;
}

static const struct opt *find_brief(const struct set *s, char brief)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->opts[i].brief == brief)
			return &s->opts[i];
	return NULL;
}

static void store(const struct set *s, const struct opt *o, const char *value)
{
	void *at = (char *)s->values + o->offset;
	struct opt_list *list = at;

	switch (o->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		return;
	case OPT_STRING:
		*(const char **)at = value;
		return;
	case OPT_LIST:
		list->v = mem_grow(list->v, list->n + 1, sizeof(*list->v));
		list->v[list->n++] = value;
		return;
	}
}

static void free_lists(const struct set *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		struct opt_list *list = (void *)((char *)s->values + s->opts[i].offset);

		if (s->opts[i].type != OPT_LIST)
			continue;
		free(list->v);
		*list = (struct opt_list){NULL, 0};
	}
}

/* Outcomes of one option. */
enum { OPT_HELP = 1, OPT_VERSION, OPT_BAD };

static int take_long(struct words *w, const struct set sets[2])
{
	struct str rest = str_of(*w->at + 2), name;
	const struct opt *o = NULL;
	int i;

	str_cut(&rest, '=', &name);
	for (i = 0; i < 2 && !o; i++)
		o = find_long(&sets[i], name);
	if (!o && str_is(name, "help"))
		return OPT_HELP;
	if (!o && str_is(name, "version") && (!w->v || !*w->v->name))
		return OPT_VERSION;
	if (!o) {
		usage(w, "there is no option --%.*s", (int)name.n, name.p);
		return OPT_BAD;
	}
	if (o->type == OPT_FLAG && rest.p) {
		usage(w, "--%s takes no value", o->name);
		return OPT_BAD;
	}
	w->at++;
	if (o->type != OPT_FLAG && !rest.p) {
		if (w->at == w->end) {
			usage(w, "--%s needs %s", o->name, o->arg);
			return OPT_BAD;
		}
		rest = str_of(*w->at++);
	}
	store(&sets[i - 1], o, rest.p);
	return 0;
}

/* One letter of a cluster such as -it or -eK=V; `letter` moves on, to the end where a value was
 * taken. */
static int take_letter(struct words *w, const struct set sets[2], const char **letter)
{
	const struct opt *o = NULL;
	const char *value;
	int i;

	for (i = 0; i < 2 && !o; i++)
		o = find_brief(&sets[i], **letter);
	if (!o && **letter == 'h')
		return OPT_HELP;
	if (!o) {
		usage(w, "there is no option -%c", **letter);
		return OPT_BAD;
	}
	value = *letter + 1;
	*letter = value;
	if (o->type != OPT_FLAG) {
		if (!*value && w->at + 1 == w->end) {
			usage(w, "-%c needs %s", o->brief, o->arg);
			return OPT_BAD;
		}
		value = *value ? value : *++w->at;
		*letter = "";
	}
	store(&sets[i - 1], o, value);
	return 0;
}

static int take_brief(struct words *w, const struct set sets[2])
{
	const char *letter = *w->at + 1;
	int done = 0;

	while (done == 0 && *letter)
		done = take_letter(w, sets, &letter);
	w->at++;
	return done;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* Options until the first other word, which stays. "--" is taken and ends them: *ended. */
static int take_options(struct words *w, const struct set sets[2], bool *ended)
{
	int done = 0;

	while (done == 0 && w->at < w->end && is_option(*w->at)) {
		if (strcmp(*w->at, "--") == 0) {
			w->at++;
			*ended = true;
			return 0;
		}
		done = (*w->at)[1] == '-' ? take_long(w, sets) : take_brief(w, sets);
	}
	return done;
}

/* Sorts words into options and arguments; the arguments move to the front of `args`. */
static int take_all(struct words *w, const struct set sets[2], char **args, int *nargs)
{
	bool ended = false;
	int done;

	while (w->at < w->end) {
		done = ended ? 0 : take_options(w, sets, &ended);
		if (done)
			return done;
		if (w->at == w->end)
			break;
		if (w->v->stop_at_arg)
			ended = true;
		args[(*nargs)++] = *w->at++;
	}
	return 0;
}

/* --- completion --- */

static void offer_word(const char *word, const char *typed)
{
	if (str_starts(str_of(word), typed))
		puts(word);
}

static void offer_options(const struct opt *opts, size_t n, const char *typed)
{
	char name[64];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "--%s", opts[i].name);
		offer_word(name, typed);
	}
}

/* First words of verbs, each once, or second words after `first`. */
static void offer_verbs(const struct program *p, const char *first, const char *typed)
{
	size_t i, k;

	for (i = 0; i < p->nverbs; i++) {
		const char *name = p->verbs[i].name, *space = strchr(name, ' ');
		size_t n = space ? (size_t)(space - name) : strlen(name);
		auto_free char *word = mem_strndup(name, n);

		if (p->verbs[i].hidden || !n)
			continue;
		if (first) {
			if (space && strcmp(first, word) == 0)
				offer_word(space + 1, typed);
			continue;
		}
		for (k = 0; k < i; k++)
			if (strncmp(p->verbs[k].name, word, n) == 0 &&
			    (p->verbs[k].name[n] == ' ' || p->verbs[k].name[n] == '\0'))
				break;
		if (k == i)
			offer_word(word, typed);
	}
}

/* Candidates for the last word of the line; from the tables only. */
static int complete(struct words *w)
{
	const char *typed = w->at < w->end ? w->end[-1] : "";

	if (w->at < w->end)
		w->end--;
	while (w->at < w->end && is_option(*w->at))
		w->at++;
	w->v = find_verb(w);
	w->v = w->v ? w->v : default_verb(w->p);
	if (*typed == '-') {
		if (w->v)
			offer_options(w->v->opts, w->v->nopts, typed);
		offer_options(w->p->globals, w->p->nglobals, typed);
		offer_word("--help", typed);
	} else if (!w->v || !*w->v->name || w->end - w->at == 1) {
		offer_verbs(w->p, w->at < w->end ? *w->at : NULL, typed);
	}
	return 0;
}

/* --- running --- */

static int help(struct words *w)
{
	const struct verb *v;

	if (w->at == w->end && w->p->nverbs > 1) {
		print_program_help(w->p);
		return 0;
	}
	v = w->p->nverbs > 1 ? find_verb(w) : &w->p->verbs[0];
	if (!v)
		return unknown_verb(w);
	print_verb_help(w->p, v);
	return 0;
}

static int ended_early(const struct words *w, int outcome)
{
	if (outcome == OPT_BAD)
		return EXIT_USAGE;
	if (outcome == OPT_VERSION)
		printf("%s %s\n", w->p->name, PACKAGE_VERSION);
	else if (w->v)
		print_verb_help(w->p, w->v);
	else
		print_program_help(w->p);
	return 0;
}

static int run_verb(struct words *w, const struct set *globals, void *ctx)
{
	auto_free void *values = mem_zero(w->v->size);
	auto_free char **args = mem_array((size_t)(w->end - w->at) + 1, sizeof(*args));
	struct set sets[2] = {{w->v->opts, w->v->nopts, values}, *globals};
	int nargs = 0, done = take_all(w, sets, args, &nargs);

	done = done ? ended_early(w, done) : w->v->run(ctx, values, nargs, args);
	free_lists(&sets[0]);
	return done;
}

static int dispatch(struct words *w, const struct set *globals, void *ctx)
{
	const struct set sets[2] = {*globals, {NULL, 0, NULL}};
	const struct verb *fallback = default_verb(w->p);
	bool ended = false;
	int done = 0;

	/* Without verbs the words belong to the default one from the start. */
	if (!fallback || w->p->nverbs > 1)
		done = take_options(w, sets, &ended);
	if (done)
		return ended_early(w, done);
	if (w->at < w->end && strcmp(*w->at, "help") == 0) {
		w->at++;
		return help(w);
	}
	if (w->at < w->end && strcmp(*w->at, "complete") == 0) {
		w->at++;
		return complete(w);
	}
	w->v = find_verb(w);
	if (w->v)
		w->at += words_in(w->v->name);
	else
		w->v = fallback;
	return w->v ? run_verb(w, globals, ctx) : unknown_verb(w);
}

int opt_main(const struct program *p, void *ctx, int argc, char **argv)
{
	struct set globals = {p->globals, p->nglobals, p->global_options};
	struct words w = {p, NULL, argv + (argc > 0), argv + argc};
	int status = dispatch(&w, &globals, ctx);

	free_lists(&globals);
	return status;
}
