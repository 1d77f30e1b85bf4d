//! Waits for descriptors, to the microsecond.
#![expect(unsafe_code, reason = "ppoll(2) has no safe wrapper in std")]

use std::{io, os::fd::RawFd, ptr, time::Duration};

/// Waits until one of the descriptors is readable or the time is over; true when one is.
///
/// # Errors
/// What `ppoll` said, except an interruption, which counts as time over.
pub fn readable(descriptors: &[RawFd], within: Duration) -> io::Result<bool> {
    let mut entries: Vec<libc::pollfd> =
        descriptors.iter().map(|fd| entry(*fd, libc::POLLIN)).collect();
    poll(&mut entries, within)
}

/// An entry that waits for `events` on `fd`.
#[must_use]
pub const fn entry(fd: RawFd, events: libc::c_short) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0 }
}

/// Waits on prepared entries; true when one has events.
///
/// # Errors
/// As [`readable`].
pub fn poll(entries: &mut [libc::pollfd], within: Duration) -> io::Result<bool> {
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(within.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(within.subsec_nanos().cast_signed()),
    };
    let count = libc::nfds_t::try_from(entries.len()).expect("a slice's length fits");
    // SAFETY: `count` valid entries, a valid timespec, no signal mask.
    let ready =
        unsafe { libc::ppoll(entries.as_mut_ptr(), count, &raw const timeout, ptr::null()) };
    if 0 <= ready {
        return Ok(0 < ready);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) }
}
