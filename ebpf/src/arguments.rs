//! The arguments of a system call, as the registers hold them at entry: integers, never followed.
//!
//! Some calls are harmless by number and not by argument. They are looked at each time, so that the first harmless one
//! does not hide what comes later; only their numbers pay for that.

use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs};
use picket_abi::{memory_use, new_namespace};

use crate::{
    deed::{self, Asked},
    kernel::{Object, offset},
    scope::Scope,
};

const MMAP: u64 = 9;
const MPROTECT: u64 = 10;
const SHMAT: u64 = 30;
const SOCKET: u64 = 41;
const SOCKETPAIR: u64 = 53;
const CLONE: u64 = 56;
const PKEY_MPROTECT: u64 = 329;

const PROT_WRITE: u64 = 2;
pub const PROT_EXEC: u64 = 4;
pub const MAP_ANONYMOUS: u64 = 0x20;
const SHM_EXEC: u64 = 0o100_000;

/// The six arguments of a 64-bit call.
#[inline(always)]
pub fn native(registers: Object) -> [u64; 6] {
    [
        registers.load(offset!(regs_di)),
        registers.load(offset!(regs_si)),
        registers.load(offset!(regs_dx)),
        registers.load(offset!(regs_r10)),
        registers.load(offset!(regs_r8)),
        registers.load(offset!(regs_r9)),
    ]
}

/// The six arguments of a 32-bit call.
#[inline(always)]
pub fn compat(registers: Object) -> [u64; 6] {
    [
        registers.load(offset!(regs_bx)),
        registers.load(offset!(regs_cx)),
        registers.load(offset!(regs_dx)),
        registers.load(offset!(regs_si)),
        registers.load(offset!(regs_di)),
        registers.load(offset!(regs_bp)),
    ]
}

/// The registers with which the current task entered the kernel.
#[inline(always)]
pub fn current_registers() -> Object {
    // SAFETY: no arguments; the kernel returns a trusted pointer to the current task.
    let task = unsafe { bpf_get_current_task_btf() };
    // SAFETY: the current task; the kernel returns a trusted pointer to the registers on its stack.
    Object(unsafe { bpf_task_pt_regs(task) } as *const u8)
}

/// Looks at a call of the numbers that user space wants looked at. `false`: the number itself is dangerous.
#[inline(always)]
pub fn look(scope: &Scope, registers: Object, number: u64) -> bool {
    let [first, second, third, fourth, ..] = native(registers);
    match number {
        SOCKET | SOCKETPAIR => {
            let asked = Asked::new(first as u32, second as u32, third as u32);
            if !asked.is_plain() {
                deed::socket(scope, asked, 0);
            }
        }
        MMAP => {
            if makes_code(third, fourth) {
                deed::memory(scope, memory_use::MAPPED);
            }
        }
        MPROTECT | PKEY_MPROTECT => {
            if third & PROT_EXEC != 0 {
                deed::memory(scope, memory_use::CHANGED);
            }
        }
        SHMAT => {
            if third & SHM_EXEC != 0 {
                deed::memory(scope, memory_use::ATTACHED);
            }
        }
        CLONE => {
            let flags = first & new_namespace::BY_CLONE;
            if flags != 0 {
                deed::namespaces(scope, flags as u32);
            }
        }
        _ => return false,
    }
    true
}

/// Whether a mapping can run what no file on disk holds: without a file, or with one and writable as well.
#[inline(always)]
pub fn makes_code(protection: u64, flags: u64) -> bool {
    protection & PROT_EXEC != 0 && (flags & MAP_ANONYMOUS != 0 || protection & PROT_WRITE != 0)
}
