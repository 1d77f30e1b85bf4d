//! System calls: the declared numbers, and before the entry point only the launcher's.

use crate::lanes::{Context, Offence};
use crate::syscalls::is_dangerous;
use crate::{Arguments, CLONE_FLAGS_DECLARED_BY, Capability, LAUNCHER, Reason, SyscallAbi};

/// `personality`, and the argument that only asks.
const PERSONALITY: u32 = 135;
const QUERY: u64 = 0xffff_ffff;

pub(super) fn judge(
    context: &Context<'_>,
    number: u32,
    abi: SyscallAbi,
    arguments: &Arguments,
) -> Option<Offence> {
    if abi != SyscallAbi::Native {
        return foreign(context, number, abi);
    }
    let declared = if context.starting { LAUNCHER } else { context.policy.syscalls };
    if declared.contains(number) {
        return None;
    }
    let asks = number == PERSONALITY && arguments.get(0) == Some(QUERY);
    Some(if is_dangerous(number, abi) && !asks {
        Offence::new(Capability::Danger, Reason::DangerousSyscall)
    } else if context.starting {
        Offence::new(Capability::Syscalls, Reason::BeforeEntryPoint)
    } else {
        Offence::new(Capability::Syscalls, Reason::UndeclaredSyscall)
    })
}

/// A namespace is where a sandbox within the sandbox begins, with privileges of its own. The call that makes
/// nothing else is `unshare`, so its name declares them for `clone` as well.
pub(super) fn judge_namespaces(context: &Context<'_>) -> Option<Offence> {
    let declared = !context.starting && context.policy.syscalls.contains(CLONE_FLAGS_DECLARED_BY);
    (!declared).then_some(Offence::new(Capability::Danger, Reason::NewNamespaces))
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
