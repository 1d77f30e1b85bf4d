//! What is done with names of files, and descriptors that are handed over.
#![expect(unsafe_code, reason = "system calls without a safe wrapper in std")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::{c_string, checked, descriptor};

/// `truncate(2)` by path.
pub(crate) fn truncate(path: &Path, length: i64) -> io::Result<()> {
    let path = c_string(path);
    // SAFETY: a C string and a number.
    checked(unsafe { libc::syscall(libc::SYS_truncate, path.as_ptr(), length) }).map(drop)
}

/// `mknod(2)` of a pipe.
pub(crate) fn make_pipe(path: &Path) -> io::Result<()> {
    let path = c_string(path);
    let mode = libc::S_IFIFO | 0o600;
    // SAFETY: a C string and numbers.
    checked(unsafe { libc::syscall(libc::SYS_mknod, path.as_ptr(), mode, 0) }).map(drop)
}

/// Room for one control message with a descriptor, aligned as its header demands.
type Control = [u64; 4];

/// Sends a descriptor.
pub(crate) fn pass(to: &UnixDatagram, file: BorrowedFd<'_>) -> io::Result<()> {
    let mut text = *b"x";
    let mut control: Control = [0; 4];
    let mut part = libc::iovec { iov_base: text.as_mut_ptr().cast(), iov_len: text.len() };
    let header = message(&mut part, &mut control);
    // SAFETY: the header states a control buffer with room for one record.
    let record = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    // SAFETY: `record` lies in `control`, which is aligned for it.
    let fields = unsafe { &mut *record };
    fields.cmsg_level = libc::SOL_SOCKET;
    fields.cmsg_type = libc::SCM_RIGHTS;
    // SAFETY: computes a length.
    fields.cmsg_len = unsafe { libc::CMSG_LEN(4) } as usize;
    // SAFETY: a whole record.
    let place = unsafe { libc::CMSG_DATA(record) }.cast::<i32>();
    // SAFETY: four bytes of room behind the record's header.
    unsafe { place.write_unaligned(file.as_raw_fd()) };
    // SAFETY: what the header points at outlives the call.
    checked(unsafe { libc::sendmsg(to.as_raw_fd(), &raw const header, 0) } as i64).map(drop)
}

/// Takes the descriptor of the next message.
pub(crate) fn take(from: &UnixDatagram) -> io::Result<OwnedFd> {
    let mut text = *b"x";
    let mut control: Control = [0; 4];
    let mut part = libc::iovec { iov_base: text.as_mut_ptr().cast(), iov_len: text.len() };
    let mut header = message(&mut part, &mut control);
    // SAFETY: what the header points at outlives the call.
    checked(unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut header, 0) } as i64)?;
    // SAFETY: the kernel has filled what the header states.
    let record = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    assert!(!record.is_null(), "no descriptor came");
    // SAFETY: a whole record.
    let place = unsafe { libc::CMSG_DATA(record) }.cast::<i32>();
    // SAFETY: a record of this kind holds a descriptor.
    descriptor(i64::from(unsafe { place.read_unaligned() }))
}

fn message(part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: all zeroes is a valid message.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    // SAFETY: computes a length, below that of `control`.
    header.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as usize;
    header
}
