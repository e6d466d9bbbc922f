/* What a program's notes say of the runtime it is linked with. */
#include <elf.h>
#include <string.h>
#include "supervisor/boot_internal.h"

#define NOTES_MAX 4096u
#define NT_GO_BUILD_ID 4u

/*
 * Go's runtime takes AT_RANDOM for the seed of its own random numbers: which thread takes work from which, in what order a map
 * is walked, which case of a select is chosen.  Variants that draw differently do other things.  As long as there is no C library
 * in the program nothing else is made of these bytes, canaries least of all, so that nothing is lost if they are equal.
 */
bool boot_is_go(struct boot *b, const Elf64_Phdr *ph, uint64_t n, uint64_t bias)
{
	for (uint64_t i = 0; i < n; i++) {
		uint8_t notes[NOTES_MAX];
		uint64_t size = ph[i].p_memsz < NOTES_MAX ? ph[i].p_memsz : NOTES_MAX, at = 0;
		Elf64_Nhdr note;

		if (ph[i].p_type != PT_NOTE || mv_proc_peek(b->pid, ph[i].p_vaddr + bias, notes, size, b->err))
			continue;
		while (at + sizeof(note) + 4 <= size) {
			memcpy(&note, notes + at, sizeof(note));
			if (note.n_type == NT_GO_BUILD_ID && note.n_namesz == 4 && !memcmp(notes + at + sizeof(note), "Go\0", 4))
				return true;
			at += sizeof(note) + ((uint64_t)note.n_namesz + 3) / 4 * 4 + ((uint64_t)note.n_descsz + 3) / 4 * 4;
		}
	}
	return false;
}
