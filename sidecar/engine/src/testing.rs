//! Builders and a narrator for tests: inputs in a word or two, effects as short lines.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use std::format;

use crate::baseline::{Anomaly, Family, Item};
use crate::learned::{Budget, Lane, PluginTime, Severity};
use crate::sequence::Bits;
use crate::*;

pub(crate) const SANDBOX: SandboxId = SandboxId { slot: 3, generation: 1 };
pub(crate) const INIT: u32 = 100;
pub(crate) const SECRET: FileId = FileId { device: 8, inode: 666 };
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// A moment so many milliseconds after boot.
pub(crate) fn ms(millis: u64) -> KernelTime {
    KernelTime::BOOT.saturating_add(Duration::from_millis(millis))
}

pub(crate) fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

pub(crate) fn file_rule(path: &str, access: AccessSet) -> FileRule {
    FileRule { path: pattern(path), access, until: None }
}

pub(crate) fn program(path: &str) -> ExecRule {
    ExecRule { path: pattern(path), interpreter: None, argv: None, until: None }
}

pub(crate) fn script(path: &str, interpreter: &str) -> ExecRule {
    ExecRule { interpreter: Some(pattern(interpreter)), ..program(path) }
}

pub(crate) fn with_argv(rule: ExecRule, argv: &[&str]) -> ExecRule {
    let argv = argv.iter().map(|text| ArgPattern::parse(text).unwrap()).collect();
    ExecRule { argv: Some(argv), ..rule }
}

pub(crate) fn endpoint(
    network: &str,
    ports: core::ops::RangeInclusive<u16>,
    protocol: Protocol,
) -> EndpointRule {
    EndpointRule { network: network.parse().unwrap(), ports, protocol, until: None }
}

/// Declares nothing, freezes whatever departs, and holds for 30 s.
pub(crate) fn nothing_declared() -> Policy {
    Policy {
        containment: ContainmentPlan { hold: Duration::from_secs(30), on_expiry: OnExpiry::Hold },
        ..Policy::nothing_declared()
    }
}

/// What the honest plugin of these tests needs, and a protected file.
pub(crate) fn declared() -> Policy {
    Policy {
        exec: Vec::from([program("/opt/plugin"), program("/usr/bin/cat")]),
        files: Vec::from([
            file_rule("/data/**", AccessSet::READ),
            file_rule("/spool/*.out", AccessSet::WRITE),
        ]),
        protected: BTreeSet::from([SECRET]),
        connect: Vec::from([endpoint("127.0.0.1/32", 8080..=8080, Protocol::Tcp)]),
        listen: Vec::from([endpoint("::1/128", 9000..=9099, Protocol::Any)]),
        syscalls: SyscallSet::of(&[0, 1, 257]),
        ..nothing_declared()
    }
}

pub(crate) fn resolved(path: &str) -> ObservedPath {
    ObservedPath::Resolved(path.into())
}

/// A file of its own for every path, as honest file systems have it.
pub(crate) fn file_of(path: &str) -> FileId {
    let inode =
        path.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    FileId { device: 8, inode }
}

pub(crate) fn open(path: &str, access: AccessSet) -> Fact {
    Fact::Open { path: resolved(path), file: file_of(path), links: 1, access }
}

pub(crate) fn read(path: &str) -> Fact {
    open(path, AccessSet::READ)
}

/// Done to a file by this name, which amounts to writing.
pub(crate) fn operation(operation: FileOperation, path: &str) -> Fact {
    let (file, access) = (file_of(path), AccessSet::WRITE);
    Fact::FileOperation { operation, path: resolved(path), file, links: 1, access }
}

pub(crate) fn exec(path: &str, argv: &[&str]) -> Fact {
    let mut bytes = Vec::new();
    for argument in argv {
        bytes.extend_from_slice(argument.as_bytes());
        bytes.push(0);
    }
    let argv = ObservedArgv { bytes, complete: true };
    Fact::Exec { path: resolved(path), file: file_of(path), links: 1, script: None, argv }
}

pub(crate) fn exec_script(text: &str, interpreter: &str, argv: &[&str]) -> Fact {
    let mut fact = exec(interpreter, argv);
    if let Fact::Exec { script, .. } = &mut fact {
        *script = Some(text.into());
    }
    fact
}

pub(crate) const fn syscall(number: u32) -> Fact {
    Fact::Syscall { number, abi: SyscallAbi::Native, arguments: Arguments::NONE }
}

/// A socket of a kind that has to be declared.
pub(crate) const fn socket(family: u32, socket_type: u32, protocol: u32) -> Fact {
    Fact::Socket { family, socket_type, protocol, refused: false }
}

/// A file that was mapped for execution.
pub(crate) fn mapped(path: &str) -> Fact {
    Fact::Mapped { path: resolved(path), file: file_of(path), links: 1 }
}

