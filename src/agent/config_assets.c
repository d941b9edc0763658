/* Folders that an operator lets every lease read: [volume] assets = NAME=/FOLDER. */
#include <stdlib.h>
#include <string.h>

#include "agent/config.h"
#include "base/mem.h"
#include "spec/storage.h"

int config_check_asset(struct str line, struct err *e)
{
	struct str folder = line, name;

	str_cut(&folder, '=', &name);
	if (!str_is_name(name, SPEC_NAME_MAX) || !folder.n || folder.p[0] != '/')
		return err_set(e, ERRK_INPUT,
			       "want NAME=/FOLDER, where NAME is a-z, 0-9 and -, at most %d",
			       SPEC_NAME_MAX);
	return 0;
}

int config_fill_assets(struct config *c, struct err *e)
{
	size_t n = 0;

	config_clear_assets(c);
	while (c->asset_lines && c->asset_lines[n])
		n++;
	if (n > SPEC_ASSETS_MAX)
		return err_set(e, ERRK_LIMIT, "more than %d", SPEC_ASSETS_MAX);
	c->assets = mem_array(n, sizeof(*c->assets));
	for (size_t i = 0; i < n; i++) {
		const char *line = c->asset_lines[i];
		struct config_asset *a = &c->assets[i];

		if (config_check_asset(str_of(line), e))
			return -1;
		a->folder = strchr(line, '=') + 1;
		a->name = mem_strndup(line, (size_t)(a->folder - 1 - line));
		c->nassets++;
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->assets[k].name, a->name) == 0)
				return err_set(e, ERRK_INPUT, "%s is there twice", a->name);
	}
	return 0;
}

void config_clear_assets(struct config *c)
{
	for (size_t i = 0; i < c->nassets; i++)
		free(c->assets[i].name);
	free(c->assets);
	c->assets = NULL;
	c->nassets = 0;
}
