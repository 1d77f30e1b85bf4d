//! Attaching a program to a cgroup, and asking the kernel what an attachment is now.
//!
//! The loader can attach, but it does not tell whether a link still hangs at its cgroup: the kernel answers that with
//! the cgroup's id, which is 0 from the moment the link is detached.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper that tells a link's cgroup")]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

/// `BPF_OBJ_GET_INFO_BY_FD` of the kernel's `enum bpf_cmd`.
const GET_INFO: libc::c_long = 15;
/// `BPF_LINK_CREATE` of the same.
const LINK_CREATE: libc::c_long = 28;
/// `BPF_LINK_TYPE_CGROUP` of its `enum bpf_link_type`.
const TYPE_CGROUP: u32 = 3;

/// A socket hook, as the kernel's `enum bpf_attach_type` numbers them.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(in crate::probe) enum Kind {
    /// A packet comes to a socket.
    Ingress = 0,
    /// A packet leaves a socket.
    Egress = 1,
    /// A socket is made.
    Created = 2,
    Bind4 = 8,
    Bind6 = 9,
    Connect4 = 10,
    Connect6 = 11,
    Sendmsg4 = 14,
    Sendmsg6 = 15,
}

/// What the kernel says about a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) link: u32,
    pub(super) program: u32,
    /// The cgroup's id; 0 when it hangs nowhere any more.
    pub(super) cgroup: u64,
}

/// The arguments of `BPF_LINK_CREATE`.
#[repr(C)]
struct Create {
    program: RawFd,
    target: RawFd,
    kind: u32,
    /// A link allows others beside it, whatever stands here.
    flags: u32,
}

/// The arguments of `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct Ask {
    of: RawFd,
    length: u32,
    answer: u64,
}

/// The beginning of the kernel's `struct bpf_link_info`, for a link at a cgroup.
#[repr(C)]
#[derive(Default)]
struct Answer {
    kind: u32,
    link: u32,
    program: u32,
    padding: u32,
    cgroup: u64,
    attached_as: u32,
    end: u32,
}

pub(super) fn attach(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
    kind: Kind,
) -> io::Result<OwnedFd> {
    let (program, target) = (program.as_raw_fd(), cgroup.as_raw_fd());
    let mut asked = Create { program, target, kind: kind as u32, flags: 0 };
    let link = bpf(LINK_CREATE, &mut asked)?;
    let link = RawFd::try_from(link).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: just made, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(link) })
}

pub(super) fn look(link: BorrowedFd<'_>) -> io::Result<Found> {
    let mut answer = Answer::default();
    let length = u32::try_from(size_of::<Answer>()).expect("a small structure");
    let at = &raw mut answer as u64;
    let mut asked = Ask { of: link.as_raw_fd(), length, answer: at };
    bpf(GET_INFO, &mut asked)?;
    let Answer { kind, link, program, cgroup, .. } = answer;
    // Its number was closed behind our back, and given to something else.
    if kind != TYPE_CGROUP {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Found { link, program, cgroup })
}

fn bpf<T>(command: libc::c_long, arguments: &mut T) -> io::Result<libc::c_long> {
    let size = libc::c_long::try_from(size_of::<T>()).expect("a small structure");
    // SAFETY: one of the structures above, as long as it says; what it points to lives in the caller's frame.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *arguments, size) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}
