//! Declared against seen, both ways: rules that nothing needed, and deeds that no rule covers.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use picket_engine::{
    AccessSet, ArgPattern, Fact, Finding, Input, ObservedPath, Pattern, SocketClass, SyscallAbi,
};

use super::{
    Manifest, ResolveError,
    declared::{Declared, Endpoint, Exec, File, Host},
    groups, replay, resolve, syscalls,
};

/// How a manifest and recorded runs differ.
#[derive(Debug)]
pub struct Difference {
    /// Rules that no fact used, in the order of the file.
    pub unused: Vec<Unused>,
    /// What the manifest does not cover.
    pub undeclared: Vec<Finding>,
    /// Facts of the runs.
    pub facts: u64,
}

/// A rule of the manifest that no fact used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unused {
    /// Its line in the manifest.
    pub line: u32,
    /// The list it stands in, as in `files.read`.
    pub list: &'static str,
    /// The rule as written.
    pub rule: String,
}

impl Manifest {
    /// Compares the manifest with recorded runs, as it holds on this machine.
    ///
    /// # Errors
    /// It cannot be resolved here.
    pub fn differ(&self, runs: &[&[Input]]) -> Result<Difference, ResolveError> {
        let judged = replay::judge(self, runs)?;
        let addresses = self.addresses()?;
        let facts = Facts::of(runs);
        let declared = &self.declared;
        let mut unused = Vec::new();
        for rule in declared.exec.iter().filter(|rule| !facts.run(rule)) {
            let (line, rule) = (rule.path.position.line(), rule.path.value.to_string());
            unused.push(Unused { line, list: "exec", rule });
        }
        for rule in declared.files.iter().filter(|rule| !facts.opened(rule)) {
            let (line, list) = (rule.path.position.line(), list_of(rule.access));
            unused.push(Unused { line, list, rule: rule.path.value.to_string() });
        }
        for (endpoints, list, listen) in [
            (&declared.connect, "network.connect", false),
            (&declared.listen, "network.listen", true),
        ] {
            for rule in endpoints {
                if !facts.reached(rule, listen, &networks(rule, &addresses)) {
                    unused.push(Unused {
                        line: rule.host.position.line(),
                        list,
                        rule: words(rule),
                    });
                }
            }
        }
        for name in declared.calls.allow.iter().filter(|name| !facts.called(&name.value)) {
            let (line, rule) = (name.position.line(), name.value.clone());
            unused.push(Unused { line, list: "syscalls.allow", rule });
        }
        for class in declared.sockets.iter().filter(|class| !facts.sockets.contains(&class.value)) {
            let (line, rule) = (class.position.line(), class.value.to_string());
            unused.push(Unused { line, list: "network.sockets", rule });
        }
        for name in declared.unix.iter().filter(|name| !facts.talked_to(&name.value)) {
            let (line, rule) = (name.position.line(), format!("@{}", name.value));
            unused.push(Unused { line, list: "network.unix", rule });
        }
        if let Some(position) = declared.executable_memory.filter(|_| !facts.own_code(declared)) {
            let rule = "true".to_owned();
            unused.push(Unused { line: position.line(), list: "memory.executable", rule });
        }
        unused.sort();
        Ok(Difference { unused, undeclared: judged.findings, facts: judged.facts })
    }

    /// What the names of the manifest mean now.
    fn addresses(&self) -> Result<BTreeMap<String, Vec<IpNet>>, ResolveError> {
        if !self.has_names() {
            return Ok(BTreeMap::new());
        }
        let found = replay::resolved(self, picket_engine::KernelTime::BOOT)?.addresses;
        let networks = |(name, addresses): (String, Vec<std::net::IpAddr>)| {
            (name, addresses.into_iter().map(IpNet::from).collect())
        };
        Ok(found.into_iter().map(networks).collect())
    }
}

pub(super) fn list_of(access: AccessSet) -> &'static str {
    if access.contains(AccessSet::EXECUTE) {
        "files.execute"
    } else if access.contains(AccessSet::WRITE) {
        "files.write"
    } else {
        "files.read"
    }
}

fn networks(rule: &Endpoint, addresses: &BTreeMap<String, Vec<IpNet>>) -> Vec<IpNet> {
    match &rule.host.value {
        Host::Network(network) => vec![*network],
        Host::Name(name) => addresses.get(name).cloned().unwrap_or_default(),
    }
}

