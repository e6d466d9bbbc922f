/* The sixteen random bytes that the kernel gives every program: different in each variant, unless asked otherwise. */
#include <sys/auxv.h>
#include "slice.h"

int main(void)
{
	return write(STDOUT_FILENO, (void *)getauxval(AT_RANDOM), 16) != 16;
}
