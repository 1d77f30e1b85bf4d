//! Puts the calling thread, and what it will create, behind a wall of Landlock's, for good.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Errno, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno as Unseen;

use super::super::sys;
use super::wall::Ways;

/// The last of Landlock's interfaces whose rights are used. Those after it are about devices' ioctls, which what may be
/// opened may have; and about ports, signals and abstract sockets, whose refusals would hide them from the hooks.
const LAST: u32 = 3;
/// The first: files can be moved between directories.
const FIRST: u32 = 2;

/// Which of its interfaces is used, if the kernel's is one that can be.
pub(in super::super) fn interface(kernel: Option<u32>) -> Option<u32> {
    kernel.filter(|version| FIRST <= *version).map(|version| version.min(LAST))
}

/// Restricts this thread to `rules`, and to opening again what it was given. Privileges must be refused already.
pub(in super::super) fn restrict<'a>(
    interface: u32,
    rules: impl Iterator<Item = (&'a Path, Ways)>,
    given: &[RawFd],
) -> io::Result<()> {
    let abi = if interface < LAST { ABI::V2 } else { ABI::V3 };
    let handled = AccessFs::from_all(abi);
    let mut wall = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(handled)
        .and_then(Ruleset::create)
        .map_err(kernel_said)?;
    for (place, ways) in rules {
        let file = match rustix::fs::open(place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            // With the plugin's own rights, in its own mount namespace: what is not to be seen now it does not see either.
            Err(Unseen::NOENT | Unseen::NOTDIR | Unseen::ACCESS) => continue,
            outcome => outcome?,
        };
        let is_directory = sort(file.as_fd())? == FileType::Directory;
        let rights = rights(ways, is_directory) & handled;
        if !rights.is_empty() {
            wall = wall.add_rule(PathBeneath::new(&file, rights)).map_err(kernel_said)?;
        }
    }
    for number in given {
        let file = sys::duplicate(*number, 0)?;
        // As `inherited` has it: not regular files.
        if !matches!(sort(file.as_fd())?, FileType::CharacterDevice | FileType::Fifo) {
            continue;
        }
        let rights = rights(Ways::READ.and(Ways::WRITE), false) & handled;
        // The same wall by another descriptor: what fails takes the one it was given with it.
        match wall.try_clone()?.add_rule(PathBeneath::new(&file, rights)).map_err(kernel_said) {
            // Pipes and the like have no place in the file system, and are never refused.
            Err(error) if error.raw_os_error() == Some(libc::EBADFD) => {}
            outcome => drop(outcome?),
        }
    }
    let status = wall.restrict_self().map_err(kernel_said)?;
    if status.ruleset == RulesetStatus::FullyEnforced && status.no_new_privs {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
    }
}

fn sort(file: BorrowedFd<'_>) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode))
}

fn rights(ways: Ways, is_directory: bool) -> BitFlags<AccessFs> {
    let write = if is_directory {
        AccessFs::from_write(ABI::V3)
    } else {
        AccessFs::WriteFile | AccessFs::Truncate
    };
    let list = if is_directory { AccessFs::ReadDir.into() } else { BitFlags::EMPTY };
    let pairs = [
        (Ways::READ, AccessFs::ReadFile.into()),
        (Ways::LIST, list),
        (Ways::EXECUTE, AccessFs::Execute.into()),
        (Ways::WRITE, write),
    ];
    let given = pairs.into_iter().filter(|(one, _)| ways.contains(*one));
    given.fold(BitFlags::EMPTY, |rights, (_, more)| rights | more)
}

fn kernel_said(error: RulesetError) -> io::Error {
    io::Error::from_raw_os_error(*Errno::from(error))
}
