//! A sandboxed task entered a system call.
//!
//! Hook: `sys_enter`, BTF tracepoint. Why here: the one place every call passes, 32-bit ones included; per-call
//! tracepoints miss those, and seccomp's refusals come before it and are read elsewhere. Since: Linux 5.5.
//! Emits: `picket_abi::Syscall`, on the first call of a number in an epoch and on every call of the danger set;
//! undeclared numbers on the verdict ring. What `arguments` finds in calls that are harmless by number.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use picket_abi::{Lost, SYSCALL_WORDS, SYSCALLS, Syscall, abi_of_call, hook, kind};

use crate::{
    arguments, bounds,
    count::{self, Done},
    kernel::{Object, offset},
    output::{self, Ring},
    scope::{self, Scope},
};

/// `TS_COMPAT` of the x86 thread status: the running call came in by a 32-bit entry.
const TS_COMPAT: u32 = 2;
/// `__X32_SYSCALL_BIT`
const X32_BIT: u64 = 0x4000_0000;

// kernel: sys_enter(struct pt_regs *, long int)
#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    if let Some(scope) = scope::current() {
        let registers = Object(ctx.arg::<*const u8>(0));
        let number: u64 = ctx.arg(1);
        count::account(&scope, hook::SYSCALL, || observe(&scope, registers, number));
    }
    0
}

#[inline(always)]
fn observe(scope: &Scope, registers: Object, number: u64) -> Result<Done, Lost> {
    let status: u32 = Object::current_task().load(offset!(task_status));
    if status & TS_COMPAT != 0 {
        return send(scope, Ring::Verdicts, registers, number, abi_of_call::IA32);
    }
    if number & X32_BIT != 0 {
        return send(scope, Ring::Verdicts, registers, number, abi_of_call::X32);
    }
    if u64::from(SYSCALLS) <= number {
        return send(scope, Ring::Verdicts, registers, number, abi_of_call::NATIVE);
    }
    let word = bounds::below::<{ SYSCALL_WORDS as u64 }>(number / 64);
    let bit = 1_u64 << (number % 64);
    if bounds::word(&scope.settings.danger, word) & bit != 0
        && !arguments::look(scope, registers, number)
    {
        return send(scope, Ring::Verdicts, registers, number, abi_of_call::NATIVE);
    }
    let seen = scope.seen_syscalls(word as usize).ok_or(Lost::Impossible)?;
    // SAFETY: a word of a live map element; a stale value only sends a number twice.
    if unsafe { core::ptr::read_volatile(seen) } & bit != 0 {
        return Ok(Done::Aggregated);
    }
    let declared = bounds::word(&scope.settings.declared, word) & bit != 0;
    let ring = if declared { Ring::Events } else { Ring::Verdicts };
    let done = send(scope, ring, registers, number, abi_of_call::NATIVE)?;
    // Only after the record is in the ring: the other order loses the novelty for good when the ring is full.
    if scope.remembers() {
        bounds::set_bits(seen, bit);
    }
    Ok(done)
}

#[inline(always)]
fn send(scope: &Scope, ring: Ring, registers: Object, number: u64, abi: u32) -> Result<Done, Lost> {
    let header = output::header(scope, hook::SYSCALL, kind::SYSCALL, 0);
    let arguments = if abi == abi_of_call::IA32 {
        arguments::compat(registers)
    } else {
        arguments::native(registers)
    };
    let mut entry = ring.reserve::<Syscall>()?;
    entry.write(Syscall { header, number: number as u32, abi, arguments });
    entry.submit(0);
    Ok(Done::Submitted)
}
