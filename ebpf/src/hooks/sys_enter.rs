//! A sandboxed task entered a system call.
//!
//! Hook: `sys_enter`, BTF tracepoint. Why here: the one place every call passes, 32-bit ones included; per-call
//! tracepoints miss those, and seccomp's refusals come before it and are read elsewhere. Since: Linux 5.5.
//! Emits: `picket_abi::Syscall`, on the first call of a number in an epoch and on every call of the danger set;
//! undeclared numbers on the verdict ring. What `arguments` finds in calls that are harmless by number. What `sequence`
//! sums of all of them where the sandbox has a table.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use picket_abi::{Lost, SYSCALL_WORDS, SYSCALLS, Syscall, abi_of_call, hook, kind};

use crate::{
    arguments, bounds,
    count::{self, Done},
    kernel::{Object, offset},
    output::{self, Ring},
    scope::{self, Scope},
    sequence,
};

/// `TS_COMPAT` of the x86 thread status: the running call came in by a 32-bit entry.
const TS_COMPAT: u32 = 2;
/// `__X32_SYSCALL_BIT`
const X32_BIT: u64 = 0x4000_0000;

// kernel: sys_enter(struct pt_regs *, long int)
#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    // Once: it is a call on kernels before 7.0.
    let task = Object::current_task();
    if let Some(scope) = scope::of_task(task) {
        let number: u64 = ctx.arg(1);
        if is_seen(&scope, task, number) {
            count::seen(&scope, hook::SYSCALL);
        } else {
            let registers = Object(ctx.arg::<*const u8>(0));
            count::account(&scope, hook::SYSCALL, || observe(&scope, task, registers, number));
        }
        // Calls in other numberings than the native one count as one.
        let native = || if is_compat(task) { SYSCALLS } else { number as u32 };
        sequence::observe(&scope, task, native);
    }
    0
}

/// Whether the running call came in by a 32-bit entry.
#[inline(always)]
fn is_compat(task: Object) -> bool {
    let status: u32 = task.load(offset!(task_status));
    status & TS_COMPAT != 0
}

/// The hot path: a native call, of no danger, that was shown before in this epoch.
#[inline(always)]
fn is_seen(scope: &Scope, task: Object, number: u64) -> bool {
    if is_compat(task) || u64::from(SYSCALLS) <= number {
        return false;
    }
    let (word, bit) = place_of(number);
    let Some(seen) = scope.seen_syscalls(word as usize) else { return false };
    // SAFETY: a word of a live map element; a stale value only sends a number twice.
    let seen = unsafe { core::ptr::read_volatile(seen) };
    seen & !bounds::word(&scope.settings.danger, word) & bit != 0
}

/// Word and bit of a call's number.
#[inline(always)]
fn place_of(number: u64) -> (u64, u64) {
    (bounds::below::<{ SYSCALL_WORDS as u64 }>(number / 64), 1 << (number % 64))
}

#[inline(always)]
fn observe(scope: &Scope, task: Object, registers: Object, number: u64) -> Result<Done, Lost> {
    if is_compat(task) {
        return send(scope, Ring::Verdicts, registers, number, abi_of_call::IA32);
    }
    if number & X32_BIT != 0 {
        return send(scope, Ring::Verdicts, registers, number, abi_of_call::X32);
    }
    if u64::from(SYSCALLS) <= number {
        return send(scope, Ring::Verdicts, registers, number, abi_of_call::NATIVE);
    }
    let (word, bit) = place_of(number);
    if bounds::word(&scope.settings.danger, word) & bit != 0
        && !arguments::look(scope, registers, number)
    {
        return send(scope, Ring::Verdicts, registers, number, abi_of_call::NATIVE);
    }
    let seen = scope.seen_syscalls(word as usize).ok_or(Lost::Impossible)?;
    // Not said by `is_seen` of the numbers whose arguments are looked at.
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
