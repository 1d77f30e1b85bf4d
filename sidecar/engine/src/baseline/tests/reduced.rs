//! From facts to templates, and from recordings to runs.

use alloc::collections::BTreeSet;
use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::testing::*;
use crate::*;

const START: u64 = 1_700_000_000;

fn event(at: u64, fact: Fact) -> Input {
    let order = Order { time: ms(at), cpu: 0, sequence: 0 };
    let process = Process { tgid: INIT, tid: INIT, start: ms(0) };
    Input::Event { sandbox: SANDBOX, order, process, fact }
}

fn register(arrival: Arrival) -> Input {
    Input::Register { sandbox: SANDBOX, policy: nothing_declared(), arrival, at: ms(1000) }
}

/// What is learned of these inputs, for a kernel's clock that says one second at [`START`].
fn observed(inputs: &[Input]) -> Vec<Observed> {
    let mut observer = Observer::new(ms(1000), START);
    inputs.iter().for_each(|input| observer.hear(input));
    observer.finish()
}

/// A run that consists of this, after its entry point's exec.
pub(super) fn after_start(facts: Vec<Fact>) -> Run {
    let mut inputs = Vec::from([register(Arrival::Gated), event(1001, exec("/opt/plugin", &[]))]);
    inputs.extend(facts.into_iter().map(|fact| event(1002, fact)));
    observed(&inputs).remove(0).run
}

/// What a fact is counted as.
#[track_caller]
fn check(fact: Fact, expected: &[&str]) {
    let run = after_start(Vec::from([fact]));
    let entry = (Family::Exec, "/opt/plugin", 1);
    let found = run.counts().filter(|deed| *deed != entry);
    let found: Vec<String> = found.map(|(family, text, _)| format!("{family}: {text}")).collect();
    assert_eq!(found, expected);
}

#[test]
fn each_fact_is_counted_as_what_a_person_would_call_it() {
    check(read("/etc/hosts"), &["directory: read /etc", "path: read /etc/hosts"]);
    check(read("/hosts"), &["directory: read /", "path: read /hosts"]);
    let both = AccessSet::READ | AccessSet::WRITE;
    check(open("/a/b", both), &["directory: read+write /a", "path: read+write /a/b"]);
    check(operation(FileOperation::Unlink, "/a/b"), &["directory: unlink /a", "path: unlink /a/b"]);
    check(exec("/bin/cat", &["cat", "--secret"]), &["exec: /bin/cat"]);
    check(exec_script("/opt/run", "/bin/sh", &["sh"]), &["exec: /opt/run by /bin/sh"]);
    check(connect("10.1.2.3", 443), &["destination: connect 10.1.2.0/24 tcp 443"]);
    check(connect("2001:db8:1:2::3", 50_000), &["destination: connect 2001:db8:1::/48 tcp 50000"]);
    check(connect("::ffff:10.1.2.3", 443), &["destination: connect 10.1.2.0/24 tcp 443"]);
    check(connect("127.0.0.1", 50_000), &["destination: connect 127.0.0.0/24 tcp ephemeral"]);
    let call = |abi| Fact::Syscall { number: 11, abi, arguments: Arguments::NONE };
    check(call(SyscallAbi::Native), &["syscall: 11"]);
    check(call(SyscallAbi::Ia32), &["syscall: ia32 11"]);
    check(Fact::Memory { how: MemoryUse::Mapped }, &["deed: memory mapped"]);
    check(Fact::Entered {}, &["deed: entered"]);
    check(Fact::Exit { code: 0 }, &[]);
    let denied = Fact::Denied {
        number: 165,
        abi: SyscallAbi::Native,
        arguments: [0; 6],
        by_arguments: false,
    };
    check(denied, &["syscall: 165", "errno: syscall 165 refused"]);
    let raw = Fact::Socket { family: 2, socket_type: 3, protocol: 1, refused: true };
    check(raw, &["errno: socket raw refused", "deed: socket raw"]);
    let tcp = Fact::Socket { family: 2, socket_type: 1, protocol: 6, refused: false };
    check(tcp, &[]);
}

#[test]
fn what_is_another_name_in_every_run_is_one_template() {
    for (path, template) in [
        ("/var/log/app-2026-11-23.log", "read /var/log/app-*.log"),
        ("/proc/4711/status", "read /proc/*/status"),
        ("/data/100.lock", "read /data/*.lock"),
        ("/data/101.lock", "read /data/101.lock"),
        ("/a*b/c", "read /a\\*b/c"),
    ] {
        // 100 is the plugin's own process.
        assert_eq!(INIT, 100);
        let run = after_start(Vec::from([read(path)]));
        assert_eq!(run.of(Family::Path).next(), Some((template, 1)));
    }
}

