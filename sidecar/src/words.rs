//! Turns facts about a plugin into words for the local terminal: the one place outside the node's own files where
//! revealed evidence is printed. Bytes of the watched code are escaped, so that a name cannot move the cursor.

use std::io::{self, Write};

use picket_engine::{
    AccessSet, Arguments, Declared, Deed, Departure, Fact, FileOperation, Finding, MemoryUse,
    NetworkOperation, ObservedPath, Reach, SyscallAbi, Tampering, Unresolved, Whose,
    baseline::{Anomaly, Item},
    learned::{PluginTime, Surprise},
};

use crate::{arguments, manifest::syscalls, watch::Breach};

/// Says that something failed, to standard error.
pub(crate) fn error(message: &str) {
    // If standard error is gone there is nobody to tell.
    drop(writeln!(io::stderr(), "picket: {message}"));
}

/// So many of a thing.
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Plugin-time in days with two digits, rounded down.
pub(crate) fn days(time: PluginTime) -> String {
    let hundredths = u128::from(time.as_millis()) * 100 / u128::from(PluginTime::DAY.as_millis());
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// What was done to the kernel side.
pub(crate) fn breach(breach: Breach) -> String {
    let part = breach.part;
    match breach.tampering {
        Tampering::ProbeDetached => format!("the kernel program {part} is not attached any more"),
        Tampering::PinRemoved => format!("the pin of {part} is gone"),
        Tampering::MapChanged => format!("the map {part} says something else than Picket wrote"),
        Tampering::CanaryMissed => format!("an act of the canary was not reported: {part}"),
    }
}

/// What was done, and what was declared instead.
pub(crate) fn evidence(finding: &Finding) -> (String, String) {
    let evidence = finding.evidence.clone();
    let revealed = evidence.reveal();
    (deed(&revealed.done), declared(&revealed.declared))
}

fn deed(deed: &Deed) -> String {
    match deed {
        Deed::Fact(fact) => self::fact(fact),
        Deed::Lost(count) => format!("{count} of its events were lost"),
        Deed::Tampered(what) => format!("the kernel side was tampered with ({})", what.as_str()),
        Deed::Unattended => {
            "Picket was stopped or starved, and its launcher froze it meanwhile".to_owned()
        }
        Deed::LauncherLost => "its launcher is gone".to_owned(),
        Deed::Anomaly(anomaly) => self::anomaly(anomaly),
    }
}

/// Learned evidence: what spoke most, how much there is, and what that is worth.
fn anomaly(anomaly: &Anomaly) -> String {
    let deeds: Vec<String> = anomaly.items.iter().map(oddity).collect();
    let lane = anomaly.lane.as_str();
    let why = match deeds.as_slice() {
        [] => format!("by {lane}, most of it earlier"),
        deeds => format!("by {lane}: {}", deeds.join(", ")),
    };
    let part = hundredths(anomaly.evidence.as_millis(), anomaly.budget.time().as_millis());
    format!(
        "is more unusual than chance allows, {why}; {part} % of the budget, {}",
        anomaly.claim()
    )
}

fn oddity(item: &Item) -> String {
    let bits = Surprise::from_sixteenths(item.bits().raw() >> 12);
    let known = match item.runs {
        0 => "new".to_owned(),
        1 => "in 1 learned run".to_owned(),
        runs => format!("in {runs} learned runs"),
    };
    format!("{} {} ({known}, {bits})", item.family.as_str(), text(item.template.as_bytes()))
}

fn hundredths(part: u64, whole: u64) -> u128 {
    (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or_default()
}

/// A fact as a sentence without subject.
pub(crate) fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Syscall { number, abi, arguments: given } => syscall(*number, *abi, given),
        Fact::Open { path, access, .. } => format!("{} {}", verb(*access), path_text(path)),
        Fact::Exec { path, script: Some(script), .. } => {
            format!("executed the script {} with {}", text(script), path_text(path))
        }
        Fact::Exec { path, argv, .. } => {
            // The name a program is called by says nothing that its path does not.
            let arguments: Vec<String> = argv.arguments().skip(1).map(text).collect();
            let more = if argv.complete { "" } else { " …" };
            format!("executed {} {}{more}", path_text(path), arguments.join(" "))
                .trim_end()
                .to_owned()
        }
        Fact::Network { operation, protocol, address, port, refused } => {
            let what = match operation {
                NetworkOperation::Connect => "connected to",
                NetworkOperation::Send => "sent to",
                NetworkOperation::Bind => "bound",
                NetworkOperation::Listen if *port == 0 => {
                    "listened, at a port of the kernel's choice, at"
                }
                NetworkOperation::Listen => "listened at",
            };
            let address = std::net::SocketAddr::new(*address, *port);
            let refusal = if *refused { ", refused by the kernel" } else { "" };
            format!("{what} {address} ({}{refusal})", protocol_name(*protocol))
        }
        Fact::Socket { family, socket_type, protocol, refused } => {
            let refusal = if *refused { ", refused by the kernel" } else { "" };
            let socket = arguments::socket(*family, *socket_type, *protocol);
            format!("asked for a socket ({socket}){refusal}")
        }
        Fact::Memory { how } => match how {
            MemoryUse::Mapped => "mapped executable memory of its own",
            MemoryUse::Changed => "made memory executable",
            MemoryUse::Attached => "attached shared memory for execution",
        }
        .to_owned(),
        Fact::Mapped { path, .. } => format!("mapped {} for execution", path_text(path)),
        Fact::Namespaces { flags } => {
            format!("asked for namespaces of its own ({})", arguments::namespaces(*flags))
        }
        Fact::Fork { child_tgid, child_tid } if child_tgid == child_tid => {
            format!("created process {child_tgid}")
        }
        Fact::Fork { child_tid, .. } => format!("created thread {child_tid}"),
        Fact::Exit { code } => format!("ended with wait status {code:#x}"),
        Fact::Left { how: Departure::Migrated, cgroup } => format!("moved out, to cgroup {cgroup}"),
        Fact::Left { how: Departure::ClonedOut, cgroup } => {
            format!("created a task outside, in cgroup {cgroup}")
        }
        Fact::Entered {} => "came in from outside".to_owned(),
        Fact::FileOperation { operation: FileOperation::Receive, path, access, .. } => {
            format!("received {}, {}", path_text(path), verb(*access))
        }
        Fact::FileOperation { operation, path, .. } => {
            format!("{} {}", done(*operation), path_text(path))
        }
        Fact::Reach { how, whose, process, number } => {
            let whom = match whose {
                Whose::Outside => format!("process {process} outside the sandbox"),
                Whose::Sandbox => format!("process {process} of another sandbox"),
                Whose::Picket => format!("Picket itself (process {process})"),
            };
            match how {
                Reach::Signal => format!("sent signal {number} to {whom}"),
                Reach::Probe => format!("asked by signal 0 for {whom}"),
                Reach::Inspect => format!("looked into {whom}"),
                Reach::Attach => format!("took hold of {whom}"),
            }
        }
        Fact::Peer { operation, whose, name } => {
            let what = if *operation == NetworkOperation::Connect { "connected" } else { "sent" };
            let whose = match whose {
                Whose::Outside => "somebody outside the sandbox",
                Whose::Sandbox => "another sandbox",
                Whose::Picket => "Picket itself",
            };
            match name.as_slice() {
                [] => format!("{what} to a nameless Unix socket of {whose}"),
                name => format!("{what} to the Unix socket @{} of {whose}", text(name)),
            }
        }
        Fact::Denied { number, abi, arguments: registers, .. } => {
            let given = arguments::numbers(*number, *abi, registers);
            format!("was refused {}", call(*number, *abi, &given))
        }
        Fact::Refused { number, path, .. } => {
            let name = syscalls::name(*number).unwrap_or("a call");
            format!("was refused {name} on {}", path_text(path))
        }
        Fact::Calls { calls, level_sum, novel, table } => {
            let levels = format!("levels of surprise that add up to {level_sum}");
            format!("made {calls} calls, {novel} of them novel, with {levels} (table {table})")
        }
    }
}

