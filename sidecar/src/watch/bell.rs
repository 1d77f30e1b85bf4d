//! Wakes the loop from other threads.
#![expect(unsafe_code, reason = "eventfd(2) has no safe wrapper in std")]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

/// A counter in the kernel that can be polled.
#[derive(Debug)]
pub(super) struct Bell(OwnedFd);

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: two numbers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, owned by nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// To be polled for `POLLIN`.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Wakes the loop.
    pub(super) fn ring(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight bytes, as an eventfd wants. It fails only when it is rung already.
        unsafe { libc::write(self.descriptor(), one.as_ptr().cast(), one.len()) };
    }

    pub(super) fn silence(&self) {
        let mut count = [0_u8; 8];
        // SAFETY: eight bytes, as an eventfd wants. It fails only when nobody rang.
        unsafe { libc::read(self.descriptor(), count.as_mut_ptr().cast(), count.len()) };
    }
}
