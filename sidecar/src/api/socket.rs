//! The socket as a file: who can reach it, what becomes of one that a dead daemon left, and its end.
//!
//! It is bound in a directory of its own that nobody else can enter, gets its mode and group there, and is then renamed
//! into place. So the name that people know never leads to a socket with other permissions, not even for a moment, and
//! the process-wide umask, which other threads depend on, is left alone. The rename also replaces a stale socket
//! without a gap.
//!
//! Two daemons are told apart by a lock that each holds for as long as it lives, on a file of root's beside the socket:
//! not on the directory, which members of the group may open, and so lock. The file stays; to remove a lock is a race.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{
        DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::geteuid,
};
use tokio::net::{UnixListener, UnixStream};

use super::{ApiError, Socket};

/// Owner and group may talk to it.
const SOCKET_MODE: u32 = 0o660;
/// The group may look for the socket.
const DIRECTORY_MODE: u32 = 0o750;
/// Nobody else may open the lock.
const LOCK_MODE: u32 = 0o600;
/// Whoever may write where others live, without the sticky bit, may rename their files.
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;
/// A daemon that does not take a connection for this long is there all the same.
const ANSWER: Duration = Duration::from_secs(2);

/// The bound socket's file. Dropping it removes the file, if it is still ours.
#[derive(Debug)]
pub(super) struct Bound {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    /// Nobody takes the name over while this is held.
    _lock: File,
}

impl Bound {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let removed = match fs::symlink_metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == self.identity => fs::remove_file(&self.path),
            _ => Ok(()),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, socket = %self.path.display(), "the API's socket stays behind");
        }
    }
}

/// Binds the socket. Must run inside a Tokio runtime.
///
/// # Errors
/// Another daemon answers there, the place is not safe, or the system refuses.
pub(super) async fn bind(settings: &Socket) -> Result<(UnixListener, Bound), ApiError> {
    let path = std::path::absolute(&settings.path).unwrap_or_else(|_| settings.path.clone());
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ApiError::Nameless { path });
    };
    let failed = |step| {
        let path = path.clone();
        move |source| ApiError::System { path, step, source }
    };
    make_directory(directory, settings.group).map_err(failed("making its directory"))?;
    if is_exposed(directory).map_err(failed("looking at its directory"))? {
        return Err(ApiError::Exposed { directory: directory.to_owned() });
    }
    let lock = lock_file(directory, name).map_err(failed("opening its lock"))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(ApiError::Live { path }),
        Err(error) => return Err(failed("locking")(error.into())),
    }
    look_at_former(&path).await?;

    let nursery = Nursery::make(directory, name).map_err(failed("making a private directory"))?;
    let listener = UnixListener::bind(nursery.socket()).map_err(failed("binding a socket"))?;
    if let Some(group) = settings.group {
        chown(nursery.socket(), None, Some(group)).map_err(failed("giving it to its group"))?;
    }
    fs::set_permissions(nursery.socket(), Permissions::from_mode(SOCKET_MODE))
        .map_err(failed("setting its mode"))?;
    let made = fs::symlink_metadata(nursery.socket()).map_err(failed("looking at it"))?;
    fs::rename(nursery.socket(), &path).map_err(failed("moving it into place"))?;
    let identity = (made.dev(), made.ino());
    Ok((listener, Bound { path, identity, _lock: lock }))
}

/// Makes the last directory of the path; what is above it is not ours to make.
fn make_directory(directory: &Path, group: Option<u32>) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Ok(()) => {
            if let Some(group) = group {
                chown(directory, None, Some(group))?;
            }
            // The umask may have taken more away than was meant.
            fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The file beside the socket whose lock says that a daemon lives.
fn lock_file(directory: &Path, name: &OsStr) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).mode(LOCK_MODE).custom_flags(libc::O_NOFOLLOW);
    options.open(directory.join(hidden(name, "lock")))
}

/// A name of ours beside the socket's.
fn hidden(name: &OsStr, suffix: &str) -> OsString {
    let mut own = OsString::from(".");
    own.push(name);
    own.push(".");
    own.push(suffix);
    own
}

fn is_exposed(directory: &Path) -> io::Result<bool> {
    let found = fs::metadata(directory)?;
    let trusted = found.uid() == 0 || found.uid() == geteuid().as_raw();
    let shared = found.mode() & WRITABLE_BY_OTHERS != 0 && found.mode() & STICKY == 0;
    Ok(!trusted || shared)
}

/// Fails when a living daemon, or something that is no socket, has the name.
async fn look_at_former(path: &Path) -> Result<(), ApiError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => return Err(ApiError::Occupied { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            let step = "looking for a former socket";
            return Err(ApiError::System { path: path.to_owned(), step, source });
        }
    }
    match tokio::time::timeout(ANSWER, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // Gone between the look and the call.
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full queue of connections is a sign of life too.
        Ok(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Err(ApiError::System {
            path: path.to_owned(),
            step: "asking the daemon that may be there",
            source: error,
        }),
        Ok(_) | Err(_) => Err(ApiError::Live { path: path.to_owned() }),
    }
}

/// A directory that only we can enter, next to the socket's place. Dropping it removes it.
struct Nursery {
    directory: PathBuf,
}

impl Nursery {
    fn make(beside: &Path, name: &OsStr) -> io::Result<Self> {
        let directory = beside.join(hidden(name, &std::process::id().to_string()));
        // What a former process of this id left is empty, or holds a socket nobody listens on.
        drop(fs::remove_file(directory.join("s")));
        drop(fs::remove_dir(&directory));
        DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(Self { directory })
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("s")
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        drop(fs::remove_file(self.socket()));
        // Empty now; if it is not, the next start removes it.
        drop(fs::remove_dir(&self.directory));
    }
}
