//! What a suggestion says of made-up runs.

mod danger;
mod files;
mod rest;
mod words;

use std::{collections::BTreeSet, time::Duration};

use picket_engine::{
    AccessSet, Action, Actions, Arguments, Arrival, ContainmentPlan, Fact, FileId, Input,
    KernelTime, Mode, NetworkOperation, ObservedArgv, ObservedPath, OnExpiry, Order, Policy,
    Process, SandboxId, SyscallAbi,
};

use super::{super::Manifest, Identity, Suggestion, suggest};

const SANDBOX: SandboxId = SandboxId { slot: 0, generation: 1 };
pub(super) const INIT: u32 = 4_242;
const READ: AccessSet = AccessSet::READ;
const WRITE: AccessSet = AccessSet::WRITE;
const EXECUTE: AccessSet = AccessSet::EXECUTE;

/// A recorded run of `/opt/app/tool`, which did this, a millisecond apart.
pub(in super::super) fn run(deeds: impl IntoIterator<Item = Fact>) -> Vec<Input> {
    run_of(deeds.into_iter().map(|fact| (INIT, fact)))
}

pub(in super::super) fn run_of(deeds: impl IntoIterator<Item = (u32, Fact)>) -> Vec<Input> {
    let mut inputs = vec![Input::Register {
        sandbox: SANDBOX,
        policy: observing(),
        arrival: Arrival::Gated,
        at: ms(1_000),
    }];
    let started = std::iter::once((INIT, exec("/opt/app/tool")));
    for (at, (tgid, fact)) in (1_000..).zip(started.chain(deeds)) {
        let process = Process { tgid, tid: tgid, start: ms(900) };
        let order = Order { time: ms(at), cpu: 0, sequence: 0 };
        inputs.push(Input::Event { sandbox: SANDBOX, order, process, fact });
    }
    inputs
}

fn observing() -> Policy {
    Policy {
        protected: BTreeSet::from([FileId { device: 8, inode: 666 }]),
        actions: Actions::strict().with(picket_engine::Capability::Syscalls, Action::Alert),
        containment: ContainmentPlan { hold: Duration::from_secs(30), on_expiry: OnExpiry::Hold },
        mode: Mode::Observe,
        ..Policy::nothing_declared()
    }
}

fn ms(millis: u64) -> KernelTime {
    KernelTime::BOOT.saturating_add(Duration::from_millis(millis))
}

pub(in super::super) fn open(path: impl AsRef<[u8]>, access: AccessSet) -> Fact {
    let path = ObservedPath::Resolved(path.as_ref().to_vec());
    Fact::Open { path, file: FileId { device: 8, inode: 1 }, links: 1, access }
}

pub(in super::super) fn read(path: impl AsRef<[u8]>) -> Fact {
    open(path, READ)
}

fn write(path: impl AsRef<[u8]>) -> Fact {
    open(path, WRITE)
}

pub(in super::super) fn exec(path: impl AsRef<[u8]>) -> Fact {
    Fact::Exec {
        path: ObservedPath::Resolved(path.as_ref().to_vec()),
        file: FileId { device: 8, inode: 2 },
        links: 1,
        script: None,
        argv: ObservedArgv { bytes: b"tool\0".to_vec(), complete: true },
    }
}

fn script(text: &[u8], interpreter: &str) -> Fact {
    let mut fact = exec(interpreter);
    if let Fact::Exec { script, .. } = &mut fact {
        *script = Some(text.to_vec());
    }
    fact
}

pub(in super::super) fn call(name: &str) -> Fact {
    let number = u32::from(super::super::syscalls::number(name).unwrap());
    Fact::Syscall { number, abi: SyscallAbi::Native, arguments: Arguments::NONE }
}

pub(in super::super) fn network(
    operation: NetworkOperation,
    protocol: u8,
    address: &str,
    port: u16,
) -> Fact {
    let address = address.parse().unwrap();
    Fact::Network { operation, protocol, address, port, refused: false }
}

fn connect(address: &str, port: u16) -> Fact {
    network(NetworkOperation::Connect, 6, address, port)
}

fn suggested(runs: &[&[Input]]) -> Suggestion {
    suggest(runs, Identity { name: Some("tool"), version: "1.0.0" })
}

/// The suggestion for one run, without its heading and what every suggestion has; it must be a manifest that covers
/// the run but for `left` facts.
#[track_caller]
fn lines_leaving(deeds: impl IntoIterator<Item = Fact>, left: usize) -> Vec<String> {
    let run = run(deeds);
    let suggestion = suggested(&[&run]);
    let proof = suggestion.prove(&[&run]).unwrap();
    assert_eq!(proof.uncovered, [], "{}", suggestion.text());
    assert_eq!(proof.left.len(), left, "{}", suggestion.text());
    let lines = suggestion.text().lines().skip(6).map(str::to_owned);
    let own = ["exec:", "  - { path: /opt/app/tool }", "processes: { max: 1 }"];
    lines.filter(|line| !own.iter().any(|own| line.starts_with(own))).collect()
}

/// The same, covered as a whole, without remarks.
#[track_caller]
fn granted(deeds: impl IntoIterator<Item = Fact>) -> Vec<String> {
    let plain = |line: String| line.split("  # ").next().unwrap_or_default().to_owned();
    lines_leaving(deeds, 0).into_iter().map(plain).collect()
}

#[test]
fn the_smallest_run_has_the_smallest_manifest() {
    let run = run([]);
    insta::assert_snapshot!(suggested(&[&run]).text(), @r#"
    # Suggested by Picket from one recorded run (facts: 1). It covers what was seen, which is not what ought to be
    # allowed: read it before you trust it. Times count from the entry point's start.
    version: 1
    plugin: { name: "tool", version: "1.0.0" }
    # Watch first: `shadow` reports what `enforce` would stop. When it stays silent, write enforce.
    mode: shadow
    exec:
      - { path: /opt/app/tool }  # the entry point
    processes: { max: 1 }  # at most 1 seen at once, 1 altogether
    "#);
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    let run = run([read("/data/a"), write("/data/b"), call("mkdir"), connect("10.0.0.1", 80)]);
    let text = suggested(&[&run]).text().to_owned();
    assert_eq!(suggested(&[&run.clone()]).text(), text);
    let manifest = Manifest::parse("x", text.as_bytes()).unwrap();
    assert_eq!((manifest.plugin_name(), manifest.mode()), ("tool", Mode::Shadow));
}

#[test]
fn several_runs_are_covered_by_one_manifest() {
    let (one, other) = (run([read("/data/a")]), run([read("/srv/b"), call("mkdir")]));
    let runs: [&[Input]; 2] = [&one, &other];
    let suggestion = suggested(&runs);
    let proof = suggestion.prove(&runs).unwrap();
    assert_eq!((proof.facts, proof.left.len(), proof.uncovered.len()), (5, 0, 0));
}

#[test]
fn what_happens_before_the_entry_point_is_not_the_plugins() {
    let mut run = run([]);
    let Input::Event { sandbox, order, process, .. } = run[1].clone() else { unreachable!() };
    run.insert(1, Input::Event { sandbox, order, process, fact: call("close") });
    assert!(!suggested(&[&run]).text().contains("syscalls"));
}
