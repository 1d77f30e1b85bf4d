//! From a fact to what is counted of it: templates, in which everything that is another one in every run is gone.
//!
//! A template is text that a person can read and type again: `read /var/lib/app/*.tmp`, `connect 10.1.2.0/24 tcp 443`,
//! `257` for a system call. Arguments of programs are never part of one.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;

use ipnet::IpNet;

use super::{Family, varying};
use crate::{
    AccessSet, Fact, FileId, NetworkOperation, ObservedPath, Reach, SocketClass, SyscallAbi,
    is_dangerous,
};

/// Ports from here on are given out by the kernel: on this host another one every time.
const EPHEMERAL: u16 = 32_768;

/// Process and thread ids of a sandbox, as far as names of files could be made of them.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnIds(BTreeSet<u32>);

impl OwnIds {
    pub(super) fn insert(&mut self, id: u32) {
        // Longer numbers vary whoever they belong to, so that this stays small.
        if id < 10_u32.pow(varying::LONG_NUMBER) {
            self.0.insert(id);
        }
    }
}

/// Tells `count` every deed that a fact is.
pub(super) fn deeds(
    fact: &Fact,
    inherited: &BTreeSet<FileId>,
    own: &OwnIds,
    mut count: impl FnMut(Family, String),
) {
    match fact {
        Fact::Syscall { number, abi, .. } => count(Family::Syscall, call(*number, *abi)),
        // Refused under `confinement: strict`: the plugin wanted it all the same.
        Fact::Denied { number, abi, .. } => {
            let call = call(*number, *abi);
            count(Family::Errno, format!("syscall {call} refused"));
            count(Family::Syscall, call);
        }
        Fact::Refused { path, access, .. } => {
            count(Family::Errno, format!("{} refused", way(*access)));
            opened(way(*access), path, own, count);
        }
        Fact::Open { file, access, .. }
            if inherited.contains(file) && !access.contains(AccessSet::EXECUTE) => {}
        Fact::Open { path, access, .. } => opened(way(*access), path, own, count),
        Fact::FileOperation { operation, path, .. } => {
            opened(operation.as_str(), path, own, count);
        }
        Fact::Mapped { path, .. } => opened("map", path, own, count),
        Fact::Exec { path, script, .. } => {
            let program = file(path, own);
            let text = match script {
                Some(script) => format!("{} by {program}", place(script, own)),
                None => program,
            };
            count(Family::Exec, text);
        }
        Fact::Network { operation, protocol, address, port, refused } => {
            if *refused {
                count(Family::Errno, format!("{operation} refused"));
            }
            count(Family::Destination, destination(*operation, *protocol, *address, *port));
        }
        Fact::Socket { family, socket_type, protocol, refused } => {
            if let Some(class) = SocketClass::of(*family, *socket_type, *protocol) {
                if *refused {
                    count(Family::Errno, format!("socket {class} refused"));
                }
                count(Family::Deed, format!("socket {class}"));
            }
        }
        Fact::Memory { how } => count(Family::Deed, format!("memory {how}")),
        Fact::Namespaces { flags } => count(Family::Deed, format!("namespaces {flags:#x}")),
        Fact::Left { how, .. } => count(Family::Deed, format!("left {how}")),
        Fact::Entered {} => count(Family::Deed, "entered".to_owned()),
        Fact::Reach { how: Reach::Signal, whose, number, .. } => {
            count(Family::Deed, format!("signal {number} {whose}"));
        }
        Fact::Reach { how, whose, .. } => count(Family::Deed, format!("{how} {whose}")),
        Fact::Peer { operation, whose, .. } => {
            count(Family::Deed, format!("peer {operation} {whose}"));
        }
        Fact::Fork { .. } | Fact::Exit { .. } | Fact::Calls { .. } => {}
    }
}

