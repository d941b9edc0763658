/* Capabilities by the system calls themselves: two masks are not worth a library in each keeper. */
#include "keeper/powers.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "volume/volume.h"

#define KEEPER_POWERS (1u << CAP_KILL | 1u << CAP_SYS_RESOURCE)

int powers_drop(struct err *e)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	/* saved, so that the log can be written as it */
	if (setresuid((uid_t)-1, (uid_t)-1, VOLUME_KEEPER) < 0)
		return err_sys(e, "set the saved user");
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return err_sys(e, "drop a capability");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capget, &head, data) < 0)
		return err_sys(e, "look at capabilities");
	data[0].permitted &= KEEPER_POWERS; /* some machines give root less than all */
	data[0].effective = data[0].permitted;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){0};
	if (syscall(SYS_capset, &head, data) < 0)
		return err_sys(e, "drop capabilities");
	return 0;
}
