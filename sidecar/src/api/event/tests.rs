use std::net::IpAddr;

use picket_engine::{
    AccessSet, Arguments, Closure, ContainmentPlan, Engine, FileId, FileOperation, IncidentId,
    MemoryUse, Narrowing, NetworkOperation, ObservedArgv, OnExpiry, Order, Outcome, Policy,
    Process, Reach, Settings, Step, Tampering, Unresolved, Whose,
};
use proptest::{prelude::*, sample::select};

use super::*;

const SANDBOX: SandboxId = SandboxId { slot: 3, generation: 1 };
const FILE: FileId = FileId { device: 1, inode: 2 };

fn policy() -> Policy {
    Policy {
        containment: ContainmentPlan {
            hold: std::time::Duration::from_secs(1),
            on_expiry: OnExpiry::Kill,
        },
        ..Policy::nothing_declared()
    }
}

fn register() -> Input {
    let arrival = Arrival::Running { processes: vec![7] };
    Input::Register { sandbox: SANDBOX, policy: policy(), arrival, at: KernelTime::BOOT }
}

fn event(fact: Fact) -> Input {
    let process = Process { tgid: 7, tid: 8, start: KernelTime::BOOT };
    let order = Order { time: KernelTime::from_nanos(12), cpu: 1, sequence: 2 };
    Input::Event { sandbox: SANDBOX, order, process, fact }
}

/// An input and everything that a strict engine answers to it.
fn passing(input: Input) -> Vec<Passed> {
    let mut engine = Engine::new(Settings::STANDARD);
    let mut effects = Vec::new();
    engine.handle(register(), &mut effects);
    engine.handle(input.clone(), &mut effects);
    let effects = effects.into_iter().map(Passed::Effect);
    std::iter::once(Passed::Input(input)).chain(effects).collect()
}

fn line(passed: &Passed) -> Option<String> {
    let subject = subject(passed)?;
    Some(escape::json(&value(&subject, Some("weather"), passed)))
}

