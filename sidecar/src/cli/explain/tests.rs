use std::time::Duration;

use picket_engine::{
    AccessSet, Action, Actions, Arrival, Capability, ContainmentPlan, Departure, Fact, FileId,
    FileRule, IncidentId, Input, KernelTime, Mode, ObservedPath, OnExpiry, Order, Outcome, Pattern,
    Policy, Process, SandboxId, Step, SyscallAbi,
    baseline::{Anomaly, Family, Item},
    learned::{Budget, Lane, PluginTime, Severity},
    sequence::Bits,
};

use super::{
    account::{Account, Accounts, Followed},
    texts,
};

const SANDBOX: SandboxId = SandboxId { slot: 0, generation: 2 };

fn ms(millis: u64) -> KernelTime {
    KernelTime::BOOT.saturating_add(Duration::from_millis(millis))
}

fn policy(mode: Mode) -> Policy {
    let path = Pattern::parse("/srv/app/data").unwrap();
    Policy {
        mode,
        files: vec![FileRule { path, access: AccessSet::READ, until: None }],
        actions: Actions::strict().with(Capability::Syscalls, Action::Alert),
        containment: ContainmentPlan { hold: Duration::from_secs(1), on_expiry: OnExpiry::Kill },
        ..Policy::nothing_declared()
    }
}

fn registered(policy: Policy) -> Input {
    let arrival = Arrival::Running { processes: vec![7] };
    Input::Register { sandbox: SANDBOX, policy, arrival, at: ms(0) }
}

fn did(fact: Fact, at: u64) -> Input {
    let order = Order { time: ms(at), cpu: 0, sequence: 0 };
    let process = Process { tgid: 7, tid: 8, start: ms(0) };
    Input::Event { sandbox: SANDBOX, order, process, fact }
}

fn read(path: &str, at: u64) -> Input {
    let path = ObservedPath::Resolved(path.as_bytes().to_vec());
    let file = FileId { device: 8, inode: 1 };
    did(Fact::Open { path, file, links: 1, access: AccessSet::READ }, at)
}

fn refused(number: u32, at: u64) -> Input {
    let abi = SyscallAbi::Native;
    did(Fact::Denied { number, abi, arguments: [0; 6], by_arguments: false }, at)
}

fn receipt(step: Step, at: u64) -> Input {
    let (incident, outcome) = (IncidentId(1), Outcome::Done);
    Input::Receipt { sandbox: SANDBOX, incident, step, outcome, at: ms(at) }
}

fn accounts(inputs: impl IntoIterator<Item = Input>) -> Vec<Account> {
    let mut accounts = Accounts::new(false);
    inputs.into_iter().flat_map(|input| accounts.hear(input)).collect()
}

