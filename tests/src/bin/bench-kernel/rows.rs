//! What is measured: one operation a row, done many times.
#![expect(unsafe_code, reason = "bare system calls: what is measured must be nothing else")]

use std::ffi::CString;
use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use picket_tests::unique;
use tempfile::TempDir;

use crate::Outcome;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Getppid,
    Read,
    OpenClose,
    OpenMany,
    Connect,
    Sequence,
    Exec,
}

/// Added nanoseconds that are to be reached, and that would be better still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) reach: i32,
    pub(crate) stretch: i32,
}

const fn target(reach: i32, stretch: i32) -> Option<Target> {
    Some(Target { reach, stretch })
}

impl Row {
    pub(crate) const ALL: [Self; 7] = [
        Self::Getppid,
        Self::Read,
        Self::OpenClose,
        Self::OpenMany,
        Self::Connect,
        Self::Sequence,
        Self::Exec,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Getppid => "getppid",
            Self::Read => "read, 1 byte",
            Self::OpenClose => "open+close of one file",
            Self::OpenMany => "open+close of 512 files in turn",
            Self::Connect => "connect to one destination (UDP)",
            Self::Sequence => "socket, bind, connect, send, recv, close",
            Self::Exec => "fork+exec+wait of /bin/true",
        }
    }

    /// Operations of one sample: some 25 ms.
    pub(crate) const fn operations(self) -> u32 {
        match self {
            Self::Getppid | Self::Read => 200_000,
            Self::OpenClose => 30_000,
            Self::OpenMany => 40 * FILES,
            Self::Connect => 60_000,
            Self::Sequence => 6_000,
            Self::Exec => 60,
        }
    }

    /// Inside a sandbox.
    pub(crate) const fn target_inside(self) -> Option<Target> {
        match self {
            Self::Getppid | Self::Read => target(36, 32),
            Self::OpenClose | Self::OpenMany => target(165, 150),
            // The hook's 150 (94), and the system call itself.
            Self::Connect => target(150 + 36, 94 + 32),
            Self::Sequence => target(500, 420),
            Self::Exec => None,
        }
    }

    /// Outside of all.
    pub(crate) const fn target_outside(self) -> Option<Target> {
        match self {
            Self::Getppid | Self::Read => target(32, 28),
            Self::OpenClose | Self::OpenMany => target(135, 115),
            Self::Connect | Self::Sequence | Self::Exec => None,
        }
    }
}

/// Files of [`Row::OpenMany`].
const FILES: u32 = 512;

/// What the operations need; made before anything is watched.
pub(crate) struct Props {
    _place: TempDir,
    file: CString,
    files: Vec<CString>,
    zero: File,
    receiver: UdpSocket,
    address: libc::sockaddr_in,
}

impl Props {
    pub(crate) fn new() -> Outcome<Self> {
        let place = tempfile::Builder::new().prefix(&unique("bench")).tempdir()?;
        let made = |name: String| -> Outcome<CString> {
            let path = place.path().join(name);
            fs::write(&path, b"seen")?;
            c_string(&path)
        };
        let receiver = UdpSocket::bind("127.0.0.1:0")?;
        let port = receiver.local_addr()?.port();
        Ok(Self {
            file: made("one".to_owned())?,
            files: (0..FILES)
                .map(|number| made(format!("many-{number}")))
                .collect::<Result<_, _>>()?,
            zero: File::open("/dev/zero")?,
            receiver,
            address: loopback(port),
            _place: place,
        })
    }

    /// Does it so often.
    pub(crate) fn act(&self, row: Row, times: u32) -> Outcome {
        match row {
            Row::Getppid => (0..times).for_each(|_| repeated(libc::SYS_getppid, [0; 4])),
            Row::Read => {
                let mut byte = 0_u8;
                let (zero, at) = (number(self.zero.as_raw_fd()), (&raw mut byte) as u64);
                (0..times).for_each(|_| repeated(libc::SYS_read, [zero, at, 1, 0]));
            }
            Row::OpenClose => (0..times).try_for_each(|_| open_close(&self.file))?,
            Row::OpenMany => {
                let files = self.files.iter().cycle();
                files.take(usize::try_from(times)?).try_for_each(|file| open_close(file))?;
            }
            Row::Connect => {
                // Made here: a socket belongs to the cgroup in which it was made, whoever uses it.
                let sender = UdpSocket::bind("127.0.0.1:0")?;
                let sender = number(sender.as_raw_fd());
                let (at, size) =
                    ((&raw const self.address) as u64, size_of_val(&self.address) as u64);
                (0..times)
                    .try_for_each(|_| done(call(libc::SYS_connect, [sender, at, size, 0])))?;
            }
            Row::Sequence => (0..times).try_for_each(|_| self.sequence())?,
            Row::Exec => {
                for _ in 0..times {
                    if !Command::new("/bin/true").status()?.success() {
                        return Err("/bin/true is not true".into());
                    }
                }
            }
        }
        Ok(())
    }

    /// A datagram from a socket of its own to the receiver, which takes it.
    fn sequence(&self) -> Outcome {
        let (family, kind) = (libc::AF_INET as u64, libc::SOCK_DGRAM as u64);
        let socket = call(libc::SYS_socket, [family, kind, 0, 0]);
        done(socket)?;
        let (socket, byte) = (socket.cast_unsigned(), 0_u8);
        let any = loopback(0);
        let (at, size) = ((&raw const any) as u64, size_of_val(&any) as u64);
        done(call(libc::SYS_bind, [socket, at, size, 0]))?;
        let at = (&raw const self.address) as u64;
        done(call(libc::SYS_connect, [socket, at, size, 0]))?;
        done(call(libc::SYS_write, [socket, (&raw const byte) as u64, 1, 0]))?;
        let mut got = 0_u8;
        let receiver = number(self.receiver.as_raw_fd());
        done(call(libc::SYS_read, [receiver, (&raw mut got) as u64, 1, 0]))?;
        done(call(libc::SYS_close, [socket, 0, 0, 0]))
    }
}

fn open_close(path: &CString) -> Outcome {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
    let here = i64::from(libc::AT_FDCWD).cast_unsigned();
    let file = call(libc::SYS_openat, [here, path.as_ptr() as u64, flags, 0]);
    done(file)?;
    done(call(libc::SYS_close, [file.cast_unsigned(), 0, 0, 0]))
}

fn loopback(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET)
            .expect("address families are small numbers"),
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

fn number(descriptor: RawFd) -> u64 {
    u64::from(descriptor.cast_unsigned())
}

fn c_string(path: &Path) -> Outcome<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn done(result: i64) -> Outcome {
    if result < 0 { Err(std::io::Error::last_os_error().into()) } else { Ok(()) }
}

/// A system call whose answer is of no interest.
fn repeated(number: libc::c_long, arguments: [u64; 4]) {
    call(number, arguments);
}

/// A system call.
pub(crate) fn call(number: libc::c_long, arguments: [u64; 4]) -> i64 {
    let [first, second, third, fourth] = arguments;
    // SAFETY: the callers pass numbers, descriptors of their own, and addresses of what outlives the call.
    unsafe { libc::syscall(number, first, second, third, fourth, 0, 0) }
}
