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
