/* Where the parts of a volume lie: see paths.h. */
#include "volume/paths.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Commas and quotes have a meaning to the disk server. */
static bool is_plain_path(const char *s)
{
	if (s[0] != '/')
		return false;
	for (; *s; s++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@",
			    *s))
			return false;
	return true;
}

int paths_make(struct paths *p, const struct volume *v, struct err *e)
{
	if (!str_is_name(str_of(v->id), VOLUME_ID_MAX))
		return err_set(e, ERRK_INPUT, "a volume's id is 1 to %d of a-z, 0-9 and \"-\"",
			       VOLUME_ID_MAX);
	if (!is_plain_path(v->state_dir) || !is_plain_path(v->run_dir))
		return err_set(e, ERRK_INPUT,
			       "state and run folders: absolute, of letters, digits and /._-+@");
	p->state_parent = mem_printf("%s/volumes", v->state_dir);
	p->data = mem_printf("%s/%s", p->state_parent, v->id);
	p->run = mem_printf("%s/volumes/%s", v->run_dir, v->id);
	p->kept = mem_printf("%s/headers/%s", v->state_dir, v->id);
	p->home = mem_strdup(v->survives ? p->kept : p->run);
	p->key = mem_printf("%s/key", v->own_key ? p->run : p->home);
	p->header = mem_printf("%s/header", p->home);
	p->descriptor = mem_printf("%s/joined.vmdk", p->run);
	p->disk = mem_printf("%s/disk", p->run);
	p->mount = mem_printf("%s/mnt", p->run);
	p->server = mem_printf("%s/server", p->run);
	p->log = mem_printf("%s/server.log", p->run);
	p->made = mem_printf("%s/made", p->home);
	p->ready = mem_printf("%s/ready", p->home);
	p->growing = mem_printf("%s/growing", p->home);
	return 0;
}

void paths_clear(struct paths *p)
{
	char *const all[] = {p->state_parent, p->data,	 p->run,	p->kept,  p->home,
			     p->key,	      p->header, p->descriptor, p->disk,  p->mount,
			     p->server,	      p->log,	 p->made,	p->ready, p->growing};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
	*p = (struct paths){0};
}
