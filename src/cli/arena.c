/* How large the variants' arena is where nobody has said it. */
#include <sys/resource.h>
#include "cli/cli.h"

#define USUAL ((size_t)4 << 30)		/* some 5400 threads at a time; only what is used is there */
#define SMALL ((size_t)512 << 20)	/* what is tried however low the limits are */

/* Of memory we have no more than the program; of files we can raise the limit that is not hard. */
static rlim_t room(void)
{
	struct rlimit memory = { RLIM_INFINITY, 0 }, files = { 0, RLIM_INFINITY };

	getrlimit(RLIMIT_AS, &memory);
	getrlimit(RLIMIT_FSIZE, &files);
	return memory.rlim_cur < files.rlim_max ? memory.rlim_cur : files.rlim_max;
}

size_t mv_cli_arena(size_t asked)
{
	size_t size = asked ? asked : USUAL;

	while (!asked && size > SMALL && size > room() / 4)
		size /= 2;
	return size;
}
