/* Vectors and messages as calls are given them, in the layout of x86-64 whoever compiles this. */
#ifndef MV_ENGINE_MESSAGE_H
#define MV_ENGINE_MESSAGE_H

#include <stdint.h>

#define IOV_MAX_COUNT 1024

struct iov { uint64_t base, len; };
struct msghdr64 {
	uint64_t name;
	uint32_t namelen, pad0;
	uint64_t iov, iovlen, control, controllen;
	uint32_t flags, pad1;
};

#endif
