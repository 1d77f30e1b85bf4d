//! What was learned and is not declared, and the lines that would declare it.
//!
//! Programs, files and calls are put to the engine as facts in which each star is a byte that no pattern spells out, so
//! that only a star of a rule can take it in: what the engine then lets pass is declared as a whole.

use std::collections::BTreeSet;

use picket_engine::{
    AccessSet, Arguments, Arrival, CLONE_FLAGS_DECLARED_BY, DANGER, Effect, Engine, Fact, FileId,
    Input, KernelTime, Mode, NetworkOperation, ObservedArgv, ObservedPath, Order, Policy, Process,
    SandboxId, Settings, SocketClass, SyscallAbi,
    baseline::{Destination, Family, Meaning, meaning, varying},
};

use super::{
    super::{
        Manifest, Names, Occasion, ResolveContext, ResolveError,
        declared::{Declared, Endpoint, Host},
        suggest::{is_common, is_too_wide, is_writable_as, lines, places},
        syscalls,
    },
    Grant, Learned, Undeclared, meant, used,
};

/// A star of a template: patterns are UTF-8, which has no such byte.
const STAR: u8 = 0xff;
/// Ports from here on were learned as `ephemeral`.
const EPHEMERAL: u16 = 32_768;
const SANDBOX: SandboxId = SandboxId { slot: 0, generation: 0 };
const PROCESS: u32 = 1;

/// What stands in the way of a line.
const NO_PATH: &str = "its path is not known or was cut; cannot be granted";
const DANGEROUS: &str = "dangerous: a person must decide";
const REFUSED: &str = "was refused whenever it was tried";
const NOTHING_GRANTS: &str = "nothing can grant it";

