use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use std::format;

use proptest::prelude::*;

use super::{Demand, Due, Ladder, Outcome, Rung, Step, Unasked};
use crate::testing::ms;
use crate::{Action, Capability, ContainmentPlan, FindingLabels, KernelTime, OnExpiry, Reason};

const PATIENCE: Duration = Duration::from_secs(1);

/// What can happen to a ladder.
#[derive(Clone, Copy, Debug)]
enum Event {
    Freeze,
    Kill,
    Receipt(Step, Outcome),
    Tick,
}

use Event::{Freeze, Kill, Tick};
const FROZEN: Event = Event::Receipt(Step::Freeze, Outcome::Done);
const NOT_FROZEN: Event = Event::Receipt(Step::Freeze, Outcome::Failed);
const KILLED: Event = Event::Receipt(Step::Kill, Outcome::Done);
const NOT_KILLED: Event = Event::Receipt(Step::Kill, Outcome::Failed);

fn demand(goal: Step, offence: KernelTime) -> Demand {
    let action = if goal == Step::Kill { Action::Kill } else { Action::Freeze };
    let because =
        FindingLabels { capability: Capability::Exec, reason: Reason::UndeclaredExec, action };
    Demand { goal, because, offence }
}

const fn plan(on_expiry: OnExpiry) -> ContainmentPlan {
    ContainmentPlan { hold: Duration::from_secs(30), on_expiry }
}

fn say(due: Option<Due>) -> String {
    due.map_or_else(String::new, |due| format!("{} {} {}", due.step, due.trigger, due.attempt))
}

/// Plays events at milliseconds against a ladder that a demand for `goal` started at 0; each is
/// followed by the step then due, or `unasked`, and the rung reached.
fn check(goal: Step, on_expiry: OnExpiry, story: &[(u64, Event, &str, Rung)]) {
    let (mut ladder, due) = Ladder::start(demand(goal, ms(0)), plan(on_expiry), ms(0));
    assert_eq!(say(Some(due)), "freeze finding 1");
    for (at, event, expected, rung) in story {
        let at = ms(*at);
        let due = match *event {
            Freeze => Ok(ladder.demand(demand(Step::Freeze, at), at)),
            Kill => Ok(ladder.demand(demand(Step::Kill, at), at)),
            Event::Receipt(step, outcome) => ladder.receipt(step, outcome, at),
            Tick => Ok(ladder.tick(at, PATIENCE)),
        };
        let said = due.map_or_else(|Unasked| "unasked".into(), say);
        assert_eq!((said.as_str(), ladder.rung()), (*expected, *rung), "{event:?} at {at:?}");
    }
}

#[test]
fn a_freeze_that_is_confirmed_is_held_until_a_person_decides() {
    check(
        Step::Freeze,
        OnExpiry::Hold,
        &[
            (3, FROZEN, "", Rung::Frozen),
            (30_003, Tick, "", Rung::Frozen),
            (u64::MAX / 2_000_000, Tick, "", Rung::Frozen),
        ],
    );
}

#[test]
fn the_lease_counts_from_the_receipt_and_runs_out_into_a_kill() {
    check(
        Step::Freeze,
        OnExpiry::Kill,
        &[
            (5, FROZEN, "", Rung::Frozen),
            (30_004, Tick, "", Rung::Frozen),
            (30_005, Tick, "kill lease_expired 1", Rung::Killing),
            (30_010, KILLED, "", Rung::Killed),
            (99_000, Tick, "", Rung::Killed),
        ],
    );
}

#[test]
fn a_kill_freezes_first_and_kills_on_the_receipt() {
    check(
        Step::Kill,
        OnExpiry::Hold,
        &[(3, FROZEN, "kill freeze_confirmed 1", Rung::Killing), (9, KILLED, "", Rung::Killed)],
    );
}

#[test]
fn g3_a_freeze_that_failed_becomes_a_kill_whatever_was_asked() {
    for goal in [Step::Freeze, Step::Kill] {
        check(goal, OnExpiry::Hold, &[(3, NOT_FROZEN, "kill freeze_failed 1", Rung::Killing)]);
    }
}

#[test]
fn a_step_without_receipt_is_said_again_each_second() {
    check(
        Step::Freeze,
        OnExpiry::Hold,
        &[
            (999, Tick, "", Rung::Freezing),
            (1_000, Tick, "freeze finding 2", Rung::Freezing),
            (1_500, Tick, "", Rung::Freezing),
            (2_000, Tick, "freeze finding 3", Rung::Freezing),
            (2_001, FROZEN, "", Rung::Frozen),
            (9_000, Tick, "", Rung::Frozen),
        ],
    );
}

