/* lease run --in: another image beside the main process of a lease that runs. Nothing is bought. */
#include <string.h>

#include "cli/registry_auth.h"
#include "cli/verbs.h"

static const char *const TAKEN[] = {"in",   "detach",	  "interactive",   "rm",  "env", "workdir",
				    "user", "entrypoint", "registry-auth", "pull"};

static bool is_taken(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(TAKEN); i++)
		if (strcmp(TAKEN[i], name) == 0)
			return true;
	return false;
}

static bool is_given(const struct opt *opt, const struct run_options *o)
{
	const void *at = (const char *)o + opt->offset;

	switch (opt->type) {
	case OPT_FLAG:
		return *(const bool *)at;
	case OPT_STRING:
		return *(const char *const *)at != NULL;
	case OPT_LIST:
		return ((const struct opt_list *)at)->n > 0;
	}
	return false;
}

/* What is the lease's, or would be bought, is refused by name. */
static int check_options(const struct run_options *o, struct err *e)
{
	for (size_t i = 0; i < cli_nrun_opts; i++)
		if (is_given(&cli_run_opts[i], o) && !is_taken(cli_run_opts[i].name))
			return err_set(e, ERRK_INPUT,
				       "--%s: not with --in, which takes what the lease has",
				       cli_run_opts[i].name);
	return o->detach && o->interactive ? err_set(e, ERRK_INPUT, "-d: without -i") : 0;
}

static int fill_spec(struct request *req, const struct run_options *o, int argc, char **argv,
		     struct err *e)
{
	struct spec *s = &req->spec;

	if (argc < 1)
		return err_set(e, ERRK_INPUT, "want IMAGE; lease offers lists what is offered");
	if (spec_set_image(s, str_of(argv[0]), e) < 0)
		return -1;
	for (int i = cli_command_at(argc, argv); i < argc; i++)
		if (spec_add_arg(s, str_of(argv[i]), e) < 0)
			return -1;
	if (o->entrypoint && spec_add_entrypoint(s, str_of(o->entrypoint), e) < 0)
		return -1;
	if (o->pull && spec_set_pull(s, str_of(o->pull), e) < 0)
		return err_wrap(e, "--pull");
	if (o->registry_auth &&
	    registry_auth_read(&req->registry_auth, o->registry_auth, s->image, e) < 0)
		return err_wrap(e, "--registry-auth");
	return cli_fill_spec(s, &o->env, o->workdir, o->user, e);
}

int cli_run_in(struct app *a, const struct run_options *o, int argc, char **argv)
{
	auto_request struct request *req = request_new(REQUEST_EXEC);
	struct err e;

	if (check_options(o, &e) < 0 || fill_spec(req, o, argc, argv, &e) < 0)
		return app_fail(EXIT_USAGE, &e);
	req->detach = o->detach;
	return cli_exec(a, o->in, req, o->interactive);
}
