use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{Engine, Settings};
use crate::testing::*;
use crate::*;

const NONE: [&str; 0] = [];

#[test]
fn inputs_about_unknown_sandboxes_are_ignored_and_counted() {
    let mut bench = Bench::empty();
    let inputs = [
        event(ms(1), read("/x")),
        Input::Policy { sandbox: SANDBOX, policy: declared(), at: ms(1) },
        Input::Loss { sandbox: SANDBOX, lost: 1, at: ms(1) },
        Input::Tampered { sandbox: Some(SANDBOX), tampering: Tampering::PinRemoved, at: ms(1) },
        notice(ms(1), Notice::LauncherLost),
        notice(ms(1), Notice::Unattended),
        receipt(ms(1), Step::Freeze, Outcome::Done),
        Input::Unregister { sandbox: SANDBOX, at: ms(1) },
    ];
    let n_inputs = u64::try_from(inputs.len()).unwrap();
    for input in inputs {
        assert_eq!(bench.tell(input), NONE);
    }
    assert_eq!(bench.engine.ignored(), n_inputs);
    // Nobody is concerned, so nobody is unknown.
    bench.tell(tick(ms(2)));
    bench.tell(Input::Tampered { sandbox: None, tampering: Tampering::PinRemoved, at: ms(2) });
    assert_eq!(bench.engine.ignored(), n_inputs);
}

fn sums(calls: u32, novel: u32) -> Fact {
    Fact::Calls { calls, level_sum: u32::MAX, novel, table: 1 }
}

#[test]
fn sums_of_calls_are_taken_in_and_judged_by_nobody_however_unexpected() {
    for mut bench in [Bench::starting(nothing_declared()), Bench::running(nothing_declared())] {
        assert_eq!(bench.tell(event(ms(20), sums(1_000, 1_000))), NONE);
        assert_eq!(bench.engine.ignored(), 0);
    }
}

#[test]
fn a_second_registration_does_not_replace_the_first() {
    let mut bench = Bench::running(declared());
    bench.tell(register(nothing_declared()));
    assert_eq!((bench.engine.ignored(), bench.state()), (1, Some(SandboxState::Running)));
    assert_eq!(bench.tell(event(ms(20), read("/data/x"))), NONE);
}

#[test]
fn the_next_tenant_of_a_slot_is_another_sandbox() {
    let mut bench = Bench::running(declared());
    let next = SandboxId { generation: SANDBOX.generation + 1, ..SANDBOX };
    bench.tell(Input::Unregister { sandbox: SANDBOX, at: ms(20) });
    bench.tell(Input::Register {
        sandbox: next,
        policy: declared(),
        arrival: Arrival::Gated,
        at: ms(21),
    });
    assert_eq!(bench.tell(event(ms(19), read("/x"))), NONE);
    assert_eq!(bench.engine.ignored(), 1);
    let sandboxes: Vec<_> = bench.engine.sandboxes().collect();
    assert_eq!(sandboxes, [(next, SandboxState::Starting)]);
}

#[test]
fn a_receipt_that_answers_nothing_is_ignored_and_counted() {
    let mut bench = Bench::running(declared());
    bench.tell(receipt(ms(20), Step::Freeze, Outcome::Done));
    bench.tell(event(ms(21), read("/x")));
    bench.tell(Input::Receipt {
        sandbox: SANDBOX,
        incident: IncidentId(2),
        step: Step::Freeze,
        outcome: Outcome::Done,
        at: ms(22),
    });
    assert_eq!(bench.engine.ignored(), 2);
    assert_eq!(bench.state(), Some(SandboxState::Contained(Rung::Freezing)));
}

#[test]
fn tampering_with_the_kernel_side_concerns_every_sandbox_or_the_named_one() {
    let mut bench = Bench::running(declared());
    let other = SandboxId { slot: 4, generation: 1 };
    bench.tell(Input::Register {
        sandbox: other,
        policy: declared(),
        arrival: Arrival::Gated,
        at: ms(1),
    });
    let tampering = Tampering::ProbeDetached;
    let told = bench.tell(Input::Tampered { sandbox: None, tampering, at: ms(20) });
    let concerned: Vec<_> = bench.findings().map(|finding| finding.sandbox).collect();
    assert_eq!((told.len(), concerned), (6, Vec::from([SANDBOX, other])));
    assert_eq!(told[1], "finding #1 telemetry kernel_side_tampered freeze");
    let tampering = Tampering::MapChanged;
    bench.tell(Input::Tampered { sandbox: Some(other), tampering, at: ms(21) });
    assert_eq!(bench.findings().count(), 0);
}

