//! io_uring by its system calls: one request at a time.
#![expect(unsafe_code, reason = "a ring is memory shared with the kernel")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{c_string, checked, descriptor};

/// `IORING_SETUP_SQPOLL`: a thread of the kernel takes the requests.
pub(crate) const POLLED: u32 = 2;
/// `IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN`: results wait until they are asked for.
pub(crate) const LATE: u32 = 1 << 12 | 1 << 13;
/// `IOSQE_ASYNC`: a worker does it.
pub(crate) const BY_WORKER: u8 = 1 << 4;

const ENTRIES: u32 = 4;
/// One descriptor table of this many places, for opens that make no descriptor.
const PLACES: usize = 4;

const OP_CONNECT: u8 = 16;
const OP_OPENAT: u8 = 18;
const OP_READ: u8 = 22;
const OP_OPENAT2: u8 = 28;
const OP_SENDMSG: u8 = 9;

/// A request, as `struct io_uring_sqe`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Request {
    operation: u8,
    flags: u8,
    priority: u16,
    descriptor: i32,
    /// Offset, or a second address.
    second: u64,
    address: u64,
    length: u32,
    /// Flags of the operation.
    how: u32,
    tag: u64,
    buffer: u16,
    personality: u16,
    /// Place in the ring's own table, counted from 1.
    place: u32,
    rest: [u64; 2],
}
const _: () = assert!(size_of::<Request>() == 64);

/// `struct io_uring_params`: what is asked for, and where things lie.
pub(crate) type Parameters = [u32; 30];

pub(crate) struct Ring {
    ring: OwnedFd,
    memory: *mut u8,
    requests: *mut Request,
    parameters: Parameters,
}

impl Ring {
    pub(crate) fn new(flags: u32) -> io::Result<Self> {
        let mut parameters: Parameters = [0; 30];
        parameters[2] = flags;
        // SAFETY: a number and a structure of the size that the kernel expects.
        let ring = descriptor(unsafe {
            libc::syscall(libc::SYS_io_uring_setup, ENTRIES, parameters.as_mut_ptr())
        })?;
        Self::of(ring, parameters)
    }

    /// A second hand on somebody's ring.
    pub(crate) fn of(ring: OwnedFd, parameters: Parameters) -> io::Result<Self> {
        let memory = map(&ring, 4096, 0)?;
        let requests = map(&ring, 4096, 0x1000_0000)?.cast();
        Ok(Self { ring, memory, requests, parameters })
    }

    /// What makes a second hand of a copy of the descriptor, whose number comes first.
    pub(crate) fn shared(&self) -> (RawFd, Parameters) {
        (self.ring.as_raw_fd(), self.parameters)
    }

    /// Asks for an open that makes a file, and does not wait. The ring's owner has the same text at the same place.
    pub(crate) fn ask_to_make(&self, path: &CStr) -> io::Result<()> {
        let request = Request {
            operation: OP_OPENAT,
            descriptor: libc::AT_FDCWD,
            address: path.as_ptr() as u64,
            length: 0o600,
            how: (libc::O_CREAT | libc::O_WRONLY).cast_unsigned(),
            ..Request::default()
        };
        self.hand_over(request, 0)
    }

    /// Gives the ring a table of its own, empty.
    pub(crate) fn own_table(&self) -> io::Result<()> {
        const REGISTER_FILES: u32 = 2;
        let nothing = [-1_i32; PLACES];
        self.register(REGISTER_FILES, nothing.as_ptr().cast(), PLACES)
    }

    fn register(&self, what: u32, with: *const u8, how_many: usize) -> io::Result<()> {
        let ring = self.ring.as_raw_fd();
        // SAFETY: an array of that many elements.
        checked(unsafe { libc::syscall(libc::SYS_io_uring_register, ring, what, with, how_many) })
            .map(drop)
    }

    /// Opens for reading, and answers the descriptor.
    pub(crate) fn open(&self, path: &Path, flags: u8) -> io::Result<OwnedFd> {
        let path = c_string(path);
        let request = Request {
            operation: OP_OPENAT,
            flags,
            descriptor: libc::AT_FDCWD,
            address: path.as_ptr() as u64,
            ..Request::default()
        };
        descriptor(self.run(request)?.into())
    }

    /// Opens so that success is not told.
    pub(crate) fn open_silently(&self, path: &Path) -> io::Result<()> {
        const SKIP_SUCCESS: u8 = 1 << 6;
        let path = c_string(path);
        let request = Request {
            operation: OP_OPENAT,
            flags: SKIP_SUCCESS,
            descriptor: libc::AT_FDCWD,
            address: path.as_ptr() as u64,
            ..Request::default()
        };
        self.hand_over(request, 0)
    }

