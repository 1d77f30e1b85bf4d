//! System calls: the declared numbers, and before the entry point only the launcher's.

use crate::lanes::{Context, Offence};
use crate::syscalls::is_dangerous;
use crate::{Capability, LAUNCHER, Reason, SyscallAbi};

pub(super) fn judge(context: &Context<'_>, number: u32, abi: SyscallAbi) -> Option<Offence> {
    if abi != SyscallAbi::Native {
        return foreign(context, number, abi);
    }
    let declared = if context.starting { LAUNCHER } else { context.policy.syscalls };
    if declared.contains(number) {
        return None;
    }
    Some(if is_dangerous(number, abi) {
        Offence::new(Capability::Danger, Reason::DangerousSyscall)
    } else if context.starting {
        Offence::new(Capability::Syscalls, Reason::BeforeEntryPoint)
    } else {
        Offence::new(Capability::Syscalls, Reason::UndeclaredSyscall)
    })
}

/// Declaring the other ABI declares its ordinary calls as a whole: its numbers have no names in a
/// manifest. The danger set stays denied, for there is no name to declare it by.
fn foreign(context: &Context<'_>, number: u32, abi: SyscallAbi) -> Option<Offence> {
    if context.starting || !context.policy.foreign_abi {
        return Some(Offence::new(Capability::Danger, Reason::ForeignAbi));
    }
    is_dangerous(number, abi).then_some(Offence::new(Capability::Danger, Reason::DangerousSyscall))
}

/// What was refused was not declared, for the filter was made from the manifest; unless it is judged
/// by another manifest than the one it ran under.
pub(super) fn denied(
    context: &Context<'_>,
    number: u32,
    abi: SyscallAbi,
    by_arguments: bool,
) -> Option<Offence> {
    let native = abi == SyscallAbi::Native;
    let dangerous = is_dangerous(number, abi);
    let declared = if native {
        context.policy.syscalls.contains(number)
    } else {
        context.policy.foreign_abi && !dangerous
    };
    if declared && !by_arguments {
        return None;
    }
    let danger = dangerous || !native;
    let capability = if danger { Capability::Danger } else { Capability::Syscalls };
    Some(Offence::new(capability, Reason::DeniedAttempt))
}
