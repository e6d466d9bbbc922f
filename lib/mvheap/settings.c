#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "heap.h"

#define PURPOSE_COMMON 0x6d766865617020u
#define PURPOSE_OWN 0x6d766865617021u
#define VARIABLE "MVHEAP_OPTIONS"

struct mvheap_settings heap_settings;
uint8_t heap_fill_byte;
struct mv_random heap_common, heap_own;

/* ---- MVHEAP_OPTIONS ---- */

static const struct option {
	const char *name;
	size_t offset;
	uint64_t min, max;
	const char *wanted;
} options[] = {
#define NUMBER(name, field, min, max, wanted) { name, offsetof(struct mvheap_settings, field), min, max, wanted }
	NUMBER("variant=", variant, 0, MVHEAP_VARIANTS_MAX - 1, "a number from 0 to 7"),
	NUMBER("variants=", variants, 1, MVHEAP_VARIANTS_MAX, "a number from 1 to 8"),
	NUMBER("slab-max=", slab_max, 1, MVHEAP_SLAB_MAX, "a number from 1 to 16384"),
	NUMBER("slab-pad=", slab_pad, 0, MVHEAP_SLAB_PAD, "a number from 0 to 524288"),
#undef NUMBER
};

static _Noreturn void bad(const char *text, size_t len, const char *wanted)
{
	library_bad_option("libmvheap", VARIABLE, text, len, wanted);
}

static void take_option(const char *text, size_t len, bool *seeded)
{
	struct mvheap_settings *s = &heap_settings;
	uint64_t n;

	if (library_is(text, len, "fill=on")) {
		s->flags |= MVHEAP_FILL;
		return;
	}
	if (library_is(text, len, "fill=off")) {
		s->flags &= ~(uint32_t)MVHEAP_FILL;
		return;
	}
	if (len > 5 && !memcmp(text, "seed=", 5)) {
		if (!library_number(text + 5, len - 5, &s->seed))
			bad(text, len, "a seed: a decimal number of 64 bits");
		*seeded = true;
		return;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *o = &options[i];
		size_t name = strlen(o->name);
		uint32_t value;

		if (len < name || memcmp(text, o->name, name))
			continue;
		if (!library_number(text + name, len - name, &n) || n < o->min || n > o->max)
			bad(text, len, o->wanted);
		value = (uint32_t)n;
		memcpy((char *)s + o->offset, &value, sizeof(value));
		return;
	}
	bad(text, len, "one of seed=, variant=, variants=, slab-max=, slab-pad=, fill=on, fill=off");
}

static void from_environment(void)
{
	const char *text = secure_getenv(VARIABLE);
	bool seeded = false;

	heap_settings = (struct mvheap_settings){
		.variants = 1, .slab_max = MVHEAP_SLAB_MAX_DEFAULT, .slab_pad = MVHEAP_SLAB_PAD_DEFAULT, .flags = MVHEAP_FILL,
	};
	while (text && *text) {
		size_t len = strcspn(text, ",");

		take_option(text, len, &seeded);
		text += len + (text[len] == ',');
	}
	if (heap_settings.variant >= heap_settings.variants)
		HEAP_DIE(VARIABLE ": variant is not below variants");
	if (!seeded) {
		const void *random = (const void *)getauxval(AT_RANDOM);
		uint64_t words[2] = { 0 };

		if (random)
			memcpy(words, random, sizeof(words));
		/* Canary and pointer guard are in there, too: no function of one of them alone. */
		heap_settings.seed = mv_random_step(&words[0]) ^ mv_random_rotate(mv_random_step(&words[1]), 32);
	}
}

/* ---- random ---- */

static void start_random(void)
{
	uint64_t key[4] = { heap_settings.seed, 0, 0, 0 };
	uint64_t first;

	mv_random_init(&heap_common, key, PURPOSE_COMMON);
	key[1] = heap_settings.variant + 1;
	mv_random_init(&heap_own, key, PURPOSE_OWN);
	first = mv_random_next(&heap_common);
	if (heap_settings.flags & MVHEAP_FILL)	/* never 0 or 255: words of it are no addresses */
		heap_fill_byte = (uint8_t)(1 + (first % 254 + 31 * heap_settings.variant) % 254);
}

static bool prime(uint32_t n)
{
	if (n < 4)
		return n > 1;
	if (n % 2 == 0)
		return false;
	for (uint32_t i = 3; (uint64_t)i * i <= n; i += 2)
		if (n % i == 0)
			return false;
	return true;
}

uint32_t heap_prime(uint32_t n)
{
	while (n > 1 && !prime(n))
		n--;
	return n > heap_settings.variants ? n : 1;
}

struct heap_order heap_order_draw(uint32_t n, uint32_t steps)
{
	uint32_t drawn[MVHEAP_VARIANTS_MAX] = { 0 };
	struct heap_order o = { .n = n };

	if (n == 1)
		return o;
	if (steps > n - 1)
		steps = n - 1;
	for (uint32_t i = 0; i < heap_settings.variants; i++) {
		bool again;

		do {
			uint32_t step = (uint32_t)(mv_random_next(&heap_common) % steps);

			drawn[i] = step % 2 ? n - 1 - step / 2 : 1 + step / 2;
			again = false;
			for (uint32_t j = 0; j < i; j++)
				again |= drawn[j] == drawn[i];
		} while (again);
	}
	o.factor = drawn[heap_settings.variant];
	o.shift = (uint32_t)(mv_random_next(&heap_own) % n);
	return o;
}

void heap_settings_load(void)
{
	if (prctl(MVHEAP_PRCTL, MVHEAP_SETTINGS, &heap_settings, 0, 0))
		from_environment();
	start_random();
}

/* ---- LD_PRELOAD ---- */

__attribute__((constructor)) static void hide(void)
{
	heap_start();
	if (heap_settings.flags & MVHEAP_HIDE)
		library_hide();
}
