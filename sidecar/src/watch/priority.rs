//! Real-time priority for the watch loop: at normal priority the offender runs on for up to four milliseconds.
#![expect(unsafe_code, reason = "sched_setscheduler(2) has no safe wrapper in std")]

use std::io;

/// Above ordinary work, below the kernel's own threads.
const PRIORITY: libc::c_int = 10;

/// Asks for `SCHED_FIFO` for the calling thread.
///
/// # Errors
/// Not permitted (no `CAP_SYS_NICE`): the loop works, slower under load.
pub(crate) fn real_time() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: 0 is the calling thread; the parameters outlive the call. Children start at normal priority again.
    let failed = unsafe {
        libc::sched_setscheduler(
            0,
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const parameters,
        )
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
