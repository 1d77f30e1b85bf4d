//! A policy as the kernel programs read it.

use ipnet::IpNet;
use picket_abi::{
    MAX_NET_RULES, NetRule, SLOT_EXECUTABLE_MEMORY, SLOT_REFUSE_LISTEN, SLOT_REFUSE_NETWORK,
    SYSCALL_WORDS, rule_operation, socket_class,
};
use picket_engine::{
    Action, Capability, DANGER, EndpointRule, KernelTime, Mode, Policy, Protocol, SocketClass,
    SocketSet, SyscallSet,
};
use zerocopy::IntoBytes;

use super::SlotError;
use crate::probe::Tier;

/// A bank of network rules.
pub(super) type RuleBytes = [u8; size_of::<NetRule>() * MAX_NET_RULES];

/// The kernel refuses undeclared network use where the policy acts on it; a plugin that is only watched is not disturbed.
fn refusals(policy: &Policy) -> u32 {
    let acts =
        |capability| policy.mode == Mode::Enforce && Action::Alert < policy.actions.get(capability);
    let network = if acts(Capability::Network) { SLOT_REFUSE_NETWORK } else { 0 };
    let listen = if acts(Capability::Listen) { SLOT_REFUSE_LISTEN } else { 0 };
    network | listen
}

/// The slot flags that follow from the policy.
pub(super) fn flags(policy: &Policy) -> u32 {
    let memory = if policy.executable_memory { SLOT_EXECUTABLE_MEMORY } else { 0 };
    refusals(policy) | memory
}

/// A bit for each kind of socket that needs no record on the verdict ring.
pub(super) fn sockets(declared: SocketSet) -> u64 {
    declared.classes().fold(socket_class::PLAIN, |bits, class| bits | 1 << class_bit(class))
}

const fn class_bit(class: SocketClass) -> u32 {
    match class {
        SocketClass::Raw => socket_class::RAW,
        SocketClass::Ping => socket_class::PING,
        SocketClass::OtherTransport => socket_class::OTHER_TRANSPORT,
        SocketClass::Unnamed => socket_class::UNKNOWN,
        // Numbers of address families.
        SocketClass::Key => 15,
        SocketClass::Netlink => 16,
        SocketClass::Packet => 17,
        SocketClass::Rds => 21,
        SocketClass::Can => 29,
        SocketClass::Tipc => 30,
        SocketClass::Bluetooth => 31,
        SocketClass::Alg => 38,
        SocketClass::Vsock => 40,
        SocketClass::Qipcrtr => 42,
        SocketClass::Smc => 43,
        SocketClass::Xdp => 44,
    }
}

/// Calls whose arguments are looked at in every tier: `clone`.
const BY_ARGUMENT: SyscallSet = SyscallSet::of(&[56]);

/// Where no LSM program sees sockets and memory: mmap mprotect shmat socket socketpair pkey_mprotect.
const BY_ARGUMENT_WITHOUT_LSM: SyscallSet = SyscallSet::of(&[9, 10, 30, 41, 53, 329]);

/// Calls that the kernel side looks at each time: undeclared ones of the danger set, and those by argument.
pub(super) fn looked_at(policy: &Policy, tier: Tier) -> [u64; SYSCALL_WORDS] {
    let mut words = undeclared_danger(policy);
    let without_lsm = match tier {
        Tier::Lsm => SyscallSet::EMPTY,
        Tier::Trace => BY_ARGUMENT_WITHOUT_LSM,
    };
    let by_argument = BY_ARGUMENT.words().into_iter().zip(without_lsm.words());
    for (word, (always, here)) in words.iter_mut().zip(by_argument) {
        *word |= always | here;
    }
    words
}

/// Calls of the danger set that the policy does not declare.
fn undeclared_danger(policy: &Policy) -> [u64; SYSCALL_WORDS] {
    let mut words = DANGER.words();
    for (word, declared) in words.iter_mut().zip(policy.syscalls.words()) {
        *word &= !declared;
    }
    words
}

/// The network rules in force, and how many.
pub(super) fn rules(policy: &Policy, now: KernelTime) -> Result<(RuleBytes, u32), SlotError> {
    let in_force = |rule: &&EndpointRule| rule.until.is_none_or(|until| now < until);
    let connect =
        policy.connect.iter().filter(in_force).map(|rule| (rule, rule_operation::CONNECT));
    let listen = policy.listen.iter().filter(in_force).map(|rule| (rule, rule_operation::LISTEN));
    let rules: Vec<NetRule> =
        connect.chain(listen).map(|(rule, operation)| rule_of(rule, operation)).collect();
    let count = u32::try_from(rules.len()).unwrap_or(u32::MAX);
    let mut bytes = [0; size_of::<NetRule>() * MAX_NET_RULES];
    let used = rules.as_bytes();
    bytes
        .get_mut(..used.len())
        .ok_or(SlotError::TooManyRules { rules: rules.len() })?
        .copy_from_slice(used);
    Ok((bytes, count))
}

fn rule_of(rule: &EndpointRule, operation: u8) -> NetRule {
    let (address, prefix) = match rule.network {
        IpNet::V4(network) => {
            (network.network().to_ipv6_mapped(), u32::from(network.prefix_len()) + 96)
        }
        IpNet::V6(network) => (network.network(), u32::from(network.prefix_len())),
    };
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    NetRule {
        family: if matches!(rule.network, IpNet::V4(_)) { 4 } else { 6 },
        network: words(address.octets()),
        mask: words(mask.to_be_bytes()),
        port_low: *rule.ports.start(),
        port_high: *rule.ports.end(),
        protocol: match rule.protocol {
            Protocol::Any => 0,
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        },
        operation,
    }
}

/// Sixteen bytes in network order as four words that hold them in that order.
fn words(bytes: [u8; 16]) -> [u32; 4] {
    zerocopy::transmute!(bytes)
}

#[cfg(test)]
mod tests;
