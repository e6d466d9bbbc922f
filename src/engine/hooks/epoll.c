/*
 * epoll: an event carries back what the program registered, which may be a pointer and so differs between variants.  Each
 * variant remembers its own data per descriptor; on its way to the followers an event names the descriptor instead.
 *
 * The leader finds the descriptor by the data.  Data registered for two descriptors is the same object in the leader and
 * therefore in the followers: whichever is found, the followers' data is right.  Another thread may have taken it back when the
 * event had come but not been told of: Go does so with every descriptor that it closes.
 *
 * What another process has registered (the set was inherited, or came by a socket) nobody here knows.  A pointer would mean
 * nothing here either: all variants get the leader's data.
 */
#include "engine/internal.h"

#define EPOLL_CTL_DEL_ 2
#define EVENT_SIZE 12
#define EVENT_DATA 4
#define IS_DATA 16u		/* in byte 3 of the events, 1 << 28: EPOLLEXCLUSIVE, which no event has; it carries the leader's data */
#define EVENT_TAG 3

static void create_done(struct mv_thread *t)
{
	if (!is_error(t->result))
		mv_fd_set(t->process->files, t->result, (struct mv_fd){
			.kind = MV_FDKIND_OTHER, .epoll = mv_files_epoll(t->process->files) });
}

const struct mv_hook mv_hook_epoll_create = { .done = create_done };

static uint32_t object(const struct mv_thread *t)
{
	return mv_fd_get(t->process->files, (int32_t)t->call.args[0])->epoll;
}

static void ctl_done(struct mv_thread *t)
{
	int fd = (int32_t)t->call.args[2];
	uint64_t data;

	if (is_error(t->result))
		return;
	if ((int32_t)t->call.args[1] == EPOLL_CTL_DEL_)
		mv_epoll_del(t->process->files, object(t), fd);
	else if (mv_peek_all(t, t->call.args[3] + EVENT_DATA, &data, 8))
		mv_epoll_set(t->process->files, object(t), fd, data);
}

const struct mv_hook mv_hook_epoll_ctl = { .done = ctl_done };

static void wait_publish(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len)
{
	(void)d;
	(void)offset;
	for (uint8_t *e = bytes; len >= EVENT_SIZE; e += EVENT_SIZE, len -= EVENT_SIZE) {
		uint64_t data;
		int64_t fd;

		__builtin_memcpy(&data, e + EVENT_DATA, 8);
		fd = mv_epoll_fd(t->process->files, object(t), data);
		if (fd < 0) {
			e[EVENT_TAG] |= IS_DATA;
			continue;
		}
		__builtin_memcpy(e + EVENT_DATA, &fd, 8);
	}
}

static void wait_adopt(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len)
{
	(void)d;
	(void)offset;
	for (uint8_t *e = bytes; len >= EVENT_SIZE; e += EVENT_SIZE, len -= EVENT_SIZE) {
		uint64_t data = 0;
		int64_t fd;

		if (e[EVENT_TAG] & IS_DATA) {
			e[EVENT_TAG] &= (uint8_t)~IS_DATA;
			continue;
		}

		__builtin_memcpy(&fd, e + EVENT_DATA, 8);
		mv_epoll_data(t->process->files, object(t), fd, &data);
		__builtin_memcpy(e + EVENT_DATA, &data, 8);
	}
}

const struct mv_hook mv_hook_epoll_wait = { .publish = wait_publish, .adopt = wait_adopt };
