//! The control socket between Picket and its launcher: whole messages, with descriptors attached.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::super::confine::Pass;
use super::{checked, owned, uninterrupted};

/// The kernel's limit on descriptors in one message (`SCM_MAX_FD`).
pub(in super::super) const MAX_DESCRIPTORS: usize = 253;
/// Longest message. What does not fit (the launch instructions) travels as a file in memory.
pub(in super::super) const MAX_MESSAGE: usize = 512;

/// Room for one control message with `MAX_DESCRIPTORS` descriptors, aligned as its header demands.
type ControlBuffer = [u64; 160];
const CONTROL_BYTES: usize = size_of::<ControlBuffer>();
const _: () = assert!(CONTROL_BYTES >= MAX_DESCRIPTORS * size_of::<RawFd>() + 32);

/// A message as it arrived.
pub(in super::super) struct Received {
    pub(in super::super) bytes: Vec<u8>,
    pub(in super::super) descriptors: Vec<OwnedFd>,
}

/// Both ends of a new control socket.
pub(in super::super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` has room for the two descriptors the call writes.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    let [ours, theirs] = ends.map(owned);
    Ok((ours, theirs))
}

/// Whether `file` is a socket that keeps messages whole, as the control socket does.
pub(in super::super) fn is_control_socket(file: BorrowedFd<'_>) -> bool {
    let mut kind: libc::c_int = 0;
    let mut length = 4;
    // SAFETY: `kind` is a writable integer of the `length` passed along.
    let outcome = unsafe {
        libc::getsockopt(
            file.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut length,
        )
    };
    outcome == 0 && kind == libc::SOCK_SEQPACKET
}

/// Sends one message. Never raises SIGPIPE: a peer that is gone is an error like any other.
pub(in super::super) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_with(Pass::NONE, socket, bytes, descriptors)
}

/// As [`send`], past a filter of this process.
pub(in super::super) fn send_with(
    pass: Pass,
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    if bytes.len() > MAX_MESSAGE || descriptors.len() > MAX_DESCRIPTORS {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "control message too large"));
    }
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let mut control: ControlBuffer = [0; 160];
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut header = empty_header(&mut part);
    if !numbers.is_empty() {
        attach(&mut header, &mut control, &numbers)?;
    }
    uninterrupted(|| {
        let (socket, message) = (socket.as_raw_fd(), &raw const header);
        // SAFETY: `header` points at `part`, `bytes` and `control`, which outlive the call.
        checked(unsafe {
            libc::syscall(libc::SYS_sendmsg, socket, message, libc::MSG_NOSIGNAL, 0, 0, pass.0)
        })
    })
    .map(drop)
}

/// Receives one message; `None` once the peer has closed its end. With `wait` false, nothing to
/// receive is the error `WouldBlock`.
pub(in super::super) fn receive(
    socket: BorrowedFd<'_>,
    wait: bool,
) -> io::Result<Option<Received>> {
    let mut bytes = vec![0; MAX_MESSAGE];
    let mut control: ControlBuffer = [0; 160];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut header = empty_header(&mut part);
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_BYTES;
    let flags = libc::MSG_CMSG_CLOEXEC | if wait { 0 } else { libc::MSG_DONTWAIT };
    let length = uninterrupted(|| {
        // SAFETY: `header` points at `part`, `bytes` and `control`, which are writable for the
        // lengths it states and outlive the call.
        checked(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) })
    })?;
    let descriptors = detach(&header)?;
    if header.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "control message cut short"));
    }
    bytes.truncate(usize::try_from(length).map_err(io::Error::other)?);
    // No message of ours is empty, so nothing at all is the peer's end.
    Ok((!bytes.is_empty()).then_some(Received { bytes, descriptors }))
}

/// Reads a file that arrived with a message, from its start.
pub(in super::super) fn contents(file: OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let file = File::from(file);
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "launch instructions too long"));
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn empty_header(part: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: all-zero bytes are a valid `msghdr`: null pointers and zero lengths.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header
}

fn attach(
    header: &mut libc::msghdr,
    control: &mut ControlBuffer,
    numbers: &[RawFd],
) -> io::Result<()> {
    let payload = u32::try_from(size_of_val(numbers)).map_err(io::Error::other)?;
    header.msg_control = control.as_mut_ptr().cast();
    // SAFETY: only computes a length.
    header.msg_controllen = unsafe { libc::CMSG_SPACE(payload) } as usize;
    // SAFETY: only computes a length.
    let record_length = unsafe { libc::CMSG_LEN(payload) } as usize;
    // SAFETY: `header` states a control buffer that is large enough for one record.
    let record = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: `record` points into `control`, which is aligned and large enough for the header.
    let fields = unsafe { &mut *record };
    fields.cmsg_level = libc::SOL_SOCKET;
    fields.cmsg_type = libc::SCM_RIGHTS;
    fields.cmsg_len = record_length;
    // SAFETY: `record` is a whole record inside `control`.
    let target = unsafe { libc::CMSG_DATA(record) }.cast::<RawFd>();
    // SAFETY: MAX_DESCRIPTORS bounds `numbers`, and ControlBuffer has room for that many behind
    // the header; the two buffers are different objects.
    unsafe { target.copy_from_nonoverlapping(numbers.as_ptr(), numbers.len()) };
    Ok(())
}

/// Takes ownership of every descriptor in the message, so that none stays open by mistake.
fn detach(header: &libc::msghdr) -> io::Result<Vec<OwnedFd>> {
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has filled the control buffer that `header` states.
    let mut record = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !record.is_null() {
        // SAFETY: not null, so it points at a record the kernel wrote.
        let fields = unsafe { *record };
        if fields.cmsg_level == libc::SOL_SOCKET && fields.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: only computes a length.
            let empty = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = fields.cmsg_len.saturating_sub(empty) / size_of::<RawFd>();
            // SAFETY: `record` is a whole record.
            let source = unsafe { libc::CMSG_DATA(record) }.cast::<RawFd>();
            for index in 0..count {
                // SAFETY: `index` stays inside the payload whose length the record states.
                let position = unsafe { source.add(index) };
                // SAFETY: inside the payload; the payload need not be aligned for RawFd.
                let number = unsafe { position.read_unaligned() };
                descriptors.push(owned(number));
            }
        }
        // SAFETY: `record` is a record of `header`.
        record = unsafe { libc::CMSG_NXTHDR(header, record) };
    }
    Ok(descriptors)
}
