/* Maps a file again and again: followers are handed the leader's open file each time. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	int fd = open("mapped", O_RDWR | O_CREAT | O_CLOEXEC, 0600), failed = 0;

	if (fd < 0 || ftruncate(fd, 4096))
		return 1;
	for (int i = 0; i < 10000; i++) {
		void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

		failed += p == MAP_FAILED || munmap(p, 4096);
	}
	printf("failed: %d\n", failed);
	return 0;
}
