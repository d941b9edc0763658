/* lease exec: input and output carried by gift wraps, piece by piece. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "cli/pieces.h"
#include "cli/upload.h"
#include "cli/verbs.h"

#define ANSWER_MS 30000

int cli_find_running(struct app *a, const char *name, struct book_entry *b)
{
	struct err e;
	int rc;

	if (app_wallet(a, &e) < 0)
		return app_fail(EXIT_STATE, &e);
	rc = book_get(a->db, name, b, &e);
	if (rc < 0)
		return app_fail(EXIT_STATE, &e);
	if (rc || !b->lease[0])
		return app_failf(EXIT_NOT_FOUND, "no lease named %s; lease ls lists them", name);
	return 0;
}

static int read_input(struct buf *input, struct err *e)
{
	char piece[4096];
	size_t n;

	while (!input->failed && (n = fread(piece, 1, sizeof(piece), stdin)) > 0)
		buf_add(input, piece, n);
	if (input->failed)
		return err_set(e, ERRK_LIMIT, "standard input: relays carry at most %d bytes",
			       LEASE_INPUT_MAX);
	return ferror(stdin) ? err_sys(e, "standard input") : 0;
}

static int set_env(struct spec *s, const struct opt_list *env, struct err *e)
{
	for (size_t i = 0; i < env->n; i++) {
		struct str rest = str_of(env->v[i]), name;
		const char *value;

		str_cut(&rest, '=', &name);
		value = strchr(env->v[i], '=');
		if (!value) {
			auto_free char *own = mem_strndup(name.p, name.n);

			value = getenv(own);
			if (value && spec_set_env(s, name, str_of(value), e) < 0)
				return -1;
			continue;
		}
		if (spec_set_env(s, name, str_of(value + 1), e) < 0)
			return -1;
	}
	return 0;
}

int cli_command_at(int argc, char **argv)
{
	return argc > 1 && !strcmp(argv[1], "--") ? 2 : 1;
}

int cli_fill_spec(struct spec *s, const struct opt_list *env, const char *workdir, const char *user,
		  struct err *e)
{
	if (set_env(s, env, e) < 0 || (workdir && spec_set_workdir(s, str_of(workdir), e) < 0) ||
	    (user && spec_set_user(s, str_of(user), e) < 0))
		return -1;
	return 0;
}

static int fill_exec(struct request *req, const struct exec_options *o, int argc, char **argv,
		     struct err *e)
{
	if (o->timeout && str_duration(str_of(o->timeout), LEASE_EXEC_MAX, &req->timeout, e) < 0)
		return err_wrap(e, "--timeout");
	for (int i = cli_command_at(argc, argv); i < argc; i++)
		if (spec_add_arg(&req->spec, str_of(argv[i]), e) < 0)
			return -1;
	req->detach = o->detach;
	return cli_fill_spec(&req->spec, &o->env, o->workdir, o->user, e);
}

/* As text where it is that. */
static void put_stream(struct jsonw *w, const char *name, const struct buf *b)
{
	auto_free char *encoded = mem_printf("%s_base64", name);

	if (utf8_valid(buf_view(b)))
		jsonw_str(w, name, buf_view(b));
	else
		jsonw_base64(w, encoded, b->p, b->n);
}

static void put_result(struct jsonw *w, const struct request *req, const struct pieces *p)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "id", req->request_id);
	jsonw_text(w, "image", req->spec.image);
	jsonw_array(w, "command");
	for (size_t i = 0; i < req->spec.args.n; i++)
		jsonw_text(w, NULL, req->spec.args.v[i]);
	jsonw_end_array(w);
	jsonw_i64(w, "exit_status", p->exit_status);
	if (p->signal)
		jsonw_text(w, "signal", spec_signal_name(p->signal));
	jsonw_bool(w, "timed_out", p->timed_out);
	jsonw_bool(w, "truncated", p->more);
	put_stream(w, "stdout", p->keep);
	put_stream(w, "stderr", p->keep_err);
	jsonw_end_object(w);
}

/* The whole result as one object. */
static int print_result(const struct request *req, const struct pieces *p)
{
	auto_buf struct buf text = BUF(16 * LEASE_OUTPUT_MAX);
	struct jsonw w = JSONW(&text);
	struct err e;

	put_result(&w, req, p);
	if (buf_check(&text, "the result", &e) < 0)
		return app_fail(EXIT_OTHER, &e);
	printf("%s\n", text.p);
	return 0;
}

int cli_exec(struct app *a, const char *name, struct request *req, bool interactive)
{
	auto_pieces struct pieces p = {.exit_status = -1, .interrupt = !req->detach};
	auto_session struct session *s = NULL;
	auto_buf struct buf input = BUF(LEASE_INPUT_MAX);
	auto_buf struct buf out = BUF(LEASE_OUTPUT_MAX), err = BUF(LEASE_OUTPUT_MAX);
	struct book_entry b;
	struct err e;
	int rc;

	if (a->g.json && !req->detach) {
		p.keep = &out;
		p.keep_err = &err;
	}
	if (interactive && read_input(&input, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	rc = cli_find_running(a, name, &b);
	if (rc)
		return rc;
	memcpy(req->lease, b.lease, sizeof(req->lease));
	if (session_open(&s, a, &b.provider, 0, &e) < 0)
		return app_fail(EXIT_RELAYS, &e);
	rc = upload_input(s, req, buf_view(&input));
	if (!rc)
		rc = pieces_ask(s, req,
				(req->timeout ? req->timeout : LEASE_EXEC_MAX) * 1000 + ANSWER_MS,
				&p);
	if (rc)
		return rc == EXIT_REFUSED ? EXIT_OURS : rc;
	if (req->detach)
		printf("%s\n", req->request_id);
	if (p.keep && print_result(req, &p))
		return EXIT_OTHER;
	if (p.more)
		app_failf(0, "output was longer than relays carry and was cut");
	return (int)p.exit_status;
}

int verb_exec(void *ctx, const void *options, int argc, char **argv)
{
	const struct exec_options *o = options;
	auto_request struct request *req = request_new(REQUEST_EXEC);
	struct err e;

	if (o->tty)
		return app_failf(EXIT_USAGE, "-t: relays carry no terminal; leave it out");
	if (cli_command_at(argc, argv) >= argc)
		return app_failf(EXIT_USAGE, "want NAME COMMAND…");
	if (o->detach && (o->interactive || o->timeout))
		return app_failf(EXIT_USAGE, "-d: without -i and --timeout");
	if (fill_exec(req, o, argc, argv, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	return cli_exec(ctx, argv[0], req, o->interactive);
}
