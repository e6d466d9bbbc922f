/*
 * Capabilities, by raw calls: reading and giving up, the bounding and the ambient set, what becoming another user leaves, what a child and
 * a program inherit, what is refused.  Root has them, an ordinary user is refused; each is what it is natively.
 */
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sys/prctl.h>
#include "check.h"

#define BIT(cap) (1ull << (cap))
#define USER 65534

struct caps { uint64_t effective, permitted, inheritable; };

static const char *self;
static bool root;		/* for others mvarmor itself has to set that no privileges are gained (docs/limits.md) */

static long read_caps(pid_t pid, struct caps *c)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, pid };
	struct __user_cap_data_struct data[2];
	long r = syscall(SYS_capget, &head, data);

	if (r == 0) {
		c->effective = data[0].effective | (uint64_t)data[1].effective << 32;
		c->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
		c->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	}
	return r;
}

static long write_caps(pid_t pid, const struct caps *c)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, pid };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)c->effective, (uint32_t)c->permitted, (uint32_t)c->inheritable },
		{ (uint32_t)(c->effective >> 32), (uint32_t)(c->permitted >> 32), (uint32_t)(c->inheritable >> 32) },
	};

	return syscall(SYS_capset, &head, data);
}

static long prctl5(int option, unsigned long a, unsigned long b)
{
	return prctl(option, a, b, 0, 0);
}

/* What the kernel has of this thread, in its calls and in /proc. */
static void tell(const char *when)
{
	uint64_t bounding = 0, ambient = 0;
	char line[128];
	struct caps c;
	FILE *f;

	NEED(read_caps(0, &c) == 0);
	for (unsigned i = 0; i < 64; i++) {
		bounding |= prctl5(PR_CAPBSET_READ, i, 0) > 0 ? BIT(i) : 0;
		ambient |= prctl5(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i) > 0 ? BIT(i) : 0;
	}
	printf("%s: effective %llx permitted %llx inheritable %llx bounding %llx ambient %llx securebits %x keep %d", when,
	       (unsigned long long)c.effective, (unsigned long long)c.permitted, (unsigned long long)c.inheritable,
	       (unsigned long long)bounding, (unsigned long long)ambient, (unsigned)prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS));
	if (root)
		printf(" no new %d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	puts("");
	f = fopen("/proc/thread-self/status", "r");
	NEED(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "Cap", 3) || (root && !strncmp(line, "NoNewPrivs", 10)))
			printf("  %s", line);
	fclose(f);
}

static int execute(void)
{
	execl(self, "capabilities", "executed", root ? "root" : NULL, NULL);
	return 1;
}

/* Versions of the interface, others' capabilities, what is wrong. */
static int interface(void)
{
	struct __user_cap_header_struct head = { 0x12345678, 0 };
	struct __user_cap_data_struct data[2] = { 0 };
	struct { struct __user_cap_data_struct one; uint32_t number; void *behind; } old = { .number = 7, .behind = &old };
	struct caps c;

	OUTCOME(syscall(SYS_capget, &head, data));
	printf("the kernel's version: %x\n", head.version);
	head.version = 0;
	OUTCOME(syscall(SYS_capget, &head, NULL));
	printf("the kernel's version: %x\n", head.version);
	OUTCOME(syscall(SYS_capget, &head, data));
	OUTCOME(syscall(SYS_capset, &head, data));
	head = (struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_1, 0 };
	OUTCOME(syscall(SYS_capget, &head, &old.one));
	printf("one element: %x %x, behind it %u, an address of ours: %d\n", old.one.effective, old.one.permitted, old.number,
	       old.behind == &old);
	OUTCOME(syscall(SYS_capset, &head, &old.one));
	head = (struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_2, 0 };
	OUTCOME(syscall(SYS_capget, &head, data));
	OUTCOME(syscall(SYS_capget, NULL, data));
	OUTCOME(syscall(SYS_capget, &head, (void *)8));
	OUTCOME(syscall(SYS_capset, &head, (void *)8));
	OUTCOME(read_caps(-1, &c));
	OUTCOME(read_caps(0x7fffffff, &c));
	OUTCOME(read_caps(getppid(), &c));
	printf("the parent has: %llx\n", (unsigned long long)c.permitted);
	OUTCOME(read_caps(getpid(), &c));
	OUTCOME(write_caps(getpid(), &c));
	OUTCOME(write_caps(getppid(), &c));
	return 0;
}

