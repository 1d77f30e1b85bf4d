//! A destination or local address: is it declared, is it new to the sandbox, and the record if so.
//!
//! The cgroup hooks decide in the kernel: fast open, MPTCP and io_uring pass through them, and what is refused here
//! has not happened.

use aya_ebpf::{bindings::bpf_sock_addr, macros::map, maps::Array, programs::SockAddrContext};
use picket_abi::{
    Destination, Lost, MAX_NET_RULES, NetRule, RULE_BANKS, SLOT_REFUSE_LISTEN, SLOT_REFUSE_NETWORK,
    flag, hook, kind, operation, rule_operation,
};

use crate::{
    bounds,
    count::{self, Done},
    output::{self, Ring},
    scope::{self, Scope},
    seen::Seen,
};

/// Declared destinations. Key: slot * banks + bank. Value: rules. Writer: picket, always the bank not in force.
/// Reader: the socket hooks.
#[map]
static NET_RULES: Array<[NetRule; MAX_NET_RULES]> = Array::with_max_entries(64 * RULE_BANKS, 0);

/// Destinations shown in this epoch, 16,384, those that were refused apart from the others. Writer and reader: the socket
/// hooks.
#[map]
static SEEN_DESTINATIONS: Seen<4, 11> = Seen::new();

const IPPROTO_TCP: u16 = 6;
const IPPROTO_MPTCP: u16 = 262;

/// What a socket hook sees.
#[derive(Clone, Copy)]
pub struct Address {
    /// Network byte order, IPv4 as v4-mapped.
    pub words: [u32; 4],
    /// Host order.
    pub port: u16,
    pub protocol: u16,
    pub socket_type: u16,
}

impl Address {
    /// The address of an IPv4 hook's context.
    #[inline(always)]
    pub fn v4(ctx: &SockAddrContext) -> Self {
        let at = ctx.sock_addr;
        // SAFETY: the hook's context; the verifier allows loads of these fields only. Volatile, so that no load is
        // widened or merged into one it refuses.
        let address = unsafe { core::ptr::read_volatile(&raw const (*at).user_ip4) };
        Self::with(at, [0, 0, 0xffff_u32.to_be(), address])
    }

    /// The address of an IPv6 hook's context.
    #[inline(always)]
    pub fn v6(ctx: &SockAddrContext) -> Self {
        let at = ctx.sock_addr;
        let mut words = [0; 4];
        let mut word = 0;
        while word < 4 {
            // SAFETY: as in `v4`; `word` is below the array's length.
            words[word] = unsafe {
                core::ptr::read_volatile((&raw const (*at).user_ip6).cast::<u32>().add(word))
            };
            word += 1;
        }
        Self::with(at, words)
    }

    /// 4 for an IPv4 address, mapped or not.
    #[inline(always)]
    fn family(&self) -> u8 {
        let mapped = self.words[0] | self.words[1] == 0 && self.words[2] == 0xffff_u32.to_be();
        if mapped { 4 } else { 6 }
    }

    /// What is remembered of it.
    #[inline(always)]
    fn deed(&self, era: u64, operation: u16, refused: bool) -> [u64; 4] {
        let words = self.words.map(u64::from);
        let way = u64::from(self.port)
            | u64::from(self.protocol) << 16
            | u64::from(operation) << 32
            | u64::from(refused) << 48;
        [era, words[0] | words[1] << 32, words[2] | words[3] << 32, way]
    }

    #[inline(always)]
    fn with(at: *mut bpf_sock_addr, words: [u32; 4]) -> Self {
        // SAFETY: as in `v4`.
        let port = unsafe { core::ptr::read_volatile(&raw const (*at).user_port) };
        // SAFETY: as in `v4`.
        let protocol = unsafe { core::ptr::read_volatile(&raw const (*at).protocol) };
        // SAFETY: as in `v4`.
        let socket_type = unsafe { core::ptr::read_volatile(&raw const (*at).type_) };
        Self {
            words,
            port: u16::from_be(port as u16),
            protocol: protocol as u16,
            socket_type: socket_type as u16,
        }
    }
}

const ALLOW: u64 = 1;
const REFUSE: u64 = 0;

/// Judges one socket operation of the current task. The answer is what the hook returns: 1 allows, 0 is `EPERM`.
#[inline(always)]
pub fn judge(operation: u16, address: Address) -> i32 {
    let hook = hook_of(operation);
    let Some(scope) = scope::current() else { return 1 };
    // The epoch before the rules: picket writes the rules first, so what is answered in an epoch is answered by its rules or
    // by newer ones.
    let era = scope.era();
    let answer = if SEEN_DESTINATIONS.has(&address.deed(era, operation, false)) {
        count::seen_preemptible(&scope, hook);
        ALLOW
    } else {
        answer_new(&scope, hook, operation, &address, era)
    };
    // VERIFIER(6.18): "R0 should have been in [0, 1]" — a value that went through the stack is a byte to the verifier.
    bounds::below::<2>(answer) as i32
}

