//! A call on a name was refused (`EACCES`); both tiers, only while a sandbox has a wall of Landlock.
//!
//! Hook: classic tracepoints, the exits of the open family, of exec, and of what makes, removes, moves and cuts names;
//! one program at all of them. Why here: Landlock refuses before the BPF LSM is asked, so no other hook sees it; and a
//! global `sys_exit` hook would cost every call 20 ns. What would have been opened is not known by then: the record has
//! the text that the call was given, and the directory it starts from. A plugin that changes the text in between misleads
//! about an attempt that has failed. Classic tracepoints skip nested runs: user space reads `recursion_misses` as loss.
//! Since: Linux 5.15 (`bpf_task_pt_regs`). Emits: `picket_abi::Refusal`, every time. Not seen here: io_uring and 32-bit
//! calls (both are in the danger set, which a filter refuses).

use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str},
    macros::tracepoint,
    programs::TracePointContext,
};
use picket_abi::{File, Lost, NAME_MAX, PATH_SHORT, Refusal, hook, kind, path_state};

use super::open_exit::{RETURN_VALUE, file_of};
use crate::{
    arguments,
    count::{self, Done},
    file,
    kernel::{self, Object, offset},
    output::{self, Ring},
    path::Place,
    scope::{self, Scope},
};

const EACCES: i64 = 13;
const AT_FDCWD: u64 = -100_i32 as u32 as u64;
const O_WRONLY: u64 = 1;
const O_PATH: u64 = 0o10_000_000;

/// What a call was given: a name, perhaps another, and how to open it.
struct Asked {
    first: Name,
    second: Name,
    flags: u64,
}

/// A descriptor of a directory, and the address of a text.
#[derive(Clone, Copy)]
struct Name {
    directory: u64,
    text: u64,
}

const NO_NAME: Name = Name { directory: 0, text: 0 };

#[tracepoint]
fn call_refused(ctx: TracePointContext) -> u32 {
    // SAFETY: the tracepoint's context is 24 bytes long. Volatile: a plain load may be merged with a check.
    let returned =
        unsafe { ctx.as_ptr().cast::<u8>().add(RETURN_VALUE).cast::<i64>().read_volatile() };
    if returned != -EACCES {
        return 0;
    }
    if let Some(scope) = scope::current() {
        observe(&scope);
    }
    0
}

#[inline(always)]
fn observe(scope: &Scope) {
    let number = kernel::current_call();
    let asked = asked(number);
    if asked.flags & O_PATH != 0 || asked.first.text == 0 {
        return;
    }
    count::account(scope, hook::FILE_OPERATION, || {
        report(scope, number, asked.flags, asked.first.directory, asked.first.text)
    });
    if asked.second.text != 0 {
        count::account(scope, hook::FILE_OPERATION, || {
            report(scope, number, asked.flags, asked.second.directory, asked.second.text)
        });
    }
}

/// The names among the arguments of a call. No name: another call, or none was given.
#[inline(always)]
fn asked(number: u64) -> Asked {
    let [first, second, third, fourth, ..] = arguments::native(arguments::current_registers());
    let here = |text| Name { directory: AT_FDCWD, text };
    let at = |directory, text| Name { directory, text };
    let one = |first, flags| Asked { first, second: NO_NAME, flags };
    let two = |first, second| Asked { first, second, flags: 0 };
    match number {
        // open
        2 => one(here(first), second),
        // creat
        85 => one(here(first), O_WRONLY),
        // openat
        257 => one(at(first, second), third),
        // openat2: the flags are the first word of a structure.
        437 => one(at(first, second), word_of_user(third)),
        // execve truncate mkdir rmdir unlink mknod
        59 | 76 | 83 | 84 | 87 | 133 => one(here(first), 0),
        // execveat mkdirat mknodat unlinkat
        322 | 258 | 259 | 263 => one(at(first, second), 0),
        // symlink: the first is what it says, not a name.
        88 => one(here(second), 0),
        // symlinkat
        266 => one(at(second, third), 0),
        // rename link
        82 | 86 => two(here(first), here(second)),
        // renameat linkat renameat2
        264 | 265 | 316 => two(at(first, second), at(third, fourth)),
        _ => one(NO_NAME, 0),
    }
}

