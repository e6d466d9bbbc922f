#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <multivar/policy.h>
#include <mvheap/mvheap.h>
#include "base/log.h"
#include "cli/options.h"
#include "policy/nearest.h"
#include "supervisor/supervisor.h"

static int parse_flag(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);
static int parse_string(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);
static int parse_unsigned(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);
static int parse_seed(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);
static int parse_restart(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);
static int parse_size(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);
static int parse_choice(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);
static int parse_word(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);
static int parse_log(struct mv_settings *, const struct mv_option *, const char *, char *, size_t);

#define FIELD(name) .offset = offsetof(struct mv_settings, name)
#define STRING2(x) #x
#define STRING(x) STRING2(x)

static const char *const frontends[] = { "auto", "inproc", "ptrace", NULL };
static const char *const layouts[] = {
	[MV_LAYOUT_SAME] = "same", [MV_LAYOUT_ASLR] = "aslr", [MV_LAYOUT_DISJOINT] = "disjoint", NULL
};
static const char *const heaps[] = {
	[MV_HEAP_OFF] = "off", [MV_HEAP_FOLLOWERS] = "followers", [MV_HEAP_ALL] = "all", NULL
};
static const char *const randoms[] = { "kernel", "own", NULL };
static const char *const pkus[] = { "auto", "off", NULL };
static const char *const off_on[] = { "off", "on", NULL };
static const char *const threads[] = {
	[MV_THREADS_FREE] = "free", [MV_THREADS_TURNS] = "turns", [MV_THREADS_PARALLEL] = "parallel", NULL
};
static const char *const turns[] = { [MV_TURNS_PROCESS] = "process", [MV_TURNS_SHARED] = "shared", [MV_TURNS_VARIANT] = "variant", NULL };
static const char *const recoveries[] = {
	[MV_RECOVER_KILL] = "kill", [MV_RECOVER_REPORT] = "report", [MV_RECOVER_DROP] = "drop", [MV_RECOVER_VOTE] = "vote", NULL
};
static const char *const colours[] = {
	[MV_COLOUR_AUTO] = "auto", [MV_COLOUR_ALWAYS] = "always", [MV_COLOUR_NEVER] = "never", NULL
};

