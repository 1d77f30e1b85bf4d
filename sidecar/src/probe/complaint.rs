//! What the kernel said to a program that it refused, in one line, with the way out where there is one.

use std::{fs, io};

use aya::{
    BtfError,
    programs::{ProgramError, trace_point::TracePointError},
};

use super::load::LoadError;

/// Debian and Ubuntu let nobody but `CAP_SYS_ADMIN` open performance events when this setting is at their default.
const PARANOID: &str = "; kernel.perf_event_paranoid is above 2 and CAP_SYS_ADMIN is missing: set it to 2 \
                        (sysctl kernel.perf_event_paranoid=2), or boot with the BPF LSM, which needs no such event";

/// The way out where a hook is missing.
const NEEDED: &str = "boot Linux 6.1 or later, built with the options that docs/kernels.md lists under Required \
                      configuration";

fn is_paranoid(error: &aya::sys::SyscallError) -> bool {
    error.call.starts_with("perf_event_open")
        && error.io_error.kind() == io::ErrorKind::PermissionDenied
        && fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")
            .is_ok_and(|setting| setting.trim().parse::<i32>().is_ok_and(|setting| 2 < setting))
}

pub(super) fn refused(program: &'static str, error: &ProgramError) -> LoadError {
    LoadError::Program { program, reason: reason(error) }
}

/// The kernel's answer in one line; the verifier's last words if it spoke.
pub(super) fn reason(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let said: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
            // The summary line comes last, the complaint just before it.
            let tail = said.iter().rev().take(4).rev().copied().collect::<Vec<_>>().join(" | ");
            if tail.is_empty() { io_error.to_string() } else { format!("{io_error}: {tail}") }
        }
        ProgramError::SyscallError(error) => {
            let hint = if is_paranoid(error) { PARANOID } else { "" };
            format!("{}: {}{hint}", error.call, error.io_error)
        }
        ProgramError::Btf(BtfError::UnknownBtfTypeName { type_name }) => {
            format!("this kernel has no {type_name}: {NEEDED}")
        }
        ProgramError::TracePointError(TracePointError::FileError { filename, io_error }) => {
            format!(
                "{}: {io_error}: {NEEDED}, CONFIG_FTRACE_SYSCALLS=y among them",
                filename.display()
            )
        }
        other => other.to_string(),
    }
}
