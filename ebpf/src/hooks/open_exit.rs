//! A call of the open family returned; `trace` tier.
//!
//! Hook: `sys_exit_open`, `sys_exit_openat`, `sys_exit_openat2`, `sys_exit_creat`, `sys_exit_open_by_handle_at`,
//! classic tracepoints. Why here: the returned descriptor leads to the object that was really opened, while the path
//! text at entry is wrong in 0.1 % of racing opens; a second global `sys_exit` hook would cost every call 20 ns more.
//! Classic tracepoints skip nested runs: user space reads `recursion_misses` as loss. Since: Linux 5.11
//! (`bpf_get_current_task_btf`). Emits: as `file_open`. Not seen here: io_uring and 32-bit opens (both are in the danger
//! set), opens inside exec (the exec hook reports the program).

use aya_ebpf::{EbpfContext, macros::tracepoint, programs::TracePointContext};
use picket_abi::Lost;

use crate::{
    count::{self, Done},
    file,
    kernel::{Object, offset},
    scope::{self, Scope},
};

/// `struct syscall_trace_exit`: common fields (8), number (8), then the return value.
pub(super) const RETURN_VALUE: usize = 16;

#[tracepoint(category = "syscalls", name = "sys_exit_open")]
fn sys_exit_open(ctx: TracePointContext) -> u32 {
    observe(&ctx)
}

#[tracepoint(category = "syscalls", name = "sys_exit_openat")]
fn sys_exit_openat(ctx: TracePointContext) -> u32 {
    observe(&ctx)
}

#[tracepoint(category = "syscalls", name = "sys_exit_openat2")]
fn sys_exit_openat2(ctx: TracePointContext) -> u32 {
    observe(&ctx)
}

#[tracepoint(category = "syscalls", name = "sys_exit_creat")]
fn sys_exit_creat(ctx: TracePointContext) -> u32 {
    observe(&ctx)
}

#[tracepoint(category = "syscalls", name = "sys_exit_open_by_handle_at")]
fn sys_exit_open_by_handle_at(ctx: TracePointContext) -> u32 {
    observe(&ctx)
}

#[inline(always)]
fn observe(ctx: &TracePointContext) -> u32 {
    let task = Object::current_task();
    if let Some(scope) = scope::of_task(task) {
        // SAFETY: the tracepoint's context is 24 bytes long. Volatile: a plain load may be merged with a check.
        let returned =
            unsafe { ctx.as_ptr().cast::<u8>().add(RETURN_VALUE).cast::<i64>().read_volatile() };
        let opened = if returned < 0 { Ok(None) } else { file_of(task, returned as u64) };
        file::observe_open(&scope, opened, count::seen);
    }
    0
}

/// Reports what a returned descriptor leads to.
#[inline(always)]
pub fn report(scope: &Scope, returned: i64) -> Result<Done, Lost> {
    if returned < 0 {
        return Ok(Done::Filtered);
    }
    let Some(file) = file_of(Object::current_task(), returned as u64)? else {
        return Ok(Done::Filtered);
    };
    file::report_open(scope, file)
}

/// The object behind a descriptor of a task; `None` when another thread has closed it already.
#[inline(always)]
pub(super) fn file_of(task: Object, descriptor: u64) -> Result<Option<Object>, Lost> {
    let table = task.follow(offset!(task_files)).follow(offset!(files_fdt));
    let max: u32 = table.load(offset!(fdtable_max));
    if u64::from(max) <= descriptor {
        return Ok(None);
    }
    let files = table.follow(offset!(fdtable_fd));
    let slot = Object(files.0.wrapping_add(descriptor as usize * size_of::<u64>()));
    let file = slot.read_pointer(0)?;
    Ok((!file.0.is_null()).then_some(file))
}
