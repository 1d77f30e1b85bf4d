//! Reads what the gate judges: the frozen child as the kernel shows it, and Picket's own side.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::instance::Instance;
use super::super::mounts::{self, Mount};
use super::super::proc_status::{Stat, Status};
use super::super::spec::{Confinement, LaunchSpec};
use super::{Expected, GateRefusal};

/// How long a fresh clone may take to reach the freezer. It runs nothing on its way there.
const FROZEN_WITHIN: Duration = Duration::from_secs(2);

/// Which file a descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    mode: u32,
    special: u64,
}

impl FileIdentity {
    pub(super) fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino(), mode: file.mode(), special: file.rdev() }
    }

    /// One of a kind per number.
    #[cfg(test)]
    pub(super) fn numbered(inode: u64) -> Self {
        Self { device: 1, inode, mode: 0, special: 0 }
    }
}

/// A frozen child as the kernel shows it.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) members: Vec<u32>,
    pub(super) cgroup: PathBuf,
    pub(super) frozen: bool,
    pub(super) stat: Stat,
    pub(super) status: Status,
    /// The descriptors that stay open at exec.
    pub(super) inherited: BTreeMap<RawFd, FileIdentity>,
    pub(super) mount_namespace: u32,
    pub(super) mounts: Vec<Mount>,
}

/// What the child must be, according to the spec and to Picket itself.
pub(super) fn expectation(instance: &Instance, spec: &LaunchSpec) -> Result<Expected, GateRefusal> {
    let own = Path::new("/proc/self");
    let status = status(own)?;
    let mut descriptors = BTreeMap::new();
    let null = read("/dev/null", |path| fs::metadata(path))?;
    for number in 0..3 {
        descriptors.insert(number, FileIdentity::of(&null));
    }
    for passed in &spec.descriptors {
        let file = own.join("fd").join(passed.file().as_raw_fd().to_string());
        let identity = FileIdentity::of(&read(file, |path| fs::metadata(path))?);
        descriptors.insert(passed.number(), identity);
    }
    Ok(Expected {
        pid: instance.child,
        cgroup: instance.sandbox.name_in_proc().to_owned(),
        parent: instance.launcher.pid(),
        filters: status.filters + u32::from(matches!(spec.confinement, Confinement::Strict(_))),
        uids: status.uids,
        gids: status.gids,
        capabilities: spec.capabilities,
        descriptors,
        outer_mount_namespace: mount_namespace(own)?,
    })
}

pub(super) fn observe(instance: &Instance) -> Result<Observed, GateRefusal> {
    let child = PathBuf::from(format!("/proc/{}", instance.child));
    let of_sandbox = |error| unreadable("the sandbox", io::Error::other(error));
    let deadline = Instant::now() + FROZEN_WITHIN;
    let settled = instance
        .sandbox
        .wait(deadline, |state| state.frozen && state.populated)
        .map_err(of_sandbox)?;
    let told = instance
        .sandbox
        .controls()
        .is_told_to_freeze()
        .map_err(|source| unreadable("cgroup.freeze", source))?;
    let stat = read(child.join("stat"), |path| parsed(Stat::parse(&fs::read(path)?)))?;
    let observed = Observed {
        members: instance.sandbox.members().map_err(of_sandbox)?,
        cgroup: read(child.join("cgroup"), |path| parsed(unified(&fs::read(path)?)))?,
        frozen: told && settled.is_some(),
        stat,
        status: status(&child)?,
        inherited: inherited(&child)?,
        mount_namespace: mount_namespace(&child)?,
        mounts: read(child.join("mountinfo"), |path| Ok(mounts::parse(&fs::read(path)?)))?,
    };
    // Alive after the last look, so that its number meant the same process at every look.
    let alive = instance.child_lives().map_err(|source| unreadable("the child", source))?;
    if alive { Ok(observed) } else { Err(unreadable("the child", io::ErrorKind::NotFound.into())) }
}

fn status(process: &Path) -> Result<Status, GateRefusal> {
    read(process.join("status"), |path| parsed(Status::parse(&fs::read(path)?)))
}

/// The line of the unified hierarchy, `0::/path`.
fn unified(text: &[u8]) -> Option<PathBuf> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let path = lines.find_map(|line| line.strip_prefix(b"0::"))?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

fn mount_namespace(process: &Path) -> Result<u32, GateRefusal> {
    read(process.join("ns/mnt"), |path| {
        let link = fs::read_link(path)?;
        let number = link.to_str().and_then(|text| text.strip_prefix("mnt:[")?.strip_suffix(']'));
        parsed(number.and_then(|number| number.parse().ok()))
    })
}

fn inherited(process: &Path) -> Result<BTreeMap<RawFd, FileIdentity>, GateRefusal> {
    let mut inherited = BTreeMap::new();
    let entries = read(process.join("fd"), |path| fs::read_dir(path))?;
    for entry in entries {
        let entry = entry.map_err(|source| unreadable("the child's descriptors", source))?;
        let name = entry.file_name();
        let number: RawFd =
            read(entry.path(), |_path| parsed(name.to_str().and_then(|name| name.parse().ok())))?;
        let info = process.join("fdinfo").join(&name);
        let flags = read(info, |path| parsed(descriptor_flags(&fs::read_to_string(path)?)))?;
        if flags & libc::O_CLOEXEC.unsigned_abs() == 0 {
            let file = read(entry.path(), |path| fs::metadata(path))?;
            inherited.insert(number, FileIdentity::of(&file));
        }
    }
    Ok(inherited)
}

fn descriptor_flags(fdinfo: &str) -> Option<u32> {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(flags.trim(), 8).ok()
}

fn read<T>(
    path: impl AsRef<Path>,
    how: impl FnOnce(&Path) -> io::Result<T>,
) -> Result<T, GateRefusal> {
    how(path.as_ref()).map_err(|source| unreadable(&path.as_ref().display().to_string(), source))
}

fn parsed<T>(value: Option<T>) -> io::Result<T> {
    value.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not as documented"))
}

fn unreadable(what: &str, source: io::Error) -> GateRefusal {
    GateRefusal::Unreadable { what: what.to_owned(), source }
}
