#include "operands.h"
#include <sys/socket.h>
#include <sys/un.h>

void fill_nothing(struct sim *s)
{
	(void)s;
}

bool agree_flipped(filler fill, struct mv_call call, uint64_t at)
{
	struct sim *s = sim_new(NULL);
	bool agreed;

	fill(s);
	*(uint8_t *)sim_mem(s, 1, at) ^= 0x41;
	agreed = sim_all(s, call);
	if (!agreed)
		assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_DIVERGENCE);
	sim_free(s);
	return agreed;
}

void compared(filler fill, struct mv_call call, uint64_t at, uint64_t len)
{
	assert_true(agree_flipped(fill, call, SIM_SIZE - 1));
	assert_true(agree_flipped(fill, call, at - 1));
	if (len) {
		assert_false(agree_flipped(fill, call, at));
		assert_false(agree_flipped(fill, call, at + len / 2));
		assert_false(agree_flipped(fill, call, at + len - 1));
	}
	assert_true(agree_flipped(fill, call, at + len));
}

void put_iov(struct sim *s, uint64_t at, uint64_t base, uint64_t len)
{
	sim_put_pointer(s, at, base);
	sim_put64(s, at + 8, len);
}

void fill_iov(struct sim *s)
{
	put_iov(s, 0x100, 0x2000, 5);
	put_iov(s, 0x110, 0x3000, 0);
	put_iov(s, 0x120, 0x4ff0, 0x20);	/* across a page */
}

void put_message(struct sim *s, uint64_t at)
{
	uint32_t namelen = 8;

	sim_put_pointer(s, at, 0x1000);
	sim_put(s, at + 8, &namelen, 4);
	sim_put_pointer(s, at + 16, 0x200);
	sim_put64(s, at + 24, 2);
	sim_put_pointer(s, at + 32, 0x4000);
	sim_put64(s, at + 40, 56);
	put_iov(s, 0x200, 0x2000, 10);
	put_iov(s, 0x210, 0x3000, 10);
}

void put_cmsg(struct sim *s, uint64_t at, uint64_t len, int32_t level, int32_t type)
{
	sim_put64(s, at, len);
	sim_put(s, at + 8, &level, 4);
	sim_put(s, at + 12, &type, 4);
}

void fill_message(struct sim *s)
{
	put_message(s, 0x100);
	put_cmsg(s, 0x4000, 16 + 4, 1, 1);	/* 20 bytes, padding to 24 */
	put_cmsg(s, 0x4018, 16 + 12, 0, 8);	/* 28 bytes, padding to 32 */
}

void fill_messages(struct sim *s)
{
	fill_message(s);
	sim_put(s, 0x140, sim_mem(s, 0, 0x100), 56);
	put_message(s, 0x140);
	sim_put_pointer(s, 0x140, 0x1800);	/* the second one has another name */
}

void fill_unix(struct sim *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "/run/x" };

	sim_put(s, 0x1000, &sa, sizeof(sa));
}
