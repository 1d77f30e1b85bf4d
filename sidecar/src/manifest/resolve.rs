//! From the declared manifest to the policy of one start on this machine.
//!
//! The kernel reports canonical paths, addresses and its own clock; the manifest has written paths,
//! names and dates. This is where the one becomes the other.

pub(super) mod files;
pub(super) mod protected;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::SystemTime,
};

use ipnet::IpNet;
use picket_engine::{AccessSet, EndpointRule, FileId, KernelTime, Policy, SocketSet};

use super::{
    Manifest,
    declared::{Declared, Endpoint, Host, Until},
    error::ResolveError,
    mounts::Mounts,
    names::Names,
};
use crate::document::{At, Digest, Fault};

use files::Ways;
pub(super) use files::followed;
pub(super) use protected::everywhere as protected_everywhere;

/// What a resolution needs to know beyond the manifest.
#[derive(Clone, Copy, Debug)]
pub struct ResolveContext<'a> {
    /// The file that will be executed first; `None` when somebody else starts it.
    pub entry: Option<&'a Path>,
    /// The wall clock, read together with `boot`.
    pub wall: SystemTime,
    /// The kernel's clock, read together with `wall`.
    pub boot: KernelTime,
    /// Whether the plugin is about to start.
    pub occasion: Occasion,
    /// Whether it runs in another root, whose paths the manifest's are: they stay as written ([`Manifest::in_container`]).
    pub elsewhere: bool,
    /// What names meant before.
    pub names: &'a Names,
}

/// Why a manifest is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A start: the digest is verified, and a grant that has ended is an error.
    Start,
    /// A refresh of a running sandbox: names are looked up again, and grants that have ended since
    /// the start are left out. The file that was started is not looked at again.
    Refresh,
}

/// A manifest as it holds on this machine, for this start.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What the engine judges by.
    pub policy: Policy,
    /// The entry point's file, as the kernel will report it when it is executed, if it is known.
    pub entry: Option<Entry>,
    /// What each name of the manifest meant, sorted.
    pub addresses: BTreeMap<String, Vec<IpAddr>>,
}

/// The file that is executed first.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Canonical path.
    pub path: PathBuf,
    /// Identity, so that a file exchanged after its digest was verified is noticed.
    pub file: FileId,
    /// Whether a program of the manifest's `exec` or `files.execute` covers it. If not, its very
    /// first act is a finding.
    pub declared: bool,
}

impl Manifest {
    /// Makes the policy for one start, or for the refresh of one.
    ///
    /// Looks at files, and asks the system's resolver where the manifest has names, which may take
    /// as long as that takes.
    ///
    /// # Errors
    ///
    /// When a grant has ended, a protected file is missing or granted under another name, a name
    /// has no address, the entry point cannot be read or does not have the digest declared.
    pub fn resolve(&self, context: &ResolveContext<'_>) -> Result<Resolved, ResolveError> {
        self.resolve_with(context, &|name| context.names.lookup(name, context.wall))
    }

    /// As `resolve`, with another way from names to addresses.
    pub(super) fn resolve_with(
        &self,
        context: &ResolveContext<'_>,
        lookup: Lookup<'_>,
    ) -> Result<Resolved, ResolveError> {
        let declared = &self.declared;
        let mounts = Mounts::read().map_err(|cause| ResolveError::Mounts { cause })?;
        let clock = Clock { wall: context.wall, boot: context.boot };
        let mut faults = Vec::new();
        if context.occasion == Occasion::Start {
            expired(declared, &clock, &mut faults);
            verify(declared, context.entry, &mut faults);
        }
        let unread = |_: &Path| Err(io::Error::from_raw_os_error(libc::EINVAL));
        let ways = if context.elsewhere { Ways::InContainer(&unread) } else { Ways::Own };
        let (exec, files) = files::rules(declared, &clock, ways, &mut faults);
        let protected = protected::files(declared, &mounts, context.elsewhere, &mut faults)?;
        let mut addresses = BTreeMap::new();
        let connect = endpoints(&declared.connect, &clock, lookup, &mut addresses, &mut faults);
        let listen = endpoints(&declared.listen, &clock, lookup, &mut addresses, &mut faults);
        if !faults.is_empty() {
            return Err(ResolveError::Invalid { report: self.source.report(faults) });
        }
        let policy = Policy {
            exec,
            files,
            protected,
            connect,
            listen,
            syscalls: declared.calls.numbers,
            foreign_abi: declared.calls.foreign_abi,
            sockets: declared
                .sockets
                .iter()
                .fold(SocketSet::EMPTY, |set, class| set.with(class.value)),
            peers: declared.unix.iter().map(|pattern| pattern.value.clone()).collect(),
            executable_memory: declared.executable_memory.is_some(),
            max_processes: declared.max_processes,
            inherited: BTreeSet::new(),
            entry: None,
            actions: declared.actions,
            containment: declared.containment,
            mode: declared.mode,
        };
        let entry = context.entry.map(|path| entry(path, &mounts, &policy)).transpose()?;
        Ok(Resolved { policy, entry, addresses })
    }
}

