/* The helper's tests with the runtime. */
#include "helper_world.h"

int main(void)
{
	return helper_tests();
}