#[test]
fn a_kill_that_failed_is_tried_again_and_not_at_once() {
    check(
        Step::Kill,
        OnExpiry::Hold,
        &[
            (3, FROZEN, "kill freeze_confirmed 1", Rung::Killing),
            (4, NOT_KILLED, "", Rung::Killing),
            (1_002, Tick, "", Rung::Killing),
            (1_003, Tick, "kill freeze_confirmed 2", Rung::Killing),
            (1_004, KILLED, "", Rung::Killed),
        ],
    );
}

#[test]
fn another_finding_raises_the_goal_and_never_lowers_it() {
    check(
        Step::Freeze,
        OnExpiry::Hold,
        &[
            (1, Freeze, "", Rung::Freezing),
            (2, Kill, "", Rung::Freezing),
            (3, Freeze, "", Rung::Freezing),
            (4, FROZEN, "kill freeze_confirmed 1", Rung::Killing),
            (5, Kill, "", Rung::Killing),
        ],
    );
    check(
        Step::Freeze,
        OnExpiry::Hold,
        &[
            (3, FROZEN, "", Rung::Frozen),
            (4, Freeze, "", Rung::Frozen),
            (5, Kill, "kill finding 1", Rung::Killing),
        ],
    );
}

#[test]
fn a_receipt_for_what_nobody_asked_changes_nothing() {
    check(
        Step::Freeze,
        OnExpiry::Hold,
        &[
            (1, KILLED, "unasked", Rung::Freezing),
            (2, FROZEN, "", Rung::Frozen),
            (3, FROZEN, "unasked", Rung::Frozen),
            (4, NOT_FROZEN, "unasked", Rung::Frozen),
            (5, Kill, "kill finding 1", Rung::Killing),
            (6, NOT_FROZEN, "unasked", Rung::Killing),
            (7, KILLED, "", Rung::Killed),
            (8, KILLED, "unasked", Rung::Killed),
        ],
    );
}

#[test]
fn a_step_names_the_finding_that_asked_for_it() {
    let (mut ladder, due) = Ladder::start(demand(Step::Freeze, ms(1)), plan(OnExpiry::Hold), ms(2));
    assert_eq!(due.demand.offence, ms(1));
    assert_eq!(ladder.receipt(Step::Freeze, Outcome::Done, ms(3)), Ok(None));
    let due = ladder.demand(demand(Step::Kill, ms(4)), ms(5)).unwrap();
    assert_eq!((due.demand.offence, due.demand.because.action), (ms(4), Action::Kill));
}

#[test]
fn an_endless_lease_ends_never() {
    let endless = ContainmentPlan { hold: Duration::MAX, on_expiry: OnExpiry::Kill };
    let (mut ladder, _) = Ladder::start(demand(Step::Freeze, ms(0)), endless, ms(0));
    assert_eq!(ladder.receipt(Step::Freeze, Outcome::Done, ms(3)), Ok(None));
    assert_eq!(ladder.tick(ms(1 << 40), PATIENCE), None);
}

fn any_event() -> impl Strategy<Value = Event> {
    const ALL: &[Event] = &[Freeze, Kill, FROZEN, NOT_FROZEN, KILLED, NOT_KILLED, Tick];
    prop::sample::select(ALL)
}

proptest! {
    #[test]
    fn no_story_leads_back_down_the_ladder(
        events in prop::collection::vec((any_event(), 0_u64..2_000), 0..60),
        on_expiry in prop::sample::select(OnExpiry::ALL),
    ) {
        let (mut ladder, _) = Ladder::start(demand(Step::Freeze, ms(0)), plan(on_expiry), ms(0));
        let (mut now, mut rungs) = (0, Vec::from([ladder.rung()]));
        for (event, later) in events {
            now += later;
            let at = ms(now);
            let due = match event {
                Freeze => ladder.demand(demand(Step::Freeze, at), at),
                Kill => ladder.demand(demand(Step::Kill, at), at),
                Event::Receipt(step, outcome) => ladder.receipt(step, outcome, at).unwrap_or(None),
                Tick => ladder.tick(at, PATIENCE),
            };
            rungs.push(ladder.rung());
            // What is due is always what the ladder then waits for.
            let waits = due.is_none_or(|due| match due.step {
                Step::Freeze => ladder.rung() == Rung::Freezing,
                Step::Kill => ladder.rung() == Rung::Killing,
            });
            prop_assert!(waits);
        }
        prop_assert!(rungs.is_sorted());
    }
}
