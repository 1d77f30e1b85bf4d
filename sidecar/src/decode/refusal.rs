//! A call on a name that the kernel refused: the text that the call was given, made a path.

use picket_abi::{NAME_MAX, Refusal, kind};
use picket_engine::{AccessSet, Fact, ObservedPath, Unresolved};

use super::{DecodeError, impossible, path};

const O_ACCMODE: u32 = 3;
const O_WRONLY: u32 = 1;
const O_CREAT: u32 = 0o100;
const O_TRUNC: u32 = 0o1000;
const O_TMPFILE: u32 = 0o20_000_000;

pub(super) fn refusal(record: &Refusal) -> Result<Fact, DecodeError> {
    let access = access_of(record.number, record.flags)
        .ok_or_else(|| impossible(kind::REFUSAL, "number", record.number.into()))?;
    let length = usize::try_from(record.name_len).unwrap_or(usize::MAX);
    let path = match record.name.get(..length) {
        // As long as there is room is longer, or was not to be read.
        _ if length == NAME_MAX => ObservedPath::Unresolved(Unresolved::TooLong),
        None => return Err(impossible(kind::REFUSAL, "name_len", record.name_len.into())),
        Some(name) => match path(&record.directory, &record.path.bytes, kind::REFUSAL)? {
            ObservedPath::Resolved(directory) => ObservedPath::Resolved(joined(&directory, name)),
            unresolved => unresolved,
        },
    };
    Ok(Fact::Refused { number: record.number, path, access })
}

/// What a call does with its names. Making one is writing, as the hooks that see it made have it.
fn access_of(number: u32, flags: u32) -> Option<AccessSet> {
    let number = i64::from(number);
    Some(match number {
        libc::SYS_open | libc::SYS_openat | libc::SYS_openat2 | libc::SYS_creat => {
            let by_mode = match flags & O_ACCMODE {
                0 => AccessSet::READ,
                O_WRONLY => AccessSet::WRITE,
                // Both, or neither: for ioctl(2) alone, and the kernel asks for both.
                _ => AccessSet::READ.union(AccessSet::WRITE),
            };
            let changes = flags & (O_CREAT | O_TRUNC | O_TMPFILE) != 0;
            if changes { by_mode.union(AccessSet::WRITE) } else { by_mode }
        }
        libc::SYS_execve | libc::SYS_execveat => AccessSet::EXECUTE,
        libc::SYS_truncate
        | libc::SYS_mkdir
        | libc::SYS_mkdirat
        | libc::SYS_rmdir
        | libc::SYS_unlink
        | libc::SYS_unlinkat
        | libc::SYS_mknod
        | libc::SYS_mknodat
        | libc::SYS_symlink
        | libc::SYS_symlinkat
        | libc::SYS_link
        | libc::SYS_linkat
        | libc::SYS_rename
        | libc::SYS_renameat
        | libc::SYS_renameat2 => AccessSet::WRITE,
        _ => return None,
    })
}

/// A name from a directory on, without `.`, `..` and doubled slashes. Links are not followed, so this is a text.
fn joined(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in directory.split(|byte| *byte == b'/').chain(name.split(|byte| *byte == b'/')) {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut path = Vec::new();
    for segment in &segments {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

#[cfg(test)]
mod tests;