pub(crate) fn network(operation: NetworkOperation, protocol: u8, address: &str, port: u16) -> Fact {
    let address: IpAddr = address.parse().unwrap();
    Fact::Network { operation, protocol, address, port, refused: false }
}

pub(crate) fn connect(address: &str, port: u16) -> Fact {
    network(NetworkOperation::Connect, 6, address, port)
}

pub(crate) const fn fork(child: u32) -> Fact {
    Fact::Fork { child_tgid: child, child_tid: child }
}

pub(crate) const LEFT: Fact = Fact::Left { how: Departure::Migrated, cgroup: 1 };

/// A fact of the entry point's process.
pub(crate) fn event(at: KernelTime, fact: Fact) -> Input {
    event_of(SANDBOX, INIT, at, fact)
}

pub(crate) fn event_of(sandbox: SandboxId, tgid: u32, at: KernelTime, fact: Fact) -> Input {
    let process = Process { tgid, tid: tgid, start: ms(1) };
    Input::Event { sandbox, order: Order { time: at, cpu: 0, sequence: 0 }, process, fact }
}

pub(crate) const fn register(policy: Policy) -> Input {
    let arrival = Arrival::Gated;
    Input::Register { sandbox: SANDBOX, policy, arrival, at: KernelTime::BOOT }
}

pub(crate) const fn tick(at: KernelTime) -> Input {
    Input::Tick { at }
}

pub(crate) const fn receipt(at: KernelTime, step: Step, outcome: Outcome) -> Input {
    Input::Receipt { sandbox: SANDBOX, incident: IncidentId(1), step, outcome, at }
}

/// Evidence that has reached a budget of 30 days by one new program.
pub(crate) fn anomaly(severity: Severity) -> Anomaly {
    let days = |days: u64| PluginTime::from_millis(days * PluginTime::DAY.as_millis());
    let program = Item::new(Bits::from_raw(9 << 16), Family::Exec, String::from("/usr/bin/id"), 0);
    Anomaly {
        severity,
        lane: Lane::Novelty,
        evidence: days(31),
        budget: Budget::one_per_days(30).unwrap(),
        calibrated: days(28),
        certificate: 7,
        baseline: [7; 32],
        items: Vec::from([program]),
    }
}

pub(crate) fn anomalous(at: KernelTime, severity: Severity) -> Input {
    Input::Anomaly { sandbox: SANDBOX, anomaly: anomaly(severity), at }
}

pub(crate) const fn notice(at: KernelTime, notice: Notice) -> Input {
    Input::Supervisor { sandbox: SANDBOX, notice, at }
}

/// An engine, and the effects of the last input.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) effects: Vec<Effect>,
}

impl Bench {
    pub(crate) const fn empty() -> Self {
        Self { engine: Engine::new(Settings::STANDARD), effects: Vec::new() }
    }

    /// One registered sandbox that is still starting.
    pub(crate) fn starting(policy: Policy) -> Self {
        let mut bench = Self::empty();
        bench.tell(register(policy));
        bench
    }

    /// One sandbox whose entry point, `/opt/plugin`, has just run.
    pub(crate) fn running(mut policy: Policy) -> Self {
        policy.exec.push(program("/opt/plugin"));
        let mut bench = Self::starting(policy);
        assert_eq!(bench.tell(event(ms(10), exec("/opt/plugin", &[]))), ["narrowed entry_point"]);
        bench
    }

    /// Hands over an input and narrates what follows.
    pub(crate) fn tell(&mut self, input: Input) -> Vec<String> {
        self.effects.clear();
        self.engine.handle(input, &mut self.effects);
        self.effects.iter().map(narrate).collect()
    }

    pub(crate) fn state(&self) -> Option<SandboxState> {
        self.engine.state(SANDBOX)
    }

    /// The findings among the last effects.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Finding(finding) => Some(finding),
            _ => None,
        })
    }
}

/// An effect in one line.
pub(crate) fn narrate(effect: &Effect) -> String {
    let step = |it: &Contain| format!("{} #{} {} {}", it.step, it.incident, it.trigger, it.attempt);
    match effect {
        Effect::Finding(it) => {
            format!("finding #{} {} {} {}", it.incident, it.capability, it.reason, it.action)
        }
        Effect::Contain(it) => format!("contain: {}", step(it)),
        Effect::WouldContain(it) => format!("would contain: {}", step(it)),
        Effect::IncidentOpened { incident, .. } => format!("opened #{incident}"),
        Effect::IncidentClosed { incident, why, findings, uncounted, .. } => {
            format!("closed #{incident} {why}: {findings} findings, {uncounted} more")
        }
        Effect::Narrowed { why, .. } => format!("narrowed {why}"),
    }
}