/// The template that a person means by this text: paths get their wildcards, unless the text has some already.
///
/// # Errors
/// What a text of this family looks like.
pub fn template(family: Family, text: &str) -> Result<String, &'static str> {
    let own = OwnIds::default();
    let meant = |path: &str| {
        let is_path = path.starts_with('/');
        is_path.then(|| {
            if path.contains('*') { path.to_owned() } else { place(path.as_bytes(), &own) }
        })
    };
    match family {
        Family::Exec => {
            let (script, program) = match text.split_once(" by ") {
                Some((script, program)) => (Some(script), program),
                None => (None, text),
            };
            let program = meant(program);
            let text = match script {
                None => program,
                Some(script) => {
                    meant(script).zip(program).map(|(one, by)| format!("{one} by {by}"))
                }
            };
            text.ok_or("/usr/bin/program, or /opt/script by /usr/bin/interpreter")
        }
        Family::Path | Family::Directory => {
            let meant = text.split_once(' ').and_then(|(done, path)| {
                is_way(done).then(|| meant(path).map(|path| format!("{done} {path}"))).flatten()
            });
            meant.ok_or("read /etc/hosts: what is done, one of read, write, read+write, execute, map, unlink, rename \
                         and the like, and where")
        }
        Family::Destination => {
            let is_one = matches!(text.split(' ').collect::<alloc::vec::Vec<_>>().as_slice(),
                [operation, network, protocol, port]
                    if NetworkOperation::ALL.iter().any(|one| one.as_str() == *operation)
                        && network.parse::<IpNet>().is_ok_and(|network| network == grouped(network.addr()))
                        && (matches!(*protocol, "tcp" | "udp") || protocol.starts_with("protocol-"))
                        && (*port == "ephemeral" || port.parse::<u16>().is_ok()));
            is_one.then(|| text.to_owned()).ok_or(
                "connect 10.1.2.0/24 tcp 443: connect, send, bind or listen, a network of 24 bits (48 for IPv6), tcp or udp, and \
                 a port or `ephemeral`",
            )
        }
        Family::Syscall => {
            let number = ["ia32 ", "x32 "].iter().find_map(|abi| text.strip_prefix(abi));
            let is_number = number.unwrap_or(text).parse::<u32>().is_ok();
            is_number
                .then(|| text.to_owned())
                .ok_or("openat, or a number; `ia32 11` for other tables")
        }
        Family::Errno => {
            let is_one = text.ends_with(" refused");
            is_one.then(|| text.to_owned()).ok_or("connect refused: what was tried, and `refused`")
        }
        Family::Deed => {
            let first = text.split(' ').next().unwrap_or_default();
            const DEEDS: [&str; 10] = [
                "socket",
                "memory",
                "namespaces",
                "left",
                "entered",
                "signal",
                "probe",
                "inspect",
                "attach",
                "peer",
            ];
            DEEDS.contains(&first).then(|| text.to_owned()).ok_or(
                "socket netlink: as `picket baseline show` writes it, with socket, memory, namespaces, left, entered, \
                 signal, probe, inspect, attach or peer at the beginning",
            )
        }
        Family::Context => Err("nothing yet: no baseline holds contexts of system calls"),
    }
}

fn call(number: u32, abi: SyscallAbi) -> String {
    match abi {
        SyscallAbi::Native => number.to_string(),
        SyscallAbi::Ia32 | SyscallAbi::X32 => format!("{abi} {number}"),
    }
}

/// Whether what a template means is of the danger set: one of its calls, or a refusal of one.
pub(super) fn is_of_danger_set(family: Family, template: &str) -> bool {
    let call = match family {
        Family::Syscall => Some(template),
        Family::Errno => {
            template.strip_prefix("syscall ").and_then(|it| it.strip_suffix(" refused"))
        }
        _ => None,
    };
    let Some(call) = call else {
        return false;
    };
    let (abi, number) = match call.split_once(' ') {
        None => (SyscallAbi::Native, call),
        Some(("ia32", number)) => (SyscallAbi::Ia32, number),
        Some((_, number)) => (SyscallAbi::X32, number),
    };
    number.parse().is_ok_and(|number| is_dangerous(number, abi))
}

fn opened(done: &str, path: &ObservedPath, own: &OwnIds, mut count: impl FnMut(Family, String)) {
    let file = file(path, own);
    if let Some((directory, _)) = file.rsplit_once('/') {
        let directory = if directory.is_empty() { "/" } else { directory };
        count(Family::Directory, [done, directory].join(" "));
    }
    count(Family::Path, [done, &file].join(" "));
}

const fn way(access: AccessSet) -> &'static str {
    if access.contains(AccessSet::EXECUTE) {
        "execute"
    } else if access.contains(AccessSet::READ.union(AccessSet::WRITE)) {
        "read+write"
    } else if access.contains(AccessSet::WRITE) {
        "write"
    } else {
        "read"
    }
}

fn is_way(done: &str) -> bool {
    matches!(done, "execute" | "read+write" | "write" | "read" | "map")
        || crate::FileOperation::ALL.iter().any(|one| one.as_str() == done)
}

/// A path with its wildcards, or why there is none: a path begins with `/` and a reason with `?`.
fn file(path: &ObservedPath, own: &OwnIds) -> String {
    match path {
        ObservedPath::Resolved(bytes) => place(bytes, own),
        ObservedPath::Unresolved(why) => format!("?{why}"),
    }
}

/// Bytes that are no text are replaced: names that differ in nothing else are one.
fn place(bytes: &[u8], own: &OwnIds) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut place = String::with_capacity(1 + text.len());
    for segment in varying::segments(&text, &own.0) {
        place.push('/');
        place.push_str(&segment);
    }
    if place.is_empty() { "/".to_owned() } else { place }
}

fn destination(operation: NetworkOperation, protocol: u8, address: IpAddr, port: u16) -> String {
    let address = address.to_canonical();
    let protocol = match protocol {
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        other => format!("protocol-{other}"),
    };
    // Elsewhere a high port may be a service, and says something.
    let is_own = operation.is_local() || address.is_loopback();
    let port = if is_own && EPHEMERAL <= port { "ephemeral".to_owned() } else { port.to_string() };
    format!("{operation} {} {protocol} {port}", grouped(address))
}

/// The network that an address is counted as.
fn grouped(address: IpAddr) -> IpNet {
    let bits = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, bits).map_or_else(|_| IpNet::from(address), |network| network.trunc())
}
