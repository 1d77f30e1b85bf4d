//! A signal was generated.
//!
//! Hook: `signal_generate`, BTF tracepoint. Why here: the only sight of a signal's target in the `trace` tier; fires after
//! the permission check, for every call that sends one, in the sender's task. Since: Linux 5.5.
//! Emits: `picket_abi::Reach`, once for a process and signal in an epoch.
//!
//! The kernel makes signals itself, in whatever task happens to run: timers, terminals, readiness of sockets, the end of
//! a child. They are no deed of that task and are left out by what the kernel says of their origin. A task may forge an
//! origin, but only in the calls that let it write one.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use picket_abi::reach as how;

use crate::{
    kernel::{self, Object, offset},
    reach,
};

/// `SEND_SIG_NOINFO`: sent by the running task.
const NO_INFO: u64 = 0;
/// `SEND_SIG_PRIV`: made by the kernel.
const FROM_KERNEL: u64 = 1;
/// `SI_TIMER`, `SI_MESGQ`, `SI_ASYNCIO`, `SI_SIGIO`: the kernel writes them, and so may a task.
const AMBIGUOUS: core::ops::RangeInclusive<i32> = -5..=-2;
/// `SI_ASYNCNL`, alike.
const LOOKED_UP: i32 = -60;
/// `rt_sigqueueinfo`, `rt_tgsigqueueinfo`, `pidfd_send_signal`
const WRITERS: [u64; 3] = [129, 297, 424];

// kernel: signal_generate(int, struct kernel_siginfo *, struct task_struct *, int, int)
#[btf_tracepoint(function = "signal_generate")]
fn signal_generate(ctx: BtfTracePointContext) -> i32 {
    if is_sent(Object(ctx.arg::<*const u8>(1))) {
        reach::observe(how::SIGNAL, ctx.arg::<u32>(0), Object(ctx.arg::<*const u8>(2)));
    } else {
        reach::pass();
    }
    0
}

/// Whether the running task has sent the signal.
#[inline(always)]
fn is_sent(origin: Object) -> bool {
    match origin.address() {
        NO_INFO => return true,
        FROM_KERNEL => return false,
        _ => {}
    }
    // Missing data is no calm: what cannot be read counts as sent.
    let Ok(code) = origin.read::<i32>(offset!(siginfo_code)) else { return true };
    if 0 < code {
        return false;
    }
    if AMBIGUOUS.contains(&code) || code == LOOKED_UP {
        let call = kernel::current_call();
        return WRITERS[0] == call || WRITERS[1] == call || WRITERS[2] == call;
    }
    true
}
