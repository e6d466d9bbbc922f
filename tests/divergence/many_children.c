/* More processes at once than a small arena has room for. */
#include <signal.h>
#include "slice.h"

int main(void)
{
	static pid_t pids[300];
	int n = 0;

	while (n < 300 && (pids[n] = fork()) >= 0) {
		if (pids[n] == 0)
			for (;;)
				pause();
		n++;
	}
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	printf("%d children\n", n);
	return 0;
}
