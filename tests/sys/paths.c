/* Long, empty and odd paths. */
#include "check.h"

int main(void)
{
	char name[300], path[5000] = "";

	memset(name, 'n', sizeof(name));
	name[255] = 0;
	OUTCOME(mkdir(name, 0700));
	OUTCOME(chdir(name));
	OUTCOME(chdir(".."));
	snprintf(path, sizeof(path), "./%s/%s", name, name);
	OUTCOME(close(creat(path, 0600)));
	OUTCOME(access(path, F_OK));
	name[255] = 'n';
	name[299] = 0;
	OUTCOME(open(name, O_RDONLY));
	for (int i = 0; i < 2040; i++)
		strcat(path, "./");
	memset(path, '/', 600);
	path[600] = 0;
	OUTCOME(access(path, F_OK));
	memset(path, '/', 4999);
	OUTCOME(access(path, F_OK));
	path[4095] = 0;
	OUTCOME(access(path, F_OK));
	path[4096] = '/';
	path[4095] = '/';
	OUTCOME(access(path, F_OK));
	OUTCOME(open("", O_RDONLY));
	OUTCOME(mkdir("", 0700));
	OUTCOME(open("\x01\xff odd name", O_RDWR | O_CREAT, 0600));
	OUTCOME(symlink("", "empty"));
	return 0;
}