fn lines(input: Input) -> String {
    passing(input).iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

fn path(bytes: &[u8]) -> ObservedPath {
    ObservedPath::Resolved(bytes.to_vec())
}

#[test]
fn every_fact_is_told_with_its_sentence_and_its_fields() {
    let argv = ObservedArgv { bytes: b"sh\0-c\0\xff\0".to_vec(), complete: false };
    let facts = [
        Fact::Syscall { number: 101, abi: SyscallAbi::Native, arguments: Arguments::NONE },
        Fact::Syscall { number: 5, abi: SyscallAbi::Ia32, arguments: Arguments::NONE },
        Fact::Open {
            path: path(b"/tmp/\xffa\\b"),
            file: FILE,
            links: 1,
            access: AccessSet::READ.union(AccessSet::WRITE),
        },
        Fact::Open {
            path: ObservedPath::Unresolved(Unresolved::NoName),
            file: FILE,
            links: 0,
            access: AccessSet::READ,
        },
        Fact::Exec { path: path(b"/bin/sh"), file: FILE, links: 1, script: None, argv },
        Fact::Network {
            operation: NetworkOperation::Connect,
            protocol: 6,
            address: IpAddr::from([192, 0, 2, 1]),
            port: 443,
            refused: true,
        },
        Fact::Fork { child_tgid: 9, child_tid: 9 },
        Fact::Exit { code: 256 },
        Fact::Left { how: picket_engine::Departure::Migrated, cgroup: 5 },
        Fact::Entered {},
        Fact::FileOperation {
            operation: FileOperation::RenameTo,
            path: path(b"/etc/shadow"),
            file: FILE,
            links: 1,
            access: AccessSet::WRITE,
        },
        Fact::FileOperation {
            operation: FileOperation::Receive,
            path: path(b"/etc/shadow"),
            file: FILE,
            links: 1,
            access: AccessSet::READ,
        },
        Fact::Reach { how: Reach::Signal, whose: Whose::Picket, process: 7, number: 9 },
        Fact::Reach { how: Reach::Attach, whose: Whose::Sandbox, process: 8, number: 2 },
        Fact::Peer {
            operation: NetworkOperation::Connect,
            whose: Whose::Outside,
            name: b"bus\x1b".to_vec(),
        },
        Fact::Calls { calls: 1_000, level_sum: 4_096, novel: 3, table: 2 },
    ];
    let told = facts.map(|fact| line(&Passed::Input(event(fact))).unwrap());
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_departure_is_told_with_what_follows_from_it() {
    let open =
        Fact::Open { path: path(b"/etc/shadow"), file: FILE, links: 1, access: AccessSet::READ };
    insta::assert_snapshot!(lines(event(open)));
}

#[test]
fn what_is_no_fact_is_told_too() {
    let (sandbox, at) = (SANDBOX, KernelTime::from_nanos(5));
    let (incident, step, outcome) = (IncidentId(1), Step::Freeze, Outcome::Done);
    let passed = [
        Passed::Input(register()),
        Passed::Input(Input::Policy { sandbox, policy: policy(), at }),
        Passed::Input(Input::Loss { sandbox, lost: 3, at }),
        Passed::Input(Input::Tampered { sandbox: None, tampering: Tampering::MapChanged, at }),
        Passed::Input(Input::Supervisor { sandbox, notice: Notice::Exited { code: 9 }, at }),
        Passed::Input(Input::Receipt { sandbox, incident, step, outcome, at }),
        Passed::Input(Input::Unregister { sandbox, at }),
        Passed::Effect(Effect::IncidentClosed {
            sandbox,
            incident,
            at,
            why: Closure::Quiet,
            findings: 2,
            uncounted: 40,
        }),
        Passed::Effect(Effect::Narrowed { sandbox, why: Narrowing::GrantExpired }),
    ];
    let told: Vec<String> = passed.iter().map(|one| line(one).unwrap()).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn that_time_passes_is_no_event() {
    assert_eq!(subject(&Passed::Input(Input::Tick { at: KernelTime::BOOT })), None);
}

fn observed_path() -> impl Strategy<Value = ObservedPath> {
    prop_oneof![
        any::<Vec<u8>>().prop_map(ObservedPath::Resolved),
        select(Unresolved::ALL).prop_map(ObservedPath::Unresolved),
    ]
}

fn access() -> impl Strategy<Value = AccessSet> {
    const WAYS: &[AccessSet] =
        &[AccessSet::READ, AccessSet::WRITE, AccessSet::EXECUTE, AccessSet::NONE];
    (select(WAYS), select(WAYS)).prop_map(|(one, other)| one.union(other))
}

fn fact() -> impl Strategy<Value = Fact> {
    let exec = (observed_path(), any::<Option<Vec<u8>>>(), any::<Vec<u8>>(), any::<bool>());
    let network = (select(NetworkOperation::ALL), any::<u8>(), any::<IpAddr>(), any::<u16>());
    prop_oneof![
        (any::<u32>(), select(SyscallAbi::ALL)).prop_map(|(number, abi)| Fact::Syscall {
            number,
            abi,
            arguments: Arguments::NONE
        }),
        (observed_path(), access()).prop_map(|(path, access)| Fact::Open {
            path,
            file: FILE,
            links: 1,
            access
        }),
        exec.prop_map(|(path, script, bytes, complete)| {
            let argv = ObservedArgv { bytes, complete };
            Fact::Exec { path, file: FILE, links: 1, script, argv }
        }),
        (network, any::<bool>()).prop_map(|((operation, protocol, address, port), refused)| {
            Fact::Network { operation, protocol, address, port, refused }
        }),
        any::<(u32, u32, u32, bool)>().prop_map(|(family, socket_type, protocol, refused)| {
            Fact::Socket { family, socket_type, protocol, refused }
        }),
        select(MemoryUse::ALL).prop_map(|how| Fact::Memory { how }),
        observed_path().prop_map(|path| Fact::Mapped { path, file: FILE, links: 1 }),
        any::<u32>().prop_map(|flags| Fact::Namespaces { flags }),
        any::<(u32, u32)>()
            .prop_map(|(child_tgid, child_tid)| Fact::Fork { child_tgid, child_tid }),
        any::<i32>().prop_map(|code| Fact::Exit { code }),
        (select(picket_engine::Departure::ALL), any::<u64>())
            .prop_map(|(how, cgroup)| Fact::Left { how, cgroup }),
        Just(Fact::Entered {}),
        about_objects(),
    ]
}

fn about_objects() -> impl Strategy<Value = Fact> {
    prop_oneof![
        (select(FileOperation::ALL), observed_path(), access()).prop_map(
            |(operation, path, access)| {
                Fact::FileOperation { operation, path, file: FILE, links: 1, access }
            }
        ),
        (select(Reach::ALL), select(Whose::ALL), any::<(u32, u32)>()).prop_map(
            |(how, whose, (process, number))| Fact::Reach { how, whose, process, number }
        ),
        (select(NetworkOperation::ALL), select(Whose::ALL), any::<Vec<u8>>())
            .prop_map(|(operation, whose, name)| Fact::Peer { operation, whose, name }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let at = any::<u64>().prop_map(KernelTime::from_nanos);
    prop_oneof![
        8 => fact().prop_map(event),
        1 => (any::<u64>(), at.clone())
            .prop_map(|(lost, at)| Input::Loss { sandbox: SANDBOX, lost, at }),
        1 => (any::<bool>(), select(Tampering::ALL), at.clone()).prop_map(|(all, tampering, at)| {
            Input::Tampered { sandbox: (!all).then_some(SANDBOX), tampering, at }
        }),
        1 => (any::<u32>(), select(Step::ALL), select(Outcome::ALL), at.clone()).prop_map(
            |(incident, step, outcome, at)| Input::Receipt {
                sandbox: SANDBOX,
                incident: IncidentId(incident),
                step,
                outcome,
                at,
            }
        ),
        1 => (any::<i32>(), at.clone()).prop_map(|(code, at)| Input::Supervisor {
            sandbox: SANDBOX,
            notice: Notice::Exited { code },
            at,
        }),
        1 => at.prop_map(|at| Input::Unregister { sandbox: SANDBOX, at }),
    ]
}

proptest! {
    #[test]
    fn whatever_passes_is_one_line_of_json_with_a_kind_that_can_be_asked_for(input in input()) {
        for passed in passing(input) {
            let Some(line) = line(&passed) else { continue };
            prop_assert!(!line.chars().any(words::is_unsafe_to_print), "{line:?}");
            let event: Value = serde_json::from_str(&line).unwrap();
            let kind = event["event"].as_str().unwrap();
            prop_assert!(EVENTS.contains(&kind), "{kind}");
        }
    }
}
