/* For tests of namespaces: a user's own maps, and a program that is copied to a mount that only its own processes see. */
#ifndef TESTS_SYS_USERNS_H
#define TESTS_SYS_USERNS_H

#include "check.h"

static inline void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	printf("%s: %s\n", path, fd < 0 ? strerrorname_np(errno) :
	       write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? "written" : strerrorname_np(errno));
	close(fd);
}

/* In a new user namespace: uid and gid, as they were outside, become root; twice: a second write of a map is refused. */
static inline void map_to_root(uid_t uid, gid_t gid, bool twice)
{
	char text[32];

	put("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", uid);
	for (int i = 0; i <= twice; i++)
		put("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "0 %u 1", gid);
	put("/proc/self/gid_map", text);
	SHOW(getuid());
	SHOW(setuid(0));
	SHOW(setgid(0));
}

static inline void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
	char buf[65536];
	ssize_t n;

	NEED(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		NEED(write(out, buf, (size_t)n) == n);
	close(in);
	close(out);
}

#endif
