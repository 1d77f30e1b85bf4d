//! Sockets, with every way to name an address.
#![expect(unsafe_code, reason = "system calls without a safe wrapper in std")]

use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};

use super::{checked, descriptor};

/// A socket of a family (`AF_*`), type (`SOCK_*`) and protocol (`IPPROTO_*`).
pub(crate) fn socket(
    to: SocketAddr,
    kind: libc::c_int,
    protocol: libc::c_int,
) -> io::Result<OwnedFd> {
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: numbers only.
    descriptor(unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) })
}

pub(crate) fn connect(socket: &OwnedFd, to: SocketAddr) -> io::Result<()> {
    let (address, size) = sockaddr(to);
    // SAFETY: an address and its size.
    let result =
        unsafe { libc::syscall(libc::SYS_connect, socket.as_raw_fd(), address.as_ptr(), size) };
    checked(result).map(drop)
}

pub(crate) fn bind(socket: &OwnedFd, to: SocketAddr) -> io::Result<()> {
    let (address, size) = sockaddr(to);
    // SAFETY: an address and its size.
    let result =
        unsafe { libc::syscall(libc::SYS_bind, socket.as_raw_fd(), address.as_ptr(), size) };
    checked(result).map(drop)
}

pub(crate) fn listen(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: numbers only.
    checked(unsafe { libc::syscall(libc::SYS_listen, socket.as_raw_fd(), 1) }).map(drop)
}

/// `sendto` of a few bytes.
pub(crate) fn send(socket: &OwnedFd, to: SocketAddr, flags: libc::c_int) -> io::Result<()> {
    let (address, size) = sockaddr(to);
    let text = b"hello";
    // SAFETY: bytes and an address, each with its size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sendto,
            socket.as_raw_fd(),
            text.as_ptr(),
            text.len(),
            flags,
            address.as_ptr(),
            size,
        )
    };
    checked(result).map(drop)
}

/// `send` of a few bytes on a connected socket.
pub(crate) fn send_connected(socket: &OwnedFd) -> io::Result<()> {
    let text = b"hello";
    // SAFETY: bytes and how many there are.
    let sent = unsafe { libc::send(socket.as_raw_fd(), text.as_ptr().cast(), text.len(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `sendmmsg` of empty datagrams to one address.
pub(crate) fn send_batch(socket: &OwnedFd, to: SocketAddr, n_datagrams: u32) -> io::Result<()> {
    let (mut address, size) = sockaddr(to);
    // SAFETY: all zeroes is a valid message without content.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_name = address.as_mut_ptr().cast();
    message.msg_hdr.msg_namelen = size;
    let mut batch = vec![message; usize::try_from(n_datagrams).unwrap()];
    // SAFETY: that many messages, whose address is alive.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), batch.as_mut_ptr(), n_datagrams, 0) };
    assert_eq!(i64::from(sent), i64::from(n_datagrams), "{}", io::Error::last_os_error());
    Ok(())
}

/// From now on the socket's connect sends nothing before its first write does.
pub(crate) fn put_off_connect(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    set(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, &on)
}

/// From now on the end of the socket's connection is a reset, after which no port stays taken.
pub(crate) fn reset_at_the_end(socket: &OwnedFd) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 })
}

/// `T` is what the option takes: numbers.
fn set<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).unwrap();
    let (socket, value) = (socket.as_raw_fd(), std::ptr::from_ref(value).cast());
    // SAFETY: an option's value and its size.
    checked(unsafe { libc::setsockopt(socket, level, option, value, size) }.into()).map(drop)
}

/// From now on Landlock refuses this thread to connect by TCP.
pub(crate) fn landlock_without_connections() -> io::Result<()> {
    const CONNECT_TCP: u64 = 2;
    // `struct landlock_ruleset_attr`: files, network.
    let rules = [0, CONNECT_TCP];
    let size = size_of_val(&rules);
    // SAFETY: the rules and their size.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, rules.as_ptr(), size, 0) };
    let rules = descriptor(result)?;
    // SAFETY: numbers only.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
    // SAFETY: numbers only.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0_u64) };
    checked(result).map(drop)
}

/// `struct sockaddr_in` or `sockaddr_in6` as bytes, and how many of them there are.
pub(super) fn sockaddr(address: SocketAddr) -> ([u8; 28], libc::socklen_t) {
    let mut bytes = [0; 28];
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    bytes[..2].copy_from_slice(&u16::try_from(family).unwrap().to_ne_bytes());
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            bytes[4..8].copy_from_slice(&SocketAddrV4::ip(&v4).octets());
            (bytes, 16)
        }
        SocketAddr::V6(v6) => {
            bytes[8..24].copy_from_slice(&SocketAddrV6::ip(&v6).octets());
            (bytes, 28)
        }
    }
}

/// An IPv4 address to which one thread connects while another rewrites it.
pub(crate) struct SharedAddress {
    bytes: [AtomicU8; 16],
}

impl SharedAddress {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let (bytes, 16) = sockaddr(address) else { panic!("{address} is no IPv4 address") };
        Self { bytes: std::array::from_fn(|at| AtomicU8::new(bytes[at])) }
    }

    /// Rewrites it, byte by byte.
    pub(crate) fn say(&self, address: SocketAddr) {
        for (byte, wanted) in self.bytes.iter().zip(sockaddr(address).0) {
            byte.store(wanted, Ordering::Relaxed);
        }
    }

    /// What it says now.
    pub(crate) fn said(&self) -> SocketAddr {
        let [_, _, high, low, a, b, c, d, ..] =
            self.bytes.each_ref().map(|byte| byte.load(Ordering::Relaxed));
        SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])))
    }

    /// Connects to whatever it says at the moment the kernel looks.
    pub(crate) fn connect(&self, socket: &impl AsRawFd) -> io::Result<()> {
        let (at, size) = (self.bytes.as_ptr(), size_of_val(&self.bytes));
        // SAFETY: an address and its size; others write to it by atomics.
        checked(unsafe { libc::syscall(libc::SYS_connect, socket.as_raw_fd(), at, size) }).map(drop)
    }
}