const struct mv_option mv_options[] = {
	{
		.name = "variants", .letter = 'n', .commands = MV_CMD_RUN, .argument = "N", .deflt = "2",
		.aliases = { "MV_NUM_PROC" }, .parse = parse_unsigned, FIELD(variants), .min = 1, .max = MV_VARIANTS_MAX,
		.limit = "MV_VARIANTS_MAX is " STRING(MV_VARIANTS_MAX) "; 1 is allowed and compares nothing",
		.help = "Run N variants, 1 to " STRING(MV_VARIANTS_MAX) "; 1 exercises the machinery without comparing anything",
	}, {
		.name = "frontend", .letter = 'f', .commands = MV_CMD_RUN, .argument = "NAME", .deflt = "auto",
		.parse = parse_word, FIELD(frontend), .choices = frontends,
		.help = "How system calls are intercepted: inproc inside of the variants, ptrace from outside of them, which is slower; auto "
			"is inproc where that can run (see mvarmor check), else ptrace",
	}, {
		.name = "policy", .letter = 'p', .commands = MV_CMD_RUN, .argument = "POLICY", .deflt = "exec",
		.parse = parse_string, FIELD(policy),
		.help = "Which calls wait for all variants: a built-in policy (see mvarmor policies) or a policy file",
	}, {
		.name = "output", .letter = 'o', .commands = MV_CMD_RUN, .argument = "FILE", .aliases = { "MV_OUT_TO_FILE" },
		.parse = parse_string, FIELD(output),
		.help = "Write messages and reports of mvarmor to FILE instead of standard error; the program's own output "
			"stays where it is",
	}, {
		.name = "detach", .commands = MV_CMD_RUN, .parse = parse_flag, FIELD(detach),
		.help = "Run in the background, in a session of its own; mvarmor itself ends with status 0 at once",
	}, {
		.name = "foreground", .commands = MV_CMD_RUN, .aliases = { "MV_DONT_DETACH" }, .parse = parse_flag,
		FIELD(foreground), .help = "Stay in the foreground even if --detach is given",
	}, {
		.name = "report", .commands = MV_CMD_RUN, .argument = "FILE", .parse = parse_string, FIELD(report),
		.help = "Write the report of a divergence to FILE too: as JSON if its name ends in .json, else as text",
	}, {
		.name = "status-fd", .commands = MV_CMD_RUN, .argument = "FD", .parse = parse_unsigned, FIELD(status_fd),
		.max = INT_MAX, .limit = "a descriptor that is open",
		.help = "Write one line of JSON about how the run ended to descriptor FD",
	}, {
		.name = "log", .commands = MV_CMD_RUN, .argument = "DOMAINS", .deflt = "notice", .parse = parse_log,
		FIELD(log_domains),
		.help = "Tell more: a list of notice, calls, process, signal, boot, stall (where every thread stands, when one has had work "
			"for three seconds and made no step), rules (how often each rule of --variant was used), all; none silences what comes before it",
	}, {
		.name = "layout", .commands = MV_CMD_RUN, .argument = "MODE", .deflt = "disjoint", .parse = parse_choice,
		FIELD(layout), .choices = layouts,
		.help = "Where the variants lie in memory: same addresses, the kernel's own randomisation, or disjoint",
	}, {
		.name = "threads", .commands = MV_CMD_RUN, .argument = "MODE", .deflt = "turns", .parse = parse_choice,
		FIELD(threads), .choices = threads,
		.help = "How the threads of a process run: turns, one at a time in the leader's order; parallel, all at once, and libmvsync(7), "
			"which is preloaded, keeps the leader's order of locks, for programs that synchronise by pthreads only; or free, all at "
			"once, for programs whose threads do not depend on each other's speed",
	}, {
		.name = "turns", .commands = MV_CMD_RUN, .argument = "SCOPE", .deflt = "process", .parse = parse_choice, FIELD(turns),
		.choices = turns,
		.help = "How far turns of threads reach: the process; shared, also the processes that share writable memory since a fork, "
			"for programs that race through it such as PostgreSQL; or variant, all processes of the run, for those that come "
			"to share memory by a name",
	}, {
		.name = "same-at-random", .commands = MV_CMD_RUN, .parse = parse_flag, FIELD(same_at_random),
		.help = "Give all variants the same AT_RANDOM bytes, for programs that take decisions from them; canaries "
			"are then equal in all variants",
	}, {
		.name = "random", .commands = MV_CMD_RUN, .argument = "SOURCE", .deflt = "kernel", .parse = parse_choice, FIELD(random),
		.choices = randoms,
		.help = "Where OpenSSL's random numbers come from: the kernel, equal in all variants, or its own generators, which are "
			"seeded with addresses and so differ",
	}, {
		.name = "pku", .commands = MV_CMD_RUN, .argument = "MODE", .deflt = "auto", .parse = parse_choice, FIELD(pku),
		.choices = pkus,
		.help = "Memory protection keys, for the monitor's memory with inproc: auto where the processor has them, or off",
	}, {
		.name = "heap", .commands = MV_CMD_RUN, .argument = "WHO", .deflt = "off", .parse = parse_choice, FIELD(heap),
		.choices = heaps,
		.help = "Preload the diversifying heap (libmvheap(7)) into all programs of the run, at other distances in every variant; "
			"with followers the leader's neither fills memory nor guards it",
	}, {
		.name = "slab-max", .commands = MV_CMD_RUN, .argument = "N", .deflt = STRING(MVHEAP_SLAB_MAX_DEFAULT),
		.aliases = { "MV_SLAB_MAX" }, .parse = parse_unsigned, FIELD(slab_max), .min = 1, .max = MVHEAP_SLAB_MAX,
		.limit = "objects in a slab",
		.help = "Objects in a slab of the diversifying heap, at most",
	}, {
		.name = "slab-pad", .commands = MV_CMD_RUN, .argument = "BYTES", .deflt = STRING(MVHEAP_SLAB_PAD_DEFAULT),
		.aliases = { "MV_SLAB_PAD" }, .parse = parse_unsigned, FIELD(slab_pad), .max = MVHEAP_SLAB_PAD,
		.limit = "bytes; so many always lie between two slabs",
		.help = "Guard bytes behind each slab of the diversifying heap, at least; inaccessible from 4096 on",
	}, {
		.name = "heap-fill", .commands = MV_CMD_RUN, .argument = "WHETHER", .deflt = "on", .parse = parse_choice,
		FIELD(heap_fill), .choices = off_on,
		.help = "Fill fresh and freed memory of the diversifying heap with bytes that differ between variants",
	}, {
		.name = "variant", .commands = MV_CMD_RUN, .argument = "K=PATH", .parse = mv_parse_variant,
		.help = "Variant K (0 is the leader) runs PATH, another build of the program; ,env=NAME=VALUE and ,arg=ARG add to its "
			"environment and arguments, ,rules=RULES says which differences are expected of a follower: build (which is the "
			"default), allocator, asan, ubsan or a file; may be given once for each variant",
	}, {
		.name = "seed", .commands = MV_CMD_RUN, .argument = "N", .parse = parse_seed, FIELD(seed),
		.help = "Derive layouts and keys from N instead of fresh randomness, to repeat a run; not for production",
	}, {
		.name = "ring", .commands = MV_CMD_RUN, .argument = "N", .deflt = "1024", .aliases = { "RINGBUFFER_SIZE" },
		.parse = parse_unsigned, FIELD(ring), .min = 8, .max = 1 << 20, .power_of_two = true,
		.limit = "records the leader may run ahead",
		.help = "How far the leader may run ahead of the others, in records: a power of two",
	}, {
		.name = "arena", .commands = MV_CMD_RUN, .argument = "SIZE", .deflt = "auto", .aliases = { "MV_UMEM" },
		.parse = parse_size, FIELD(arena), .min = 1 << 20, .max = 1ull << 40,
		.help = "Memory shared by the variants' monitors, in bytes or with K, M or G; used as needed, 700 threads at a time take "
			"512M; auto: 4G, less where memory is limited",
	}, {
		.name = "deadline", .commands = MV_CMD_RUN, .argument = "MS", .deflt = "30000", .parse = parse_unsigned,
		FIELD(deadline_ms), .max = INT_MAX, .limit = "milliseconds; 0 waits for ever",
		.help = "How long a variant may stay behind while it sleeps, or compute longer than the leader, in milliseconds; 0 for ever",
	}, {
		.name = "divergence-status", .commands = MV_CMD_RUN, .argument = "N", .deflt = "86", .parse = parse_unsigned,
		FIELD(divergence_status), .min = 1, .max = 255, .limit = "0 would hide an attack",
		.help = "Exit status after a divergence, 1 to 255",
	}, {
		.name = "on-divergence", .commands = MV_CMD_RUN, .argument = "WHAT", .deflt = "kill", .parse = parse_choice,
		FIELD(on_divergence), .choices = recoveries,
		.help = "What a divergence does: end the run, or drop the variant that disagrees with the leader and go on with "
			"the others; vote goes by the majority, with another leader if need be, and report ends with the exit "
			"status of a divergence all the same",
	}, {
		.name = "restart", .commands = MV_CMD_RUN, .argument = "MAX", .optional = true, .parse = parse_restart,
		FIELD(restart), .max = INT_MAX, .limit = "0 restarts nothing",
		.help = "Start the program again, with new layouts, when a divergence has ended it; at most MAX times, if that "
			"is given",
	}, {
		.name = "color", .commands = MV_CMD_RUN, .argument = "WHEN", .deflt = "auto", .parse = parse_choice,
		FIELD(colour), .choices = colours,
		.help = "Colour in reports; auto: if they go to a terminal and NO_COLOR is not set",
	}, {
		.name = "json", .commands = MV_CMD_CHECK, .parse = parse_flag, FIELD(json), .help = "Print the result as JSON",
	}, {
		.name = "help", .letter = 'h', .commands = MV_CMD_MAIN | MV_CMD_RUN | MV_CMD_CHECK | MV_CMD_POLICIES,
		.parse = parse_flag, FIELD(help), .help = "Print a summary of the options",
	}, {
		.name = "version", .letter = 'V', .commands = MV_CMD_MAIN, .parse = parse_flag, FIELD(version),
		.help = "Print the version",
	}, {
		.name = "man-options", .commands = MV_CMD_MAIN, .hidden = true, .parse = parse_flag, FIELD(man_options),
		.help = "Print the table's part of the manual page",
	}, {
		.name = "bash-completion", .commands = MV_CMD_MAIN, .hidden = true, .parse = parse_flag,
		FIELD(bash_completion), .help = "Print the completion for bash",
	},
};
const unsigned mv_noptions = sizeof(mv_options) / sizeof(mv_options[0]);