/// Reports that the current task listens, unless that was judged at the bind: in the same epoch, to the same port.
#[inline(always)]
pub fn observe_listener(address: &Address) {
    let Some(scope) = scope::current() else { return };
    let hook = hook_of(operation::LISTEN);
    let era = scope.era();
    let bound = || SEEN_DESTINATIONS.has(&address.deed(era, operation::BIND, false));
    let deed = address.deed(era, operation::LISTEN, false);
    if (address.port != 0 && bound()) || SEEN_DESTINATIONS.has(&deed) {
        return count::seen_preemptible(&scope, hook);
    }
    count::account(&scope, hook, || report(&scope, hook, operation::LISTEN, address, false, &deed));
}

#[inline(always)]
fn answer_new(scope: &Scope, hook: u16, operation: u16, address: &Address, era: u64) -> u64 {
    let refusing =
        if operation == operation::BIND { SLOT_REFUSE_LISTEN } else { SLOT_REFUSE_NETWORK };
    let refused = scope.settings.flags & refusing != 0 && !is_declared(scope, operation, address);
    let deed = address.deed(era, operation, refused);
    count::account(scope, hook, || report(scope, hook, operation, address, refused, &deed));
    if refused { REFUSE } else { ALLOW }
}

#[inline(always)]
fn report(
    scope: &Scope,
    hook: u16,
    operation: u16,
    address: &Address,
    refused: bool,
    deed: &[u64; 4],
) -> Result<Done, Lost> {
    if refused && SEEN_DESTINATIONS.has(deed) {
        return Ok(Done::Aggregated);
    }
    let flags = if refused { flag::REFUSED } else { 0 };
    // Listeners are few, and nothing has refused them.
    let is_verdict = refused || operation == operation::LISTEN;
    let ring = if is_verdict { Ring::Verdicts } else { Ring::Events };
    let header = output::header(scope, hook, kind::DESTINATION, flags);
    let mut entry = ring.reserve::<Destination>()?;
    entry.write(Destination {
        header,
        address: address.words,
        port: address.port,
        protocol: address.protocol,
        socket_type: address.socket_type,
        operation,
    });
    entry.submit(0);
    // After the record is in: see `file::report_open`.
    if scope.remembers() {
        SEEN_DESTINATIONS.remember(deed);
    }
    Ok(Done::Submitted)
}

/// Does a rule of the bank in force cover the address? Binding to port 0 lets the kernel choose and needs no rule.
#[inline(always)]
fn is_declared(scope: &Scope, operation: u16, address: &Address) -> bool {
    if operation == operation::BIND && address.port == 0 {
        return true;
    }
    let wanted =
        if operation == operation::BIND { rule_operation::LISTEN } else { rule_operation::CONNECT };
    // SAFETY: a field of a live map element. Volatile for the order, as the epoch in `judge`.
    let bank = unsafe { core::ptr::read_volatile(&raw const scope.settings.bank) };
    let bank = bank & (RULE_BANKS - 1);
    // SAFETY: as above.
    let count = unsafe { core::ptr::read_volatile(&raw const scope.settings.rules) };
    let Some(rules) = NET_RULES.get(scope.slot * RULE_BANKS + bank) else {
        count::lost(Lost::Impossible);
        return false;
    };
    let mut index = 0;
    while index < MAX_NET_RULES {
        if count <= index as u32 {
            return false;
        }
        if covers(&rules[index], wanted, address) {
            return true;
        }
        index += 1;
    }
    false
}

#[inline(always)]
fn covers(rule: &NetRule, operation: u8, address: &Address) -> bool {
    let protocol = if address.protocol == IPPROTO_MPTCP { IPPROTO_TCP } else { address.protocol };
    let mut differing = 0;
    let mut word = 0;
    while word < 4 {
        differing |= (rule.network[word] ^ address.words[word]) & rule.mask[word];
        word += 1;
    }
    differing == 0
        && rule.family == address.family()
        && rule.operation == operation
        && (rule.protocol == 0 || rule.protocol == protocol)
        && rule.port_low <= address.port
        && address.port <= rule.port_high
}

/// Which counter an operation of the connect family belongs to.
const fn hook_of(operation: u16) -> u16 {
    match operation {
        operation::CONNECT => hook::CONNECT,
        operation::SEND => hook::SEND,
        _ => hook::BIND,
    }
}
