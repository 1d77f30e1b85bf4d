//! A cgroup that somebody else made and will remove: looked at and contained, never owned.
//!
//! Everything is reached through one descriptor of its directory, so that a cgroup of the same name made in its place
//! is never taken for it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::controls::{Containment, Controls};
use super::legacy::Hierarchies;
use super::meter::Meter;

/// Levels of cgroups below one that are looked at. The kernel's own default limit is unbounded; container managers
/// nest three or four.
const DEPTH: usize = 32;

/// An open cgroup of somebody else's.
#[derive(Debug)]
pub struct ForeignCgroup {
    directory: File,
    id: u64,
    controls: Arc<Controls>,
}

impl ForeignCgroup {
    /// Opens its directory and the files by which it can be frozen and killed.
    ///
    /// # Errors
    /// It is gone, is the root of the tree (which can be neither), or may not be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let directory = File::open(path)?;
        let id = directory.metadata()?.ino();
        let controls = Arc::new(Controls::open(&by_descriptor(&directory))?);
        Ok(Self { directory, id, controls })
    }

    /// The kernel's id of it, which no other cgroup gets while the host is up.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What a judge may do to it.
    #[must_use]
    pub fn containment(&self) -> Containment {
        // No guard of Picket's stands beside somebody else's sandbox.
        Containment::new(Arc::clone(&self.controls), None)
    }

    /// What counts what is used in it: also in hierarchies of their own, where its processes share a cgroup with nobody.
    #[must_use]
    pub fn meter(&self) -> Meter {
        let legacy = Hierarchies::find().map(|hierarchies| {
            let processes = || self.processes().unwrap_or_default();
            (!hierarchies.are_none()).then(|| hierarchies.of_all(&processes()))
        });
        let legacy = legacy.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cgroup v1 hierarchies cannot be read");
            None
        });
        Meter::open(&by_descriptor(&self.directory), legacy.as_ref())
    }

    /// Ids of the cgroups below it.
    #[must_use]
    pub fn descendants(&self) -> BTreeSet<u64> {
        let mut ids = BTreeSet::new();
        each_below(&by_descriptor(&self.directory), DEPTH, &mut |path| {
            ids.extend(fs::metadata(path).map(|metadata| metadata.ino()));
        });
        ids
    }

    /// Processes in it and below it, by tgid, zombies left out by the kernel.
    ///
    /// # Errors
    /// It is gone.
    pub fn processes(&self) -> io::Result<BTreeSet<u32>> {
        let top = by_descriptor(&self.directory);
        let mut processes = members(&top)?;
        // A threaded cgroup refuses; its processes are those of its domain. One that is gone has none.
        each_below(&top, DEPTH, &mut |path| {
            processes.extend(members(path).into_iter().flatten());
        });
        Ok(processes)
    }
}

impl AsFd for ForeignCgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// Whether a process sees another tree of files than this one, as those of a container do. `None` when it is gone.
#[must_use]
pub fn has_other_root(process: u32) -> Option<bool> {
    let identity = |path: &str| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let own = identity("/proc/self/root/")?;
    Some(identity(&format!("/proc/{process}/root/"))? != own)
}

fn by_descriptor(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

fn members(cgroup: &Path) -> io::Result<BTreeSet<u32>> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs"))?;
    // 0 is a process of another process namespace, which Picket cannot name.
    Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|&tgid| tgid != 0).collect())
}

/// What disappears meanwhile is passed over.
fn each_below(path: &Path, depth: usize, see: &mut impl FnMut(&Path)) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            see(&path);
            each_below(&path, depth, see);
        }
    }
}