static void *field(struct mv_settings *s, const struct mv_option *o)
{
	return (char *)s + o->offset;
}

/* ---- values ---- */

/* On the command line a flag has no value (NULL); in the environment it must say yes or no. */
static int parse_flag(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	static const char *const yes[] = { "1", "yes", "true", "on", NULL }, *const no[] = { "0", "no", "false", "off", NULL };

	for (unsigned i = 0; yes[i]; i++) {
		if (!value || strcmp(value, yes[i]) == 0) {
			*(bool *)field(s, o) = true;
			return 0;
		}
		if (strcmp(value, no[i]) == 0) {
			*(bool *)field(s, o) = false;
			return 0;
		}
	}
	snprintf(why, size, "'%s' is neither 1 nor 0", value);
	return -1;
}

static int parse_string(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	if (!*value) {
		snprintf(why, size, "the %s is empty", o->argument);
		return -1;
	}
	*(const char **)field(s, o) = value;
	return 0;
}

/* Digits, or 0x and hexadecimal digits; no sign, no blanks. */
static bool number(const char *text, uint64_t *out, const char **end)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	char first = hex ? text[2] : text[0];
	char *rest;

	if (!first || !strchr(hex ? "0123456789abcdefABCDEF" : "0123456789", first))
		return false;
	errno = 0;
	*out = strtoull(text, &rest, hex ? 16 : 10);
	*end = rest;
	return errno == 0;
}

