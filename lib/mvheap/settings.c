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

/* Nothing here may allocate. */
void heap_die(const char *const *parts)
{
	char text[256] = "libmvheap: ";
	size_t n = strlen(text);

	for (; *parts; parts++) {
		size_t len = strlen(*parts);

		if (len > sizeof(text) - 1 - n)
			len = sizeof(text) - 1 - n;
		memcpy(text + n, *parts, len);
		n += len;
	}
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, n) < 0)
		abort();	/* nobody listens */
	abort();
}

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

/* Decimal digits up to a comma or the end, or false. */
static bool number(const char *text, size_t len, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, (uint64_t)(text[i] - '0'), out))
			return false;
	return len > 0;
}

static bool is(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(text, word, len);
}

static _Noreturn void bad(const char *text, size_t len, const char *wanted)
{
	char word[64];

	len = len < sizeof(word) - 1 ? len : sizeof(word) - 1;
	memcpy(word, text, len);
	word[len] = 0;
	HEAP_DIE(VARIABLE ": '", word, "' is not ", wanted);
}

static void take_option(const char *text, size_t len, bool *seeded)
{
	struct mvheap_settings *s = &heap_settings;
	uint64_t n;

	if (is(text, len, "fill=on")) {
		s->flags |= MVHEAP_FILL;
		return;
	}
	if (is(text, len, "fill=off")) {
		s->flags &= ~(uint32_t)MVHEAP_FILL;
		return;
	}
	if (len > 5 && !memcmp(text, "seed=", 5)) {
		if (!number(text + 5, len - 5, &s->seed))
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
		if (!number(text + name, len - name, &n) || n < o->min || n > o->max)
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

/*
 * mvarmor has put us into the environment that ld.so reads: before what was in LD_PRELOAD, or as two words behind all others
 * ("LD_PRELOAD=", and an empty string).  The program shall not see it.  Two words, because the auxiliary vector is looked for
 * behind the environment: what is left of the gap reads as an entry of it that is to be ignored.
 */
__attribute__((constructor)) static void hide(void)
{
	static const char name[] = "LD_PRELOAD=";

	heap_start();
	if (!(heap_settings.flags & MVHEAP_HIDE))
		return;
	for (char **e = environ; e && *e; e++) {
		char *rest;

		if (strncmp(*e, name, sizeof(name) - 1))
			continue;
		rest = strchr(*e, ':');
		if (rest) {
			rest++;
			memmove(*e + sizeof(name) - 1, rest, strlen(rest) + 1);
		} else if (e[1] && !*e[1] && !e[2]) {
			e[0] = NULL;
			e[1] = (char *)(uintptr_t)AT_IGNORE;
			e[2] = NULL;
		}
		return;
	}
}
