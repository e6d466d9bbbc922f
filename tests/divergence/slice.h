/* What differs between variants for certain: the slice of the address space that each has for itself. */
#ifndef TESTS_DIVERGENCE_SLICE_H
#define TESTS_DIVERGENCE_SLICE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_BITS 43
#define SLICES 16

static inline uintptr_t stack_address(void)
{
	return (uintptr_t)__builtin_frame_address(0);
}

static inline unsigned slice(void)
{
	return (unsigned)(stack_address() >> SLICE_BITS);
}

#endif
