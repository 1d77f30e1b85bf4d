//! Named groups of system calls, so that a manifest can say `@network-io` for sixteen names.
//!
//! Names and content follow systemd's `SystemCallFilter` sets where both have one, reviewed for
//! x86_64. Invariant: no group holds a member of the danger set; those are declared by name, one by
//! one, or not at all. Groups may overlap.

/// A group: its name with `@`, what it is for, and its calls.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) purpose: &'static str,
    /// Names separated by white space, grouped by what they do.
    calls: &'static str,
}

impl Group {
    /// The calls of the group.
    pub(super) fn calls(&self) -> impl Iterator<Item = &'static str> {
        self.calls.split_ascii_whitespace()
    }
}

/// The group that `syscalls.runtime` switches.
pub(super) const RUNTIME: &str = "@runtime";

/// systemd's sets that have no counterpart here: they are about calls of the danger set.
pub(super) static REFUSED: [&str; 11] = [
    "@clock",
    "@cpu-emulation",
    "@debug",
    "@keyring",
    "@module",
    "@mount",
    "@obsolete",
    "@privileged",
    "@raw-io",
    "@reboot",
    "@swap",
];

/// The group called `name`, `@` included.
pub(super) fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

/// All groups, by name.
pub(super) static GROUPS: &[Group] = &[
    Group {
        name: "@aio",
        purpose: "asynchronous I/O, without io_uring",
        calls: "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit",
    },
    Group {
        name: "@basic-io",
        purpose: "reading and writing open descriptors",
        calls: "close close_range dup dup2 dup3 lseek pread64 preadv preadv2 pwrite64 pwritev \
                pwritev2 read readv write writev",
    },
    Group {
        name: "@chown",
        purpose: "changing the owner of files",
        calls: "chown fchown fchownat lchown",
    },
    Group {
        name: "@file-read",
        purpose: "opening, reading and listing files",
        calls: "access cachestat chdir close copy_file_range faccessat faccessat2 fadvise64 fchdir \
                fcntl fgetxattr file_getattr flistxattr flock fstat fstatfs getcwd getdents \
                getdents64 getxattr getxattrat ioctl lgetxattr listxattr listxattrat llistxattr \
                lseek lstat mmap munmap newfstatat open openat openat2 pread64 preadv preadv2 read \
                readahead readlink readlinkat readv sendfile splice stat statfs statx tee",
    },
    Group {
        name: "@file-system",
        purpose: "everything on files: reading, creating, changing, removing, watching",
        calls: "access cachestat chdir chmod close copy_file_range creat faccessat faccessat2 \
                fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fcntl fgetxattr file_getattr \
                file_setattr flistxattr flock fremovexattr fsetxattr fstat fstatfs ftruncate \
                futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch \
                inotify_init inotify_init1 inotify_rm_watch ioctl lgetxattr link linkat listxattr \
                listxattrat llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod \
                mknodat mmap munmap newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 \
                pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat \
                rename renameat renameat2 rmdir sendfile setxattr setxattrat splice stat statfs \
                statx symlink symlinkat tee truncate umask unlink unlinkat utime utimensat utimes \
                write writev",
    },
    Group {
        name: "@file-write",
        purpose: "creating, changing and removing files",
        calls: "chmod close copy_file_range creat fallocate fchmod fchmodat fchmodat2 fcntl \
                file_setattr flock fremovexattr fsetxattr fstat ftruncate futimesat link linkat \
                lremovexattr lseek lsetxattr mkdir mkdirat open openat openat2 pwrite64 pwritev \
                pwritev2 removexattr removexattrat rename renameat renameat2 rmdir sendfile \
                setxattr setxattrat splice symlink symlinkat tee truncate umask unlink unlinkat \
                utime utimensat utimes write writev",
    },
    Group {
        name: "@io-event",
        purpose: "waiting for descriptors",
        calls: "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 \
                epoll_wait epoll_wait_old eventfd eventfd2 poll ppoll pselect6 select",
    },
    Group {
        name: "@ipc",
        purpose: "pipes, shared memory, semaphores, message queues",
        calls: "memfd_create mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink \
                msgctl msgget msgrcv msgsnd pipe pipe2 semctl semget semop semtimedop shmat shmctl \
                shmdt shmget vmsplice",
    },
    Group {
        name: "@memlock",
        purpose: "keeping memory out of swap",
        calls: "mlock mlock2 mlockall munlock munlockall",
    },
    Group {
        name: "@memory",
        purpose: "mapping and protecting memory",
        calls: "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mmap \
                mprotect mremap mseal msync munmap remap_file_pages",
    },
    Group {
        name: "@network-io",
        purpose: "sockets",
        calls: "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom \
                recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown socket socketpair",
    },
    Group {
        name: "@pkey",
        purpose: "memory protection keys",
        calls: "pkey_alloc pkey_free pkey_mprotect",
    },
    Group {
        name: "@process",
        purpose: "starting, ending and waiting for processes and threads",
        calls: "capget clone clone3 execve execveat exit exit_group fork getpgid getpgrp getpid \
                getppid getrusage getsid gettid kill pidfd_open pidfd_send_signal prctl \
                process_mrelease rt_sigqueueinfo rt_tgsigqueueinfo set_robust_list set_tid_address \
                setpgid setsid tgkill times tkill vfork wait4 waitid",
    },
    Group {
        name: "@resources",
        purpose: "priorities, processor and memory placement, limits",
        calls: "ioprio_get ioprio_set mbind migrate_pages move_pages prlimit64 \
                sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr \
                sched_getparam sched_getscheduler sched_setaffinity sched_setattr sched_setparam \
                sched_setscheduler set_mempolicy set_mempolicy_home_node setpriority setrlimit",
    },
    // What strace shows of `true`, `cat`, `bash -c :`, `python3 -c pass` and a threaded C program
    // between execve and exit, plus the older spellings of the same calls that other libcs use, and
    // what sleeps for an event that may have come already: whether that is called is up to chance.
    Group {
        name: RUNTIME,
        purpose: "what it takes to start, compute and end",
        calls: "arch_prctl brk madvise map_shadow_stack membarrier mmap mprotect mremap munmap \
                prlimit64 rseq set_robust_list set_tid_address \
                access close faccessat faccessat2 fadvise64 fcntl fstat getcwd getdents64 ioctl \
                lseek lstat newfstatat open openat pread64 read readlink readlinkat readv stat \
                statfs statx write writev \
                exit exit_group futex futex_requeue futex_wait futex_waitv futex_wake get_robust_list \
                gettid restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity \
                sched_yield sigaltstack tgkill pause rt_sigsuspend \
                clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time \
                getegid geteuid getgid getgroups getpgrp getpid getppid getrandom getresgid \
                getresuid getrlimit getrusage getuid sysinfo uname umask getcpu poll",
    },
    Group {
        name: "@sandbox",
        purpose: "confining oneself further",
        calls: "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp",
    },
    Group {
        name: "@setuid",
        purpose: "changing user and group identity",
        calls: "setfsgid setfsuid setgid setgroups setregid setresgid setresuid setreuid setuid",
    },
    Group {
        name: "@signal",
        purpose: "handling signals",
        calls: "pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend \
                rt_sigtimedwait sigaltstack signalfd signalfd4",
    },
    Group {
        name: "@sync",
        purpose: "writing file content through to the disk",
        calls: "fdatasync fsync msync sync sync_file_range syncfs",
    },
    Group {
        name: "@threads",
        purpose: "what threads need of each other",
        calls: "clone clone3 exit futex futex_requeue futex_wait futex_waitv futex_wake \
                get_robust_list gettid madvise membarrier mmap mprotect munmap rseq rt_sigprocmask \
                sched_getaffinity sched_yield set_robust_list set_tid_address tgkill",
    },
    Group {
        name: "@timer",
        purpose: "clocks that call back",
        calls: "alarm clock_nanosleep getitimer nanosleep setitimer timer_create timer_delete \
                timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime \
                timerfd_settime times",
    },
];
