//! What a finding is about, as it may leave the node: a class of a closed list, and a pseudonym.

use std::{fmt, net::IpAddr};

use picket_engine::{AccessSet, Deed, Fact, ObservedPath, SocketClass, SyscallAbi};

use super::pseudonym::{Key, Pseudonym};
use crate::manifest::syscalls;

/// See the module. `Display` of its parts is all there is of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    class: Class,
    pseudonym: Option<Pseudonym>,
}

/// Made of words of closed lists only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    kind: &'static str,
    which: &'static str,
}

impl Object {
    /// Its class, such as `path:etc`, `address:public` or `syscall:ptrace`.
    #[must_use]
    pub fn class(&self) -> impl fmt::Display {
        let Class { kind, which } = self.class;
        fmt::from_fn(move |out| write!(out, "{kind}:{which}"))
    }

    /// Sixteen hex digits, the same for the same object under one key; `None` where the class says it all.
    #[must_use]
    pub fn pseudonym(&self) -> Option<impl fmt::Display> {
        self.pseudonym
    }

    /// For tests of those who pass objects on.
    #[cfg(test)]
    pub(crate) fn unattended() -> Self {
        Self::plain("telemetry", "unattended")
    }

    /// Of what was done.
    pub(super) fn of(deed: &Deed, key: &Key) -> Self {
        match deed {
            Deed::Fact(fact) => Self::of_fact(fact, key),
            Deed::Lost(_) => Self::plain("telemetry", "loss"),
            Deed::Tampered(what) => Self::plain("telemetry", what.as_str()),
            Deed::Unattended => Self::plain("telemetry", "unattended"),
            Deed::LauncherLost => Self::plain("telemetry", "launcher_lost"),
        }
    }

    fn of_fact(fact: &Fact, key: &Key) -> Self {
        match fact {
            Fact::Syscall { number, abi: SyscallAbi::Native, .. } => {
                Self::plain("syscall", syscalls::name(*number).unwrap_or("unknown"))
            }
            Fact::Syscall { abi, .. } | Fact::Denied { abi, .. } => {
                Self::plain("syscall", abi.as_str())
            }
            Fact::Open { path, .. } | Fact::FileOperation { path, .. } => {
                Self::of_path("path", path, key)
            }
            Fact::Refused { path, access, .. } => {
                let runs = access.contains(AccessSet::EXECUTE);
                Self::of_path(if runs { "program" } else { "path" }, path, key)
            }
            Fact::Reach { how, .. } => Self::plain("process", how.as_str()),
            Fact::Peer { name, .. } if name.is_empty() => Self::plain("address", "unix"),
            Fact::Peer { name, .. } => Self::named("address", "unix", name, key),
            Fact::Exec { path, .. } => Self::of_path("program", path, key),
            Fact::Network { address, port, .. } => {
                let name = format!("{address} {port}");
                Self::named("address", reach(address.to_canonical()), name.as_bytes(), key)
            }
            Fact::Socket { family, socket_type, protocol, .. } => {
                let class = SocketClass::of(*family, *socket_type, *protocol);
                Self::plain("socket", class.map_or("plain", SocketClass::as_str))
            }
            Fact::Memory { how } => Self::plain("memory", how.as_str()),
            Fact::Mapped { path, .. } => Self::of_path("code", path, key),
            Fact::Namespaces { .. } => Self::plain("namespaces", "new"),
            Fact::Left { how, .. } => Self::plain("process", how.as_str()),
            Fact::Fork { .. } | Fact::Exit { .. } | Fact::Entered {} | Fact::Calls { .. } => {
                Self::plain("process", fact.as_str())
            }
        }
    }

    fn of_path(kind: &'static str, path: &ObservedPath, key: &Key) -> Self {
        match path {
            ObservedPath::Resolved(path) => Self::named(kind, place(path), path, key),
            ObservedPath::Unresolved(why) => Self::plain(kind, why.as_str()),
        }
    }

    const fn plain(kind: &'static str, which: &'static str) -> Self {
        Self { class: Class { kind, which }, pseudonym: None }
    }

    fn named(kind: &'static str, which: &'static str, name: &[u8], key: &Key) -> Self {
        Self { class: Class { kind, which }, pseudonym: Some(key.pseudonym(kind, name)) }
    }
}

/// Top directories that every system has. A path below another one is `other`.
const PLACES: [&str; 16] = [
    "bin", "boot", "dev", "etc", "home", "lib", "mnt", "opt", "proc", "root", "run", "srv", "sys",
    "tmp", "usr", "var",
];

fn place(path: &[u8]) -> &'static str {
    let mut segments = path.split(|byte| *byte == b'/');
    // Canonical paths begin with a slash.
    let first = segments.nth(1).unwrap_or_default();
    PLACES.into_iter().find(|place| place.as_bytes() == first).unwrap_or("other")
}

/// How far away an address is, as the registries of special addresses have it (RFC 6890).
fn reach(address: IpAddr) -> &'static str {
    let private = match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local(),
    };
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    match () {
        () if address.is_loopback() => "loopback",
        () if address.is_unspecified() => "unspecified",
        () if address.is_multicast() => "multicast",
        () if link_local => "link_local",
        () if private => "private",
        () => "public",
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use picket_engine::FileId;
    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        Key::new(SystemTime::now()).unwrap()
    }

    fn open(path: &[u8]) -> Deed {
        Deed::Fact(Fact::Open {
            path: ObservedPath::Resolved(path.to_vec()),
            file: FileId { device: 1, inode: 1 },
            links: 1,
            access: AccessSet::READ,
        })
    }

    #[test]
    fn a_path_is_known_by_its_top_directory_and_an_address_by_its_reach() {
        for (path, class) in
            [("/etc/shadow", "path:etc"), ("/secretproject/x", "path:other"), ("/", "path:other")]
        {
            assert_eq!(Object::of(&open(path.as_bytes()), &key()).class().to_string(), class);
        }
        for (address, class) in [
            ("127.0.0.1", "loopback"),
            ("::ffff:10.1.2.3", "private"),
            ("100.64.0.1", "private"),
            ("169.254.169.254", "link_local"),
            ("fd00::1", "private"),
            ("8.8.8.8", "public"),
            ("ff02::1", "multicast"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(reach(address.to_canonical()), class, "{address}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_a_path_is_in_what_is_said_of_it(name in "[a-z]{1}[a-z0-9]{7,20}") {
            let object = Object::of(&open(format!("/{name}/{name}").as_bytes()), &key());
            let said = format!("{} {}", object.class(), object.pseudonym().unwrap());
            prop_assert!(!said.contains(&name));
            prop_assert!(object.class().to_string() == "path:other");
        }
    }
}
