#!/bin/busybox sh
# Process 1 of a test guest: makes the system look like a small Debian, runs the test programs and
# says on the console how each ended. `guest.rs` reads the lines that begin with picket-guest.
busybox=/usr/bin/busybox

# The kernel's own rootfs cannot be left or mounted over like a disk, and some calls treat it
# specially. So the first round moves everything to a file system as others have it.
if [ ! -e /moved ]; then
    $busybox mkdir /moved
    $busybox mount -t tmpfs -o mode=755 tmpfs /moved
    for name in bin dev etc init lib lib64 proc root run sbin sys tmp usr var; do
        $busybox cp -a "/$name" /moved/
    done
    $busybox mkdir /moved/moved
    # The guest for the unit file: Debian's systemd finds everything to be mounted and started itself.
    $busybox mount -t proc proc /proc
    if $busybox grep -q "picket.init=systemd" /proc/cmdline; then
        $busybox umount /proc
        $busybox chroot /moved $busybox --install /usr/bin
        $busybox ln -sf dash /moved/usr/bin/sh
        exec $busybox switch_root /moved /usr/lib/systemd/systemd
    fi
    $busybox umount /proc
    exec $busybox switch_root /moved /init
fi

# Hard links, so that each tool's canonical path is its own name as on Debian. Not for the shell:
# busybox's runs tools inside itself, and a test that watches for `cat` would wait for ever.
$busybox --install /usr/bin
$busybox ln -sf dash /usr/bin/sh
export PATH=/usr/bin:/usr/sbin HOME=/root TMPDIR=/tmp RUST_BACKTRACE=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
hostname guest
ip link set lo up
ulimit -n 65536

echo # ends what the firmware left on the line
echo "kernel $(uname -r), security modules $(cat /sys/kernel/security/lsm)"
export PICKET_BIN=/usr/bin/picket PICKET_STAND_IN=/usr/lib/picket-tests/picket-stand-in
cd /root
# shellcheck disable=SC2046 # one word a line is how the filter is written
set -- $(cat /etc/picket-tests)
for suite in kernel gate node; do
    # Where systemd runs it is mounted; the other tests show that Picket can do without.
    [ "$suite" != node ] || mount -t tracefs tracefs /sys/kernel/tracing
    echo "picket-guest begin $suite"
    "/usr/lib/picket-tests/$suite" "$@" </dev/null 2>&1
    echo "picket-guest end $suite $?"
done
echo "picket-guest over"
poweroff -f
