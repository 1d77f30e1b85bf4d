//! Reads the facts. Thin: nothing is judged here, and nothing of the node is changed.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
};

use rustix::{
    fs::{Mode, OFlags, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

use super::facts::{Facts, Namespaces, Reading, Residents, Trial, Types};
use crate::{
    probe::{
        btf::Btf,
        offsets::{self, FIELDS},
    },
    supervisor::{self, CgroupRoot},
    watch,
};

impl Facts {
    /// Reads everything; nothing that is missing stops it.
    #[must_use]
    pub fn collect(trial: Trial) -> Self {
        let root = CgroupRoot::find();
        Self {
            release: read("/proc/sys/kernel/osrelease"),
            architecture: std::env::consts::ARCH,
            types: types(),
            lockdown: read_security("lockdown"),
            modules: read_security("lsm"),
            compiler: read("/proc/sys/net/core/bpf_jit_enable"),
            unprivileged: read("/proc/sys/kernel/unprivileged_bpf_disabled"),
            mountinfo: read("/proc/self/mountinfo"),
            controls: root.as_ref().ok().and_then(|root| controls(root.mount())),
            namespaces: Namespaces {
                user: namespace("user"),
                pid: namespace("pid"),
                cgroup: namespace("cgroup"),
            },
            time_offsets: read("/proc/self/timens_offsets"),
            status: read("/proc/self/status"),
            real_time: real_time(),
            memory: read("/proc/meminfo"),
            strict: supervisor::strict_support().map_err(|error| error.found()),
            landlock: supervisor::landlock_version(),
            residents: residents(root.ok().as_ref()),
            trial,
        }
    }
}

fn read(path: &str) -> Reading {
    reading(fs::read_to_string(path))
}

fn reading(outcome: io::Result<String>) -> Reading {
    match outcome {
        Ok(text) => Reading::Text(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Reading::Absent,
        Err(error) => Reading::Refused(error.to_string()),
    }
}

/// A file of securityfs; where that is not mounted, through a mount that is attached nowhere and goes with its
/// descriptor.
fn read_security(name: &str) -> Reading {
    match read(&format!("/sys/kernel/security/{name}")) {
        Reading::Absent => reading(read_detached(name)),
        reading => reading,
    }
}

fn read_detached(name: &str) -> io::Result<String> {
    let context = fsopen("securityfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let mut file =
        File::from(openat(mount, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn types() -> Types {
    match Btf::from_kernel().and_then(|types| offsets::resolve(&types)) {
        Ok(_) => Types::Resolved { fields: FIELDS.len() },
        Err(error) => Types::Unusable(error.to_string()),
    }
}

/// Asked of any cgroup below the mount that may be looked into: the root of the tree has no such files.
fn controls(mount: &Path) -> Option<bool> {
    fs::read_dir(mount).ok()?.flatten().map(|entry| entry.path()).find_map(|cgroup| {
        let there = |file| cgroup.join(file).try_exists().ok();
        let both = there("cgroup.freeze")? && there("cgroup.kill")?;
        // One that has gone meanwhile says nothing.
        (both || cgroup.join("cgroup.procs").exists()).then_some(both)
    })
}

fn namespace(kind: &str) -> Option<u64> {
    fs::metadata(format!("/proc/self/ns/{kind}")).ok().map(|namespace| namespace.ino())
}

/// For a thread that ends at once. Tried, because besides privilege a cgroup may forbid it.
fn real_time() -> Result<(), String> {
    let outcome = thread::spawn(watch::real_time).join();
    outcome.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())).map_err(|error| error.to_string())
}

fn residents(root: Option<&CgroupRoot>) -> Residents {
    let Some(root) = root else {
        return Residents::Refused("there is no cgroup2 file system to look into".to_owned());
    };
    match supervisor::survey_stale(root) {
        Ok((abandoned, owned)) => Residents::Listed { owned, abandoned },
        Err(error) => Residents::Refused(format!("{}: {error}", root.home().display())),
    }
}
