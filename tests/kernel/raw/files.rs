//! Opening, mounting and hiding files.
#![expect(unsafe_code, reason = "system calls without a safe wrapper in std")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{c_string, call, checked, descriptor};

pub(crate) fn open(path: impl AsRef<Path>, flags: libc::c_int) -> io::Result<OwnedFd> {
    open_at(libc::AT_FDCWD, path, flags)
}

pub(crate) fn open_at(
    directory: RawFd,
    path: impl AsRef<Path>,
    flags: libc::c_int,
) -> io::Result<OwnedFd> {
    let path = c_string(path);
    // SAFETY: a C string and numbers.
    descriptor(unsafe { libc::syscall(libc::SYS_openat, directory, path.as_ptr(), flags, 0o600) })
}

/// `open(2)` itself, which the C library does not use any more.
pub(crate) fn old_open(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let path = c_string(path);
    // SAFETY: a C string and numbers.
    descriptor(unsafe { libc::syscall(libc::SYS_open, path.as_ptr(), libc::O_RDONLY, 0) })
}

pub(crate) fn create(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let path = c_string(path);
    // SAFETY: a C string and a number.
    descriptor(unsafe { libc::syscall(libc::SYS_creat, path.as_ptr(), 0o600) })
}

pub(crate) fn openat2(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let path = c_string(path);
    // SAFETY: all zeroes is a valid `open_how`: read only.
    let how: libc::open_how = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::open_how>();
    // SAFETY: a C string, a structure and its size.
    descriptor(unsafe {
        libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &raw const how, size)
    })
}

pub(crate) fn open_by_handle(path: &Path) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        data: [u8; 128],
    }
    let mut handle = Handle { bytes: 128, kind: 0, data: [0; 128] };
    let mut mount = 0;
    let text = c_string(path);
    // SAFETY: a C string, a handle with the room it says it has, a place for a number.
    checked(unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            text.as_ptr(),
            &raw mut handle,
            &raw mut mount,
            0,
        )
    })?;
    let beside = open(path.parent().unwrap(), libc::O_RDONLY | libc::O_DIRECTORY)?;
    // SAFETY: the handle that the kernel has just filled in.
    descriptor(unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            beside.as_raw_fd(),
            &raw const handle,
            libc::O_RDONLY,
        )
    })
}

pub(crate) fn memfd() -> io::Result<OwnedFd> {
    // SAFETY: a C string and a number.
    descriptor(unsafe { libc::syscall(libc::SYS_memfd_create, c"hidden".as_ptr(), 0) })
}

/// Makes this process's mounts its own, so that what it mounts is seen by nobody else.
pub(crate) fn own_mounts() -> io::Result<()> {
    call(libc::SYS_unshare, u64::from(libc::CLONE_NEWNS.cast_unsigned()), 0)?;
    mount(None, "/", libc::MS_REC | libc::MS_PRIVATE)
}

pub(crate) fn bind_mount(what: &Path, to: &Path) -> io::Result<()> {
    mount(Some(what), to, libc::MS_BIND)
}

/// Mounts a new file system of this kind.
pub(crate) fn mount_new(kind: &CStr, to: &Path) -> io::Result<()> {
    let to = c_string(to);
    let kind = kind.as_ptr();
    // SAFETY: C strings; there are no options.
    let result = unsafe { libc::mount(kind, to.as_ptr(), kind, 0, std::ptr::null()) };
    checked(result.into()).map(drop)
}

fn mount(what: Option<&Path>, to: impl AsRef<Path>, flags: libc::c_ulong) -> io::Result<()> {
    let (what, to) = (what.map(c_string), c_string(to));
    let what = what.as_ref().map_or(std::ptr::null(), |what| what.as_ptr());
    let nothing = std::ptr::null();
    // SAFETY: C strings or null.
    let result = unsafe { libc::mount(what, to.as_ptr(), nothing, flags, nothing.cast()) };
    checked(result.into()).map(drop)
}

/// A copy of the mount at `path` that is attached nowhere.
pub(crate) fn detached_clone(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    const OPEN_TREE_CLONE: libc::c_uint = 1;
    let path = c_string(path);
    // SAFETY: a C string and numbers.
    descriptor(unsafe {
        libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), OPEN_TREE_CLONE)
    })
}

/// A path that one thread opens while another rewrites its end.
pub(crate) struct SharedPath {
    bytes: Vec<AtomicU8>,
}

impl SharedPath {
    pub(crate) fn new(path: &Path) -> Self {
        let text = c_string(path).into_bytes_with_nul();
        Self { bytes: text.into_iter().map(AtomicU8::new).collect() }
    }

    /// Rewrites the last letters.
    pub(crate) fn end_with(&self, end: &[u8]) {
        let place = self.bytes.len() - 1 - end.len();
        for (byte, letter) in self.bytes[place..].iter().zip(end) {
            byte.store(*letter, Ordering::Relaxed);
        }
    }

    /// Its last letters now.
    pub(crate) fn ends_with(&self, end: &[u8]) -> bool {
        let place = self.bytes.len() - 1 - end.len();
        let mut letters = self.bytes[place..].iter().map(|byte| byte.load(Ordering::Relaxed));
        end.iter().all(|letter| letters.next() == Some(*letter))
    }

    /// Opens whatever it says at the moment the kernel looks.
    pub(crate) fn open(&self) -> io::Result<OwnedFd> {
        let text: *const AtomicU8 = self.bytes.as_ptr();
        // SAFETY: the kernel copies a text that ends with a NUL nobody changes.
        descriptor(unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, text, 0, 0) })
    }
}
