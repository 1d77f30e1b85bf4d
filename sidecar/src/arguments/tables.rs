//! The tables: numbers as the kernel's headers have them, for ever.

/// Values, or bits, and their names.
pub(super) type Names = &'static [(u64, &'static str)];

/// What an argument is.
#[derive(Debug)]
pub(super) enum Shape {
    /// An address, or of no interest.
    Hidden,
    /// A number without names.
    Number,
    /// A file descriptor.
    Descriptor,
    /// A process or thread, in the plugin's own numbering.
    Process,
    /// One of these.
    One(&'static Names),
    /// Any of these together.
    Flags(&'static Names),
    /// `SOCK_*`, and flags beside it that do not matter.
    SocketType,
}

use Shape::{Descriptor, Flags, Hidden, Number, One, Process, SocketType};

// Invariant: strictly ascending by number; the search is by halves.
pub(super) static CALLS: [(u32, &[Shape]); 46] = [
    (9, &[Hidden, Hidden, Flags(&PROTECTION), Flags(&MAPPING)]), // mmap
    (10, &[Hidden, Hidden, Flags(&PROTECTION)]),                 // mprotect
    (41, &[One(&FAMILIES), SocketType, Number]),                 // socket
    (53, &[One(&FAMILIES), SocketType, Number]),                 // socketpair
    (56, &[Flags(&CLONE_FLAGS)]),                                // clone
    (62, &[Process, Number]),                                    // kill
    (101, &[One(&PTRACE), Process]),                             // ptrace
    (135, &[Flags(&PERSONALITY)]),                               // personality
    (157, &[One(&PRCTL)]),                                       // prctl
    (165, &[Hidden, Hidden, Hidden, Flags(&MOUNT)]),             // mount
    (166, &[Hidden, Flags(&UMOUNT)]),                            // umount2
    (169, &[Hidden, Hidden, One(&REBOOT)]),                      // reboot
    (172, &[Number]),                                            // iopl
    (173, &[Number, Number, Number]),                            // ioperm
    (179, &[Number]),                                            // quotactl
    (200, &[Process, Number]),                                   // tkill
    (227, &[One(&CLOCKS)]),                                      // clock_settime
    (234, &[Process, Process, Number]),                          // tgkill
    (246, &[Hidden, Number, Hidden, Number]),                    // kexec_load
    (250, &[One(&KEYCTL)]),                                      // keyctl
    (272, &[Flags(&CLONE_FLAGS)]),                               // unshare
    (298, &[Hidden, Process, Number]),                           // perf_event_open
    (304, &[Descriptor]),                                        // open_by_handle_at
    (308, &[Descriptor, Flags(&CLONE_FLAGS)]),                   // setns
    (310, &[Process]),                                           // process_vm_readv
    (311, &[Process]),                                           // process_vm_writev
    (313, &[Descriptor]),                                        // finit_module
    (317, &[One(&SECCOMP)]),                                     // seccomp
    (319, &[Hidden, Flags(&MEMFD)]),                             // memfd_create
    (320, &[Descriptor, Descriptor]),                            // kexec_file_load
    (321, &[One(&BPF)]),                                         // bpf
    (323, &[Number]),                                            // userfaultfd
    (329, &[Hidden, Hidden, Flags(&PROTECTION), Number]),        // pkey_mprotect
    (424, &[Descriptor, Number]),                                // pidfd_send_signal
    (425, &[Number]),                                            // io_uring_setup
    (426, &[Descriptor, Number, Number]),                        // io_uring_enter
    (427, &[Descriptor, Number]),                                // io_uring_register
    (428, &[Descriptor]),                                        // open_tree
    (429, &[Descriptor, Hidden, Descriptor]),                    // move_mount
    (431, &[Descriptor, Number]),                                // fsconfig
    (432, &[Descriptor]),                                        // fsmount
    (433, &[Descriptor]),                                        // fspick
    (434, &[Process]),                                           // pidfd_open
    (438, &[Descriptor, Descriptor]),                            // pidfd_getfd
    (440, &[Descriptor]),                                        // process_madvise
    (442, &[Descriptor]),                                        // mount_setattr
];

static PROTECTION: Names =
    &[(0, "PROT_NONE"), (1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC")];

static MAPPING: Names = &[
    (0x1, "MAP_SHARED"),
    (0x2, "MAP_PRIVATE"),
    (0x10, "MAP_FIXED"),
    (0x20, "MAP_ANONYMOUS"),
    (0x800, "MAP_DENYWRITE"),
    (0x4000, "MAP_NORESERVE"),
    (0x2_0000, "MAP_STACK"),
    (0x4_0000, "MAP_HUGETLB"),
];

pub(super) static FAMILIES: Names = &[
    (0, "AF_UNSPEC"),
    (1, "AF_UNIX"),
    (2, "AF_INET"),
    (10, "AF_INET6"),
    (15, "AF_KEY"),
    (16, "AF_NETLINK"),
    (17, "AF_PACKET"),
    (21, "AF_RDS"),
    (29, "AF_CAN"),
    (30, "AF_TIPC"),
    (31, "AF_BLUETOOTH"),
    (38, "AF_ALG"),
    (40, "AF_VSOCK"),
    (42, "AF_QIPCRTR"),
    (43, "AF_SMC"),
    (44, "AF_XDP"),
];

pub(super) static SOCKET_TYPES: Names = &[
    (1, "SOCK_STREAM"),
    (2, "SOCK_DGRAM"),
    (3, "SOCK_RAW"),
    (5, "SOCK_SEQPACKET"),
    (10, "SOCK_PACKET"),
];

pub(super) static CLONE_FLAGS: Names = &[
    (0x80, "CLONE_NEWTIME"),
    (0x100, "CLONE_VM"),
    (0x200, "CLONE_FS"),
    (0x400, "CLONE_FILES"),
    (0x800, "CLONE_SIGHAND"),
    (0x4000, "CLONE_VFORK"),
    (0x8000, "CLONE_PARENT"),
    (0x1_0000, "CLONE_THREAD"),
    (0x2_0000, "CLONE_NEWNS"),
    (0x4_0000, "CLONE_SYSVSEM"),
    (0x8_0000, "CLONE_SETTLS"),
    (0x200_0000, "CLONE_NEWCGROUP"),
    (0x400_0000, "CLONE_NEWUTS"),
    (0x800_0000, "CLONE_NEWIPC"),
    (0x1000_0000, "CLONE_NEWUSER"),
    (0x2000_0000, "CLONE_NEWPID"),
    (0x4000_0000, "CLONE_NEWNET"),
];

static PTRACE: Names = &[
    (0, "PTRACE_TRACEME"),
    (1, "PTRACE_PEEKTEXT"),
    (2, "PTRACE_PEEKDATA"),
    (3, "PTRACE_PEEKUSER"),
    (4, "PTRACE_POKETEXT"),
    (5, "PTRACE_POKEDATA"),
    (6, "PTRACE_POKEUSER"),
    (7, "PTRACE_CONT"),
    (8, "PTRACE_KILL"),
    (9, "PTRACE_SINGLESTEP"),
    (12, "PTRACE_GETREGS"),
    (13, "PTRACE_SETREGS"),
    (16, "PTRACE_ATTACH"),
    (17, "PTRACE_DETACH"),
    (24, "PTRACE_SYSCALL"),
    (0x4200, "PTRACE_SETOPTIONS"),
    (0x4201, "PTRACE_GETEVENTMSG"),
    (0x4202, "PTRACE_GETSIGINFO"),
    (0x4203, "PTRACE_SETSIGINFO"),
    (0x4204, "PTRACE_GETREGSET"),
    (0x4205, "PTRACE_SETREGSET"),
    (0x4206, "PTRACE_SEIZE"),
    (0x4207, "PTRACE_INTERRUPT"),
    (0x4208, "PTRACE_LISTEN"),
];

static PERSONALITY: Names = &[
    (0, "PER_LINUX"),
    (0xffff_ffff, "query"),
    (0x2_0000, "UNAME26"),
    (0x4_0000, "ADDR_NO_RANDOMIZE"),
    (0x8_0000, "FDPIC_FUNCPTRS"),
    (0x10_0000, "MMAP_PAGE_ZERO"),
    (0x20_0000, "ADDR_COMPAT_LAYOUT"),
    (0x40_0000, "READ_IMPLIES_EXEC"),
    (0x80_0000, "ADDR_LIMIT_32BIT"),
    (0x100_0000, "SHORT_INODE"),
    (0x200_0000, "WHOLE_SECONDS"),
    (0x400_0000, "STICKY_TIMEOUTS"),
    (0x800_0000, "ADDR_LIMIT_3GB"),
];

static PRCTL: Names = &[
    (1, "PR_SET_PDEATHSIG"),
    (4, "PR_SET_DUMPABLE"),
    (8, "PR_SET_KEEPCAPS"),
    (15, "PR_SET_NAME"),
    (16, "PR_GET_NAME"),
    (22, "PR_SET_SECCOMP"),
    (24, "PR_CAPBSET_DROP"),
    (35, "PR_SET_MM"),
    (36, "PR_SET_CHILD_SUBREAPER"),
    (38, "PR_SET_NO_NEW_PRIVS"),
    (47, "PR_CAP_AMBIENT"),
    (0x5961_6d61, "PR_SET_PTRACER"),
];

static MOUNT: Names = &[
    (0x1, "MS_RDONLY"),
    (0x2, "MS_NOSUID"),
    (0x4, "MS_NODEV"),
    (0x8, "MS_NOEXEC"),
    (0x20, "MS_REMOUNT"),
    (0x1000, "MS_BIND"),
    (0x2000, "MS_MOVE"),
    (0x4000, "MS_REC"),
    (0x2_0000, "MS_UNBINDABLE"),
    (0x4_0000, "MS_PRIVATE"),
    (0x8_0000, "MS_SLAVE"),
    (0x10_0000, "MS_SHARED"),
];

static UMOUNT: Names =
    &[(1, "MNT_FORCE"), (2, "MNT_DETACH"), (4, "MNT_EXPIRE"), (8, "UMOUNT_NOFOLLOW")];

static REBOOT: Names = &[
    (0x0123_4567, "LINUX_REBOOT_CMD_RESTART"),
    (0xcdef_0123, "LINUX_REBOOT_CMD_HALT"),
    (0x4321_fedc, "LINUX_REBOOT_CMD_POWER_OFF"),
    (0x4558_4543, "LINUX_REBOOT_CMD_KEXEC"),
];

static CLOCKS: Names = &[(0, "CLOCK_REALTIME"), (1, "CLOCK_MONOTONIC"), (11, "CLOCK_TAI")];

static KEYCTL: Names = &[
    (0, "KEYCTL_GET_KEYRING_ID"),
    (1, "KEYCTL_JOIN_SESSION_KEYRING"),
    (2, "KEYCTL_UPDATE"),
    (3, "KEYCTL_REVOKE"),
    (4, "KEYCTL_CHOWN"),
    (5, "KEYCTL_SETPERM"),
    (6, "KEYCTL_DESCRIBE"),
    (7, "KEYCTL_CLEAR"),
    (8, "KEYCTL_LINK"),
    (9, "KEYCTL_UNLINK"),
    (10, "KEYCTL_SEARCH"),
    (11, "KEYCTL_READ"),
    (12, "KEYCTL_INSTANTIATE"),
    (15, "KEYCTL_SET_TIMEOUT"),
    (16, "KEYCTL_ASSUME_AUTHORITY"),
    (18, "KEYCTL_SESSION_TO_PARENT"),
    (21, "KEYCTL_INVALIDATE"),
];

static SECCOMP: Names = &[
    (0, "SECCOMP_SET_MODE_STRICT"),
    (1, "SECCOMP_SET_MODE_FILTER"),
    (2, "SECCOMP_GET_ACTION_AVAIL"),
    (3, "SECCOMP_GET_NOTIF_SIZES"),
];

static MEMFD: Names = &[
    (0x1, "MFD_CLOEXEC"),
    (0x2, "MFD_ALLOW_SEALING"),
    (0x4, "MFD_HUGETLB"),
    (0x8, "MFD_NOEXEC_SEAL"),
    (0x10, "MFD_EXEC"),
];

static BPF: Names = &[
    (0, "BPF_MAP_CREATE"),
    (1, "BPF_MAP_LOOKUP_ELEM"),
    (2, "BPF_MAP_UPDATE_ELEM"),
    (3, "BPF_MAP_DELETE_ELEM"),
    (4, "BPF_MAP_GET_NEXT_KEY"),
    (5, "BPF_PROG_LOAD"),
    (6, "BPF_OBJ_PIN"),
    (7, "BPF_OBJ_GET"),
    (8, "BPF_PROG_ATTACH"),
    (9, "BPF_PROG_DETACH"),
    (10, "BPF_PROG_TEST_RUN"),
    (11, "BPF_PROG_GET_NEXT_ID"),
    (12, "BPF_MAP_GET_NEXT_ID"),
    (13, "BPF_PROG_GET_FD_BY_ID"),
    (14, "BPF_MAP_GET_FD_BY_ID"),
    (15, "BPF_OBJ_GET_INFO_BY_FD"),
    (17, "BPF_RAW_TRACEPOINT_OPEN"),
    (18, "BPF_BTF_LOAD"),
    (28, "BPF_LINK_CREATE"),
    (29, "BPF_LINK_UPDATE"),
    (34, "BPF_LINK_DETACH"),
];
