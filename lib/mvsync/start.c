#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "sync.h"

#define VARIABLE "MVSYNC_OPTIONS"
#define MAGIC 0x32636e7973766dull	/* "mvsync2" */
#define HEADER 4096
#define ARENAS 64
#define MMAP_FROM (1 << 20)

static enum { OFF, ENGINE, FILES, RUNS } state;	/* what happens when there is a second thread; or it has */
static struct mvsync_settings settings;
static struct {
	char path[PATH_MAX];
	uint64_t records;
} file;
bool sync_leads;

struct sync_real sync_real;

void sync_resolve(void)
{
#define RESOLVE(type, name, ...) sync_real.name = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name);
	SYNC_REAL(RESOLVE)
#undef RESOLVE
}

/* ---- MVSYNC_OPTIONS ---- */

static _Noreturn void bad(const char *text, size_t len, const char *wanted)
{
	library_bad_option("libmvsync", VARIABLE, text, len, wanted);
}

static bool take_path(const char *text, size_t len, const char *name, bool leads)
{
	size_t skip = strlen(name);

	if (len <= skip || memcmp(text, name, skip))
		return false;
	if (len - skip >= sizeof(file.path))
		bad(text, len, "a path");
	memcpy(file.path, text + skip, len - skip);
	file.path[len - skip] = 0;
	sync_leads = leads;
	state = FILES;
	return true;
}

static void take_option(const char *text, size_t len)
{
	if (take_path(text, len, "record=", true) || take_path(text, len, "replay=", false))
		return;
	if (len <= 8 || memcmp(text, "records=", 8))
		bad(text, len, "one of record=, replay=, records=");
	if (!library_number(text + 8, len - 8, &file.records) || file.records < 16 || file.records > 1ull << 32 ||
	    file.records & (file.records - 1))
		bad(text, len, "a power of two from 16 to 4294967296");
}

static void from_environment(void)
{
	const char *text = secure_getenv(VARIABLE);

	file.records = MVSYNC_FILE_RECORDS;
	if (!text)
		return;
	while (*text) {
		size_t len = strcspn(text, ",");

		take_option(text, len);
		text += len + (text[len] == ',');
	}
}

/* ---- where the record is ---- */

static bool map_engine(struct sync_log *log)
{
	long at = syscall(SYS_prctl, MVSYNC_PRCTL, MVSYNC_MAP, "mvsync", 0, 0);	/* prctl() has an int */
	struct mvsync_ack *acks = (struct mvsync_ack *)(at + (long)MVSYNC_LOG);

	if (at == -1)
		return false;
	sync_leads = !settings.variant;
	*log = (struct sync_log){
		.records = (uint64_t *)at,
		.length = MVSYNC_RECORDS,
		.acks = sync_leads ? acks : acks + (settings.variant - 1) * MVSYNC_QUEUES,
		.followers = sync_leads ? settings.variants - 1 : 0,
	};
	return true;
}

static _Noreturn void no_file(const char *why)
{
	SYNC_DIE("cannot ", sync_leads ? "write " : "read ", file.path, ": ", why);
}

/* A page that says how long queues are, and the queues. */
static void map_file(struct sync_log *log)
{
	int fd = open(file.path, (sync_leads ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY) | O_CLOEXEC, 0600);
	struct sync_file header = { .magic = MAGIC, .length = file.records, .writer = (uint64_t)getpid() };
	uint64_t size;
	struct stat st;
	char *at;

	if (fd < 0)
		no_file(strerror(errno));
	if (!sync_leads && (pread(fd, &header, sizeof(header), 0) != sizeof(header) || header.magic != MAGIC || header.length < 16 ||
			    header.length > 1ull << 32 || header.length & (header.length - 1)))
		no_file("it is no record of libmvsync's");
	size = HEADER + MVSYNC_QUEUES * header.length * 8;
	if (sync_leads && ftruncate(fd, (off_t)size))
		no_file(strerror(errno));
	if (fstat(fd, &st) || (uint64_t)st.st_size < size)
		no_file("it is shorter than it says");
	at = mmap(NULL, size, PROT_READ | (sync_leads ? PROT_WRITE : 0), MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED || (sync_leads && pwrite(fd, &header, sizeof(header), 0) != sizeof(header)))
		no_file(strerror(errno));
	madvise(at, size, MADV_DONTFORK);
	close(fd);
	*log = (struct sync_log){ .records = (uint64_t *)(at + HEADER), .length = header.length, .file = (struct sync_file *)at };
}

/* ---- the beginning ---- */

/*
 * What the C library does once in a process, in the thread that happens to be the first to need it, is done now, or never: to count
 * processors for a number of arenas, to look whether memory may be given back, to load the unwinder at the end of a thread.
 */
static void settle_library(void)
{
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	dlopen("libgcc_s.so.1", RTLD_NOW);
}

bool sync_begin(void)
{
	struct sync_log log;

	if (state == RUNS || state == OFF)
		return state == RUNS;
	if (state == ENGINE && !map_engine(&log)) {
		state = OFF;
		return false;
	}
	if (state == FILES) {
		map_file(&log);
		unsetenv(VARIABLE);	/* one file holds one program's */
	}
	settle_library();
	sync_log_set(&log);
	sync_threads_start();
	state = RUNS;
	return true;
}

/* A child has one thread, and none of the memory.  Registered before all others, it comes before them. */
static void forked(void)
{
	sync_self = NULL;
	if (state == RUNS)
		state = settings.variants ? ENGINE : OFF;
}

__attribute__((constructor)) static void start(void)
{
	sync_resolve();
	pthread_atfork(NULL, NULL, forked);
	if (prctl(MVSYNC_PRCTL, MVSYNC_SETTINGS, &settings, 0, 0))
		from_environment();
	else
		state = ENGINE;
	if (settings.flags & MVSYNC_HIDE)
		library_hide();
}
