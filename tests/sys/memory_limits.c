/* Limits of address space and of data: shown as they were set, they hold, and programs start under them. */
#include <sys/resource.h>
#include "check.h"

#define MIB (1ul << 20)
#define LIMIT (64 * MIB)

static int holds(void)
{
	size_t got = 0;

	while (mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		got += MIB;
	SHOW(errno == ENOMEM);
	SHOW(got > LIMIT / 2 && got < LIMIT);
	OUTCOME(malloc(LIMIT) ? 0 : -1);
	return 4;
}

static void limited(__rlimit_resource_t resource)
{
	struct rlimit limit, old;

	NEED(getrlimit(resource, &limit) == 0);
	SHOW(limit.rlim_cur / MIB);
	SHOW(limit.rlim_max / MIB);
	reap("child", spawn(holds));
	limit.rlim_cur = LIMIT * 2;
	OUTCOME(prlimit(0, resource, &limit, &old));
	SHOW(old.rlim_cur / MIB);
	NEED(getrlimit(resource, &limit) == 0);
	SHOW(limit.rlim_cur / MIB);
	OUTCOME(setrlimit(resource, (struct rlimit *)8));
	OUTCOME(getrlimit(resource, (struct rlimit *)8));
	NEED(system("echo child too") == 0);
}

int main(int argc, char **argv)
{
	struct rlimit limit = { LIMIT, LIMIT * 2 };
	__rlimit_resource_t resource = argc == 1 || strcmp(argv[1], "as") == 0 ? RLIMIT_AS : RLIMIT_DATA;
	int status;

	if (argc > 1) {
		limited(resource);
		return 0;
	}
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		NEED(pid >= 0);
		if (pid == 0) {
			NEED(setrlimit(i ? RLIMIT_DATA : RLIMIT_AS, &limit) == 0);
			execl(argv[0], argv[0], i ? "data" : "as", NULL);
			_exit(98);
		}
		NEED(waitpid(pid, &status, 0) == pid);
		show_status(i ? "data" : "address space", status);
	}
	return 0;
}
