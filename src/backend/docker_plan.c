/* What prepare knows and create needs: see docker_impl.h. It holds the lease's secrets, on tmpfs.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/docker_impl.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"

static char *plan_path(const struct box *box)
{
	return mem_printf("%s/" DOCKER_PLAN, box->dir);
}

int docker_plan_write(const struct box *box, struct err *e)
{
	const struct oci_placement place = {
		.user = box->user, .grant = box->grant, .gpus = box->gpus};
	auto_buf struct buf texts = BUF(GATE_SIZE_MAX), all = BUF(2 * GATE_SIZE_MAX);
	auto_free char *path = plan_path(box);
	struct docker_plan_head head = {.uid = box->id_base + box->user.uid,
					.gid = box->id_base + box->user.gid,
					.read_only = box->spec->read_only};
	struct oci_command c;
	struct stat st;
	int r;

	if (stat(box->root, &st) < 0)
		return err_sys(e, "look at %s", box->root);
	if (oci_command(&texts, &c, box->spec, box->image, &place, e) < 0)
		return -1;
	head.dev = st.st_dev;
	head.ino = st.st_ino;
	head.nargs = (uint32_t)c.nargs;
	head.nenv = (uint32_t)c.nenv;
	buf_add(&all, &head, sizeof(head));
	buf_str(&all, buf_view(&texts));
	r = buf_check(&all, "plan", e) < 0 ? -1 : fs_write(path, all.p, all.n, 0600, e);
	wipe(texts.p, texts.n);
	if (all.p)
		wipe(all.p, all.n);
	return r;
}

int docker_plan_read(struct docker_plan *out, const struct box *box, struct err *e)
{
	auto_buf struct buf all = BUF(2 * GATE_SIZE_MAX);
	auto_free char *path = plan_path(box);
	int r = fs_read(&all, path, e);

	if (r == FS_NOT_FOUND)
		return err_set(e, ERRK_STATE, "not prepared");
	if (r < 0)
		return -1;
	if (all.n <= sizeof(out->head) || all.p[all.n - 1] != '\0')
		return err_set(e, ERRK_STATE, "%s is damaged", path);
	memcpy(&out->head, all.p, sizeof(out->head));
	out->size = all.n - sizeof(out->head);
	out->texts = mem_dup(all.p + sizeof(out->head), out->size);
	wipe(all.p, all.n);
	return unlink(path) < 0 ? err_sys(e, "remove %s", path) : 0;
}

void docker_plan_clear(struct docker_plan *p)
{
	if (p->texts)
		wipe(p->texts, p->size);
	free(p->texts);
}
