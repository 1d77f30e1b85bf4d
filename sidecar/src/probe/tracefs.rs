//! Makes tracefs reachable while classic tracepoints are attached.
//!
//! Only their ids are read from it. A host without the mount (minimal images, containers) gets none from us: it is
//! mounted for a thread of ours alone, so that nothing stays behind and no other Picket finds it and loses it again.
#![expect(unsafe_code, reason = "mount(2) and unshare(2) have no safe wrapper in std")]

use std::{ffi::CStr, io, panic, path::Path, ptr, thread};

const MOUNT_POINT: &CStr = c"/sys/kernel/tracing";
const PROOF: &str = "/sys/kernel/tracing/events/syscalls";
const OLD_PROOF: &str = "/sys/kernel/debug/tracing/events/syscalls";

/// Does something for which tracefs must be there.
///
/// # Errors
/// What the kernel said when asked for it: without tracefs the trace tier cannot see opens.
pub(super) fn within<T: Send>(act: impl FnOnce() -> T + Send) -> io::Result<T> {
    if Path::new(PROOF).exists() || Path::new(OLD_PROOF).exists() {
        return Ok(act());
    }
    let alone = || mount_for_this_thread().map(|()| act());
    thread::scope(|scope| scope.spawn(alone).join())
        .unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// The mount goes with the thread.
fn mount_for_this_thread() -> io::Result<()> {
    // SAFETY: a number; the rest of this process keeps its namespace.
    succeeded(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: a NUL-terminated text; changing the propagation reads nothing else.
    succeeded(unsafe {
        libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), private, ptr::null())
    })?;
    let tracefs = c"tracefs".as_ptr();
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: NUL-terminated texts and no data.
    succeeded(unsafe { libc::mount(tracefs, MOUNT_POINT.as_ptr(), tracefs, flags, ptr::null()) })
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
