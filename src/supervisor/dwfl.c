#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/log.h"
#include "supervisor/dwfl.h"

#define LIBRARY "libdw.so.1"

static bool load(struct mv_dwfl *dwfl)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return false;
#define X(name) \
	*(void **)&dwfl->name = dlsym(library, "dwfl_" #name); \
	if (!dwfl->name) \
		return false;
	MV_DWFL_FUNCTIONS(X)
#undef X
	return true;
}

const struct mv_dwfl *mv_dwfl(void)
{
	static struct mv_dwfl dwfl;
	static enum { NOT_TRIED, THERE, MISSING } state;

	if (state == NOT_TRIED) {
		state = load(&dwfl) ? THERE : MISSING;
		if (state == MISSING)
			mv_log(MV_LOG_NOTICE, "no stacks in the report: %s", dlerror());
	}
	return state == THERE ? &dwfl : NULL;
}
