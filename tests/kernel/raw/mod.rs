//! System calls that std has no words for, as the acts of the tests need them.
#![expect(unsafe_code, reason = "system calls without a safe wrapper in std")]

mod calls;
mod files;
mod names;
mod processes;
mod ring;
mod sockets;

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) use calls::{ANONYMOUS, call_with, map, old_clone, protect, protect_by_key};
pub(crate) use files::{
    SharedPath, bind_mount, create, detached_clone, memfd, mount_new, old_open, open, open_at,
    open_by_handle, openat2, own_mounts,
};
pub(crate) use names::{make_pipe, pass, take, truncate};
pub(crate) use processes::{descriptor_of, kill, kill_with_origin, read_memory, seize, tick};
pub(crate) use ring::{BY_WORKER, LATE, POLLED, Ring};
pub(crate) use sockets::{
    SharedAddress, bind, connect, landlock_without_connections, listen, put_off_connect,
    reset_at_the_end, send, send_batch, send_connected, socket,
};

fn c_string(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap()
}

fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn descriptor(result: libc::c_long) -> io::Result<OwnedFd> {
    let number = RawFd::try_from(checked(result)?).unwrap();
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A system call that takes up to two numbers and touches no memory.
pub(crate) fn call(number: libc::c_long, first: u64, second: u64) -> io::Result<libc::c_long> {
    // SAFETY: numbers only; the callers choose calls that take no pointers or refuse null.
    checked(unsafe { libc::syscall(number, first, second, 0, 0, 0, 0) })
}

/// Makes a copy of this process with these flags of `clone3`, in the cgroup of that directory if there is one. The copy
/// ends at once; its number.
pub(crate) fn clone_process(flags: u64, cgroup: Option<&File>) -> io::Result<u32> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut arguments = [0_u64; 11];
    arguments[0] = flags | cgroup.map_or(0, |_| CLONE_INTO_CGROUP);
    arguments[10] = cgroup.map_or(0, |cgroup| u64::from(cgroup.as_raw_fd().cast_unsigned()));
    clone3(arguments)
}

/// Makes a copy of this process that has this number, which nobody has. The copy ends at once.
pub(crate) fn clone_with_number(number: u32) -> io::Result<u32> {
    let numbers = [number];
    let mut arguments = [0_u64; 11];
    arguments[8] = numbers.as_ptr().addr() as u64;
    arguments[9] = 1;
    clone3(arguments)
}

/// `clone3` with `struct clone_args` as numbers; the copy ends at once.
fn clone3(mut arguments: [u64; 11]) -> io::Result<u32> {
    arguments[4] = u64::from(libc::SIGCHLD.cast_unsigned());
    let size = size_of_val(&arguments);
    // SAFETY: the array has the layout of `clone_args`; without CLONE_VM the child has memory of its own.
    let child = checked(unsafe { libc::syscall(libc::SYS_clone3, arguments.as_ptr(), size) })?;
    if child == 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    let child = libc::pid_t::try_from(child).unwrap();
    // SAFETY: our own child; its status is not asked for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    Ok(child.cast_unsigned())
}
