//! Addresses: where a plugin may connect or send to, and where it may listen.

use core::net::IpAddr;

use crate::lanes::{Context, Offence};
use crate::policy::is_live;
use crate::{Capability, EndpointRule, NetworkOperation, Reason, SocketClass};

pub(super) fn judge(
    context: &Context<'_>,
    operation: NetworkOperation,
    protocol: u8,
    address: IpAddr,
    port: u16,
) -> Option<Offence> {
    let (capability, undeclared) = match operation {
        NetworkOperation::Connect | NetworkOperation::Send => {
            (Capability::Network, Reason::UndeclaredDestination)
        }
        // The kernel picks a free port. Most who ask for that only want to send; who listens there is told of then.
        NetworkOperation::Bind if port == 0 => return None,
        NetworkOperation::Bind | NetworkOperation::Listen => {
            (Capability::Listen, Reason::UndeclaredListener)
        }
    };
    let mut expired = false;
    for rule in rules(context, operation) {
        if covers(rule, protocol, address, port) {
            if is_live(rule.until, context.at) {
                return None;
            }
            expired = true;
        }
    }
    Some(Offence::new(capability, if expired { Reason::GrantExpired } else { undeclared }))
}

/// Sockets whose peers no hook judges: the kind itself has to be declared.
pub(super) fn judge_socket(
    context: &Context<'_>,
    family: u32,
    socket_type: u32,
    protocol: u32,
) -> Option<Offence> {
    let class = SocketClass::of(family, socket_type, protocol)?;
    (!context.policy.sockets.contains(class))
        .then_some(Offence::new(Capability::Network, Reason::UndeclaredSocket))
}

pub(super) fn rules<'a>(context: &Context<'a>, operation: NetworkOperation) -> &'a [EndpointRule] {
    match operation {
        NetworkOperation::Connect | NetworkOperation::Send => &context.policy.connect,
        NetworkOperation::Bind | NetworkOperation::Listen => &context.policy.listen,
    }
}

fn covers(rule: &EndpointRule, protocol: u8, address: IpAddr, port: u16) -> bool {
    // An IPv4 address in IPv6 clothes is that IPv4 address, also when a caller forgot to say so.
    rule.protocol.covers(protocol)
        && rule.ports.contains(&port)
        && rule.network.contains(&address.to_canonical())
}
