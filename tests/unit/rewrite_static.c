/* A static program, for its text: the tests plan it and never run it. */
#include <stdio.h>

int main(void)
{
	return puts("hello") < 0;
}
