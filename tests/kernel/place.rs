//! A directory for one test, and what the kernel says about an open file by other means than our probes.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use picket_engine::{AccessSet, FileId};
use tempfile::TempDir;

use super::seen::{Opened, at};

/// A directory that nobody else uses, gone at the end of the test.
pub(crate) struct Place {
    path: PathBuf,
    _directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { path: fs::canonicalize(directory.path()).unwrap(), _directory: directory }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// A new file with a little content.
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, "content\n").unwrap();
        path
    }

    /// A new directory.
    pub(crate) fn directory(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir(&path).unwrap();
        path
    }
}

/// Device as the kernel itself numbers it, and inode. `stat` may name another device (btrfs, overlayfs); the mount that
/// a descriptor was opened through does not.
pub(crate) fn identity(file: &File) -> FileId {
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap();
    let mount = about.lines().find_map(|line| line.strip_prefix("mnt_id:")).unwrap().trim();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let device = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        (fields.next()? == mount).then(|| fields.nth(1))?
    });
    // What is not mounted anywhere (a memfd) has its device from `stat` alone.
    let device = device.map_or_else(
        || {
            encoded(
                libc::major(file.metadata().unwrap().dev()),
                libc::minor(file.metadata().unwrap().dev()),
            )
        },
        |device| {
            let (major, minor) = device.split_once(':').unwrap();
            encoded(major.parse().unwrap(), minor.parse().unwrap())
        },
    );
    FileId { device, inode: file.metadata().unwrap().ino() }
}

fn encoded(major: u32, minor: u32) -> u64 {
    u64::from(major) << 20 | u64::from(minor)
}

/// What must be reported of a file that is opened by this name.
pub(crate) fn opened(path: &Path, access: AccessSet) -> Opened {
    // Opened by the test itself, which nobody watches.
    let file = File::open(path).unwrap();
    let links = u32::try_from(file.metadata().unwrap().nlink()).unwrap();
    Opened { path: at(path), file: identity(&file), links, access }
}
