#include "base/lib.h"

#include <dlfcn.h>
#include <string.h>

#include "base/child.h"

static int not_loaded(const char *file, struct err *e)
{
	return err_set(e, ERRK_STATE, "%s cannot be loaded; is its package installed?", file);
}

int lib_open(void **lib, const char *file, const struct lib_function *f, size_t n, struct err *e)
{
	void *l = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!l)
		return not_loaded(file, e);
	for (size_t i = 0; i < n; i++) {
		void *function = dlsym(l, f[i].name);

		if (!function) {
			dlclose(l);
			return err_set(e, ERRK_STATE, "%s has no %s", file, f[i].name);
		}
		memcpy(f[i].at, &function, sizeof(function));
	}
	*lib = l;
	return 0;
}

void lib_close(void *lib)
{
	if (lib)
		dlclose(lib);
}

static int try_to_load(void *ctx, struct err *e)
{
	const char *file = *(const char **)ctx;

	return dlopen(file, RTLD_NOW | RTLD_LOCAL) ? 0 : not_loaded(file, e);
}

int lib_probe(const char *file, struct err *e)
{
	return child_call(try_to_load, &file, sizeof(file), e);
}
