/* The helper's tests once more, with leases that a daemon of Docker runs. */
#include <stdlib.h>

#include "contract/dockerd.h"
#include "helper_world.h"

static int with_daemon(void)
{
	setenv("LEASED_TEST_DOCKER", dockerd.host, 1);
	return helper_tests();
}

int main(void)
{
	return dockerd_main(with_daemon);
}
