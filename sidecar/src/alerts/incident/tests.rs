//! What is told of an incident, and when.

use std::sync::Arc;

use picket_engine::{Capability, IncidentId, Reason, SandboxId, Step, Trigger};
use proptest::prelude::*;

use super::*;
use crate::{
    export::{OperatorWord, Subject},
    probe::Tier,
};

fn book() -> Book {
    Book::new(&Origin { node: OperatorWord::new("n"), tier: Tier::Trace, instance: 7 })
}

fn message(incident: u32, what: What) -> Outgoing {
    let subject = Subject {
        plugin: OperatorWord::new("p"),
        version: OperatorWord::new("1"),
        digest: OperatorWord::new("0123456789ab"),
        place: None,
    };
    let sandbox = SandboxId { slot: 1, generation: 2 };
    let incident = IncidentKey { instance: 7, sandbox, incident: IncidentId(incident) };
    Outgoing { subject: Arc::new(subject), incident, what, at: SystemTime::UNIX_EPOCH }
}

fn labels(action: Action) -> FindingLabels {
    FindingLabels { capability: Capability::Files, reason: Reason::UndeclaredPath, action }
}

fn finding(action: Action) -> What {
    What::Finding { labels: labels(action), object: Object::unattended() }
}

fn step(step: Step, dry_run: bool) -> Measured {
    Measured {
        step,
        trigger: Trigger::Finding,
        attempt: 1,
        dry_run,
        because: labels(Action::Freeze),
        decided_after: Duration::from_micros(50),
    }
}

fn receipt(outcome: Outcome) -> What {
    What::Receipt { step: step(Step::Freeze, false), outcome, took: Duration::from_millis(1) }
}

const CLOSED: What = What::Closed { why: Closure::Quiet };

/// Hears all of it at once and speaks after a while, as often as there are batches.
fn told(batches: &[&[What]]) -> Vec<(u64, String, String)> {
    let (mut book, mut now) = (book(), Instant::now());
    let mut told = Vec::new();
    for batch in batches {
        for what in *batch {
            book.hear(&message(1, what.clone()), 9, now);
        }
        now += COUNTS;
        told.extend(book.speak(now, SystemTime::UNIX_EPOCH));
    }
    let text = |one: &Statement, key| one.fields.text(key).unwrap();
    told.iter()
        .map(|one| (one.revision, text(one, key::STATUS), text(one, key::SEVERITY)))
        .collect()
}

fn states(batches: &[&[What]]) -> Vec<String> {
    told(batches).into_iter().map(|(_, status, severity)| format!("{status} {severity}")).collect()
}

#[test]
fn the_first_message_waits_for_the_receipt_and_has_it() {
    let (mut book, now) = (book(), Instant::now());
    book.hear(&message(1, finding(Action::Freeze)), 9, now);
    book.hear(&message(1, What::Decided(step(Step::Freeze, false))), 9, now);
    assert_eq!(book.speak(now, SystemTime::UNIX_EPOCH), []);
    book.hear(&message(1, receipt(Outcome::Done)), 9, now);
    let said = book.speak(now + SETTLE, SystemTime::UNIX_EPOCH);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].id(), "0000000000000007-1-2-1-1");
    insta::assert_snapshot!(
        said[0].fields.text(key::SUMMARY).unwrap(),
        @"p 1 on n departed from its manifest: files/undeclared_path (telemetry:unattended); freeze done"
    );
    assert_eq!(book.next(), None);
}

#[test]
fn what_only_alerts_is_a_warning_and_what_was_stopped_is_critical() {
    assert_eq!(states(&[&[finding(Action::Alert)]]), ["firing warning"]);
    assert_eq!(
        states(&[&[finding(Action::Freeze)]]),
        ["firing warning"],
        "observe: nothing was done"
    );
    assert_eq!(states(&[&[finding(Action::Freeze), receipt(Outcome::Done)]]), ["firing critical"]);
    assert_eq!(states(&[&[finding(Action::Kill), receipt(Outcome::Failed)]]), ["firing critical"]);
    let would = What::Decided(step(Step::Freeze, true));
    assert_eq!(states(&[&[finding(Action::Freeze), would]]), ["firing warning"], "shadow");
}

