/* The exit status depends on the address. */
#include "slice.h"

int main(void)
{
	return (int)slice();
}
