/* sendmmsg and recvmmsg: several messages at once, each length in its place. */
#include "check.h"

int main(void)
{
	int s[2];
	char buf[4][16];
	struct mmsghdr m[4];
	struct iovec iov[4];
	struct timespec ts = { 1, 0 };
	static const char *const words[] = { "alpha", "be", "gamma-ray", "d" };

	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	memset(m, 0, sizeof(m));
	memset(buf, 0, sizeof(buf));
	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ (char *)(uintptr_t)words[i], strlen(words[i]) };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	SHOW(sendmmsg(s[0], m, 4, 0));
	for (int i = 0; i < 4; i++) {
		SHOW(m[i].msg_len);
		iov[i] = (struct iovec){ buf[i], 15 };
		m[i].msg_len = 77;
	}
	SHOW(recvmmsg(s[1], m, 3, 0, &ts));
	for (int i = 0; i < 4; i++)
		printf("%u [%s]\n", m[i].msg_len, buf[i]);
	SHOW(recvmmsg(s[1], m, 4, MSG_DONTWAIT, NULL));
	printf("%u [%s]\n", m[0].msg_len, buf[0]);
	OUTCOME(recvmmsg(s[1], m, 4, MSG_DONTWAIT, NULL));
	return 0;
}