#[test]
fn every_exported_word_is_lower_case_and_means_one_thing() {
    fn check(words: &[&str]) {
        let fine =
            |word: &&str| word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        assert!(words.iter().all(fine), "{words:?}");
        let mut distinct = Vec::from(words);
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), words.len());
    }
    macro_rules! check_all {
        ($($closed:ty),+) => {
            $( check(&<$closed>::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>()); )+
        };
    }
    check_all!(
        FactKind,
        Capability,
        Reason,
        Action,
        Mode,
        OnExpiry,
        Step,
        Outcome,
        Trigger,
        Rung,
        Narrowing,
        Closure,
        Unresolved,
        NetworkOperation,
        Departure,
        Tampering,
        Protocol,
        SyscallAbi
    );
}

#[test]
fn every_capability_has_an_action_of_its_own() {
    for changed in Capability::ALL {
        let actions = Actions::strict().with(*changed, Action::Kill);
        for capability in Capability::ALL {
            let expected = if capability == changed { Action::Kill } else { Action::Freeze };
            assert_eq!(actions.get(*capability), expected);
        }
    }
}

#[test]
fn kernel_time_never_wraps_and_never_runs_backwards() {
    let second = core::time::Duration::from_secs(1);
    assert_eq!(KernelTime::MAX.saturating_add(second), KernelTime::MAX);
    assert_eq!(KernelTime::MAX.checked_add(second), None);
    assert_eq!(KernelTime::BOOT.checked_add(core::time::Duration::MAX), None);
    assert_eq!(ms(5).duration_since(ms(7)).as_nanos(), 0);
    assert_eq!(ms(7).duration_since(ms(5)).as_millis(), 2);
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let paths = || prop::sample::select(&["/data/x", "/spool/a.out", "/x", "/etc/y", "bad"][..]);
    prop_oneof![
        (paths(), 0_u8..4).prop_map(|(path, bits)| {
            let access = [AccessSet::READ, AccessSet::WRITE, AccessSet::EXECUTE, AccessSet::NONE];
            open(path, access[usize::from(bits)])
        }),
        paths().prop_map(|path| exec(path, &["a", path])),
        Just(exec("/opt/plugin", &[])),
        (0_u32..600).prop_map(syscall),
        (0_u32..50).prop_map(|family| socket(family, 3, 0)),
        Just(Fact::Memory { how: MemoryUse::Changed }),
        paths().prop_map(mapped),
        Just(Fact::Namespaces { flags: 0x1000_0000 }),
        (1_u16..10_000).prop_map(|port| connect(LOOPBACK, port)),
        (200_u32..210).prop_map(fork),
        Just(Fact::Exit { code: 0 }),
        prop::sample::select(&[LEFT, Fact::Entered {}][..]),
        (paths(), prop::sample::select(FileOperation::ALL))
            .prop_map(|(path, done)| operation(done, path)),
        (prop::sample::select(Reach::ALL), prop::sample::select(Whose::ALL))
            .prop_map(|(how, whose)| Fact::Reach { how, whose, process: 1, number: 9 }),
        (1_u32..1_000, any::<u32>()).prop_map(|(calls, novel)| sums(calls, novel)),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (
        prop::sample::select(Mode::ALL),
        prop::sample::select(OnExpiry::ALL),
        prop::collection::vec(prop::sample::select(Action::ALL), Capability::ALL.len()),
        0_u64..50_000,
    )
        .prop_map(|(mode, on_expiry, actions, until)| {
            let mut policy = Policy { mode, ..declared() };
            policy.containment.on_expiry = on_expiry;
            policy.files[0].until = Some(ms(until));
            for (capability, action) in Capability::ALL.iter().zip(actions) {
                policy.actions = policy.actions.with(*capability, action);
            }
            policy
        })
}

fn sandbox(slot: u32) -> SandboxId {
    SandboxId { slot, generation: 0 }
}

fn any_arrival() -> impl Strategy<Value = Arrival> {
    prop_oneof![
        Just(Arrival::Gated),
        (0_u64..60_000).prop_map(|until| Arrival::Empty { until: ms(until) }),
        prop::collection::vec(100_u32..104, 0..3)
            .prop_map(|processes| Arrival::Running { processes }),
    ]
}

/// Anything that names one of these sandboxes, or time, which names all.
fn any_input(n_sandboxes: u32) -> impl Strategy<Value = Input> {
    let id = move || (0..n_sandboxes).prop_map(sandbox);
    let at = || (0_u64..60_000).prop_map(ms);
    let notices =
        [Notice::Started, Notice::Exited { code: 0 }, Notice::Unattended, Notice::LauncherLost];
    prop_oneof![
        12 => (id(), 100_u32..104, at(), any_fact())
            .prop_map(|(id, tgid, at, fact)| event_of(id, tgid, at, fact)),
        2 => (id(), any_policy(), any_arrival(), at()).prop_map(|(sandbox, policy, arrival, at)| {
            Input::Register { sandbox, policy, arrival, at }
        }),
        1 => (id(), any_policy(), at())
            .prop_map(|(sandbox, policy, at)| Input::Policy { sandbox, policy, at }),
        4 => (
            id(),
            1_u32..3,
            prop::sample::select(Step::ALL),
            prop::sample::select(Outcome::ALL),
            at(),
        )
            .prop_map(|(sandbox, incident, step, outcome, at)| Input::Receipt {
                sandbox,
                incident: IncidentId(incident),
                step,
                outcome,
                at,
            }),
        1 => (id(), 0_u64..3, at())
            .prop_map(|(sandbox, lost, at)| Input::Loss { sandbox, lost, at }),
        1 => (id(), prop::collection::btree_map(prop::sample::select(Resource::ALL), 0_u64..9, 0..4), at())
            .prop_map(|(sandbox, usage, at)| {
                Input::Resources { sandbox, usage: usage.into_iter().collect(), at }
            }),
        1 => (id(), prop::sample::select(Vec::from(notices)), at())
            .prop_map(|(sandbox, notice, at)| Input::Supervisor { sandbox, notice, at }),
        3 => at().prop_map(tick),
        1 => (id(), at()).prop_map(|(sandbox, at)| Input::Unregister { sandbox, at }),
    ]
}

/// A record: all sandboxes are registered first, so that most of what follows concerns one.
fn any_record(n_sandboxes: u32) -> impl Strategy<Value = Vec<Input>> {
    let policies = prop::collection::vec(any_policy(), n_sandboxes as usize);
    (policies, prop::collection::vec(any_input(n_sandboxes), 0..80)).prop_map(
        move |(policies, inputs)| {
            let at = KernelTime::BOOT;
            let register = |(slot, policy)| Input::Register {
                sandbox: sandbox(slot),
                policy,
                arrival: Arrival::Gated,
                at,
            };
            (0..n_sandboxes).zip(policies).map(register).chain(inputs).collect()
        },
    )
}

fn replay(inputs: impl IntoIterator<Item = Input>) -> Vec<Effect> {
    let mut engine = Engine::new(Settings::STANDARD);
    let mut effects = Vec::new();
    for input in inputs {
        engine.handle(input, &mut effects);
    }
    effects
}

/// Whom an input names; `None` when it is for all.
const fn named(input: &Input) -> Option<SandboxId> {
    match input {
        Input::Register { sandbox, .. }
        | Input::Policy { sandbox, .. }
        | Input::Event { sandbox, .. }
        | Input::Loss { sandbox, .. }
        | Input::Resources { sandbox, .. }
        | Input::Supervisor { sandbox, .. }
        | Input::Receipt { sandbox, .. }
        | Input::Unregister { sandbox, .. } => Some(*sandbox),
        Input::Tampered { sandbox, .. } => *sandbox,
        Input::Tick { .. } => None,
    }
}

const fn concerned(effect: &Effect) -> SandboxId {
    match effect {
        Effect::Finding(finding) => finding.sandbox,
        Effect::Contain(contain) | Effect::WouldContain(contain) => contain.sandbox,
        Effect::IncidentOpened { sandbox, .. }
        | Effect::IncidentClosed { sandbox, .. }
        | Effect::Narrowed { sandbox, .. } => *sandbox,
    }
}

proptest! {
    #[test]
    fn the_same_record_gives_the_same_effects(record in any_record(3)) {
        prop_assert_eq!(replay(record.clone()), replay(record));
    }

    #[test]
    fn what_is_said_about_a_sandbox_does_not_depend_on_the_others(record in any_record(3)) {
        let together = replay(record.clone());
        for slot in 0..3 {
            let id = sandbox(slot);
            let alone = record.iter().filter(|input| named(input).is_none_or(|it| it == id));
            let share = together.iter().filter(|effect| concerned(effect) == id).cloned();
            prop_assert_eq!(replay(alone.cloned()), share.collect::<Vec<_>>());
        }
    }

    #[test]
    fn inputs_of_different_sandboxes_may_change_places(record in any_record(3), seed: u64) {
        // Time concerns all of them, so the shuffle must not move anything across it.
        let record: Vec<_> = record.into_iter().filter(|input| named(input).is_some()).collect();
        let mut lanes: Vec<Vec<Input>> = (0..3)
            .map(|slot| {
                let of_slot = |input: &&Input| named(input) == Some(sandbox(slot));
                record.iter().filter(of_slot).rev().cloned().collect()
            })
            .collect();
        let mut shuffled = Vec::new();
        let mut dice = seed;
        while shuffled.len() < record.len() {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let lane = usize::try_from((dice >> 33) % 3).unwrap();
            shuffled.extend(lanes[lane].pop());
        }
        let by_sandbox = |mut effects: Vec<Effect>| {
            effects.sort_by_key(concerned);
            effects
        };
        prop_assert_eq!(by_sandbox(replay(record)), by_sandbox(replay(shuffled)));
    }

    #[test]
    fn observing_contains_nothing_and_only_an_enforced_policy_does(
        record in any_record(2),
        mode in prop::sample::select(Mode::ALL),
    ) {
        let record = record.into_iter().map(|mut input| {
            if let Input::Register { policy, .. } | Input::Policy { policy, .. } = &mut input {
                policy.mode = mode;
            }
            input
        });
        for effect in replay(record) {
            match effect {
                Effect::Contain(_) => prop_assert_eq!(mode, Mode::Enforce),
                Effect::WouldContain(_) => prop_assert_eq!(mode, Mode::Shadow),
                _ => {}
            }
        }
    }

    #[test]
    fn no_incident_asks_twice_for_a_step_except_again(record in any_record(2)) {
        let mut asked: Vec<(SandboxId, IncidentId, Step)> = Vec::new();
        for effect in replay(record) {
            match effect {
                // A new registration of a slot counts its incidents anew.
                Effect::IncidentClosed { sandbox, .. } => {
                    asked.retain(|(owner, ..)| *owner != sandbox);
                }
                Effect::Contain(Contain { sandbox, incident, step, attempt: 1, .. }) => {
                    let ask = (sandbox, incident, step);
                    prop_assert!(!asked.contains(&ask), "{ask:?}");
                    asked.push(ask);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn what_a_sandbox_uses_is_kept_for_it_alone_and_says_nothing_by_itself() {
    let mut engine = Engine::new(Settings::STANDARD);
    let other = SandboxId { slot: SANDBOX.slot + 1, generation: 1 };
    let mut effects = Vec::new();
    for sandbox in [SANDBOX, other] {
        let (policy, arrival) = (declared(), Arrival::Gated);
        engine.handle(Input::Register { sandbox, policy, arrival, at: ms(0) }, &mut effects);
    }
    for (at, user) in [(1_000, 5), (2_000, 25)] {
        let usage = Usage::from_iter([(Resource::CpuUser, user)]);
        engine.handle(Input::Resources { sandbox: SANDBOX, usage, at: ms(at) }, &mut effects);
    }
    assert_eq!(effects, []);
    assert_eq!(engine.resources(SANDBOX).unwrap().rate(Resource::CpuUser), Some(20));
    assert_eq!(engine.resources(other).unwrap().last(), None);
}
