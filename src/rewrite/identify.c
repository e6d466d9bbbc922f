#include <string.h>
/* Inline: no library to link, and the compiler's vector code is fine here. */
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "rewrite/plan_internal.h"

void mv_plan_identify(const struct mv_image *im, struct mv_plan *plan)
{
	uint64_t hash[2] = { 0, 0 };

	*plan = (struct mv_plan){ .file_size = im->size, .build_id_len = im->build_id_len, .state = im->state };
	memcpy(plan->build_id, im->build_id, im->build_id_len);
	for (unsigned i = 0; i < im->ntexts; i++) {
		const struct mv_text *text = &im->texts[i];
		const uint64_t chain[] = { hash[0], hash[1], text->vaddr, text->offset, text->size };
		XXH128_hash_t h = XXH3_128bits_withSeed(text->bytes, text->size, XXH3_64bits(chain, sizeof(chain)));

		hash[0] = h.low64;
		hash[1] = h.high64;
	}
	memcpy(plan->text_hash, hash, sizeof(hash));
}