/// A word of the caller's memory; zero where nothing is.
#[inline(always)]
fn word_of_user(address: u64) -> u64 {
    let mut word = 0_u64;
    // SAFETY: the helper checks the source, and leaves zero where it cannot read.
    unsafe { bpf_probe_read_user((&raw mut word).cast(), 8, address as *const _) };
    word
}

/// What is told of the directory: its path.
const UNKNOWN: File = File {
    inode: 0,
    device: 0,
    access: 0,
    links: 0,
    mode: 0,
    path_state: path_state::RESOLVED,
    path_start: 0,
    operation: 0,
};

#[inline(never)]
fn report(scope: &Scope, number: u64, flags: u64, start: u64, text: u64) -> Result<Done, Lost> {
    let mut first = 0_u8;
    // SAFETY: the helper checks the source. What it cannot read is read no better below, and told so.
    unsafe { bpf_probe_read_user((&raw mut first).cast(), 1, text as *const _) };
    let directory = directory(start, first)?;
    let header = output::header(scope, hook::FILE_OPERATION, kind::REFUSAL, 0);
    let namespace = scope.settings.mount_namespace;
    let mut entry = Ring::Verdicts.reserve::<Refusal>()?;
    let record = entry.as_mut_ptr();
    // SAFETY: `record` is the reserved slot; only addresses of its fields are formed and whole fields written.
    unsafe { (&raw mut (*record).header).write(header) };
    // SAFETY: as above.
    let name = unsafe { (&raw mut (*record).name).cast::<u8>() };
    // SAFETY: the helper checks the source and writes at most NAME_MAX bytes, the last a NUL.
    let copied = unsafe { bpf_probe_read_user_str(name.cast(), NAME_MAX as u32, text as *const _) };
    // Full to the brim may be cut.
    let whole = 0 < copied && copied < NAME_MAX as i64;
    let length = if whole { copied as u32 - 1 } else { NAME_MAX as u32 };
    // SAFETY: as above.
    unsafe { (&raw mut (*record).number).write(number as u32) };
    // SAFETY: as above.
    unsafe { (&raw mut (*record).flags).write(flags as u32) };
    // SAFETY: as above.
    unsafe { (&raw mut (*record).name_len).write(length) };
    // SAFETY: as above.
    unsafe { (&raw mut (*record).reserved).write(0) };
    // SAFETY: as above.
    let area = unsafe { (&raw mut (*record).path.bytes).cast::<u8>() };
    let placed = file::place_path::<{ PATH_SHORT as u64 }>(area, UNKNOWN, directory, namespace);
    // SAFETY: as above.
    unsafe { (&raw mut (*record).directory).write(placed) };
    entry.submit(0);
    Ok(Done::Submitted)
}

/// Where a name starts: at the task's root, at its working directory, or at a directory that it has open.
#[inline(always)]
fn directory(start: u64, first: u8) -> Result<Place, Lost> {
    let (mount, dentry) = if first == b'/' || start & 0xffff_ffff == AT_FDCWD {
        let place = if first == b'/' { offset!(fs_root) } else { offset!(fs_pwd) };
        let fs = Object::current_task().read_pointer(offset!(task_fs))?;
        (
            fs.read_pointer(place + offset!(path_mnt))?,
            fs.read_pointer(place + offset!(path_dentry))?,
        )
    } else {
        // Closed by another thread meanwhile: who does that is told as having lost a record.
        let file = file_of(Object::current_task(), start & 0xffff_ffff)?.ok_or(Lost::ReadFailed)?;
        (file.read_pointer(offset!(file_mnt))?, file.read_pointer(offset!(file_dentry))?)
    };
    Ok(Place { dentry, mount: file::mount_of(mount) })
}