#[test]
fn a_path_that_is_not_known_is_counted_by_why() {
    let path = ObservedPath::Unresolved(Unresolved::NoName);
    let fact = Fact::Open { path, file: file_of("x"), links: 0, access: AccessSet::READ };
    check(fact, &["path: read ?no_name"]);
}

#[test]
fn what_happens_before_the_entry_point_runs_is_left_out() {
    let inputs = [
        register(Arrival::Gated),
        event(1001, read("/launcher")),
        event(3000, exec("/opt/plugin", &[])),
        event(3500, read("/a/b")),
        Input::Unregister { sandbox: SANDBOX, at: ms(9000) },
    ];
    let runs = observed(&inputs);
    let [Observed { sandbox: SANDBOX, run, .. }] = runs.as_slice() else { panic!("{runs:?}") };
    let kinds: Vec<_> = run.counts().map(|(_, template, _)| template.to_string()).collect();
    assert_eq!(kinds, ["/opt/plugin", "read /a", "read /a/b"]);
    assert_eq!((run.began(), run.lasted().as_millis()), (START + 2, 6000));
    assert_eq!((run.facts(), run.started()), (2, true));
}

#[test]
fn a_sandbox_that_was_found_at_work_is_learned_at_once_without_a_start() {
    let running = Arrival::Running { processes: Vec::from([INIT]) };
    let runs = observed(&[register(running), event(1001, read("/a/b"))]);
    assert_eq!((runs[0].run.facts(), runs[0].run.started()), (1, false));
}

#[test]
fn a_sandbox_whose_entry_point_never_ran_is_no_run() {
    assert_eq!(observed(&[register(Arrival::Gated), event(1001, read("/launcher"))]), []);
}

#[test]
fn what_the_plugin_was_started_with_is_not_its_deed() {
    let inherited = BTreeSet::from([file_of("/dev/pts/1")]);
    let policy = Policy { inherited, ..nothing_declared() };
    let at = ms(1000);
    let mut observer = Observer::new(at, START);
    observer.hear(&Input::Register { sandbox: SANDBOX, policy, arrival: Arrival::Gated, at });
    observer.hear(&event(1001, exec("/opt/plugin", &[])));
    observer.hear(&event(1002, read("/dev/pts/1")));
    assert_eq!(observer.finish()[0].run.of(Family::Path).next(), None);
}