fn done(operation: FileOperation) -> &'static str {
    match operation {
        FileOperation::Unlink => "removed",
        FileOperation::Rmdir => "removed the directory",
        FileOperation::Mkdir => "made the directory",
        FileOperation::Mknod => "created",
        FileOperation::Symlink => "made the symbolic link",
        FileOperation::Link => "gave another name to",
        FileOperation::LinkTo => "made another file's name",
        FileOperation::Rename => "renamed",
        FileOperation::RenameTo => "renamed a file to",
        FileOperation::Truncate => "cut",
        FileOperation::Chmod => "changed the permissions of",
        FileOperation::Chown => "changed the owner of",
        FileOperation::Receive => "received",
        FileOperation::ConnectUnix => "connected to another's socket",
        FileOperation::SendUnix => "sent to another's socket",
    }
}

fn syscall(number: u32, abi: SyscallAbi, given: &Arguments) -> String {
    let verb = if abi == SyscallAbi::Native { "called" } else { "made" };
    format!("{verb} {}", call(number, abi, given))
}

fn call(number: u32, abi: SyscallAbi, given: &Arguments) -> String {
    match abi {
        SyscallAbi::Native => match syscalls::name(number) {
            Some(name) => match arguments::text(number, abi, given) {
                Some(given) => format!("{name}({given})"),
                None => name.to_owned(),
            },
            None => format!("the unknown system call {number}"),
        },
        SyscallAbi::Ia32 => format!("the 32-bit system call {number}"),
        SyscallAbi::X32 => format!("the x32 system call {}", number & !0x4000_0000),
    }
}