#[test]
fn what_gets_worse_is_told_again_with_what_it_was_before() {
    let (mut book, now) = (book(), Instant::now());
    book.hear(&message(1, finding(Action::Alert)), 9, now);
    assert_eq!(book.speak(now + SETTLE, SystemTime::UNIX_EPOCH)[0].former, None);
    book.hear(&message(1, receipt(Outcome::Done)), 9, now + SETTLE);
    let worse = book.speak(now + SETTLE * 2, SystemTime::UNIX_EPOCH);
    assert_eq!((worse[0].former, worse[0].revision), (Some(Severity::Warning), 2));
}

#[test]
fn a_mere_count_is_told_after_a_minute() {
    let (mut book, now) = (book(), Instant::now());
    book.hear(&message(1, finding(Action::Alert)), 9, now);
    assert_eq!(book.speak(now + SETTLE, SystemTime::UNIX_EPOCH).len(), 1);
    book.hear(&message(1, finding(Action::Alert)), 9, now + SETTLE);
    assert_eq!(book.next(), Some(now + SETTLE + COUNTS));
}

#[test]
fn who_is_told_of_the_end_was_told_of_the_beginning() {
    assert_eq!(
        states(&[&[finding(Action::Alert), CLOSED]]),
        ["firing warning", "resolved warning"]
    );
    assert_eq!(states(&[&[CLOSED]]), Vec::<String>::new());
}

#[test]
fn an_incident_of_a_former_run_goes_on_under_its_name() {
    let (mut first, now) = (book(), Instant::now());
    first.hear(&message(1, finding(Action::Alert)), 9, now);
    let told = first.speak(now + SETTLE, SystemTime::UNIX_EPOCH).remove(0);
    let mut second =
        Book::new(&Origin { node: OperatorWord::new("n"), tier: Tier::Trace, instance: 8 });
    second.adopt(told.clone(), now);
    assert_eq!(second.next(), None, "nothing is news");
    let mut more = message(1, receipt(Outcome::Done));
    more.incident.instance = 8;
    second.hear(&more, 9, now);
    let again = second.speak(now + COUNTS, SystemTime::UNIX_EPOCH).remove(0);
    assert_eq!((&again.incident, again.revision), (&told.incident, 2));
    assert_eq!(again.former, Some(Severity::Warning));
    second.lose(&told.incident, SystemTime::UNIX_EPOCH, now);
    let last = second.speak(now + COUNTS, SystemTime::UNIX_EPOCH).remove(0);
    assert_eq!((last.is_resolved, last.revision), (true, 3));
    second.hear(&more, 9, now);
    assert_eq!(second.next(), None, "a late word begins nothing");
}

fn any_what() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(finding(Action::Alert)),
        Just(finding(Action::Kill)),
        Just(What::Decided(step(Step::Freeze, false))),
        Just(What::Decided(step(Step::Kill, true))),
        Just(receipt(Outcome::Done)),
        Just(receipt(Outcome::Failed)),
        Just(CLOSED),
    ]
}

proptest! {
    #[test]
    fn in_every_order_severity_only_rises_numbers_are_consecutive_and_the_end_is_the_end(
        batches in prop::collection::vec(prop::collection::vec(any_what(), 0..5), 0..8),
    ) {
        let batches: Vec<&[What]> = batches.iter().map(Vec::as_slice).collect();
        let told = told(&batches);
        for (number, (revision, ..)) in (1..).zip(&told) {
            prop_assert_eq!(*revision, number);
        }
        let rank = |severity: &str| Severity::parse(severity).unwrap();
        prop_assert!(told.windows(2).all(|two| rank(&two[0].2) <= rank(&two[1].2)));
        let resolved = told.iter().position(|(_, status, _)| status == "resolved");
        prop_assert!(resolved.is_none_or(|at| at + 1 == told.len() && 0 < at));
        prop_assert_eq!(&self::told(&batches), &told);
    }
}
