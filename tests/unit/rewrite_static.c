/* A static program, for its text: test_rewrite plans it and never runs it. */
#include <stdio.h>

int main(void)
{
	return puts("hello") < 0;
}
