/* Socket messages and addresses as inputs: headers, vectors, control data, names by family. */
#include "operands.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- messages ---- */

static void messages(void **state)
{
	struct mv_call call = CALL(__NR_sendmsg, 3, AT(0x100), 0);

	(void)state;
	compared(fill_message, call, 0x1000, 8);
	compared(fill_message, call, 0x2000, 10);
	compared(fill_message, call, 0x3000, 10);
	for (unsigned i = 0; i < 64; i++) {
		/* Control messages count, what is between and behind them does not. */
		bool counts = i < 20 || (i >= 24 && i < 24 + 28);

		if (agree_flipped(fill_message, call, 0x4000 + i) == counts)
			fail_msg("byte %u of the control data", i);
	}
	assert_false(agree_flipped(fill_message, call, 0x100 + 8));	/* namelen */
	assert_true(agree_flipped(fill_message, call, 0x100 + 12));	/* padding */
	assert_false(agree_flipped(fill_message, call, 0x100 + 40));	/* controllen */
	assert_true(agree_flipped(fill_message, call, 0x100 + 48));	/* msg_flags is an output */
	assert_true(agree_flipped(fill_message, call, 0x100 + 52));
}

static void messages_to_receive(void **state)
{
	struct mv_call call = CALL(__NR_recvmsg, 3, AT(0x100), 0);

	(void)state;
	for (uint64_t at = 0x1000; at <= 0x4000; at += 0x1000)
		compared(fill_message, call, at, 0);
	assert_false(agree_flipped(fill_message, call, 0x100 + 8));
	assert_false(agree_flipped(fill_message, call, 0x208));
	assert_false(agree_flipped(fill_message, call, 0x100 + 40));
}

static void fill_broken_control(struct sim *s)
{
	put_message(s, 0x100);
	put_cmsg(s, 0x4000, 1000, 1, 1);	/* longer than all of it: EINVAL for everybody */
}

static void fill_short_control(struct sim *s)
{
	put_message(s, 0x100);
	put_cmsg(s, 0x4000, 3, 1, 1);		/* shorter than its own head */
}

static void broken_control(void **state)
{
	struct mv_call call = CALL(__NR_sendmsg, 3, AT(0x100), 0);

	(void)state;
	compared(fill_broken_control, call, 0x4000, 16);
	compared(fill_short_control, call, 0x4000, 16);
}

static void many_messages(void **state)
{
	(void)state;
	compared(fill_messages, CALL(__NR_sendmmsg, 3, AT(0x100), 2, 0), 0x1800, 8);
	compared(fill_messages, CALL(__NR_sendmmsg, 3, AT(0x100), 1, 0), 0x1800, 0);
	compared(fill_messages, CALL(__NR_recvmmsg, 3, AT(0x100), 2, 0, 0), 0x1800, 0);
	assert_false(agree_flipped(fill_messages, CALL(__NR_recvmmsg, 3, AT(0x100), 2, 0, 0), 0x140 + 8));
	assert_true(agree_flipped(fill_messages, CALL(__NR_recvmmsg, 3, AT(0x100), 1, 0, 0), 0x140 + 8));
}

/* ---- addresses ---- */

static void fill_abstract(struct sim *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "\0ab\0cd" };

	sim_put(s, 0x1000, &sa, sizeof(sa));
}

static void fill_inet(struct sim *s)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = 80, .sin_addr.s_addr = 0x100007f };

	sim_put(s, 0x1000, &sa, sizeof(sa));
}

static void fill_inet6(struct sim *s)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = 80 };

	sim_put(s, 0x1000, &sa, sizeof(sa));
}

static void socket_addresses(void **state)
{
	uint64_t at = AT(0x1000);

	(void)state;
	compared(fill_unix, CALL(__NR_connect, 3, at, sizeof(struct sockaddr_un)), 0x1000, 2 + 7);
	compared(fill_unix, CALL(__NR_connect, 3, at, 2 + 4), 0x1000, 2 + 4);		/* no NUL in it */
	compared(fill_unix, CALL(__NR_bind, 3, at, 2), 0x1000, 2);
	compared(fill_abstract, CALL(__NR_connect, 3, at, 2 + 6), 0x1000, 2 + 6);	/* NULs belong to the name */
	compared(fill_abstract, CALL(__NR_connect, 3, at, 2 + 20), 0x1000, 2 + 20);
	compared(fill_inet, CALL(__NR_connect, 3, at, sizeof(struct sockaddr_in)), 0x1000, 8);
	compared(fill_inet, CALL(__NR_connect, 3, at, 4), 0x1000, 4);
	compared(fill_inet6, CALL(__NR_connect, 3, at, sizeof(struct sockaddr_in6)), 0x1000, 28);
	compared(fill_nothing, CALL(__NR_connect, 3, at, 16), 0x1000, 16);
	/* Lengths for which the kernel does not look at the address. */
	compared(fill_nothing, CALL(__NR_connect, 3, at, 0), 0x1000, 0);
	compared(fill_nothing, CALL(__NR_connect, 3, at, 129), 0x1000, 0);
	compared(fill_nothing, CALL(__NR_connect, 3, at, 0xffffffff), 0x1000, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(messages_to_receive),
		cmocka_unit_test(broken_control),
		cmocka_unit_test(many_messages),
		cmocka_unit_test(socket_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
