//! Destinations and local addresses.

use picket_engine::{Protocol, SocketClass};

use super::{
    super::declared::{Declared, Endpoint, Host},
    Lints, covered, kind,
};

/// Where name servers listen.
const DNS: u16 = 53;

pub(super) fn lint(declared: &Declared, lints: &mut Lints) {
    for rule in &declared.connect {
        if let Host::Network(network) = &rule.host.value
            && network.prefix_len() == 0
            && *rule.ports.start() <= 1
            && *rule.ports.end() == u16::MAX
        {
            lints.add(
                kind::ALWAYS_TRUE,
                rule.host.position,
                format!("`{network}` with any port means every destination there is"),
                "name the networks or the ports it needs",
            );
        }
    }
    for rules in [&declared.connect, &declared.listen] {
        for (narrow, wide) in covered::pairs(rules, covered::endpoint) {
            lints.add(
                kind::COVERED,
                narrow.host.position,
                format!(
                    "`{}` grants nothing that `{}` in line {} does not",
                    host(narrow),
                    host(wide),
                    wide.host.position.line()
                ),
                "remove it, or narrow the other one",
            );
        }
    }
    name_without_dns(&declared.connect, lints);
    for name in declared.unix.iter().filter(|name| name.value.matches(b"\0")) {
        lints.add(
            kind::ALWAYS_TRUE,
            name.position,
            format!("`@{}` means every abstract socket of the host", name.value),
            "name those it needs",
        );
    }
    for class in &declared.sockets {
        // These reach the kernel, or nobody but who answers an echo.
        if matches!(class.value, SocketClass::Netlink | SocketClass::Ping) {
            continue;
        }
        lints.add(
            kind::UNJUDGED_SOCKET,
            class.position,
            format!("what `{}` sockets send, and where, is not judged", class.value),
            "remove it unless the plugin cannot do its work without",
        );
    }
}

/// Picket's own look-up is not the plugin's.
fn name_without_dns(connect: &[Endpoint], lints: &mut Lints) {
    let asks = |rule: &Endpoint| rule.ports.contains(&DNS) && rule.protocol != Protocol::Tcp;
    let name = connect.iter().find(|rule| matches!(rule.host.value, Host::Name(_)));
    if let Some(rule) = name
        && !connect.iter().any(asks)
    {
        lints.add(
            kind::NAME_WITHOUT_DNS,
            rule.host.position,
            format!("`{}` is a name, and no name server may be asked", host(rule)),
            "declare the name server, such as `{ to: 10.0.0.2, port: 53, protocol: udp }`, and \
             /etc/resolv.conf under `read` and `sockets: [netlink]`, if the plugin looks the name up itself",
        );
    }
}

fn host(rule: &Endpoint) -> String {
    match &rule.host.value {
        Host::Network(network) => network.to_string(),
        Host::Name(name) => name.clone(),
    }
}