#[test]
fn loss_tampering_and_containment_make_a_run_useless_and_name_themselves() {
    let at = ms(2000);
    let receipt = |outcome| Input::Receipt {
        sandbox: SANDBOX,
        incident: IncidentId(1),
        step: Step::Freeze,
        outcome,
        at,
    };
    let faults = |input| {
        let inputs = [register(Arrival::Gated), event(1001, exec("/opt/plugin", &[])), input];
        let run = observed(&inputs).remove(0).run;
        assert_eq!(run.is_usable(), run.counts().next().is_some());
        run.faults().clone().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(faults(Input::Loss { sandbox: SANDBOX, lost: 7, at }), [(Fault::Lost, 7)]);
    let tampering = Tampering::ProbeDetached;
    let detached = Input::Tampered { sandbox: None, tampering, at };
    assert_eq!(faults(detached), [(Fault::Tampered, 1)]);
    assert_eq!(faults(receipt(Outcome::Done)), [(Fault::Contained, 1)]);
    assert_eq!(faults(receipt(Outcome::Failed)), []);
}

#[test]
fn a_person_may_write_a_template_or_what_becomes_one() {
    for (family, text, expected) in [
        (Family::Exec, "/usr/bin/git", Some("/usr/bin/git")),
        (Family::Exec, "/opt/x by /bin/sh", Some("/opt/x by /bin/sh")),
        (Family::Exec, "git", None),
        (Family::Path, "read /proc/4711/status", Some("read /proc/*/status")),
        (Family::Path, "read /proc/*/status", Some("read /proc/*/status")),
        (Family::Path, "/etc/hosts", None),
        (Family::Path, "devour /etc/hosts", None),
        (Family::Directory, "unlink /tmp", Some("unlink /tmp")),
        (Family::Destination, "connect 10.1.2.0/24 tcp 443", Some("connect 10.1.2.0/24 tcp 443")),
        (Family::Destination, "connect 10.1.2.3/32 tcp 443", None),
        (Family::Destination, "10.1.2.0/24", None),
        (Family::Syscall, "257", Some("257")),
        (Family::Syscall, "ia32 11", Some("ia32 11")),
        (Family::Syscall, "openat", None),
        (Family::Errno, "connect refused", Some("connect refused")),
        (Family::Errno, "EPERM", None),
        (Family::Deed, "socket netlink", Some("socket netlink")),
        (Family::Deed, "dance", None),
        (Family::Context, "1 2 3 4", None),
    ] {
        assert_eq!(template(family, text).ok().as_deref(), expected, "{family}: {text}");
    }
}

proptest! {
    #[test]
    fn no_path_makes_reduction_panic_and_none_is_longer_than_a_template(path: Vec<u8>) {
        let path = ObservedPath::Resolved(path);
        let fact = Fact::Open { path, file: file_of("x"), links: 1, access: AccessSet::READ };
        let run = after_start(Vec::from([fact]));
        prop_assert!(run.counts().all(|(_, template, _)| template.len() <= TEMPLATE_BYTES));
    }

    #[test]
    fn what_was_counted_can_be_accepted_by_the_same_words(path in "/([a-z0-9.*_-]{0,9}/){0,3}[a-z0-9.*_-]{1,9}") {
        let run = after_start(Vec::from([read(&path)]));
        for (family, text, _) in run.counts() {
            prop_assert_eq!(template(family, text), Ok(text.to_string()));
        }
    }
}

/// One that has heard these inputs.
fn listening(inputs: &[Input]) -> Observer {
    let mut observer = Observer::new(ms(1000), START);
    inputs.iter().for_each(|input| observer.hear(input));
    observer
}

fn running() -> Input {
    register(Arrival::Running { processes: Vec::from([INIT]) })
}

#[test]
fn a_run_that_is_over_is_given_back_once_while_others_go_on() {
    let mut observer = listening(&[running(), event(1001, read("/a/b"))]);
    assert_eq!(observer.take(), []);
    observer.hear(&Input::Unregister { sandbox: SANDBOX, at: ms(2000) });
    assert_eq!(observer.take().len(), 1);
    assert_eq!((observer.take(), observer.finish()), (Vec::new(), Vec::new()));
}

#[test]
fn a_run_that_is_cut_goes_on_as_another_without_a_start_and_without_what_the_former_did() {
    let inputs = [register(Arrival::Gated), event(1500, exec("/opt/plugin", &[]))];
    let mut observer = listening(&inputs);
    observer.hear(&Input::Tick { at: ms(3000) });
    let lasting: Vec<_> = observer.running().map(|(_, _, lasts)| lasts.as_millis()).collect();
    assert_eq!(lasting, [1500]);
    observer.cut(SANDBOX);
    let former = observer.take().remove(0);
    assert_eq!((former.at, former.run.started(), former.run.facts()), (ms(1500), true, 1));
    observer.hear(&event(4000, read("/a/b")));
    let next = observer.finish().remove(0);
    assert_eq!((next.at, next.run.started(), next.run.facts()), (ms(3000), false, 1));
    assert_eq!((next.run.of(Family::Exec).next(), next.run.began()), (None, START + 2));
}

#[test]
fn a_cut_makes_a_lossy_run_whole_again_and_one_that_was_interfered_with_not() {
    let at = ms(2000);
    let tampered = Input::Tampered { sandbox: None, tampering: Tampering::ProbeDetached, at };
    for (input, whole) in [(Input::Loss { sandbox: SANDBOX, lost: 7, at }, true), (tampered, false)]
    {
        let mut observer = listening(&[running(), input]);
        observer.cut(SANDBOX);
        let usable: Vec<_> = observer.finish().iter().map(|it| it.run.is_usable()).collect();
        assert_eq!(usable, [false, whole]);
    }
}

#[test]
fn before_the_entry_point_runs_there_is_nothing_to_cut() {
    let mut observer = listening(&[register(Arrival::Gated)]);
    assert_eq!(observer.running().count(), 0);
    observer.cut(SANDBOX);
    assert_eq!(observer.finish(), []);
}

#[test]
fn what_was_not_heard_makes_every_run_that_lives_useless() {
    let mut observer = listening(&[running()]);
    observer.missed(3);
    let runs = observer.finish();
    assert_eq!(runs[0].run.faults().iter().collect::<Vec<_>>(), [(&Fault::Gaps, &3)]);
}

#[test]
fn whose_end_was_not_heard_ends_when_its_slot_is_anothers_and_teaches_nothing() {
    let mut observer = listening(&[running()]);
    let next = SandboxId { generation: SANDBOX.generation + 1, ..SANDBOX };
    let arrival = Arrival::Running { processes: Vec::new() };
    let policy = nothing_declared();
    observer.hear(&Input::Register { sandbox: next, policy, arrival, at: ms(2000) });
    let over = observer.take();
    assert_eq!((over.len(), over[0].sandbox, over[0].run.is_usable()), (1, SANDBOX, false));
    assert_eq!(observer.running().map(|(id, ..)| id).collect::<Vec<_>>(), [next]);
}

#[test]
fn nothing_is_kept_of_whom_nobody_wants() {
    let mut observer = listening(&[running()]);
    observer.keep_only(|sandbox| sandbox != SANDBOX);
    assert_eq!(observer.finish(), []);
}