/// The manifest as it holds here, and what was learned, for lines that depend on others.
pub(super) struct Judge<'a> {
    declared: &'a Declared,
    policy: Policy,
    programs: BTreeSet<&'a str>,
    scripts: BTreeSet<&'a str>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        manifest: &'a Manifest,
        learned: &[Learned<'a>],
    ) -> Result<Self, ResolveError> {
        let names = Names::default();
        let context = ResolveContext {
            entry: None,
            wall: std::time::SystemTime::now(),
            boot: KernelTime::BOOT,
            occasion: Occasion::Refresh,
            elsewhere: false,
            names: &names,
        };
        // Rules for destinations are read as they are written: names mean other addresses than when it was learned.
        let mut policy = manifest.resolve_with(&context, &|_| Ok(Vec::new()))?.policy;
        policy.mode = Mode::Observe;
        // Arguments are not learned.
        policy.exec.iter_mut().for_each(|rule| rule.argv = None);
        let (mut programs, mut scripts) = (BTreeSet::new(), BTreeSet::new());
        for one in learned {
            if let Some(Meaning::Exec { script, program }) = meaning(one.family, one.template) {
                programs.insert(program);
                scripts.extend(script);
            }
        }
        Ok(Self { declared: &manifest.declared, policy, programs, scripts })
    }

    /// What is not declared of a deed; nothing if it is, or if no rule is about its kind.
    pub(super) fn undeclared(&self, one: &Learned<'_>) -> Option<Undeclared> {
        let grants = match meant(one.family, one.template) {
            _ if matches!(one.family, Family::Directory | Family::Errno | Family::Context) => {
                return None;
            }
            None => Err(NO_PATH),
            Some(meaning) => {
                if self.is_declared(&meaning, one) {
                    return None;
                }
                if one.refused { Err(REFUSED) } else { self.grants(&meaning, one.accepted) }
            }
        };
        let (family, template, runs) = (one.family, one.template.to_owned(), one.runs);
        // Opened in order to be run: the line for the program says it.
        let silent = grants.as_ref().is_ok_and(Vec::is_empty);
        (!silent).then_some(Undeclared { family, template, runs, grants })
    }

    fn is_declared(&self, meant: &Meaning<'_>, one: &Learned<'_>) -> bool {
        let fact = match *meant {
            Meaning::Exec { script, program } => Fact::Exec {
                path: path(program),
                file: FILE,
                links: 1,
                script: script.map(bytes),
                argv: ObservedArgv { bytes: Vec::new(), complete: true },
            },
            Meaning::File { done: "map", path: file } => {
                Fact::Mapped { path: path(file), file: FILE, links: 1 }
            }
            Meaning::File { done, path: file } => {
                Fact::Open { path: path(file), file: FILE, links: 1, access: access_of(done) }
            }
            Meaning::Call { number, abi } => {
                Fact::Syscall { number, abi, arguments: Arguments::NONE }
            }
            Meaning::Destination(to) => {
                // The kernel picks a free port: nothing has to be declared.
                return to.operation == NetworkOperation::Bind && to.port == Some(0)
                    || used::may_reach(self.declared, &to, to.operation.is_local());
            }
            Meaning::Socket(class) => return used::has_socket(self.declared, class),
            Meaning::Memory => return self.policy.executable_memory,
            Meaning::RefusedCall { .. } => return true,
            Meaning::Other if one.template.starts_with("namespaces ") => {
                return self.policy.syscalls.contains(CLONE_FLAGS_DECLARED_BY);
            }
            Meaning::Other => return false,
        };
        lets_pass(&self.policy, fact)
    }

    fn grants(&self, meant: &Meaning<'_>, accepted: bool) -> Result<Vec<Grant>, &'static str> {
        match *meant {
            Meaning::Exec { script, program } => exec(script, program, accepted),
            Meaning::File { done, path } => self.file(done, path, accepted),
            Meaning::Destination(to) => destination(&to, accepted),
            Meaning::Call { number, abi } => call(number, abi, accepted),
            Meaning::Socket(SocketClass::Unnamed) => Err(NOTHING_GRANTS),
            Meaning::Socket(class) if is_common(class) || accepted => {
                Ok(vec![Grant { list: "network.sockets", value: class.to_string() }])
            }
            Meaning::Socket(_) => Err(DANGEROUS),
            Meaning::Memory => {
                Err("dangerous, `memory: { executable: true }`: a person must decide")
            }
            Meaning::RefusedCall { .. } => Ok(Vec::new()),
            Meaning::Other => Err(NOTHING_GRANTS),
        }
    }

    fn file(&self, done: &str, path: &str, accepted: bool) -> Result<Vec<Grant>, &'static str> {
        let access = access_of(done);
        if access.contains(AccessSet::EXECUTE) && done != "map" && self.programs.contains(path)
            || access == AccessSet::READ && self.scripts.contains(path)
        {
            return Ok(Vec::new());
        }
        if !is_writable_as(path) {
            return Err("cannot be written in a manifest");
        }
        // A pattern for processes means every process: judged as the own one, whose files are the least dangerous.
        let example = path.replace("/proc/*", "/proc/1");
        let mut grants = Vec::new();
        for (list, write) in [("files.read", false), ("files.write", true)] {
            let wanted =
                if write { access.contains(AccessSet::WRITE) } else { access != AccessSet::WRITE };
            if !wanted {
                continue;
            }
            match places::danger(&example, write, |_| true) {
                Some("a protected file") => return Err("a protected file: a person must decide"),
                Some(_) if !accepted => return Err(DANGEROUS),
                _ => {}
            }
            let segments: Vec<String> =
                path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if is_too_wide(&segments, write) && !accepted {
                return Err("a made-up name that only a pattern for all names there covers");
            }
            grants.push(Grant { list, value: lines::value(path) });
        }
        Ok(grants)
    }
}

const FILE: FileId = FileId { device: u64::MAX, inode: u64::MAX };

/// The ways in which a file was opened, by what a template says was done. A descriptor that was received is open in some
/// way that is not said.
pub(super) fn access_of(done: &str) -> AccessSet {
    match done {
        "read" => AccessSet::READ,
        "read+write" => AccessSet::READ.union(AccessSet::WRITE),
        "execute" | "map" => AccessSet::READ.union(AccessSet::EXECUTE),
        "receive" => AccessSet::NONE,
        _ => AccessSet::WRITE,
    }
}

/// Whether a rule may mean the destination: they have an address, a protocol and a port in common.
pub(super) fn reaches(rule: &Endpoint, listens: bool, to: &Destination) -> bool {
    let (first, last) = to.port.map_or((EPHEMERAL, u16::MAX), |port| (port, port));
    let network = match &rule.host.value {
        Host::Network(network) => network.contains(&to.network) || to.network.contains(network),
        Host::Name(_) => true,
    };
    to.operation.is_local() == listens
        && network
        && rule.protocol.covers(to.protocol)
        && *rule.ports.start() <= last
        && first <= *rule.ports.end()
}

