/*
 * Functions of libraries that compute from their own addresses what must be equal in all variants, and code that does the same
 * without.
 *
 * OpenSSL 3 seeds its random generators from the kernel and with the addresses of its own objects: keys, nonces and
 * TLS hellos would differ between variants.  The stand-ins of RAND_bytes_ex() and RAND_priv_bytes_ex(), which all others of
 * its functions draw from, take each number from the kernel.
 */
#ifndef MV_REWRITE_STANDIN_H
#define MV_REWRITE_STANDIN_H

#include <stdbool.h>
#include <stdint.h>

#define MV_STANDINS_MAX 2

struct mv_standin {
	uint64_t offset;	/* of the function in the file */
	unsigned size;		/* bytes of code */
	const uint8_t *code;	/* constant; to be written there */
};

/*
 * Look for such functions in the ELF file fd; its position is not used.  monitor: code for front-end inproc, else code that makes
 * system calls.  How many there are, 0 also for what is no such file.
 */
unsigned mv_standins_find(int fd, bool monitor, struct mv_standin out[MV_STANDINS_MAX]);

#endif
