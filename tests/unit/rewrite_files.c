#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "rewrite_files.h"

struct mv_maps own_maps;

/* The file that this process has mapped at addr. */
static const char *file_at(uint64_t addr)
{
	const struct mv_map *map = mv_maps_find(&own_maps, addr);

	assert_non_null(map);
	return map->name;
}

const char *libc_path(void)
{
	return file_at((uint64_t)(uintptr_t)getppid);
}

const char *loader_path(void)
{
	return file_at(getauxval(AT_BASE));
}

int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

void plan_of(const char *path, struct mv_plan *plan)
{
	struct mv_error err;
	int fd = open_file(path);

	if (mv_plan_make(fd, plan, &err))
		fail_msg("%s: %s", path, err.text);
	close(fd);
}

static const char *built(const char *variable)
{
	const char *path = getenv(variable);

	if (!path)
		fail_msg("%s is not set: run this by meson test", variable);
	return path;
}

const char *cases_path(void)
{
	return built("MV_REWRITE_CASES");
}

const char *static_path(void)
{
	return built("MV_REWRITE_STATIC");
}

int rewrite_setup(void **state)
{
	struct mv_error err;

	(void)state;
	return mv_maps_read(getpid(), &own_maps, &err);
}

int rewrite_teardown(void **state)
{
	(void)state;
	mv_maps_free(&own_maps);
	return 0;
}

void find_symbol(const char *path, const char *name, uint64_t *start, uint64_t *size)
{
	int fd = open_file(path);
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Sym sym;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	*size = 0;
	while ((scn = elf_nextscn(elf, scn)) && gelf_getshdr(scn, &sh)) {
		Elf_Data *data = elf_getdata(scn, NULL);

		for (int i = 0; sh.sh_type == SHT_SYMTAB && gelf_getsym(data, i, &sym); i++) {
			if (strcmp(elf_strptr(elf, sh.sh_link, sym.st_name), name))
				continue;
			*start = sym.st_value;
			*size = sym.st_size;
		}
	}
	elf_end(elf);
	close(fd);
	if (!*size)
		fail_msg("no symbol %s", name);
}

const struct mv_site *first_of(const struct mv_plan *plan, enum mv_site_kind kind)
{
	for (unsigned i = 0; i < plan->n; i++)
		if (plan->sites[i].kind == kind)
			return &plan->sites[i];
	fail_msg("no site of kind %d", kind);
	return NULL;
}

int copy_in_memory(const char *path, uint8_t **bytes, size_t *size)
{
	int from = open_file(path), fd = memfd_create("copy", MFD_CLOEXEC);
	struct stat st;

	assert_return_code(fstat(from, &st), errno);
	*size = (size_t)st.st_size;
	*bytes = malloc(*size);
	assert_int_equal(pread(from, *bytes, *size, 0), *size);
	assert_int_equal(pwrite(fd, *bytes, *size, 0), *size);
	close(from);
	return fd;
}
