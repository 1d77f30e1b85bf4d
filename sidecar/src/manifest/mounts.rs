//! Which file a path means, by the numbers the kernel knows it by.
//!
//! The device comes from `/proc/self/mountinfo` and not from `stat`, because on btrfs and overlayfs
//! `st_dev` is not the `s_dev` of the superblock, and `s_dev` is what the kernel side compares. On
//! btrfs, files of two subvolumes may share both numbers: a protected file may then protect another.

use std::{
    collections::BTreeMap,
    fs, io,
    os::{fd::AsFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use picket_engine::FileId;
use rustix::fs::{AtFlags, CWD, FileType, Statx, StatxFlags};

/// What identity takes.
const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::MNT_ID);

/// The superblock's device of every mount this process sees, by mount id.
#[derive(Debug)]
pub(crate) struct Mounts(BTreeMap<u64, u64>);

impl Mounts {
    pub(crate) fn read() -> io::Result<Self> {
        fs::read("/proc/self/mountinfo").map(|text| Self::parse(&text))
    }

    /// `36 35 98:0 /root /where …`: id, parent, major:minor. A line that reads otherwise is none.
    pub(super) fn parse(mountinfo: &[u8]) -> Self {
        let line = |line: &[u8]| {
            let mut fields = line.split(|&byte| byte == b' ');
            let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
            let (major, minor) = std::str::from_utf8(fields.nth(1)?).ok()?.split_once(':')?;
            let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
            Some((id, device(major, minor)))
        };
        Self(mountinfo.split(|&byte| byte == b'\n').filter_map(line).collect())
    }

    /// The device of the superblock that is mounted under this id.
    pub(super) fn device(&self, mount: u64) -> Option<u64> {
        self.0.get(&mount).copied()
    }

    /// The identity of the file that `path` means, all links followed.
    pub(crate) fn identify(&self, path: &Path) -> io::Result<Identity> {
        self.known(rustix::fs::statx(CWD, path, AtFlags::empty(), WANTED)?)
    }

    /// The identity of a file that is open.
    pub(super) fn identify_open(&self, file: impl AsFd) -> io::Result<Identity> {
        self.known(rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, WANTED)?)
    }

    fn known(&self, stat: Statx) -> io::Result<Identity> {
        let device = self.device(stat.stx_mnt_id).ok_or_else(|| {
            let id = stat.stx_mnt_id;
            io::Error::other(format!("mount {id} is not in the process's mountinfo"))
        })?;
        let kind = FileType::from_raw_mode(u32::from(stat.stx_mode));
        Ok(Identity {
            file: FileId { device, inode: stat.stx_ino },
            directory: kind == FileType::Directory,
        })
    }
}

/// What `Mounts::identify` found out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) file: FileId,
    pub(crate) directory: bool,
}

/// The kernel's own `dev_t`: twelve bits of major above twenty of minor.
fn device(major: u32, minor: u32) -> u64 {
    u64::from(major) << 20 | u64::from(minor)
}

/// Entries of a directory; none if it is not there.
pub(super) fn listing(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths: Vec<_> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    paths.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(paths)
}
