/* readv, writev, preadv, pwritev with empty, many and bad pieces. */
#include "check.h"

int main(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	char a[3] = "", b[5] = "", c[10] = "";
	struct iovec out[] = { { "abc", 3 }, { NULL, 0 }, { "defgh", 5 } };
	struct iovec in[] = { { a, 2 }, { b, 0 }, { b, 4 }, { c, 9 } };
	struct iovec many[1025];

	NEED(fd >= 0);
	SHOW(writev(fd, out, 3));
	SHOW(pwritev(fd, out, 3, 6));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(readv(fd, in, 4));
	printf("[%s] [%s] [%s]\n", a, b, c);
	SHOW(preadv(fd, in, 3, 8));
	printf("[%s] [%s]\n", a, b);
	SHOW(preadv(fd, in, 3, 13));
	SHOW(preadv2(fd, in, 3, 0, 0));
	for (int i = 0; i < 1025; i++)
		many[i] = (struct iovec){ "xy", 2 };
	SHOW(writev(fd, many, 1024));
	OUTCOME(writev(fd, many, 1025));
	SHOW(writev(fd, many, 0));
	OUTCOME(writev(fd, (struct iovec *)8, 1));
	OUTCOME(writev(fd, NULL, 1));
	many[0].iov_base = (void *)8;
	OUTCOME(writev(fd, many, 1));
	many[0].iov_len = (size_t)-1;
	OUTCOME(writev(fd, many, 1));
	OUTCOME(readv(99, in, 1));
	return 0;
}
