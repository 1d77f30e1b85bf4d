//! Where on this host sandboxes can live.
//!
//! The cgroup2 file system is at `/sys/fs/cgroup` on a unified host, at `/sys/fs/cgroup/unified`
//! on most hybrid ones, and wherever somebody put it on the rest, so its place is read from
//! `mountinfo` and never assumed.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use super::mounts::{self, Mount};

/// Directory below the cgroup2 mount that holds every sandbox of every Picket on the host.
pub const HOME: &str = "picket";

/// Controllers that count what sandboxes use. Not the CPU's: a group is scheduled as one against its neighbours, and CPU
/// time is counted without it.
const COUNTED: [&str; 3] = ["memory", "io", "pids"];

/// Cgroups in which a process is looked for before it counts as being in none.
const LOOKED_AT: usize = 65_536;

/// Why no sandbox can live on this host.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// `/proc/self/mountinfo` cannot be read.
    #[error("reading /proc/self/mountinfo: {source}; is /proc mounted?")]
    NoMountInfo {
        /// What the kernel said.
        source: io::Error,
    },
    /// No cgroup2 file system is mounted.
    #[error(
        "no cgroup2 file system is mounted; mount one: \
         mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
    )]
    NoCgroup2,
    /// Every cgroup2 mount is read-only.
    #[error(
        "the cgroup2 file system at {path} is mounted read-only; Picket needs it writable: \
         in a container, mount the host's cgroup2 file system read-write"
    )]
    ReadOnly {
        /// Where it is mounted.
        path: PathBuf,
    },
    /// The directory for sandboxes cannot be made.
    #[error("making the cgroup {path}: {source}; Picket needs root and a writable cgroup2 mount")]
    NoHome {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel is older than Picket supports.
    #[error("the cgroup {path} has no {file}; Picket needs Linux 5.14 or later")]
    TooOld {
        /// The directory.
        path: PathBuf,
        /// The control file that is missing.
        file: &'static str,
    },
}

/// The part of the cgroup tree in which sandboxes are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupRoot {
    mount: PathBuf,
    /// The mounted directory as `/proc/<pid>/cgroup` would name it.
    origin: PathBuf,
    /// Where the directory of sandboxes is: from the mount on, and as `/proc/<pid>/cgroup` would name it.
    home: (PathBuf, PathBuf),
}

impl CgroupRoot {
    /// Finds a writable cgroup2 mount. Changes nothing.
    pub fn find() -> Result<Self, CgroupError> {
        let text = fs::read("/proc/self/mountinfo")
            .map_err(|source| CgroupError::NoMountInfo { source })?;
        let mut root = Self::in_mountinfo(&text)?;
        // With `nsdelegate`, which systemd mounts with, the kernel lets nobody move processes out of his cgroup
        // namespace: in one of its own, Picket's sandboxes are below its own cgroup.
        if depth(&root.origin) < 0
            && let Ok(Some(own)) = root.own()
        {
            let within = own_in_proc().unwrap_or_default().unwrap_or_else(|| "/".to_owned());
            root.home = (own.join(HOME), Path::new(&within).join(HOME));
        }
        Ok(root)
    }

    /// As [`CgroupRoot::find`], in the text of a `mountinfo` file.
    pub fn in_mountinfo(text: &[u8]) -> Result<Self, CgroupError> {
        Self::choose(&mounts::parse(text))
    }

    fn choose(mounts: &[Mount]) -> Result<Self, CgroupError> {
        let mut candidates: Vec<&Mount> = mounts::reachable(mounts, Mount::is_cgroup2).collect();
        // The widest view first: writable before read-only, then the root before a subtree.
        candidates.sort_by_key(|mount| (mount.read_only, depth(&mount.root)));
        match candidates.first() {
            None => Err(CgroupError::NoCgroup2),
            Some(mount) if mount.read_only => {
                Err(CgroupError::ReadOnly { path: mount.point.clone() })
            }
            Some(mount) => Ok(Self {
                mount: mount.point.clone(),
                origin: mount.root.clone(),
                home: (Path::new("/").join(HOME), mount.root.join(HOME)),
            }),
        }
    }

    /// Where the cgroup2 file system is mounted.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// The directory that holds the sandboxes. It exists while there is one.
    pub fn home(&self) -> PathBuf {
        self.mount.join(self.home.0.strip_prefix("/").unwrap_or(&self.home.0))
    }

