#!/usr/bin/env python3
"""The table against the kernel's headers: call numbers and names, values of selectors, where the fields of structs are.

    check_table_headers.py [SYSCALLS.tsv SUBCALLS.tsv STRUCTS.tsv]     default: the repository's data/

Exit status: 0 all is as the headers say, 1 not, 77 the headers are not installed.
"""
import os
import re
import shutil
import subprocess
import sys

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
HEADERS = ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"]

# Structs of structs.tsv: the C type, and fields that are called otherwise in C.  None: a shape of our own.
KERNEL = """
#include <stddef.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/mqueue.h>
#include <linux/openat2.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/sem.h>
#include <linux/msg.h>
#include <linux/shm.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/timex.h>
#include <linux/times.h>
#include <linux/utime.h>
#include <linux/utsname.h>
#include <linux/stat.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
typedef struct { void *handler; unsigned long sa_flags; void *restorer; unsigned long sa_mask; } kernel_sigaction;
"""
SOCKETS = "#include <stddef.h>\n#include <net/if.h>\n#include <net/if_arp.h>\n"	# does not go with the kernel's own headers
# Where the names of selectors come from; a name that the installed headers do not have is not checked.
SELECTORS = """
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <asm/prctl.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/mman.h>
#include <linux/nsfs.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/sockios.h>
#include <linux/userfaultfd.h>
#include <linux/vm_sockets.h>
#include <linux/fiemap.h>
"""
TYPES = {
    "u32": "unsigned", "u64": "unsigned long", "fdpair": "int[2]", "timespec": "struct timespec",
    "timeval": "struct timeval", "timezone": "struct timezone", "itimerspec": "struct itimerspec",
    "itimerval": "struct itimerval", "rlimit": "struct rlimit", "rlimit64": "struct rlimit64",
    "rusage": "struct rusage", "stat": "struct stat", "statx": "struct statx", "statfs": "struct statfs",
    "utsname": "struct new_utsname", "sysinfo": "struct sysinfo", "tms": "struct tms", "utimbuf": "struct utimbuf",
    "sembuf": "struct sembuf",
    "timex": "struct __kernel_timex", "cap_hdr": "struct __user_cap_header_struct", "clone_args": None,
    "epoll_event": "struct epoll_event", "ksigaction": "kernel_sigaction", "siginfo": "siginfo_t",
    "sigevent": "struct sigevent", "stack_t": "stack_t", "mq_attr": "struct mq_attr", "mq_flags": "struct mq_attr",
    "open_how": "struct open_how", "flock": "struct flock", "f_owner_ex": "struct f_owner_ex",
    "sock_fprog": "struct sock_fprog", "semid_set": "struct semid64_ds", "shmid_set": "struct shmid64_ds",
    "msqid_set": "struct msqid64_ds",
    "sched_attr": None, "clone_args_v0": None, "sched_param": None, "ustat": None, "cachestat": None,
    "cachestat_range": None, "mnt_id_req": None, "ifreq_index": "struct ifreq", "ifreq_flags": "struct ifreq",
    "ifreq_int": "struct ifreq", "ifreq_addr": "struct ifreq", "arpreq": "struct arpreq", "arpreq_set": "struct arpreq",
}
# Versioned structs grow in the headers: only the offsets are checked.
GROWING = {"clone_args": "struct clone_args", "clone_args_v0": "struct clone_args", "sched_attr": "struct sched_attr"}
# Fields inside a union, by their offset in the row only.
UNION_FIELDS = {"sin_family", "sin_port", "sin_addr"}


def read_rows(path):
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    return [line.split("\t") for line in lines[1:]]


def check_numbers(path):
    header = next((h for h in HEADERS if os.path.exists(h)), None)
    if not header:
        print("skipped: no <asm/unistd_64.h> (package linux-libc-dev)")
        sys.exit(77)
    table = {int(row[0]): row[1] for row in read_rows(path) if row[0].isdigit()}
    with open(header, encoding="utf-8") as f:
        known = re.findall(r"^#define\s+__NR_(\w+)\s+(\d+)\s*$", f.read(), re.M)
    if len(known) < 300:
        return [f"{header}: only {len(known)} numbers found, is it the right file?"]
    return [f"{path}: {header} says {nr} is {name}, the table {table.get(int(nr), 'has no such row')}"
            for name, nr in known if table.get(int(nr)) != name]


def compile_checks(lines):
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if not compiler:
        print("selectors and structs not checked: no C compiler")
        return []
    done = subprocess.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-x", "c", "-"],
                          input="\n".join(lines) + "\n", capture_output=True, text=True)
    return [done.stderr.strip()] if done.returncode else []


def check_selectors(path):
    lines = [SELECTORS]
    for parent, selector, name, *_ in read_rows(path):
        if "-" not in selector and re.fullmatch(r"[A-Z_][A-Z0-9_]+", name):
            equal = f'_Static_assert((unsigned){name} == {selector}u, "{parent}({name})");'
            lines += [f"#ifdef {name}", equal, "#endif"]
    return compile_checks(lines)


def check_structs(path):
    units = {False: [KERNEL], True: [SOCKETS]}
    mistakes = []
    for name, size, fields in read_rows(path):
        if name not in TYPES:
            mistakes.append(f"{path}: struct {name} has no C type in {os.path.basename(__file__)}")
            continue
        ctype = TYPES[name] or GROWING.get(name)
        if not ctype:
            continue
        lines = units[ctype in ("struct ifreq", "struct arpreq")]
        if name not in GROWING:
            lines.append(f'_Static_assert(sizeof({ctype}) == {size}, "size of {name}");')
        for field, offset, length in re.findall(r"(\S+)@(\d+)\+(\d+)", fields):
            if field in UNION_FIELDS:
                continue
            lines.append(f'_Static_assert(offsetof({ctype}, {field}) == {offset} && '
                         f'sizeof((({ctype} *)0)->{field}) >= {length}, "{name}.{field}");')
    for lines in units.values():
        mistakes += compile_checks(lines)
    return mistakes


def main(argv):
    syscalls, subcalls, structs = argv or [os.path.join(DATA, n + ".tsv") for n in ("syscalls", "subcalls", "structs")]
    mistakes = check_numbers(syscalls) + check_selectors(subcalls) + check_structs(structs)
    if mistakes:
        print("\n".join(mistakes), file=sys.stderr)
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
