//! An operation of io_uring is complete; `trace` tier.
//!
//! Hook: `io_uring_complete`, raw tracepoint. Why here: for an open the result is the descriptor, which leads to the object
//! that was really opened, as at the exit tracepoints of the calls; the completion is posted by a task of the ring's
//! owner or by its polling thread, which share its descriptors. Raw, because the arguments after the request differ from
//! kernel to kernel and are not read. Since: Linux 5.19 (what is read of the request). Emits: as `file_open`, and only
//! where `io_uring_submit_req` tells of the opens whose completion comes late or never.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use picket_abi::hook;

use super::open_exit;
use crate::{
    count::{self, Done},
    kernel::Object,
    scope, uring,
};

#[raw_tracepoint(tracepoint = "io_uring_complete")]
fn io_uring_complete(ctx: RawTracePointContext) -> i32 {
    let request = Object(ctx.arg::<*const u8>(1));
    // Completions without a request repeat an operation that goes on; opens do not.
    if !request.0.is_null()
        && let Some(scope) = scope::current()
        && uring::is_open(request)
    {
        count::account(&scope, hook::OPEN, || {
            // What was reported when it was submitted has no descriptor for a result, or had one for long.
            if uring::is_untold(request) {
                return Ok(Done::Filtered);
            }
            open_exit::report(&scope, uring::result(request)?)
        });
    }
    0
}