/* Gives up one by one; what is given up does not come back. */
static int give_up(void)
{
	struct caps all, c;

	NEED(read_caps(0, &all) == 0);
	c = all;
	c.effective &= ~BIT(CAP_CHOWN);
	OUTCOME(write_caps(0, &c));
	OUTCOME(chown(self, 1, 1));
	OUTCOME(write_caps(0, &all));
	c.permitted &= ~BIT(CAP_CHOWN);
	OUTCOME(write_caps(0, &c));
	OUTCOME(write_caps(0, &all));
	c.effective |= BIT(CAP_CHOWN);
	OUTCOME(write_caps(0, &c));
	c = all;
	c.inheritable = BIT(CAP_KILL) | BIT(CAP_SYS_CHROOT);
	OUTCOME(write_caps(0, &c));
	c.permitted = c.effective = c.permitted & ~BIT(CAP_CHOWN);
	OUTCOME(write_caps(0, &c));
	tell("given up");
	reap("inherited", spawn(execute));
	c = (struct caps){ 0 };
	OUTCOME(write_caps(0, &c));
	OUTCOME(setuid(1));
	OUTCOME(setgid(1));
	OUTCOME(setgroups(0, NULL));
	OUTCOME(chroot("/"));
	OUTCOME(kill(1, 0));
	tell("nothing left");
	reap("inherited", spawn(execute));
	return 0;
}

static int bounding(void)
{
	OUTCOME(prctl5(PR_CAPBSET_READ, 64, 0));
	OUTCOME(prctl5(PR_CAPBSET_DROP, 64, 0));
	OUTCOME(prctl5(PR_CAPBSET_DROP, CAP_SYS_TIME, 0));
	OUTCOME(prctl5(PR_CAPBSET_DROP, CAP_MKNOD, 0));
	tell("bounded");
	return execute();
}

static int ambient(void)
{
	struct caps c;

	NEED(read_caps(0, &c) == 0);
	OUTCOME(prctl5(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE));	/* not inheritable yet */
	c.inheritable |= BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_KILL);
	OUTCOME(write_caps(0, &c));
	OUTCOME(prctl5(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE));
	OUTCOME(prctl5(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL));
	OUTCOME(prctl5(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 64));
	OUTCOME(prctl5(PR_CAP_AMBIENT, 9, 0));
	tell("raised");
	OUTCOME(prctl5(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL));
	OUTCOME(prctl(PR_SET_KEEPCAPS, 1));
	OUTCOME(setresuid(USER, USER, USER));
	tell("another user");
	reap("executed", spawn(execute));
	OUTCOME(prctl5(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0));
	return execute();
}

/* Root by its number alone is nobody. */
static int no_root(void)
{
	unsigned locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS_LOCKED;

	OUTCOME(prctl5(PR_SET_SECUREBITS, 0x10000, 0));
	OUTCOME(prctl5(PR_SET_SECUREBITS, locked, 0));
	tell("locked");
	OUTCOME(prctl5(PR_SET_SECUREBITS, 0, 0));
	OUTCOME(prctl(PR_SET_KEEPCAPS, 1));
	OUTCOME(prctl5(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL));
	OUTCOME(setresuid(USER, USER, 0));
	tell("no fix-up");
	return execute();
}

static int keep(void)
{
	struct caps c;

	OUTCOME(prctl(PR_SET_KEEPCAPS, 2));
	OUTCOME(prctl(PR_SET_KEEPCAPS, 1));
	OUTCOME(setgroups(0, NULL));
	OUTCOME(setresgid(USER, USER, USER));
	OUTCOME(setresuid(USER, USER, USER));
	tell("kept");
	OUTCOME(kill(1, 0));
	NEED(read_caps(0, &c) == 0);
	c.effective = c.permitted &= BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_KILL);
	OUTCOME(write_caps(0, &c));
	OUTCOME(kill(1, 0));
	OUTCOME(setuid(0));
	tell("two left");
	return execute();
}

static int no_new(void)
{
	OUTCOME(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	OUTCOME(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
	OUTCOME(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	OUTCOME(setresuid(USER, USER, USER));
	tell("no new privileges");
	return execute();
}

/* Each thread has its own. */
static void *in_thread(void *arg)
{
	struct caps c;

	NEED(read_caps(0, &c) == 0);
	c.effective &= ~BIT(CAP_SETPCAP);
	OUTCOME(write_caps(0, &c));
	OUTCOME(prctl5(PR_CAPBSET_DROP, CAP_MKNOD, 0));
	OUTCOME(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	tell("thread");
	return arg;
}

static int threads(void)
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, in_thread, NULL) == 0);
	pthread_join(thread, NULL);
	tell("first thread");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*fn)(void); } parts[] = {
		{ "interface", interface }, { "give_up", give_up }, { "bounding", bounding }, { "ambient", ambient }, { "keep", keep },
		{ "no_root", no_root }, { "no_new", no_new }, { "threads", threads },
	};

	root = argc > 1 ? argc > 2 : !getuid();
	self = realpath(argv[0], NULL);
	NEED(self || argc > 1);
	tell(argc > 1 ? argv[1] : "begins");
	if (argc > 1)
		return 0;
	for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		printf("-- %s\n", parts[i].name);
		reap(parts[i].name, spawn(parts[i].fn));
	}
	return 0;
}
