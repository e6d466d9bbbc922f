/* sendfile, splice, tee, copy_file_range, fallocate, holes, fsync. */
#include <sys/sendfile.h>
#include "check.h"

int main(void)
{
	int in = open("in", O_RDWR | O_CREAT, 0600), out = open("out", O_RDWR | O_CREAT, 0600), p[2], q[2];
	char buf[32] = "";
	off_t from = 3;
	loff_t at = 1;
	struct stat st;

	NEED(in >= 0 && out >= 0 && pipe(p) == 0 && pipe(q) == 0);
	NEED(write(in, "0123456789abcdef", 16) == 16);
	SHOW(sendfile(out, in, &from, 5));
	SHOW(from);
	SHOW(lseek(in, 0, SEEK_CUR));
	SHOW(lseek(out, 0, SEEK_CUR));
	SHOW(splice(in, &at, p[1], NULL, 8, 0));
	SHOW(at);
	SHOW(tee(p[0], q[1], 4, 0));
	SHOW(splice(p[0], NULL, out, NULL, 100, 0));
	SHOW(read(q[0], buf, 31));
	puts(buf);
	from = 0;
	SHOW(copy_file_range(in, &from, out, NULL, 4, 0));
	SHOW(pread(out, buf, 31, 0));
	puts(buf);
	SHOW(posix_fallocate(out, 0, 10000));
	SHOW(lseek(out, 20000, SEEK_SET));
	SHOW(write(out, "end", 3));
	SHOW(lseek(out, -3, SEEK_END));
	NEED(fstat(out, &st) == 0);
	SHOW(st.st_size);
	SHOW(fsync(out));
	SHOW(fdatasync(out));
	OUTCOME(lseek(p[0], 0, SEEK_SET));
	OUTCOME(lseek(out, -1, SEEK_SET));
	OUTCOME(lseek(out, 0, 77));
	OUTCOME(sendfile(out, p[0], NULL, 4));
	SHOW(posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL));
	return 0;
}
