/* Names of users and groups by an image's own passwd and group files (never the host's). */
#include <string.h>

#include "image/parse.h"

#define ID_MAX 65535 /* a lease's user namespace has no more */

/* The n-th of a line's fields separated by ':'; false where there are fewer. */
static bool field(struct str line, unsigned n, struct str *out)
{
	for (unsigned i = 0; str_cut(&line, ':', out); i++)
		if (i == n)
			return true;
	return false;
}

static bool number_field(struct str line, unsigned n, uint32_t *out)
{
	struct str s;
	uint64_t v;

	if (!field(line, n, &s) || str_u64(s, ID_MAX, &v, NULL))
		return false;
	*out = (uint32_t)v;
	return true;
}

/* The first line whose field `n` is `value`. */
static bool find_line(struct str text, unsigned n, struct str value, struct str *line)
{
	struct str s;

	while (str_cut(&text, '\n', line))
		if (field(*line, n, &s) && str_eq(s, value))
			return true;
	return false;
}

static bool has_member(struct str list, struct str name)
{
	struct str piece;

	while (str_cut(&list, ',', &piece))
		if (str_eq(piece, name))
			return true;
	return false;
}

static void add_groups(struct image_user *out, struct str group, struct str name)
{
	struct str line, members;
	uint32_t gid;

	while (str_cut(&group, '\n', &line) && out->ngroups < IMAGE_GROUPS_MAX)
		if (field(line, 3, &members) && has_member(members, name) &&
		    number_field(line, 2, &gid) && gid != out->gid)
			out->groups[out->ngroups++] = gid;
}

static void set_home(struct image_user *out, struct str line)
{
	struct str home;

	if (!field(line, 5, &home) || home.n == 0 || home.n >= sizeof(out->home) ||
	    home.p[0] != '/' || !utf8_valid(home))
		return;
	memcpy(out->home, home.p, home.n);
	out->home[home.n] = '\0';
}

static int find_group(uint32_t *gid, struct str name, struct str group, struct err *e)
{
	struct str line;
	uint64_t v;

	if (find_line(group, 0, name, &line) && number_field(line, 2, gid))
		return 0;
	if (str_u64(name, ID_MAX, &v, NULL) == 0) {
		*gid = (uint32_t)v;
		return 0;
	}
	return err_set(e, ERRK_INPUT, "the image has no such group");
}

/* Name, number of a known user, or any number (gid 0 then). Leaves the user's name in `name`. */
static int find_user(struct image_user *out, struct str *name, struct str passwd, struct err *e)
{
	struct str line;
	uint64_t v;

	if ((find_line(passwd, 0, *name, &line) || find_line(passwd, 2, *name, &line)) &&
	    number_field(line, 2, &out->uid) && number_field(line, 3, &out->gid)) {
		(void)field(line, 0, name);
		set_home(out, line);
		return 0;
	}
	if (str_u64(*name, ID_MAX, &v, NULL))
		return err_set(e, ERRK_INPUT, "the image has no such user");
	out->uid = (uint32_t)v;
	out->gid = 0;
	return 0;
}

int parse_user(struct image_user *out, struct str user, struct str passwd, struct str group,
	       struct err *e)
{
	struct str name, rest = user;

	memset(out, 0, sizeof(*out));
	memcpy(out->home, "/", 2);
	if (!str_cut(&rest, ':', &name) || name.n == 0)
		return err_set(e, ERRK_INPUT, "user: empty");
	if (find_user(out, &name, passwd, e))
		return -1;
	if (memchr(user.p, ':', user.n))
		return find_group(&out->gid, rest, group, e);
	add_groups(out, group, name);
	return 0;
}

int parse_check_user(const struct image_user *u, struct err *e)
{
	bool ok = u->uid <= ID_MAX && u->gid <= ID_MAX && u->ngroups <= IMAGE_GROUPS_MAX &&
		  memchr(u->home, '\0', sizeof(u->home)) && u->home[0] == '/' &&
		  utf8_valid(str_of(u->home));

	for (size_t i = 0; ok && i < u->ngroups; i++)
		ok = u->groups[i] <= ID_MAX;
	return ok ? 0 : err_set(e, ERRK_INPUT, "the users' parser answered nonsense");
}
