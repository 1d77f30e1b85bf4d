//! A file was mapped for execution; `trace` tier.
//!
//! Hook: `sys_exit_mmap`, classic tracepoint. Why here: the mapping is there, and the descriptor leads to its file; a
//! thread that puts another file at that number in between is seen as having mapped that one. Classic tracepoints skip
//! nested runs: user space reads `recursion_misses` as loss. Since: Linux 5.15 (`bpf_task_pt_regs`).
//! Emits: `picket_abi::FileShort` or `FileLong`, on the first mapping of an object by a name in an epoch. Not seen here:
//! 32-bit calls; what the kernel maps within an exec (the exec hook reports the program).

use aya_ebpf::{EbpfContext, macros::tracepoint, programs::TracePointContext};
use picket_abi::{Lost, hook};

use super::open_exit::{RETURN_VALUE, file_of};
use crate::{
    arguments::{self, PROT_EXEC},
    count::{self, Done},
    file,
    kernel::{Object, offset},
    scope::{self, Scope},
};

#[tracepoint(category = "syscalls", name = "sys_exit_mmap")]
fn sys_exit_mmap(ctx: TracePointContext) -> u32 {
    let Some(scope) = scope::current() else { return 0 };
    let registers = arguments::current_registers();
    let protection: u64 = registers.load(offset!(regs_dx));
    if protection & PROT_EXEC == 0 {
        return 0;
    }
    let flags: u64 = registers.load(offset!(regs_r10));
    if arguments::makes_code(protection, flags) {
        // Reported at entry.
        return 0;
    }
    // SAFETY: the tracepoint's context is 24 bytes long. Volatile: a plain load may be merged with a check.
    let returned =
        unsafe { ctx.as_ptr().cast::<u8>().add(RETURN_VALUE).cast::<i64>().read_volatile() };
    count::account(&scope, hook::MEMORY, || report(&scope, registers, returned));
    0
}

#[inline(always)]
fn report(scope: &Scope, registers: Object, returned: i64) -> Result<Done, Lost> {
    if returned < 0 {
        return Ok(Done::Filtered);
    }
    let descriptor: u64 = registers.load(offset!(regs_r8));
    let Some(mapped) = file_of(Object::current_task(), descriptor & 0xffff_ffff)? else {
        return Ok(Done::Filtered);
    };
    file::report_mapped(scope, mapped)
}
