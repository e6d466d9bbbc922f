/* The machine's own address among virtual machines: a request whose number does not tell how much it writes. */
#include <linux/vm_sockets.h>
#include <sys/ioctl.h>
#include "check.h"

int main(void)
{
	unsigned cid[2] = { 0, 0x55555555 };
	int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		puts("no /dev/vsock");
		return 77;
	}
	OUTCOME(ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, cid));
	SHOW(cid[0]);
	SHOW(cid[1] == 0x55555555);
	OUTCOME(ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, 1));
	return 0;
}
