//! The mount calls: by descriptor, so that no path is looked up twice.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{checked, owned};

// From <linux/mount.h>; libc does not have them.
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = 0o2_000_000;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;
const MOUNT_ATTR_RDONLY: u64 = 1;

/// `struct mount_attr` of `mount_setattr(2)`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Gives the caller a mount namespace of its own, in which nothing appears that is mounted
/// outside later.
pub(in super::super) fn enter_private_namespace() -> io::Result<()> {
    // SAFETY: touches no memory.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let nothing = std::ptr::null();
    let flags = libc::MS_PRIVATE | libc::MS_REC;
    // SAFETY: the target is a C string literal; a change of propagation reads nothing else.
    checked(unsafe { libc::mount(nothing, c"/".as_ptr(), nothing, flags, nothing.cast()) })
        .map(drop)
}

/// A handle on the file at `path` itself that can read nothing; a last symlink is not followed.
pub(in super::super) fn locate(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: `path` is a C string that outlives the call.
    checked(unsafe { libc::open(path.as_ptr(), flags) }).map(owned)
}

/// A detached copy of the mount at `place`, starting there, without the mounts below it.
pub(in super::super) fn clone_tree(place: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH.unsigned_abs();
    // SAFETY: the path is a C string literal.
    let tree =
        unsafe { libc::syscall(libc::SYS_open_tree, place.as_raw_fd(), c"".as_ptr(), flags) };
    let number = i32::try_from(checked(tree)?).map_err(io::Error::other)?;
    Ok(owned(number))
}

/// Makes one mount read-only, whoever owns it elsewhere.
pub(in super::super) fn make_read_only(mount: BorrowedFd<'_>) -> io::Result<()> {
    let attributes =
        MountAttributes { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, user_namespace: 0 };
    let empty: &CStr = c"";
    // SAFETY: the path is a C string, `attributes` has the layout and size the call is told.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            empty.as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    checked(outcome).map(drop)
}

/// Mounts a detached tree over `place`.
pub(in super::super) fn cover(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both paths are C string literals.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            place.as_raw_fd(),
            c"".as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH,
        )
    };
    checked(outcome).map(drop)
}
