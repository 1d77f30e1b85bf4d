//! Opens by io_uring: which requests are some, and which of them do not say what they opened.

use picket_abi::Lost;

use crate::kernel::{Object, offset};

const OP_OPENAT: u8 = 18;
const OP_OPENAT2: u8 = 28;
/// `REQ_F_CQE_SKIP`, by the application's own flag: no completion on success.
const NO_COMPLETION: u32 = 1 << 6;
/// `IORING_SETUP_DEFER_TASKRUN`: completions wait until the application asks for them.
const LATE_COMPLETION: u32 = 1 << 13;

/// Whether a request opens a file. One that cannot be read may.
#[inline(always)]
pub fn is_open(request: Object) -> bool {
    let code = request.read::<u8>(offset!(io_opcode)).unwrap_or(OP_OPENAT);
    code == OP_OPENAT || code == OP_OPENAT2
}

/// Whether the completion of an open does not lead to what was opened while that may be used already.
#[inline(always)]
pub fn is_untold(request: Object) -> bool {
    try_untold(request).unwrap_or(true)
}

#[inline(always)]
fn try_untold(request: Object) -> Result<bool, Lost> {
    let flags: u32 = request.read(offset!(io_flags))?;
    let ring: u32 = request.read_pointer(offset!(io_ring))?.read(offset!(io_ring_flags))?;
    let slot: u32 = request.read(offset!(io_command) + offset!(io_open_slot))?;
    Ok(flags & NO_COMPLETION != 0 || ring & LATE_COMPLETION != 0 || slot != 0)
}

/// The result of a request that is complete.
#[inline(always)]
pub fn result(request: Object) -> Result<i64, Lost> {
    request.read::<i32>(offset!(io_result)).map(i64::from)
}