fn text(accounts: &[Account]) -> String {
    let texts = accounts.iter().map(|account| {
        let (what, lines) = texts::sentences(account);
        std::iter::once(what).chain(lines).collect::<Vec<_>>().join("\n  ")
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// What followed each finding, and which findings each step needed.
fn outline(accounts: &[Account]) -> Vec<String> {
    let lines = accounts.iter().map(|account| match account {
        Account::Finding(found) => format!("{}: {:?}", found.number, found.followed),
        Account::Step(step) => {
            format!("{} {:?} of {:?}", step.contain.step, step.number, step.enough)
        }
        Account::Receipt(receipt) => {
            format!("{} {}", receipt.step.contain.step, receipt.outcome)
        }
    });
    lines.collect()
}

#[test]
fn a_departure_is_told_from_its_rule_to_the_last_receipt() {
    let accounts = accounts([
        registered(policy(Mode::Enforce)),
        read("/srv/app/key", 20),
        receipt(Step::Freeze, 21),
        Input::Tick { at: ms(1_500) },
        receipt(Step::Kill, 1_501),
    ]);
    insta::assert_snapshot!(text(&accounts), @r"
    finding 1: it opened for reading /srv/app/key
      why: no rule for files names the path; the nearest rule is /srv/app/data (read)
      when: 0.020000000 s after boot, by thread 8 of process 7, incident 1
      followed: freeze, as the manifest says of files: step 1
      to allow it: files.read: [/srv/app/key]
    step 1: it is to be frozen
      why: a finding asks for it (files: undeclared path, freeze)
      enough for it: finding 1 alone: one departure from what is declared needs no other
    step 1: the kernel says that it is frozen, 1000 µs after the departure
    step 2: it is to be killed
      why: the sandbox was held as long as the manifest says, and `containment.on_expiry` is `kill` (files: undeclared path, freeze)
      enough for it: finding 1 alone: one departure from what is declared needs no other
    step 2: the kernel says that nothing of it is left, 1481000 µs after the departure
    ");
}

#[test]
fn the_first_departure_is_enough_and_later_ones_find_it_under_way() {
    let accounts = accounts([
        registered(policy(Mode::Enforce)),
        did(
            Fact::Syscall {
                number: 83,
                abi: SyscallAbi::Native,
                arguments: picket_engine::Arguments::NONE,
            },
            1,
        ),
        read("/etc/shadow", 2),
        read("/etc/passwd", 3),
    ]);
    let expected = ["1: Told", "2: Steps([1])", "freeze 1 of [2]", "3: UnderWay"];
    assert_eq!(outline(&accounts), expected);
}

#[test]
fn of_many_findings_those_that_a_step_followed_can_be_told_alone() {
    let inputs = [registered(policy(Mode::Shadow)), read("/etc/passwd", 1), read("/etc/group", 2)];
    let all = accounts(inputs);
    assert_eq!(outline(&all), ["1: Steps([1])", "freeze 1 of [1]", "2: UnderWay"]);
    assert!(text(&all).contains("nothing new: as much was due already, freeze"), "{}", text(&all));
    let contained: Vec<bool> = all.iter().map(Account::is_of_containment).collect();
    assert_eq!(contained, [true, true, false]);
}

#[test]
fn a_graver_departure_is_what_a_kill_names() {
    let mut graver = policy(Mode::Enforce);
    graver.actions = graver.actions.with(Capability::Escape, Action::Kill);
    let accounts = accounts([
        registered(graver),
        read("/etc/passwd", 1),
        did(Fact::Left { how: Departure::Migrated, cgroup: 1 }, 2),
        receipt(Step::Freeze, 3),
    ]);
    let expected =
        ["1: Steps([1])", "freeze 1 of [1]", "2: UnderWay", "freeze done", "kill 2 of [2]"];
    assert_eq!(outline(&accounts), expected);
}

#[test]
fn a_refused_attempt_that_is_repeated_needs_those_before_it() {
    let mut strict = policy(Mode::Enforce);
    strict.actions = strict.actions.with_denials(picket_engine::Denials::STANDARD);
    let accounts = accounts([registered(strict), refused(83, 1), refused(84, 2), refused(85, 3)]);
    let expected = ["1: Told", "2: Told", "3: Steps([1])", "freeze 1 of [1, 2, 3]"];
    assert_eq!(outline(&accounts), expected);
    assert!(text(&accounts).contains("findings 1, 2 and 3; refused attempts are answered so"));
}

#[test]
fn what_the_mode_held_back_is_said() {
    let observed = accounts([registered(policy(Mode::Observe)), read("/etc/passwd", 1)]);
    assert_eq!(outline(&observed), ["1: HeldBack"]);
    assert!(text(&observed).contains("mode `observe` held back what would be due, freeze"));
    let shadowed = accounts([registered(policy(Mode::Shadow)), read("/etc/passwd", 1)]);
    assert_eq!(outline(&shadowed), ["1: Steps([1])", "freeze 1 of [1]"]);
    assert!(text(&shadowed).contains("mode `shadow` held back step 1"));
    assert!(text(&shadowed).contains("it would be frozen"));
}

#[test]
fn what_is_frozen_whatever_the_manifest_says_is_said_to_be() {
    let mut mild = policy(Mode::Enforce);
    mild.actions = mild.actions.with(Capability::Escape, Action::Alert);
    let left = did(Fact::Left { how: Departure::Migrated, cgroup: 1 }, 2);
    let accounts = accounts([registered(mild), left]);
    assert!(text(&accounts).contains("freeze, at least,"), "{}", text(&accounts));
    assert!(text(&accounts).contains("though the manifest says alert"), "{}", text(&accounts));
}

#[test]
fn a_redacted_trace_names_no_line_of_a_manifest() {
    let mut accounts = Accounts::new(true);
    accounts.hear(registered(policy(Mode::Observe)));
    let told = accounts.hear(read("/s1/s2", 1));
    assert!(!text(&told).contains("to allow it"), "{}", text(&told));
    assert!(matches!(&told[..], [Account::Finding(found)] if found.followed == Followed::HeldBack));
}

#[test]
fn numbers_go_on_from_one_sandbox_to_the_next() {
    let gone = Input::Unregister { sandbox: SANDBOX, at: ms(2) };
    let again = [registered(policy(Mode::Enforce)), read("/etc/passwd", 1), gone.clone()];
    let accounts = accounts(again.clone().into_iter().chain(again));
    let expected = ["1: Steps([1])", "freeze 1 of [1]", "2: Steps([2])", "freeze 2 of [2]"];
    assert_eq!(outline(&accounts), expected);
}

#[test]
fn learned_evidence_is_told_with_its_deeds_its_certificate_and_who_takes_it_back() {
    let days = |days: u64| PluginTime::from_millis(days * PluginTime::DAY.as_millis());
    let deed = Item::new(Bits::from_raw(9 << 16), Family::Exec, "/usr/bin/id".to_owned(), 0);
    let anomaly = Anomaly {
        severity: Severity::Contain,
        lane: Lane::Novelty,
        evidence: days(31),
        budget: Budget::one_per_days(30).unwrap(),
        calibrated: days(28),
        certificate: 7,
        baseline: [7; 32],
        items: vec![deed],
    };
    let accused = Input::Anomaly { sandbox: SANDBOX, anomaly, at: ms(5) };
    let told = accounts([registered(policy(Mode::Enforce)), accused]);
    insta::assert_snapshot!(text(&told), @"
    finding 1: it is more unusual than chance allows, by novelty: exec /usr/bin/id (new, 9.00 bits); 103 % of the budget, at most one false action per 30 plugin-days; dry-run up to 28 days, extrapolated beyond
      why: by what was learned of the plugin, this seldom or never comes of itself: its budget is reached; certificate 0000000000000007 of a calibration over 28 plugin-days, of a baseline with the digest 0707070707070707070707070707070707070707070707070707070707070707
      when: 0.005000000 s after boot, by no task of the sandbox, incident 1
      followed: freeze, as the budget says that was reached: step 1
      to allow it: no rule declares what is usual: `picket baseline accept` takes these deeds for harmless, and `picket baseline rule` says what the containment was
    step 1: it is to be frozen
      why: a finding asks for it (behaviour: anomalous behaviour, freeze)
      enough for it: finding 1 alone: the evidence that it tells of has reached its budget
    ");
}
