//! A sandboxed task replaced its program.
//!
//! Hook: `sched_process_exec`, BTF tracepoint. Why here: fires once, after exec can no longer fail and before the new
//! program's first instruction; the call's own tracepoints also fire for failed attempts. For a script the executed
//! object is the interpreter; the script is told by its text. Since: Linux 5.5.
//! Emits: `picket_abi::ExecShort` or `ExecLong`, every time.

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use picket_abi::{
    ARGV_MAX, Exec, ExecLong, ExecShort, GIVEN_MAX, Header, Lost, PATH_LONG, PATH_SHORT, flag,
    hook, kind, path_state,
};

use crate::{
    bounds,
    count::{self, Done},
    file::{self, Opened},
    kernel::{Object, offset},
    output::{self, Ring},
    scope::{self, Scope},
};

// kernel: sched_process_exec(struct task_struct *, pid_t, struct linux_binprm *)
#[btf_tracepoint(function = "sched_process_exec")]
fn sched_process_exec(ctx: BtfTracePointContext) -> i32 {
    if let Some(scope) = scope::current() {
        let bprm = Object(ctx.arg::<*const u8>(2));
        count::account(&scope, hook::EXEC, || report(&scope, bprm));
    }
    0
}

#[inline(always)]
fn report(scope: &Scope, bprm: Object) -> Result<Done, Lost> {
    // The entry point was born before its sandbox was watched; from here on its departure will be noticed.
    let task = Object::current_task();
    if scope::remember_task(task.load(offset!(task_pid)), task.load(offset!(task_start)), scope)
        .is_err()
    {
        count::lost(Lost::TasksFull);
    }
    let Some(opened) = file::inspect(bprm.follow(offset!(bprm_file)))? else {
        return Ok(Done::Filtered);
    };
    let given = bprm.follow(offset!(bprm_filename));
    // The kernel gives `interp` a text of its own only when it replaced the program by an interpreter.
    let script = bprm.follow(offset!(bprm_interp)).address() != given.address();
    let header =
        output::header(scope, hook::EXEC, kind::EXEC, if script { flag::SCRIPT } else { 0 });
    let namespace = scope.settings.mount_namespace;

    let mut entry = Ring::Verdicts.reserve::<ExecShort>()?;
    let record = entry.as_mut_ptr();
    // SAFETY: `record` is the reserved slot; only addresses of its fields are formed and whole fields written.
    let (parts, area) = unsafe {
        (
            Parts { header: &raw mut (*record).header, exec: &raw mut (*record).exec },
            &raw mut (*record).path.bytes,
        )
    };
    parts.fill(header, given);
    let file = file::place_path::<{ PATH_SHORT as u64 }>(
        area.cast(),
        opened.file,
        opened.known.place,
        namespace,
    );
    // SAFETY: as above.
    unsafe { (&raw mut (*record).file).write(file) };
    if file.path_state != path_state::TOO_LONG {
        entry.submit(0);
        return Ok(Done::Submitted);
    }
    entry.discard(0);
    report_long(scope, &opened, header, given)
}

#[inline(always)]
fn report_long(
    scope: &Scope,
    opened: &Opened,
    header: Header,
    given: Object,
) -> Result<Done, Lost> {
    let namespace = scope.settings.mount_namespace;
    let mut entry = Ring::Verdicts.reserve::<ExecLong>()?;
    let record = entry.as_mut_ptr();
    // SAFETY: as in `report`.
    let (parts, area) = unsafe {
        (
            Parts { header: &raw mut (*record).header, exec: &raw mut (*record).exec },
            &raw mut (*record).path.bytes,
        )
    };
    parts.fill(header, given);
    let file = file::place_path::<{ PATH_LONG as u64 }>(
        area.cast(),
        opened.file,
        opened.known.place,
        namespace,
    );
    // SAFETY: as in `report`.
    unsafe { (&raw mut (*record).file).write(file) };
    entry.submit(0);
    Ok(Done::Submitted)
}

/// Where the parts that both record sizes share lie in a reserved slot.
struct Parts {
    header: *mut Header,
    exec: *mut Exec,
}

impl Parts {
    #[inline(always)]
    fn fill(&self, header: Header, given: Object) {
        // SAFETY: a field of the reserved slot.
        unsafe { self.header.write(header) };
        // SAFETY: as above; the texts lie behind the lengths and are filled by the kernel's own copies.
        let (given_at, argv_at) =
            unsafe { (&raw mut (*self.exec).given, &raw mut (*self.exec).argv) };
        // SAFETY: the helper checks the source, writes at most GIVEN_MAX bytes, the last a NUL.
        let copied =
            unsafe { bpf_probe_read_kernel_str(given_at.cast(), GIVEN_MAX as u32, given.0.cast()) };
        let given_len = if copied <= 0 { 0 } else { copied as u16 - 1 };
        let (argv_len, argv_total) = copy_arguments(argv_at.cast());
        // SAFETY: as above.
        unsafe { (&raw mut (*self.exec).given_len).write(given_len) };
        // SAFETY: as above.
        unsafe { (&raw mut (*self.exec).argv_len).write(argv_len) };
        // SAFETY: as above.
        unsafe { (&raw mut (*self.exec).argv_total).write(argv_total) };
    }
}

/// Copies the first arguments out of the new program's memory, which nobody has run yet: (bytes copied, bytes there are).
#[inline(always)]
fn copy_arguments(area: *mut u8) -> (u16, u32) {
    const { assert!(ARGV_MAX == 256) };
    let mm = Object::current_task().follow(offset!(task_mm));
    let start: u64 = mm.load(offset!(mm_arg_start));
    let end: u64 = mm.load(offset!(mm_arg_end));
    let total = end.wrapping_sub(start) as u32;
    // Whole area or all there is: 0..=256 either way.
    let wanted = if total < ARGV_MAX as u32 {
        bounds::below::<256>(u64::from(total))
    } else {
        ARGV_MAX as u64
    };
    // SAFETY: the helper checks the source; the area has room for 256 bytes.
    let failed = unsafe { bpf_probe_read_user(area.cast(), wanted as u32, start as *const _) };
    if failed == 0 { (wanted as u16, total) } else { (0, total) }
}
