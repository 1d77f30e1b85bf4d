//! The filter's program: what is declared is allowed, everything else asks.
//!
//! seccompiler writes the part about native calls and their arguments. It has no answer for "ask"
//! and kills on another architecture, so whatever it refuses is turned into a notification, and the
//! parts about 32-bit calls come before it. The kernel finds the calls whose answer depends on
//! nothing but their number when the filter is installed, and does not run it for them again.

use std::collections::BTreeMap;

use picket_engine::{SyscallAbi, SyscallSet, is_dangerous};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule, TargetArch, sock_filter,
};

use super::CallFilter;

/// `AUDIT_ARCH_I386`.
const I386: u32 = 3 | 0x4000_0000;
const X32_BIT: u32 = 1 << 30;
/// Places in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_SET: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Tells the launcher's last calls from the plugin's.
///
/// Between filter and `execve` the launcher needs calls that the manifest need not declare. No
/// kernel looks at the sixth argument of any of them, but the filter can: with these random bits
/// in it they pass. They are known to the launcher's memory only, which its `execve` throws away.
#[derive(Clone, Copy)]
pub(in super::super) struct Pass(pub(in super::super) u64);

impl Pass {
    /// For a process without a filter.
    pub(in super::super) const NONE: Self = Self(0);

    const CALLS: [libc::c_long; 5] = [
        libc::SYS_clone3,
        libc::SYS_sendmsg,
        libc::SYS_write,
        libc::SYS_execve,
        libc::SYS_exit_group,
    ];

    fn rule(self) -> Result<Rule, BackendError> {
        Rule::new(vec![Condition::new(5, Width::Qword, Compare::Eq, self.0)?])
    }
}

/// The program for the kernel.
pub(in super::super) fn program(
    filter: &CallFilter,
    pass: Pass,
) -> Result<BpfProgram, BackendError> {
    let mut program = foreign(filter.foreign_abi);
    // The refusal is turned into a notification below, so which one it is does not matter.
    let native = SeccompFilter::new(
        native(filter, pass)?,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        TargetArch::x86_64,
    )?;
    program.extend(BpfProgram::try_from(native)?);
    for instruction in &mut program {
        if instruction.code == RETURN && instruction.k != libc::SECCOMP_RET_ALLOW {
            instruction.k = libc::SECCOMP_RET_USER_NOTIF;
        }
    }
    Ok(program)
}

/// Native calls by number; no rules for one of them: any arguments.
fn native(filter: &CallFilter, pass: Pass) -> Result<BTreeMap<i64, Vec<Rule>>, BackendError> {
    let declared = |call: i64| u32::try_from(call).is_ok_and(|call| filter.calls.contains(call));
    let mut rules: BTreeMap<i64, Vec<Rule>> =
        filter.calls.numbers().map(|number| (i64::from(number), Vec::new())).collect();
    for call in Pass::CALLS.into_iter().filter(|&call| !declared(call)) {
        rules.insert(call, vec![pass.rule()?]);
    }
    // A filter of its own would answer before this one's notification, and nobody would know.
    if declared(libc::SYS_prctl) && !declared(libc::SYS_seccomp) {
        let option = u64::from(libc::PR_SET_SECCOMP.unsigned_abs());
        rules.insert(libc::SYS_prctl, vec![Rule::new(vec![is(0, Compare::Ne, option)?])?]);
    }
    if declared(libc::SYS_socket) && !filter.any_socket {
        rules.insert(libc::SYS_socket, sockets()?);
    }
    Ok(rules)
}

/// Sockets whose traffic the hooks see: what a manifest can say something about.
fn sockets() -> Result<Vec<Rule>, BackendError> {
    const TYPE: u64 = 0xf;
    let number = |number: i32| u64::from(number.unsigned_abs());
    let of = |family, kind, protocol| {
        Rule::new(vec![
            is(0, Compare::Eq, number(family))?,
            // Above it are SOCK_CLOEXEC and SOCK_NONBLOCK.
            is(1, Compare::MaskedEq(TYPE), number(kind))?,
            is(2, Compare::Eq, number(protocol))?,
        ])
    };
    let mut rules = vec![Rule::new(vec![is(0, Compare::Eq, number(libc::AF_UNIX))?])?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        for protocol in [0, libc::IPPROTO_TCP, libc::IPPROTO_MPTCP] {
            rules.push(of(family, libc::SOCK_STREAM, protocol)?);
        }
        for protocol in [0, libc::IPPROTO_UDP] {
            rules.push(of(family, libc::SOCK_DGRAM, protocol)?);
        }
    }
    // The C library asks it for this machine's addresses whenever it looks up a name.
    for kind in [libc::SOCK_RAW, libc::SOCK_DGRAM] {
        rules.push(of(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE)?);
    }
    Ok(rules)
}

/// A condition on the lower half of an argument: `int` is all that these calls take.
fn is(argument: u8, how: Compare, value: u64) -> Result<Condition, BackendError> {
    Condition::new(argument, Width::Dword, how, value)
}

/// What comes first: 32-bit and x32 calls. Native ones fall through to what follows.
fn foreign(allowed: bool) -> BpfProgram {
    let mut program = vec![instruction(LOAD, ARCHITECTURE)];
    program.extend(branch(JUMP_IF_EQUAL, I386, judged(allowed, SyscallAbi::Ia32)));
    program.push(instruction(LOAD, NUMBER));
    program.extend(branch(JUMP_IF_SET, X32_BIT, judged(allowed, SyscallAbi::X32)));
    program
}

/// `then`, entered if the comparison holds and jumped over if not. `then` ends in an answer.
fn branch(comparison: u16, value: u32, then: BpfProgram) -> BpfProgram {
    let over = u8::try_from(then.len()).expect("two instructions for each call of the danger set");
    let mut program = vec![sock_filter { code: comparison, jt: 0, jf: over, k: value }];
    program.extend(then);
    program
}

/// An answer for every number of a foreign table.
fn judged(allowed: bool, abi: SyscallAbi) -> BpfProgram {
    const REFUSED: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    if !allowed {
        return vec![instruction(RETURN, REFUSED)];
    }
    let offset = if abi == SyscallAbi::X32 { X32_BIT } else { 0 };
    // Numbers of both tables end far below twice the limit.
    let dangerous = (0..2 * SyscallSet::LIMIT)
        .map(|number| offset | number)
        .filter(|&number| is_dangerous(number, abi));
    let mut program = vec![instruction(LOAD, NUMBER)];
    for number in dangerous {
        program.extend(branch(JUMP_IF_EQUAL, number, vec![instruction(RETURN, REFUSED)]));
    }
    program.push(instruction(RETURN, libc::SECCOMP_RET_ALLOW));
    program
}

const fn instruction(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

#[cfg(test)]
mod tests;