    /// As [`Ring::open`], by `openat2`.
    pub(crate) fn open_how(&self, path: &Path) -> io::Result<OwnedFd> {
        let path = c_string(path);
        // SAFETY: all zeroes is a valid `open_how`: read only.
        let how: libc::open_how = unsafe { std::mem::zeroed() };
        let request = Request {
            operation: OP_OPENAT2,
            descriptor: libc::AT_FDCWD,
            second: std::ptr::from_ref(&how) as u64,
            address: path.as_ptr() as u64,
            length: u32::try_from(size_of_val(&how)).unwrap(),
            ..Request::default()
        };
        descriptor(self.run(request)?.into())
    }

    /// Opens into the ring's own table: no descriptor is made.
    pub(crate) fn open_direct(&self, path: &Path) -> io::Result<()> {
        let path = c_string(path);
        let request = Request {
            operation: OP_OPENAT,
            descriptor: libc::AT_FDCWD,
            address: path.as_ptr() as u64,
            place: 1,
            ..Request::default()
        };
        self.run(request).map(drop)
    }

    pub(crate) fn read(&self, from: &impl AsRawFd) -> io::Result<i32> {
        let mut bytes = [0_u8; 8];
        let request = Request {
            operation: OP_READ,
            descriptor: from.as_raw_fd(),
            address: bytes.as_mut_ptr() as u64,
            length: 8,
            ..Request::default()
        };
        self.run(request)
    }

    pub(crate) fn connect(
        &self,
        socket: &OwnedFd,
        to: std::net::SocketAddr,
        flags: u8,
    ) -> io::Result<()> {
        let (address, size) = super::sockets::sockaddr(to);
        let request = Request {
            operation: OP_CONNECT,
            flags,
            descriptor: socket.as_raw_fd(),
            second: size.into(),
            address: address.as_ptr() as u64,
            ..Request::default()
        };
        self.run(request).map(drop)
    }

    pub(crate) fn send(&self, socket: &OwnedFd, to: std::net::SocketAddr) -> io::Result<()> {
        let (mut address, size) = super::sockets::sockaddr(to);
        // SAFETY: all zeroes is a valid message without content.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_name = address.as_mut_ptr().cast();
        message.msg_namelen = size;
        let request = Request {
            operation: OP_SENDMSG,
            descriptor: socket.as_raw_fd(),
            address: (&raw const message) as u64,
            length: 1,
            ..Request::default()
        };
        self.run(request).map(drop)
    }

    /// Hands one request over and waits for its result.
    fn run(&self, request: Request) -> io::Result<i32> {
        self.hand_over(request, 1)?;
        let head = self.word(20);
        let number = head.load(Ordering::Acquire);
        assert_ne!(number, self.word(21).load(Ordering::Acquire), "nothing is complete");
        let mask = self.word(22).load(Ordering::Relaxed);
        // A completion: tag (8 bytes), result, flags.
        let result = self.word_at(self.parameters[25] + 16 * (number & mask) + 8);
        let result = result.load(Ordering::Acquire).cast_signed();
        head.store(number.wrapping_add(1), Ordering::Release);
        if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
    }

    /// Hands one request over, and waits for so many completions.
    fn hand_over(&self, request: Request, completions: u32) -> io::Result<()> {
        const WAIT: u32 = 1;
        const WAKE: u32 = 2;
        // `io_sqring_offsets` begins at word 10: head, tail, mask, entries, flags, dropped, array; `io_cqring_offsets`
        // at word 20: head, tail, mask, entries, overflow, completions.
        let tail = self.word(11);
        let place = tail.load(Ordering::Acquire) % ENTRIES;
        // SAFETY: one of the ring's requests, of which none is under way.
        let at = unsafe { self.requests.add(place as usize) };
        // SAFETY: as above.
        unsafe { at.write(request) };
        self.word_at(self.parameters[16] + 4 * place).store(place, Ordering::Relaxed);
        tail.fetch_add(1, Ordering::Release);
        let ring = self.ring.as_raw_fd();
        // SAFETY: numbers only.
        checked(unsafe {
            libc::syscall(libc::SYS_io_uring_enter, ring, 1, completions, WAIT | WAKE, 0, 0)
        })
        .map(drop)
    }

    /// The word of the ring whose offset is this parameter.
    fn word(&self, parameter: usize) -> &AtomicU32 {
        self.word_at(self.parameters[parameter])
    }

    fn word_at(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: an offset of the kernel's own, inside the page that both rings of this size share.
        let word = unsafe { self.memory.add(offset as usize) };
        // SAFETY: aligned, mapped as long as the process lives, and written to by others, hence atomic.
        unsafe { &*word.cast::<AtomicU32>() }
    }
}

fn map(ring: &OwnedFd, length: usize, offset: i64) -> io::Result<*mut u8> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    let ring = ring.as_raw_fd();
    // SAFETY: a new mapping of the ring's memory at a place that the kernel chooses.
    let memory =
        unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, ring, offset) };
    if memory == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(memory.cast()) }
}
