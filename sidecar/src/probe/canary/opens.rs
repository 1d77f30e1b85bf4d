//! The calls of the open family but `openat`, each on a device of its own by which its report is known.
#![expect(unsafe_code, reason = "calls that no safe wrapper makes by this very number")]

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

/// Hook and file, in the order of the bits of [`super::Told::opens`].
pub(super) const WAYS: [(&str, &CStr); 4] = [
    ("sys_exit_open", c"/dev/zero"),
    ("sys_exit_openat2", c"/dev/full"),
    ("sys_exit_creat", c"/dev/random"),
    ("sys_exit_open_by_handle_at", c"/dev/urandom"),
];

/// Longest handle that a file system gives.
const HANDLE: usize = 128;

/// The kernel's `struct file_handle`.
#[repr(C)]
struct Handle {
    length: u32,
    kind: i32,
    bytes: [u8; HANDLE],
}

/// The kernel's `struct open_how`.
#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens each file by its call. A bit is set for each that could: some need a privilege or a file system's help.
pub(super) fn all() -> u8 {
    let outcomes = WAYS.map(|(hook, file)| match hook {
        "sys_exit_open" => call(libc::SYS_open, [at(file), READ, 0, 0]),
        "sys_exit_openat2" => {
            let how = How { flags: libc::O_RDONLY as u64, mode: 0, resolve: 0 };
            let size = libc::c_long::try_from(size_of::<How>()).unwrap_or(0);
            call(libc::SYS_openat2, [HERE, at(file), &raw const how as libc::c_long, size])
        }
        // A device is not cut to length 0.
        "sys_exit_creat" => call(libc::SYS_creat, [at(file), 0o600, 0, 0]),
        _ => by_handle(file),
    });
    let bits = outcomes.iter().zip(0..).map(|(outcome, bit)| u8::from(outcome.is_ok()) << bit);
    bits.fold(0, |all, bit| all | bit)
}

const HERE: libc::c_long = libc::AT_FDCWD as libc::c_long;
const READ: libc::c_long = libc::O_RDONLY as libc::c_long;

fn by_handle(file: &CStr) -> io::Result<OwnedFd> {
    let mut handle = Handle { length: 128, kind: 0, bytes: [0; HANDLE] };
    let mut mount: libc::c_int = 0;
    let (handle, mount) = (&raw mut handle, &raw mut mount as libc::c_long);
    // SAFETY: a name that ends in 0, room for a handle of the length it says, and room for a number.
    let named =
        unsafe { libc::syscall(libc::SYS_name_to_handle_at, HERE, at(file), handle, mount, 0) };
    if named < 0 {
        return Err(io::Error::last_os_error());
    }
    let mount = File::open("/dev")?;
    let mount = libc::c_long::from(mount.as_raw_fd());
    call(libc::SYS_open_by_handle_at, [mount, handle as libc::c_long, READ, 0])
}

fn at(file: &CStr) -> libc::c_long {
    file.as_ptr() as libc::c_long
}

/// Makes a call that answers with a new descriptor.
fn call(number: libc::c_long, [a, b, c, d]: [libc::c_long; 4]) -> io::Result<OwnedFd> {
    // SAFETY: numbers and pointers as each call wants them; what they point to lives in the callers' frames.
    let answer = unsafe { libc::syscall(number, a, b, c, d) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    let answer = RawFd::try_from(answer).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: just opened, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(answer) })
}