fn verb(access: AccessSet) -> &'static str {
    if access.contains(AccessSet::EXECUTE) {
        "opened for execution"
    } else if access.contains(AccessSet::WRITE.union(AccessSet::READ)) {
        "opened for reading and writing"
    } else if access.contains(AccessSet::WRITE) {
        "opened for writing"
    } else {
        "opened for reading"
    }
}

fn path_text(path: &ObservedPath) -> String {
    match path {
        ObservedPath::Resolved(path) => text(path),
        ObservedPath::Unresolved(why) => match why {
            Unresolved::NoName => "a file without a name".to_owned(),
            Unresolved::Detached => "a file outside its mount namespace".to_owned(),
            Unresolved::TooLong | Unresolved::TooDeep => {
                "a file whose path is too long to resolve".to_owned()
            }
            Unresolved::ReadFailed => "a file whose path could not be read".to_owned(),
        },
    }
}

/// Bytes as text, control characters and other dangers escaped.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .flat_map(|letter| {
            let plain = !is_unsafe_to_print(letter);
            let escaped = (!plain).then(|| letter.escape_unicode());
            escaped.into_iter().flatten().chain(plain.then_some(letter))
        })
        .collect()
}

/// Whether a terminal would do something else with this than show it.
pub(crate) fn is_unsafe_to_print(letter: char) -> bool {
    letter.is_control() || is_invisible(letter)
}

/// Direction marks and the like, by which a name can look like another.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn declared(declared: &Declared) -> String {
    match declared {
        Declared::Nothing => "nothing of the kind is declared".to_owned(),
        Declared::Exec(rule) => format!("declared: {}", text(rule.path.to_string().as_bytes())),
        Declared::Files(rule) => format!(
            "declared: {} ({})",
            text(rule.path.to_string().as_bytes()),
            access_names(rule.access)
        ),
        Declared::Endpoint(rule) => {
            let (low, high) = (rule.ports.start(), rule.ports.end());
            let ports = if low == high { low.to_string() } else { format!("{low}-{high}") };
            format!("declared: {} port {ports} ({})", rule.network, rule.protocol.as_str())
        }
        Declared::Protected => "the file is protected, whatever it is called".to_owned(),
        Declared::Processes { limit, alive } => format!("declared: {limit} processes, now {alive}"),
        Declared::OtherArguments => "the call is declared, but not for these arguments".to_owned(),
        Declared::Launcher => "only what a launcher needs, until the entry point runs".to_owned(),
    }
}

fn access_names(access: AccessSet) -> String {
    ways(access).collect::<Vec<_>>().join(", ")
}

/// The ways of opening a file, in one word each.
pub(crate) fn ways(access: AccessSet) -> impl Iterator<Item = &'static str> {
    [(AccessSet::READ, "read"), (AccessSet::WRITE, "write"), (AccessSet::EXECUTE, "execute")]
        .into_iter()
        .filter(move |(one, _)| access.contains(*one))
        .map(|(_, name)| name)
}

pub(crate) fn protocol_name(number: u8) -> String {
    match number {
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        other => format!("protocol {other}"),
    }
}
