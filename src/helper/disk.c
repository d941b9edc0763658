/* A pidfd for each: see disk.h. */
#include "helper/disk.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "helper/helper_own.h"

void disk_forget(struct lease *l)
{
	if (!l->disk)
		return;
	loop_io_del(l->disk);
	close(l->disk_fd);
	l->disk = NULL;
}

static void server_ended(void *ctx, int fd, uint32_t events)
{
	struct lease *l = ctx;

	(void)fd;
	(void)events;
	disk_forget(l);
	task_start_alone(l, job_serve);
}

void disk_watch(struct lease *l)
{
	struct volume v = record_volume(&l->rec, l->h->c);
	struct err e;
	pid_t pid;

	if (!l->rec.kept || l->disk || v.activation != VOLUME_FUSE)
		return;
	pid = volume_server(&v);
	if (pid == 0)
		return;
	l->disk_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (l->disk_fd < 0) {
		log_warn("volume %s: its disk server cannot be watched", l->rec.id);
		return;
	}
	if (loop_io_add(&l->disk, l->h->loop, l->disk_fd, EPOLLIN, server_ended, l, &e) == 0)
		return;
	log_warn("volume %s: its disk server: %s", l->rec.id, e.msg);
	close(l->disk_fd);
}
