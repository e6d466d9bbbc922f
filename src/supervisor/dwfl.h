/*
 * libdwfl, loaded when a snapshot is taken: it and the four libraries that it needs take longer to load than the rest of mvarmor's
 * start (docs/performance.md), and a run that does not diverge has no use for them.
 */
#ifndef MV_SUPERVISOR_DWFL_H
#define MV_SUPERVISOR_DWFL_H

#include <elfutils/libdwfl.h>

#define MV_DWFL_FUNCTIONS(X) \
	X(addrmodule) X(attach_state) X(begin) X(build_id_find_debuginfo) X(end) X(frame_pc) X(getthread_frames) X(module_addrinfo) \
	X(module_info) X(report_begin) X(report_end) X(report_module) X(thread_state_registers)

/* Its functions without "dwfl_". */
struct mv_dwfl {
#define X(name) __typeof__(&dwfl_##name)(name);
	MV_DWFL_FUNCTIONS(X)
#undef X
};

/* NULL if the library cannot be loaded, with a notice the first time.  It stays. */
const struct mv_dwfl *mv_dwfl(void);

#endif
