//! From a finding to the line that would have let the deed pass, or to why there is none.
//!
//! Saying so is not granting: what opens the machine comes with the words that say that a person must decide.

use std::net::IpAddr;

use picket_engine::{
    AccessSet, CLONE_FLAGS_DECLARED_BY, DANGER, Declared, Deed, Fact, Finding, NetworkOperation,
    ObservedPath, Reason, SocketClass, SyscallAbi, Whose,
    baseline::varying::{TEMPORARY, escaped},
    is_dangerous,
};

use super::{
    Grant,
    suggest::{endpoint, is_common, is_writable_as, lines, places},
    syscalls,
};

/// What could be written in the manifest for a deed that is meant to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOut {
    /// The lines that would have let it pass, all of them. None: nothing would have.
    pub lines: Vec<Grant>,
    /// What to know before they are written, or why there are none.
    pub remark: Option<&'static str>,
}

const DANGEROUS: &str = "dangerous: a person must decide";
const LEARNED: &str = "no rule declares what is usual: `picket baseline accept` takes these deeds for harmless, and `picket baseline rule` says what the containment was";
const NO_RULE: &str = "no rule can declare it; `actions` of the manifest say what follows";
const NO_PATH: &str = "nobody can say which path it is, so no rule can name it";
const UNWRITABLE: &str = "its name cannot be written in a manifest";
const ANYBODYS: &str = "dangerous, in a place where anybody may write: a person must decide";

impl WayOut {
    fn line(list: &'static str, value: String, remark: Option<&'static str>) -> Self {
        Self { lines: vec![Grant { list, value }], remark }
    }

    const fn none(why: &'static str) -> Self {
        Self { lines: Vec::new(), remark: Some(why) }
    }
}

impl Grant {
    /// The line as it could stand in a manifest, keys in front.
    #[must_use]
    pub fn line(&self) -> String {
        match self.list {
            "processes.max" | "memory.executable" | "syscalls.foreign_abi" => {
                format!("{}: {}", self.list, self.value)
            }
            list => format!("{list}: [{}]", self.value),
        }
    }
}

/// What would have to be declared for this not to be a finding.
#[must_use]
pub fn way_out(finding: &Finding) -> WayOut {
    let evidence = finding.evidence.clone();
    let revealed = evidence.reveal();
    if let Deed::Anomaly(_) = &revealed.done {
        return WayOut::none(LEARNED);
    }
    let Deed::Fact(fact) = &revealed.done else {
        return WayOut::none(NO_RULE);
    };
    match finding.reason {
        Reason::GrantExpired => {
            return WayOut::none(
                "the rule is there and has ended: its `expires` needs a later date",
            );
        }
        Reason::BeforeEntryPoint => {
            return WayOut::none("nothing is declared for the time before the entry point runs");
        }
        Reason::EntryReplaced => {
            return WayOut::none("start it again: the entry point is looked at before the start");
        }
        Reason::UndeclaredArguments | Reason::UnreadableArguments => {
            return WayOut::none(
                "the program is there with `argv`: these arguments are missing in it, or `argv` is to be left out",
            );
        }
        _ => {}
    }
    match fact {
        Fact::Exec { path, links, script, .. } => program(path, *links, script.as_deref()),
        Fact::Open { path, access, .. } | Fact::Refused { path, access, .. }
            if access.contains(AccessSet::EXECUTE) =>
        {
            program(path, 1, None)
        }
        Fact::Open { path, access, .. }
        | Fact::FileOperation { path, access, .. }
        | Fact::Refused { path, access, .. } => {
            file(path, missing(*access, finding.reason, &revealed.declared), finding)
        }
        Fact::Mapped { path, .. } if finding.reason == Reason::UndeclaredExec => {
            file(path, AccessSet::READ, finding)
        }
        Fact::Mapped { .. } | Fact::Memory { .. } => match finding.reason {
            Reason::ProtectedInode | Reason::UnresolvedPath => WayOut::none(NO_PATH),
            _ => WayOut::line("memory.executable", "true".to_owned(), Some(DANGEROUS)),
        },
        Fact::Network { operation, protocol, address, port, .. } => {
            destination(*operation, *protocol, *address, *port)
        }
        Fact::Socket { family, socket_type, protocol, .. } => {
            match SocketClass::of(*family, *socket_type, *protocol) {
                None | Some(SocketClass::Unnamed) => WayOut::none(NO_RULE),
                Some(class) => {
                    let remark = (!is_common(class)).then_some(DANGEROUS);
                    WayOut::line("network.sockets", class.to_string(), remark)
                }
            }
        }
        Fact::Namespaces { .. } => call(CLONE_FLAGS_DECLARED_BY, SyscallAbi::Native),
        Fact::Denied { by_arguments: true, .. } => {
            WayOut::none("the call is declared; what it was called with is refused while strict")
        }
        Fact::Syscall { number, abi, .. } | Fact::Denied { number, abi, .. } => call(*number, *abi),
        Fact::Fork { .. } => match revealed.declared {
            Declared::Processes { alive, .. } => {
                WayOut::line("processes.max", alive.to_string(), None)
            }
            _ => WayOut::none(NO_RULE),
        },
        Fact::Peer { whose, name, .. } => peer(*whose, name),
        Fact::Exit { .. }
        | Fact::Left { .. }
        | Fact::Entered {}
        | Fact::Reach { .. }
        | Fact::Calls { .. } => WayOut::none(NO_RULE),
    }
}

