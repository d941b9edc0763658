/* leasectl check-config: is leased.conf right, and what does it say with every default? */
#include "agent/config.h"
#include "ctl/ctl.h"

static int run(void *ctx, const void *options, int argc, char **argv)
{
	auto_buf struct buf text = BUF(1 << 20);
	auto_config struct config *conf = NULL;
	const struct ctl *c = ctx;
	struct err e = {0};

	if (argc > 1)
		return ctl_usage("check-config", "one file at most");
	if (config_load(&conf, argc ? argv[0] : ctl_config_path(c), &e))
		return ctl_fail(-1, &e);
	config_print(&text, conf);
	fputs(buf_view(&text).p, stdout);
	return CTL_OK;
}

const struct verb verb_check_config = {
	"check-config", "[FILE]", "check leased.conf and print it with every default",
	NULL,		0,	  false,
	false,		0,	  run};
