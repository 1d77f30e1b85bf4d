//! Where symbolic links are read: in Picket's own files, or in a container's as they were when it started.
//!
//! A path in a manifest that is bound to a container means the container's files. Its image makes the links there, and
//! once it runs so does the container: therefore links are read once, at its first exec, and remembered; what was no
//! link then is none later.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs, io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags};

use super::mounts::{Identity, Mounts};

/// Links remembered of one container; a manifest leads through some dozens.
const KEPT: usize = 4_096;
/// Entries of a directory that are looked at, so that nobody can make the look last.
const ENTRIES: usize = 1_024;

/// Links of a container, as they were.
#[derive(Clone, Debug)]
pub(super) struct Links(pub(super) BTreeMap<PathBuf, PathBuf>);

impl Links {
    /// What the link leads to; an error if it was none.
    pub(super) fn read(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
    }
}

/// The root of a container, held so that it stays the same whatever becomes of the process it was found by.
#[derive(Debug)]
pub struct ContainerRoot {
    directory: OwnedFd,
    mounts: Mounts,
}

impl ContainerRoot {
    /// The root of this process.
    ///
    /// # Errors
    /// It is gone, or may not be looked at.
    pub fn of(process: u32) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::openat(CWD, format!("/proc/{process}/root"), flags, Mode::empty())?;
        let mounts = Mounts::parse(&fs::read(format!("/proc/{process}/mountinfo"))?);
        Ok(Self { directory, mounts })
    }

    /// Reads a link, and remembers it.
    pub(super) fn read(
        &self,
        path: &Path,
        known: &mut BTreeMap<PathBuf, PathBuf>,
    ) -> io::Result<PathBuf> {
        if let Some(target) = known.get(path) {
            return Ok(target.clone());
        }
        let link = self.open(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        let target = rustix::fs::readlinkat(&link, "", Vec::new())?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if known.len() < KEPT {
            known.insert(path.to_owned(), target.clone());
        }
        Ok(target)
    }

    /// The identity of the file that `path` means in there, all links followed in there.
    pub(super) fn identify(&self, path: &Path) -> io::Result<Identity> {
        self.mounts.identify_open(&self.open(path, OFlags::PATH)?)
    }

    /// Names in a directory.
    pub(super) fn names(&self, path: &Path) -> io::Result<BTreeSet<OsString>> {
        let directory = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = BTreeSet::new();
        for entry in Dir::read_from(directory)?.take(ENTRIES) {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if name != OsStr::new(".") && name != OsStr::new("..") {
                names.insert(name);
            }
        }
        Ok(names)
    }

    /// The kernel keeps the way in the root, whatever links are put into it meanwhile.
    fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        Ok(rustix::fs::openat2(&self.directory, path, flags, Mode::empty(), resolve)?)
    }
}
