/* The library of calls.S. */
#ifndef TESTS_SYS_CALLS_H
#define TESTS_SYS_CALLS_H

#include <dlfcn.h>
#include "check.h"

struct calls {
	void *handle;
	long (*getppid)(void);
	long (*any)(long nr);
	unsigned long tail;	/* see calls.S */
};

static inline void calls_path(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 16);

	NEED(n > 0);
	path[n] = 0;
	strcpy(strrchr(path, '/'), "/calls.so");
}

static inline void calls_open_file(struct calls *c, const char *path)
{
	c->handle = dlopen(path, RTLD_NOW);
	NEED(c->handle);
	c->getppid = (long (*)(void))dlsym(c->handle, "calls_getppid");
	c->any = (long (*)(long))dlsym(c->handle, "calls_any");
	NEED(c->getppid && c->any && dlsym(c->handle, "calls_any_tail"));
	c->tail = *(unsigned long *)dlsym(c->handle, "calls_any_tail");
}

static inline void calls_open(struct calls *c)
{
	char path[PATH_MAX];

	calls_path(path);
	calls_open_file(c, path);
}

#endif