/// From a name to its addresses.
type Lookup<'a> = &'a dyn Fn(&str) -> io::Result<Vec<IpAddr>>;

/// Wall clock and kernel clock, read at the same moment.
pub(super) struct Clock {
    pub(super) wall: SystemTime,
    pub(super) boot: KernelTime,
}

impl Clock {
    /// When a grant ends on the kernel's clock. `Err` when it has ended.
    fn until(&self, until: &Until) -> Result<Option<KernelTime>, Ended> {
        let Some(until) = until else { return Ok(None) };
        match until.value.duration_since(self.wall) {
            Ok(left) if !left.is_zero() => Ok(Some(self.boot.saturating_add(left))),
            _ => Err(Ended),
        }
    }
}

/// A grant's time is over.
struct Ended;

fn expired(declared: &Declared, clock: &Clock, faults: &mut Vec<Fault>) {
    let exec = declared.exec.iter().map(|rule| &rule.until);
    let files = declared.files.iter().map(|rule| &rule.until);
    let endpoints = declared.connect.iter().chain(&declared.listen).map(|rule| &rule.until);
    for until in exec.chain(files).chain(endpoints) {
        if let (Some(At { position, .. }), Err(Ended)) = (until, clock.until(until)) {
            faults.push(Fault::new(
                *position,
                "this grant has ended",
                "remove the entry, or have its end moved by whoever may grant it",
            ));
        }
    }
}

fn verify(declared: &Declared, entry: Option<&Path>, faults: &mut Vec<Fault>) {
    let Some(At { value: pinned, position }) = declared.plugin.digest else {
        return;
    };
    let Some(entry) = entry else {
        faults.push(Fault::new(
            position,
            "cannot be verified: Picket does not start this plugin and cannot stop it from starting",
            "remove the digest, or start the plugin with `picket exec`",
        ));
        return;
    };
    let path = entry.display();
    match Digest::of_file(entry) {
        Ok(found) if found == pinned => {}
        Ok(found) => faults.push(Fault::new(
            position,
            format!("{path} has the digest {found}, not {pinned}"),
            "start the file that was reviewed, or review this one and write its digest here",
        )),
        Err(cause) => faults.push(Fault::new(
            position,
            format!("{path} cannot be read to verify its digest: {cause}"),
            "start a file that exists and that Picket may read",
        )),
    }
}

fn entry(path: &Path, mounts: &Mounts, policy: &Policy) -> Result<Entry, ResolveError> {
    let unusable = |cause| ResolveError::Entry { path: path.to_owned(), cause };
    let canonical = path.canonicalize().map_err(unusable)?;
    let identity = mounts.identify(&canonical).map_err(unusable)?;
    if identity.directory {
        return Err(unusable(io::ErrorKind::IsADirectory.into()));
    }
    let bytes = canonical.as_os_str().as_encoded_bytes();
    let run = policy.exec.iter().any(|rule| rule.path.matches(bytes));
    let opened = policy
        .files
        .iter()
        .any(|rule| rule.access.contains(AccessSet::EXECUTE) && rule.path.matches(bytes));
    Ok(Entry { path: canonical, file: identity.file, declared: run || opened })
}

fn endpoints(
    declared: &[Endpoint],
    clock: &Clock,
    lookup: Lookup<'_>,
    addresses: &mut BTreeMap<String, Vec<IpAddr>>,
    faults: &mut Vec<Fault>,
) -> Vec<EndpointRule> {
    let mut rules = Vec::new();
    for rule in declared {
        let Ok(until) = clock.until(&rule.until) else {
            continue;
        };
        let networks = match &rule.host.value {
            Host::Network(network) => vec![*network],
            Host::Name(name) => match lookup(name) {
                Ok(found) => {
                    let networks = found.iter().copied().map(IpNet::from).collect();
                    addresses.insert(name.clone(), found);
                    networks
                }
                Err(why) => {
                    faults.push(Fault::new(
                        rule.host.position,
                        format!("`{name}` has no address: {why}"),
                        "check the name and this machine's resolver, or write the network itself",
                    ));
                    continue;
                }
            },
        };
        rules.extend(networks.into_iter().map(|network| EndpointRule {
            network,
            ports: rule.ports.clone(),
            protocol: rule.protocol,
            until,
        }));
    }
    rules
}
