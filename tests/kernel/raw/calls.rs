//! Calls by number with whatever arguments, memory, and copies of this process in namespaces of their own.
#![expect(unsafe_code, reason = "system calls without a safe wrapper in std")]

use std::io;
use std::os::fd::RawFd;

use super::checked;

/// No file behind a mapping.
pub(crate) const ANONYMOUS: RawFd = -1;
const PAGE: u64 = 4096;

/// A call that refuses these arguments, or is harmless with them: the callers see to that.
pub(crate) fn call_with(number: libc::c_long, arguments: [u64; 6]) -> io::Result<libc::c_long> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the callers pass numbers, and null for what is an address.
    checked(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

/// A page of memory, private, that nobody else uses; of that file if there is one.
pub(crate) fn map(protection: libc::c_int, file: RawFd) -> io::Result<u64> {
    let flags = libc::MAP_PRIVATE | if file == ANONYMOUS { libc::MAP_ANONYMOUS } else { 0 };
    let number = |value: libc::c_int| u64::from(value.cast_unsigned());
    let address =
        call_with(libc::SYS_mmap, [0, PAGE, number(protection), number(flags), number(file), 0])?;
    Ok(address.cast_unsigned())
}

/// Changes the protection of a page that [`map`] gave.
pub(crate) fn protect(address: u64, protection: libc::c_int) -> io::Result<()> {
    let protection = u64::from(protection.cast_unsigned());
    call_with(libc::SYS_mprotect, [address, PAGE, protection, 0, 0, 0]).map(drop)
}

/// As [`protect`], by the call that takes a key as well.
pub(crate) fn protect_by_key(address: u64, protection: libc::c_int) -> io::Result<()> {
    let protection = u64::from(protection.cast_unsigned());
    call_with(libc::SYS_pkey_mprotect, [address, PAGE, protection, u64::MAX, 0, 0]).map(drop)
}

/// Makes a copy of this process with these flags of `clone`. The copy ends at once.
pub(crate) fn old_clone(flags: u64) -> io::Result<()> {
    let flags = flags | u64::from(libc::SIGCHLD.cast_unsigned());
    // SAFETY: without CLONE_VM the child has memory of its own, and goes on with this stack's copy.
    let child = checked(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    if child == 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    let child = libc::pid_t::try_from(child).unwrap();
    // SAFETY: our own child; its status is not asked for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    Ok(())
}
