/* An object is used after it was freed; what the attacker has allocated since lies there with glibc. */
#include <stdio.h>
#include <stdlib.h>

struct user {
	char name[40];
	int level;
};

int main(void)
{
	volatile struct user *volatile user = malloc(sizeof(struct user)), *volatile other;

	user->name[0] = 'g';
	user->level = 0;
	free((void *)user);
	other = malloc(sizeof(struct user));
	other->level = 99;
	printf("level %d\n", user->level);
	return 0;
}
