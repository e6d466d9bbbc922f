/* Files that rewriting is tried on.  All of these fail the test that calls them rather than return an error. */
#ifndef MV_TEST_REWRITE_FILES_H
#define MV_TEST_REWRITE_FILES_H

#include <stdint.h>
#include "rewrite/plan.h"
#include "supervisor/procmaps.h"

/* This process's mappings, as they were before the tests; for cmocka_run_group_tests(). */
extern struct mv_maps own_maps;
int rewrite_setup(void **state);
int rewrite_teardown(void **state);

const char *libc_path(void);
const char *loader_path(void);
const char *cases_path(void);	/* rewrite_cases.S, linked */
const char *static_path(void);	/* rewrite_static.c, linked */

int open_file(const char *path);
/* mv_plan_free() is due. */
void plan_of(const char *path, struct mv_plan *plan);
/* Where the function is that a file's symbol table calls so. */
void find_symbol(const char *path, const char *name, uint64_t *start, uint64_t *size);
const struct mv_site *first_of(const struct mv_plan *plan, enum mv_site_kind kind);
/* A file in memory with the same contents, for the test to spoil; *bytes (to be freed) has them, too. */
int copy_in_memory(const char *path, uint8_t **bytes, size_t *size);

#endif