static int out_of_range(const struct mv_option *o, const char *value, char *why, size_t size)
{
	snprintf(why, size, "'%s' is not a %s from %llu to %llu%s%s%s", value, o->power_of_two ? "power of two" : "number",
		 (unsigned long long)o->min, (unsigned long long)o->max, o->limit ? " (" : "", o->limit ? o->limit : "",
		 o->limit ? ")" : "");
	return -1;
}

static int parse_unsigned(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	const char *end;
	uint64_t n;

	if (!number(value, &n, &end) || *end || n < o->min || n > o->max || (o->power_of_two && (n & (n - 1))))
		return out_of_range(o, value, why, size);
	*(unsigned *)field(s, o) = (unsigned)n;
	return 0;
}

static int parse_restart(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	s->restart = UINT_MAX;
	return value ? parse_unsigned(s, o, value, why, size) : 0;
}

static int parse_seed(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	const char *end;
	uint64_t n;

	if (!number(value, &n, &end) || *end) {
		snprintf(why, size, "'%s' is not a number of 64 bits (decimal, or hexadecimal with 0x)", value);
		return -1;
	}
	*(uint64_t *)field(s, o) = n;
	s->have_seed = true;
	return 0;
}

static int parse_size(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	static const char suffixes[] = "KMG";
	const char *end, *suffix;
	unsigned shift = 0;
	uint64_t n;

	if (!strcmp(value, "auto")) {
		*(size_t *)field(s, o) = 0;
		return 0;
	}
	if (!number(value, &n, &end))
		goto bad;
	if (*end) {
		suffix = strchr(suffixes, *end >= 'a' ? *end - 'a' + 'A' : *end);
		if (!suffix || end[1])
			goto bad;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (n > o->max >> shift || n << shift < o->min)
		goto bad;
	*(size_t *)field(s, o) = n << shift;
	return 0;
bad:
	snprintf(why, size, "'%s' is not a size from %lluM to %lluG (bytes, or a number with K, M or G), nor auto", value,
		 (unsigned long long)o->min >> 20, (unsigned long long)o->max >> 30);
	return -1;
}

/* Index of value in the choices, or -1 with why filled. */
static int choose(const struct mv_option *o, const char *value, char *why, size_t size)
{
	struct mv_nearest near = { .word = value, .len = strlen(value) };
	char known[100] = "";
	size_t used = 0;

	for (int i = 0; o->choices[i]; i++) {
		if (strcmp(value, o->choices[i]) == 0)
			return i;
		mv_nearest_offer(&near, o->choices[i]);
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", o->choices[i]);
	}
	snprintf(why, size, "unknown %s '%s'%s%s%s (known: %s)", o->name, value, near.best ? ": did you mean " : "",
		 near.best ? near.best : "", near.best ? "?" : "", known);
	return -1;
}

static int parse_choice(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	int i = choose(o, value, why, size);

	if (i < 0)
		return -1;
	*(unsigned *)field(s, o) = (unsigned)i;
	return 0;
}

static int parse_word(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	int i = choose(o, value, why, size);

	if (i < 0)
		return -1;
	*(const char **)field(s, o) = o->choices[i];
	return 0;
}

static int parse_log(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	const char *bad;

	if (mv_log_parse(value, field(s, o), &bad) == 0)
		return 0;
	snprintf(why, size, "unknown domain '%.*s' (known: notice, calls, process, signal, boot, stall, rules, all, none)",
		 (int)strcspn(bad, ","), bad);
	return -1;
}

void mv_options_defaults(struct mv_settings *s)
{
	char why[200];

	memset(s, 0, sizeof(*s));
	s->status_fd = -1;
	for (unsigned i = 0; i < mv_noptions; i++)
		if (mv_options[i].deflt && mv_options[i].parse(s, &mv_options[i], mv_options[i].deflt, why, sizeof(why)) < 0)
			abort();	/* the table contradicts itself */
}

/* ---- environment ---- */

char *mv_option_variable(const struct mv_option *o, char *buf, size_t size)
{
	snprintf(buf, size, "MVARMOR_%s", o->name);
	for (char *p = buf; *p; p++)
		*p = *p == '-' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
	return buf;
}

static bool name_is(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static bool is_prefixed(const char *entry)
{
	return strncmp(entry, "MVARMOR_", 8) == 0;
}

/* The option that "NAME=value" sets, NULL if it is not one of ours. */
static const struct mv_option *find_variable(const char *entry)
{
	bool derives = is_prefixed(entry);	/* as all but aliases: there are many variables, and an option's has to be composed */
	char derived[64];

	for (unsigned i = 0; i < mv_noptions; i++) {
		const struct mv_option *o = &mv_options[i];

		if (!(o->commands & MV_CMD_RUN))
			continue;
		for (unsigned a = 0; a < MV_OPTION_ALIASES && o->aliases[a]; a++)
			if (name_is(entry, o->aliases[a]))
				return o;
		if (derives && strcmp(o->name, "help") != 0 && name_is(entry, mv_option_variable(o, derived, sizeof(derived))))
			return o;
	}
	return NULL;
}

static void notice_unknown(const char *entry, void (*notice)(const char *text))
{
	struct mv_nearest near = { .word = entry, .len = strcspn(entry, "=") };
	char names[64][64], text[200];

	for (unsigned i = 0; i < mv_noptions && i < 64; i++)
		if (mv_options[i].name && (mv_options[i].commands & MV_CMD_RUN))
			mv_nearest_offer(&near, mv_option_variable(&mv_options[i], names[i], sizeof(names[i])));
	snprintf(text, sizeof(text), "%.*s in the environment is not known and has no effect%s%s%s", (int)near.len, entry,
		 near.best ? ": did you mean " : "", near.best ? near.best : "", near.best ? "?" : "");
	notice(text);
}

int mv_options_environment(struct mv_settings *s, char *const *envp, void (*notice)(const char *text),
			   char *error, size_t size)
{
	/* The original's names first, so that ours win whatever the order of the environment. */
	for (int ours = 0; ours <= 1; ours++) {
		for (char *const *entry = envp; *entry; entry++) {
			const struct mv_option *o = find_variable(*entry);
			int name_len = (int)strcspn(*entry, "=");
			char why[200];

			if (is_prefixed(*entry) != ours)
				continue;
			if (!o) {
				if (ours)
					notice_unknown(*entry, notice);
				continue;
			}
			if (o->parse(s, o, *entry + name_len + 1, why, sizeof(why)) < 0) {
				snprintf(error, size, "%.*s in the environment: %s", name_len, *entry, why);
				return -1;
			}
		}
	}
	return 0;
}

char **mv_options_clean_environment(char *const *envp)
{
	size_t n = 0, kept = 0;

	while (envp[n])
		n++;

	char **clean = calloc(n + 1, sizeof(*clean));

	for (size_t i = 0; clean && i < n; i++)
		if (!is_prefixed(envp[i]) && !find_variable(envp[i]))
			clean[kept++] = envp[i];
	return clean;
}

/* ---- command line ---- */

static int unknown_option(const char *word, size_t len, unsigned command, char *error, size_t size)
{
	struct mv_nearest near = { .word = word + 2, .len = len - 2 };

	for (unsigned i = 0; len > 2 && word[1] == '-' && i < mv_noptions; i++)
		if (mv_options[i].name && !mv_options[i].hidden && (mv_options[i].commands & command))
			mv_nearest_offer(&near, mv_options[i].name);
	if (near.best)
		snprintf(error, size, "unknown option '%.*s': did you mean --%s?", (int)len, word, near.best);
	else
		snprintf(error, size, "unknown option '%.*s' (--help lists them)", (int)len, word);
	return -1;
}

static const struct mv_option *find_option(const char *word, size_t len, unsigned command)
{
	for (unsigned i = 0; i < mv_noptions; i++) {
		const struct mv_option *o = &mv_options[i];

		if (!(o->commands & command))
			continue;
		if (word[1] == '-' ? strlen(o->name) == len - 2 && memcmp(o->name, word + 2, len - 2) == 0 : o->letter == word[1])
			return o;
	}
	return NULL;
}

/* One word that begins with "-", and its value; returns how many words were used, or -1. */
static int parse_option(struct mv_settings *s, unsigned command, const char *word, const char *next, char *error,
			size_t size)
{
	bool is_long = word[1] == '-';
	size_t len = is_long ? strcspn(word, "=") : 2;
	const struct mv_option *o = find_option(word, len, command);
	const char *value = NULL;
	char why[200];
	int used = 1;

	if (!o)
		return unknown_option(word, len, command, error, size);
	if (word[len])
		value = word + len + is_long;
	if (!o->argument && value) {
		if (is_long)
			snprintf(error, size, "%.*s takes no value, but '%s' was given", (int)len, word, value);
		else
			snprintf(error, size, "-%c takes no value, but '%s' follows it", word[1], value);
		return -1;
	}
	if (o->argument && !o->optional && !value) {
		if (!next) {
			snprintf(error, size, "%.*s needs a value: %s", (int)len, word, o->argument);
			return -1;
		}
		value = next;
		used = 2;
	}
	if (o->parse(s, o, value, why, sizeof(why)) < 0) {
		snprintf(error, size, "%.*s: %s", (int)len, word, why);
		return -1;
	}
	return used;
}

int mv_options_parse(struct mv_settings *s, unsigned command, int argc, char *const *argv, char *error, size_t size)
{
	int i = 0;

	while (i < argc) {
		/* A single "-" is no option. */
		if (argv[i][0] != '-' || !argv[i][1])
			return i;
		if (strcmp(argv[i], "--") == 0)
			return i + 1;

		int used = parse_option(s, command, argv[i], i + 1 < argc ? argv[i + 1] : NULL, error, size);

		if (used < 0)
			return -1;
		i += used;
	}
	return argc;
}
