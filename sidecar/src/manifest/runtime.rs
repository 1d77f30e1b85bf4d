//! The file group `runtime`: what a dynamically linked program opens before and beside its own work.
//!
//! The list is what `strace` showed of C programs, bash and Python on Debian 12, extended by the
//! places other distributions use. It is read-only except for the usual device files. Left out on
//! purpose, because they say something about the host or about other processes, and have to be
//! declared where a plugin needs them:
//! * `/etc/resolv.conf`, `/etc/hosts`, `/etc/nsswitch.conf` (name resolution), `/etc/passwd`;
//! * `/etc/ssl` (certificates);
//! * `/proc/<pid>/…`: a path rule cannot tell the plugin's own process from another;
//! * `/usr/share/terminfo` and the rest of `/usr/share`.
//!
//! Paths are written as programs use them; symbolic links in them are followed when the manifest is
//! resolved, so `/lib64/ld-linux-x86-64.so.2` becomes whatever file that is on this machine.

use std::sync::LazyLock;

use picket_engine::{AccessSet, Pattern};

/// One family of files of the group.
#[derive(Debug)]
pub(super) struct Files {
    /// What they are, as `explain` says it.
    pub(super) what: &'static str,
    pub(super) access: AccessSet,
    pub(super) paths: &'static [&'static str],
}

/// The group, in the order a program meets it. The loader is only read: with `execute` it could be
/// run by itself, on any file the plugin may read.
pub(super) static RUNTIME: [Files; 10] = [
    Files {
        what: "the dynamic loader",
        access: AccessSet::READ,
        paths: &["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"],
    },
    Files {
        what: "the loader's cache and preload list",
        access: AccessSet::READ,
        paths: &["/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ld-musl-x86_64.path"],
    },
    Files {
        what: "shared libraries",
        access: AccessSet::READ,
        paths: &[
            "/lib/*.so",
            "/lib/*.so.*",
            "/lib/x86_64-linux-gnu/**/*.so",
            "/lib/x86_64-linux-gnu/**/*.so.*",
            "/lib64/**/*.so",
            "/lib64/**/*.so.*",
            "/usr/lib/*.so",
            "/usr/lib/*.so.*",
            "/usr/lib/x86_64-linux-gnu/**/*.so",
            "/usr/lib/x86_64-linux-gnu/**/*.so.*",
            "/usr/lib64/**/*.so",
            "/usr/lib64/**/*.so.*",
            "/usr/local/lib/**/*.so",
            "/usr/local/lib/**/*.so.*",
        ],
    },
    Files {
        what: "character set conversion",
        access: AccessSet::READ,
        paths: &[
            "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules*",
            "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.d/*",
            "/usr/lib64/gconv/gconv-modules*",
            "/usr/lib64/gconv/gconv-modules.d/*",
        ],
    },
    Files {
        what: "locales and translated messages",
        access: AccessSet::READ,
        paths: &["/usr/lib/locale/**", "/usr/share/locale/**", "/usr/share/locale/locale.alias"],
    },
    Files {
        what: "time zones",
        access: AccessSet::READ,
        paths: &["/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo/**"],
    },
    Files {
        what: "Python's own library",
        access: AccessSet::READ,
        paths: &["/usr/lib/python3*/**", "/usr/lib64/python3*/**", "/usr/local/lib/python3*/**"],
    },
    Files {
        what: "facts about the machine that libc and its companions ask for",
        access: AccessSet::READ,
        paths: &[
            "/proc/filesystems",
            "/proc/sys/kernel/ngroups_max",
            "/proc/sys/vm/overcommit_memory",
            "/sys/devices/system/cpu/online",
            "/sys/devices/system/cpu/possible",
            "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
        ],
    },
    Files {
        what: "random numbers",
        access: AccessSet::READ,
        paths: &["/dev/random", "/dev/urandom"],
    },
    Files {
        what: "the usual devices",
        access: AccessSet::READ.union(AccessSet::WRITE),
        paths: &["/dev/full", "/dev/null", "/dev/tty", "/dev/zero"],
    },
];

/// The group's patterns as they are written: compiled once, and shared by all policies that have them.
pub(super) fn patterns() -> impl Iterator<Item = &'static (Pattern, AccessSet)> {
    static COMPILED: LazyLock<Vec<(Pattern, AccessSet)>> = LazyLock::new(|| {
        let compile = |path| Pattern::parse(path).expect("the table is checked by a test");
        let of = |files: &'static Files| {
            files.paths.iter().map(move |path| (compile(path), files.access))
        };
        RUNTIME.iter().flat_map(of).collect()
    });
    COMPILED.iter()
}