fn exec(script: Option<&str>, program: &str, accepted: bool) -> Result<Vec<Grant>, &'static str> {
    for file in [Some(program), script].into_iter().flatten() {
        if !is_writable_as(file) {
            return Err("cannot be written in a manifest");
        }
        let open = varying::TEMPORARY.iter().chain(&["/run/lock", "/run/user"]);
        let anybodys = open.into_iter().any(|place| file.starts_with(&format!("{place}/")));
        if anybodys && !accepted {
            return Err("dangerous, in a place where anybody may write: a person must decide");
        }
        if varies(file) && !accepted {
            return Err("a program of another name every time: a person must decide");
        }
        if places::danger(file, false, |_| false).is_some() && !accepted {
            return Err(DANGEROUS);
        }
    }
    let value = match script {
        None => format!("{{ path: {} }}", lines::value(program)),
        Some(script) => {
            let (script, program) = (lines::value(script), lines::value(program));
            format!("{{ path: {script}, interpreter: {program} }}")
        }
    };
    Ok(vec![Grant { list: "exec", value }])
}

fn varies(pattern: &str) -> bool {
    bytes(pattern).contains(&STAR)
}

fn call(number: u32, abi: SyscallAbi, accepted: bool) -> Result<Vec<Grant>, &'static str> {
    match syscalls::name(number) {
        _ if abi != SyscallAbi::Native => {
            Err("dangerous, `syscalls: { foreign_abi: true }`: a person must decide")
        }
        None => Err("has no name here; cannot be granted"),
        Some(_) if DANGER.contains(number) && !accepted => Err(DANGEROUS),
        Some(name) => Ok(vec![Grant { list: "syscalls.allow", value: name.to_owned() }]),
    }
}

fn destination(to: &Destination, accepted: bool) -> Result<Vec<Grant>, &'static str> {
    let protocol = match to.protocol {
        6 => "",
        17 => ", protocol: udp",
        _ => return Err("a protocol that only `any` covers: a person must decide"),
    };
    let port = match to.port {
        Some(0) => return Err("port 0, which only `any` covers: a person must decide"),
        Some(port) => port.to_string(),
        None => format!("{EPHEMERAL}-{}", u16::MAX),
    };
    if crate::baseline::suggest::is_metadata(to.network) && !accepted {
        return Err("dangerous, the cloud's metadata service: a person must decide");
    }
    let (list, key) = if to.operation.is_local() {
        ("network.listen", "address")
    } else {
        ("network.connect", "to")
    };
    Ok(vec![Grant {
        list,
        value: format!("{{ {key}: \"{}\", port: {port}{protocol} }}", to.network),
    }])
}

fn path(template: &str) -> ObservedPath {
    ObservedPath::Resolved(bytes(template))
}

/// A template without escapes, each star as [`STAR`].
fn bytes(template: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut escaped = false;
    for byte in template.bytes() {
        match byte {
            b'\\' if !escaped => escaped = true,
            byte => {
                bytes.push(if byte == b'*' && !escaped { STAR } else { byte });
                escaped = false;
            }
        }
    }
    bytes
}

/// Whether a policy has nothing to say to a fact of a sandbox at work.
fn lets_pass(policy: &Policy, fact: Fact) -> bool {
    let at = KernelTime::BOOT;
    let mut effects = Vec::new();
    let mut engine = Engine::new(Settings::STANDARD);
    let arrival = Arrival::Running { processes: vec![PROCESS] };
    let policy = policy.clone();
    engine.handle(Input::Register { sandbox: SANDBOX, policy, arrival, at }, &mut effects);
    let order = Order { time: at, cpu: 0, sequence: 0 };
    let process = Process { tgid: PROCESS, tid: PROCESS, start: at };
    engine.handle(Input::Event { sandbox: SANDBOX, order, process, fact }, &mut effects);
    !effects.iter().any(|effect| matches!(effect, Effect::Finding(_)))
}
