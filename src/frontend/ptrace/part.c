/*
 * Calls that have done a part of what they were asked for.  Those that go on until all is done have been ended by a signal, which natively is
 * taken before the program learns of the part.
 */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "pt.h"

#define VECTORS_MAX 64

/* Of longer ones no sum is known: any result may be a part. */
static uint64_t sum(struct pt_task *t, uint64_t at, uint64_t count)
{
	struct iovec iov[VECTORS_MAX];
	uint64_t total = 0;

	if (count > VECTORS_MAX || pt_peek(t, at, iov, count * sizeof(*iov)) != count * sizeof(*iov))
		return UINT64_MAX;
	for (uint64_t i = 0; i < count; i++)
		total += iov[i].iov_len;
	return total;
}

static uint64_t message(struct pt_task *t, uint64_t at)
{
	struct msghdr msg;

	return pt_peek(t, at, &msg, sizeof(msg)) == sizeof(msg) ? sum(t, (uint64_t)msg.msg_iov, msg.msg_iovlen) : UINT64_MAX;
}

/* What a call goes on for, in the units of its result; 0: it ends with any result. */
static uint64_t asked(struct pt_task *t)
{
	const uint64_t *args = t->call.args;

	switch (t->call.nr) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_sendto:
	case SYS_tee:
		return args[2];
	case SYS_sendfile:
		return args[3];
	case SYS_splice:
	case SYS_copy_file_range:
		return args[4];
	case SYS_sendmmsg:
	case SYS_recvmmsg:
		return (uint32_t)args[2];
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
		return sum(t, args[1], args[2]);
	case SYS_sendmsg:
		return message(t, args[1]);
	case SYS_recvfrom:
		return args[3] & MSG_WAITALL ? args[2] : 0;
	case SYS_recvmsg:
		return args[2] & MSG_WAITALL ? message(t, args[1]) : 0;
	default:
		return 0;
	}
}

bool pt_part(struct pt_task *t, int64_t result)
{
	return result >= 0 && (uint64_t)result < asked(t);
}
