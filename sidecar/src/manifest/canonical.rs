//! Where a path leads, as the kernel will report it.
//!
//! Unlike `fs::canonicalize`, a path is followed as far as it exists, because a grant may name what
//! the plugin will create; and what is another place for every process is refused, because this
//! process would follow it to its own.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Component, Path, PathBuf},
};

/// As many symbolic links as the kernel follows before it says ELOOP.
const MAX_LINKS: u32 = 40;

/// Why a path has no canonical form.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    #[error("{} is another file for every process", path.display())]
    PerProcess { path: PathBuf },
    #[error("more than {MAX_LINKS} symbolic links lead to each other")]
    Loop,
    #[error("{}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
}

/// What a symbolic link leads to; EINVAL if it is none, as the kernel says it.
pub(super) type Reader<'a> = &'a dyn Fn(&Path) -> io::Result<PathBuf>;

/// Follows every symbolic link in `path` as far as it exists; the rest stays as written.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, FollowError> {
    canonical_by(path, &|link| fs::read_link(link))
}

/// As [`canonical`], with another way to read links.
pub(super) fn canonical_by(path: &Path, read: Reader<'_>) -> Result<PathBuf, FollowError> {
    let mut done = PathBuf::from("/");
    let mut ahead: VecDeque<OsString> = names(path).collect();
    let mut n_links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            done.pop();
            continue;
        }
        let next = done.join(&name);
        match read(&next) {
            Ok(target) => {
                if next == Path::new("/proc/self") || next == Path::new("/proc/thread-self") {
                    return Err(FollowError::PerProcess { path: next });
                }
                n_links += 1;
                if n_links > MAX_LINKS {
                    return Err(FollowError::Loop);
                }
                if target.is_absolute() {
                    done = PathBuf::from("/");
                }
                for name in names(&target).rev() {
                    ahead.push_front(name);
                }
            }
            // Not a link, not there, or not a directory: the name stands for itself.
            Err(cause) => match cause.raw_os_error() {
                Some(libc::EINVAL | libc::ENOENT | libc::ENOTDIR) => done = next,
                _ => return Err(FollowError::Io { path: next, cause }),
            },
        }
    }
    Ok(done)
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}