/// The ways of opening that no rule grants.
fn missing(access: AccessSet, reason: Reason, declared: &Declared) -> AccessSet {
    let granted = match (reason, declared) {
        (Reason::ReadNotDeclared | Reason::WriteNotDeclared, Declared::Files(rule)) => rule.access,
        _ => AccessSet::NONE,
    };
    let missing = access.without(granted);
    // A descriptor that was received may be open in no way at all: any rule for the path covers it.
    if missing.is_empty() { AccessSet::READ } else { missing }
}

fn program(path: &ObservedPath, links: u32, script: Option<&[u8]>) -> WayOut {
    if links == 0 {
        return WayOut::none("a program that is in no directory cannot be declared");
    }
    if script.is_some_and(|script| !script.starts_with(b"/")) {
        return WayOut::none("a script by a relative name: call it by its absolute path");
    }
    let (path, script) = match (pattern(path), script.map(spelled)) {
        (Ok(path), None) => (path, None),
        (Ok(path), Some(Ok(script))) => (path, Some(script)),
        (Err(why), _) | (_, Some(Err(why))) => return WayOut::none(why),
    };
    let is_anybodys = |file: &str| {
        TEMPORARY
            .iter()
            .chain(&["/run/lock", "/run/user"])
            .any(|place| file.strip_prefix(place).is_some_and(|rest| rest.starts_with('/')))
    };
    let mut files = [Some(path.as_str()), script.as_deref()].into_iter().flatten();
    let remark = files.find_map(|file| match file {
        file if is_anybodys(file) => Some(ANYBODYS),
        file => places::danger(file, false, |_| false).map(|_| DANGEROUS),
    });
    let value = match &script {
        None => format!("{{ path: {} }}", lines::value(&path)),
        Some(script) => {
            let (script, path) = (lines::value(script), lines::value(&path));
            format!("{{ path: {script}, interpreter: {path} }}")
        }
    };
    WayOut::line("exec", value, remark)
}

fn file(path: &ObservedPath, ways: AccessSet, finding: &Finding) -> WayOut {
    let path = match pattern(path) {
        Ok(path) => path,
        Err(why) => return WayOut::none(why),
    };
    let own = |pid| finding.process.is_some_and(|process| process.tgid == pid);
    let mut out = WayOut { lines: Vec::new(), remark: None };
    for (list, way) in [("files.read", AccessSet::READ), ("files.write", AccessSet::WRITE)] {
        if ways.contains(way) {
            let dangerous = places::danger(&path, way == AccessSet::WRITE, own).map(|_| DANGEROUS);
            out.remark = out.remark.or(dangerous);
            out.lines.push(Grant { list, value: lines::value(&path) });
        }
    }
    if finding.reason == Reason::ProtectedInode {
        out.remark = Some(
            "a protected file, which only a line without wildcards opens: a person must decide",
        );
    }
    out
}

fn pattern(path: &ObservedPath) -> Result<String, &'static str> {
    match path {
        // Evidence of that length may have been cut.
        ObservedPath::Resolved(path) if Deed::MAX_BYTES <= path.len() => Err(UNWRITABLE),
        ObservedPath::Resolved(path) => spelled(path),
        ObservedPath::Unresolved(_) => Err(NO_PATH),
    }
}

fn spelled(path: &[u8]) -> Result<String, &'static str> {
    let text = str::from_utf8(path).map_err(|_| "its name is not UTF-8, as a manifest is")?;
    let pattern = escaped(text);
    if is_writable_as(&pattern) { Ok(pattern) } else { Err(UNWRITABLE) }
}

fn destination(operation: NetworkOperation, protocol: u8, address: IpAddr, port: u16) -> WayOut {
    let address = address.to_canonical();
    let protocol = match protocol {
        6 => "tcp",
        17 => "udp",
        _ => "any",
    };
    let (list, key) = if operation.is_local() {
        ("network.listen", "address")
    } else {
        ("network.connect", "to")
    };
    let port = if port == 0 { "any".to_owned() } else { port.to_string() };
    let is_metadata = crate::baseline::suggest::is_metadata(address.into());
    let remark = is_metadata
        .then_some("dangerous, the service that tells a cloud's machine its credentials");
    WayOut::line(list, endpoint(key, address, &port, protocol), remark)
}

fn call(number: u32, abi: SyscallAbi) -> WayOut {
    if abi != SyscallAbi::Native {
        // Declared or not: the danger set of another ABI has no names.
        if is_dangerous(number, abi) {
            return WayOut::none(NO_RULE);
        }
        let value = "true".to_owned();
        return WayOut::line("syscalls.foreign_abi", value, Some(DANGEROUS));
    }
    match syscalls::name(number) {
        None => WayOut::none("the call has no name here, so no rule can name it"),
        Some(name) => {
            let remark = DANGER.contains(number).then_some(DANGEROUS);
            WayOut::line("syscalls.allow", name.to_owned(), remark)
        }
    }
}

fn peer(whose: Whose, name: &[u8]) -> WayOut {
    if whose == Whose::Picket || name.is_empty() {
        return WayOut::none(NO_RULE);
    }
    match str::from_utf8(name) {
        Ok(name) => {
            let value = lines::value(&format!("@{}", escaped(name)));
            WayOut::line("network.unix", value, Some("a socket of somebody outside"))
        }
        Err(_) => WayOut::none("its name is not UTF-8, as a manifest is"),
    }
}

#[cfg(test)]
mod tests;