pub(super) fn words(rule: &Endpoint) -> String {
    let host = match &rule.host.value {
        Host::Network(network) if network.prefix_len() == network.max_prefix_len() => {
            network.addr().to_string()
        }
        Host::Network(network) => network.to_string(),
        Host::Name(name) => name.clone(),
    };
    let port = match (rule.ports.start(), rule.ports.end()) {
        (0, &u16::MAX) => "any".to_owned(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    format!("{host} port {port} ({})", rule.protocol.as_str())
}

/// What the plugin did, sorted by what rules speak of. What happened before its first exec counts, too: here a rule
/// that a launcher used is no rule to remove.
#[derive(Default)]
struct Facts<'a> {
    programs: Vec<&'a Fact>,
    files: BTreeMap<&'a [u8], Vec<AccessSet>>,
    endpoints: Vec<&'a Fact>,
    calls: BTreeSet<u32>,
    sockets: BTreeSet<SocketClass>,
    /// Names of the Unix sockets it talked to.
    peers: BTreeSet<&'a [u8]>,
    /// Memory of its own became executable, or a file without a name was mapped so.
    own_code: bool,
    /// Files that were mapped for execution.
    mapped: BTreeSet<&'a [u8]>,
}

impl<'a> Facts<'a> {
    fn of(runs: &[&'a [Input]]) -> Self {
        let mut facts = Self::default();
        for input in runs.iter().flat_map(|inputs| inputs.iter()) {
            let Input::Event { fact, .. } = input else {
                continue;
            };
            match fact {
                Fact::Exec { .. } => facts.programs.push(fact),
                Fact::Network { .. } => facts.endpoints.push(fact),
                Fact::Socket { family, socket_type, protocol, .. } => {
                    facts.sockets.extend(SocketClass::of(*family, *socket_type, *protocol));
                }
                Fact::Peer { name, .. } => drop(facts.peers.insert(name)),
                Fact::Memory { .. } => facts.own_code = true,
                Fact::Mapped { links, path, .. } => match path {
                    ObservedPath::Resolved(path) if 0 < *links => {
                        facts.mapped.insert(path);
                    }
                    _ => facts.own_code = true,
                },
                Fact::Open { path: ObservedPath::Resolved(path), access, .. }
                | Fact::FileOperation { path: ObservedPath::Resolved(path), access, .. } => {
                    facts.files.entry(path).or_default().push(*access);
                }
                Fact::Syscall { number, abi: SyscallAbi::Native, .. } => {
                    facts.calls.insert(*number);
                }
                _ => {}
            }
        }
        facts
    }

    /// Whether it ran what it may have written itself.
    fn own_code(&self, declared: &Declared) -> bool {
        let mut written =
            declared.files.iter().filter(|rule| rule.access.contains(AccessSet::WRITE));
        self.own_code
            || written.any(|rule| self.mapped.iter().any(|path| rule.path.value.matches(path)))
    }

    fn run(&self, rule: &Exec) -> bool {
        self.programs.iter().any(|fact| {
            let Fact::Exec { path: ObservedPath::Resolved(path), script, argv, .. } = fact else {
                return false;
            };
            let runs = |pattern: &Pattern, path: &[u8]| {
                pattern.matches(path)
                    || resolve::followed(pattern).is_some_and(|pattern| pattern.matches(path))
            };
            let program = match (&rule.interpreter, script) {
                (None, _) => runs(&rule.path.value, path),
                (Some(interpreter), Some(script)) => {
                    runs(&rule.path.value, script) && runs(&interpreter.value, path)
                }
                (Some(_), None) => false,
            };
            program
                && rule.argv.as_ref().is_none_or(|patterns| {
                    patterns.len() == argv.arguments().count()
                        && patterns
                            .iter()
                            .zip(argv.arguments())
                            .all(|(one, text)| one.matches(text))
                })
        })
    }

    fn opened(&self, rule: &File) -> bool {
        let followed = resolve::followed(&rule.path.value).unwrap_or(rule.path.value.clone());
        let used = |access: &AccessSet| {
            // The kernel opens for reading, too, what it runs.
            let none = access.without(rule.access) == *access;
            access.is_empty() || !none
        };
        let opened = self.files.iter();
        opened.into_iter().any(|(path, ways)| followed.matches(path) && ways.iter().any(used))
            || rule.access.contains(AccessSet::EXECUTE) && self.executed(&followed)
    }

    fn executed(&self, pattern: &Pattern) -> bool {
        self.programs.iter().any(|fact| {
            matches!(fact, Fact::Exec { path: ObservedPath::Resolved(path), .. } if pattern.matches(path))
        })
    }

    fn reached(&self, rule: &Endpoint, listen: bool, networks: &[IpNet]) -> bool {
        self.endpoints.iter().any(|fact| {
            let Fact::Network { operation, protocol, address, port, .. } = fact else {
                return false;
            };
            operation.is_local() == listen
                && rule.ports.contains(port)
                && rule.protocol.covers(*protocol)
                && networks.iter().any(|network| network.contains(&address.to_canonical()))
        })
    }

    fn talked_to(&self, name: &ArgPattern) -> bool {
        self.peers.iter().any(|peer| !peer.is_empty() && name.matches(peer))
    }

    /// A group is used when one of its calls was made that `@runtime` does not grant anyway.
    fn called(&self, name: &str) -> bool {
        let number = |name| syscalls::number(name).map(u32::from);
        let made = |name| number(name).is_some_and(|number| self.calls.contains(&number));
        let Some(group) = groups::group(name) else {
            return made(name);
        };
        let runtime: BTreeSet<&str> =
            groups::group(groups::RUNTIME).into_iter().flat_map(groups::Group::calls).collect();
        group.calls().any(|call| !runtime.contains(call) && made(call))
    }
}
