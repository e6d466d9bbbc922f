#!/bin/bash
# test: timeout=120 needs=stress-ng turns=shared corners
# One stressor after the other checks what the kernel did for it; its workers and their parent share counters in memory.
# Without --no-rand-seed random numbers would be seeded with addresses.  One that is not here is in docs/limits.md.
stressors="kill sigsuspend mutex poll sockpair mprotect flock pthread nanosleep fork vfork exec sigq sigsegv sigfpe sigpending timer
	timerfd itimer futex shm msg pipe eventfd epoll udp sendfile splice tee brk malloc dup fcntl lockf switch getrandom clock
	sysinfo prctl vdso zombie daemon session sock mq clone"
# 3 is for want of resources, which mutex has now and then, natively too.
for s in $stressors; do
	for try in 1 2 3 4 5; do
		says=$(stress-ng --no-rand-seed --oomable -q --verify "--$s" 1 "--$s-ops" 20 2>&1)
		status=$?
		[ "$status" = 3 ] || break
	done
	echo "$s: $status$([ "$status" = 0 ] || echo " $says")"
done
# Their operations are counted in thousands, or take seconds.
for s in sem yield mmap inotify; do
	stress-ng --no-rand-seed --oomable -q --verify "--$s" 1 -t 1
	echo "$s: $?"
done