    /// The cgroup that this process is in, from the mount on; `None` when it is outside of what is mounted.
    pub fn own(&self) -> io::Result<Option<PathBuf>> {
        let own = own_in_proc()?;
        match own.as_ref().and_then(|own| Path::new(own).strip_prefix(&self.origin).ok()) {
            Some(below) => Ok(Some(Path::new("/").join(below))),
            // In a cgroup namespace of its own both names begin where the namespace does, and what is mounted may
            // begin above that. The files are the same from everywhere.
            None => Ok(self.holding(std::process::id())),
        }
    }

    /// A cgroup that is no sandbox, to move a process to: this process's own. Not [`CgroupRoot::home`], in which no process
    /// may be once the controllers count below it; that is what is left where this process's own is not mounted.
    pub fn outside(&self) -> PathBuf {
        match self.own() {
            Ok(Some(own)) => self.mount.join(own.strip_prefix("/").unwrap_or(&own)),
            _ => self.home(),
        }
    }

    /// The cgroup whose list of processes has this one.
    fn holding(&self, process: u32) -> Option<PathBuf> {
        let mut left = LOOKED_AT;
        let found = below(&self.mount, &process.to_string(), &mut left)?;
        Some(Path::new("/").join(found.strip_prefix(&self.mount).ok()?))
    }

    /// How `/proc/<pid>/cgroup` names the sandbox of this name.
    pub(super) fn name_in_proc(&self, sandbox: &str) -> PathBuf {
        self.home.1.join(sandbox)
    }

    /// Makes the directory for sandboxes, unless it is there. It goes with the last sandbox.
    pub(super) fn make_home(&self) -> Result<(), CgroupError> {
        let path = self.home();
        // Nobody else may lock a sandbox's directory and so pass for its owner.
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(CgroupError::NoHome { path, source })
            }
            _ => {
                path.parent().into_iter().chain([path.as_path()]).for_each(count_below);
                Ok(())
            }
        }
    }
}

/// Has the kernel count in what is made in this directory, as far as that is to be had: where a controller is not, or
/// processes are in the directory, what it counts stays unknown.
fn count_below(directory: &Path) {
    let words = |file| fs::read_to_string(directory.join(file)).unwrap_or_default();
    // `pids` alone may be switched on beside processes, and then no process can enter what is below: the directory has
    // become the root of a threaded subtree (`cgroup_is_thread_root`). The tree's own root, which has no type, never does.
    if directory.join("cgroup.type").exists() && !words("cgroup.procs").is_empty() {
        tracing::debug!(directory = %directory.display(), "has processes: what sandboxes use is not counted here");
        return;
    }
    let (available, on) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
    let is_in = |words: &str, name: &str| words.split_whitespace().any(|word| word == name);
    for name in COUNTED.into_iter().filter(|name| is_in(&available, name) && !is_in(&on, name)) {
        let file = directory.join("cgroup.subtree_control");
        if let Err(error) = fs::write(&file, format!("+{name}")) {
            tracing::debug!(%error, file = %file.display(), "what {name} counts is not known of sandboxes");
        }
    }
}

/// As the kernel names this process's cgroup to itself.
fn own_in_proc() -> io::Result<Option<String>> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    Ok(text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned))
}

/// How far below the root of this process's cgroup namespace a mount begins; less than nothing above it.
fn depth(root: &Path) -> isize {
    root.components().fold(0, |depth, component| match component {
        Component::ParentDir => depth - 1,
        Component::Normal(_) => depth + 1,
        _ => depth,
    })
}

/// The directory at or below this one whose `cgroup.procs` has the line. What cannot be read has it not.
fn below(directory: &Path, line: &str, left: &mut usize) -> Option<PathBuf> {
    *left = left.checked_sub(1)?;
    let processes = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    if processes.lines().any(|process| process == line) {
        return Some(directory.to_owned());
    }
    let mut entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.find_map(|entry| {
        let is_cgroup = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_cgroup.then(|| below(&entry.path(), line, left))?
    })
}

/// Whether this kernel can freeze and kill a cgroup. Asked of a sandbox's own, because the root of
/// the tree has neither file.
pub(super) fn check_controls(cgroup: &Path) -> Result<(), CgroupError> {
    let missing =
        ["cgroup.freeze", "cgroup.kill"].into_iter().find(|file| !cgroup.join(file).exists());
    missing.map_or(Ok(()), |file| Err(CgroupError::TooOld { path: cgroup.to_owned(), file }))
}

#[cfg(test)]
mod tests;
