//! An operation is handed to io_uring; `trace` tier.
//!
//! Hook: `io_uring_submit_req`, raw tracepoint. Why here: the request is prepared and nothing of it is in the plugin's
//! hands any more. An open whose object `io_uring_complete` cannot tell is known only here: one that posts no completion
//! on success, one into the ring's own table, one whose completion waits until the plugin asks for it. Fires for polled
//! rings, too. Since: Linux 6.2. Emits: `picket_abi::FileShort` without a path, once in an epoch: no rule allows it.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use picket_abi::hook;

use crate::{count, file_operation, kernel::Object, scope, uring};

#[raw_tracepoint(tracepoint = "io_uring_submit_req")]
fn io_uring_submit_req(ctx: RawTracePointContext) -> i32 {
    let request = Object(ctx.arg::<*const u8>(0));
    if let Some(scope) = scope::current()
        && uring::is_open(request)
        && uring::is_untold(request)
    {
        count::account(&scope, hook::OPEN, || file_operation::report_unknown(&scope));
    }
    0
}
