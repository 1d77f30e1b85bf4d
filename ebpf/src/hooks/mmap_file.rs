//! Memory is about to be mapped for execution; `lsm` tier.
//!
//! Hook: `mmap_file`, LSM. Why here: holds the file itself, so nothing can race, with the protection that will really be
//! set; fires for `mmap` and `shmat` by any entry into the kernel. What the kernel maps within an exec is left out: the
//! exec hook reports the program. Since: Linux 5.7 with `bpf` among the active LSMs. Emits: `picket_abi::Memory` for
//! memory without a file or with one and writable as well, `FileShort` or `FileLong` for files; each once in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::{hook, memory_use};

use crate::{
    arguments::{self, PROT_EXEC},
    count, deed, file,
    kernel::{Object, offset},
    scope,
};

/// `execve` and `execveat`, native, x32 and 32-bit. The latter's numbers are harmless in the other tables.
const EXECS: [u64; 6] = [59, 322, 520, 545, 11, 358];

// kernel: mmap_file(struct file *, long unsigned int, long unsigned int, long unsigned int)
#[lsm(hook = "mmap_file")]
fn mmap_file(ctx: LsmContext) -> i32 {
    let (protection, flags): (u64, u64) = (ctx.arg(2), ctx.arg(3));
    if protection & PROT_EXEC != 0
        && !is_within_exec()
        && let Some(scope) = scope::current()
    {
        if arguments::makes_code(protection, flags) {
            deed::memory(&scope, memory_use::MAPPED);
        } else {
            let mapped = Object(ctx.arg::<*const u8>(0));
            // Only anonymous memory has none, and that is said by its flag; the verifier wants it asked.
            if !mapped.0.is_null() {
                count::account(&scope, hook::MEMORY, || file::report_mapped(&scope, mapped));
            }
        }
    }
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(4)
}

#[inline(always)]
fn is_within_exec() -> bool {
    let number: u64 = arguments::current_registers().load(offset!(regs_orig_ax));
    let number = number & !0x4000_0000;
    let mut known = 0;
    while known < EXECS.len() {
        if EXECS[known] == number {
            return true;
        }
        known += 1;
    }
    false
}
