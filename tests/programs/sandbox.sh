#!/bin/sh
# test: timeout=60 needs=bwrap,unshare
# Programs in namespaces of their own: bubblewrap's sandboxes, util-linux's unshare.
mkdir data && echo outside > data/file
bwrap --unshare-user --ro-bind / / true
echo "status $?"
bwrap --unshare-user --ro-bind / / sh -c 'id -u; echo x > /etc/written 2> /dev/null || echo read-only'
bwrap --unshare-user --unshare-net --unshare-uts --unshare-ipc --unshare-cgroup-try --hostname inside --ro-bind /usr /usr --symlink usr/bin /bin \
	--symlink usr/lib /lib --symlink usr/lib64 /lib64 --dev /dev --tmpfs /tmp --bind data /data --chdir /tmp \
	sh -c 'uname -n; ls /; echo hi > a; ls; cat /data/file; echo inside > /data/new; ls -l /dev/null | cut -c1; tail -n +3 /proc/net/dev 2> /dev/null'
cat data/new
echo exported > tar.txt && tar cf t.tar tar.txt
bwrap --ro-bind / / --tmpfs /mnt --chdir /mnt --file 5 /mnt/given sh -c 'cat given; tar xf "$1" && cat tar.txt' sh "$PWD/t.tar" 5< data/file
bwrap --ro-bind / / --seccomp 9 true 9< /dev/null; echo "status $?"
unshare -rm sh -c 'mount -t tmpfs none data && echo hidden > data/file && cat data/file && id -u'
cat data/file
unshare -rmnui --fork sh -c 'hostname there 2> /dev/null; tail -n +3 /proc/net/dev | cut -d: -f1; chroot / id -u'
unshare --mount --propagation private sh -c 'mount --bind data /mnt 2> /dev/null && ls /mnt'
ls data
