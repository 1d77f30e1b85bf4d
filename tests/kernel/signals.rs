//! A signal that leaves its sandbox is reported with whom it was for, in both tiers; what the kernel signals is not.

use picket_engine::{Capability, Reach, Reason, Whose};
use serde_json::json;

use super::actor::Actor;
use super::harness::{nothing_declared, says_it_is_not_seen, sees_objects, watched};
use super::raw;
use super::seen::Seen;

/// Does nothing to whoever did not ask for it.
const HARMLESS: libc::c_int = libc::SIGURG;
const URG: u32 = HARMLESS.cast_unsigned();

/// The question whether a process is there is seen in one tier only; this is about what both see.
fn signals(seen: &Seen) -> Vec<(Reach, Whose, u32, u32)> {
    seen.reaches().into_iter().filter(|(how, ..)| *how == Reach::Signal).collect()
}

fn bystander() -> Actor {
    Actor::start(|| json!(null))
}

#[test]
fn b2_a_signal_to_a_process_outside_is_a_finding() {
    let outside = bystander();
    let seen = watched().act(|| raw::kill(outside.pid(), HARMLESS).unwrap());
    assert_eq!(signals(&seen), [(Reach::Signal, Whose::Outside, outside.pid(), URG)]);
    let finding = (Capability::Danger, Reason::SignalOutside);
    assert_eq!(seen.verdicts(&nothing_declared()), [finding]);
}

#[test]
fn b2_a_signal_to_picket_is_told_as_that() {
    let picket = std::process::id();
    let seen = watched().act(|| raw::kill(picket, HARMLESS).unwrap());
    assert_eq!(signals(&seen), [(Reach::Signal, Whose::Picket, picket, URG)]);
}

#[test]
fn b2_a_signal_to_another_sandbox_is_told_as_that() {
    let (here, there) = (watched(), watched());
    let target = bystander();
    there.admit(&target);
    let seen = here.act(|| raw::kill(target.pid(), HARMLESS).unwrap());
    assert_eq!(signals(&seen), [(Reach::Signal, Whose::Sandbox, target.pid(), URG)]);
    assert_eq!(there.seen().reaches(), []);
}

#[test]
fn b2_a_signal_inside_the_sandbox_is_not_reported() {
    let sandbox = watched();
    let beside = bystander();
    sandbox.admit(&beside);
    let seen = sandbox.act(|| {
        raw::kill(beside.pid(), HARMLESS).unwrap();
        raw::kill(std::process::id(), HARMLESS).unwrap();
    });
    assert_eq!(seen.reaches(), []);
    assert!(2 <= seen.counts["reach"].filtered);
}

#[test]
fn b2_the_same_signal_again_is_counted_and_not_sent() {
    let outside = bystander();
    let seen = watched().act(|| {
        for _ in 0..100 {
            raw::kill(outside.pid(), HARMLESS).unwrap();
        }
        raw::kill(outside.pid(), libc::SIGCONT).unwrap();
    });
    let numbers: Vec<u32> = signals(&seen).iter().map(|(.., number)| *number).collect();
    assert_eq!(numbers, [URG, libc::SIGCONT.cast_unsigned()]);
    assert!(99 <= seen.counts["reach"].aggregated);
}

#[test]
fn b2_a_forged_origin_hides_no_signal() {
    let outside = bystander();
    for origin in [libc::SI_TIMER, libc::SI_MESGQ, libc::SI_ASYNCIO, libc::SI_SIGIO, -60, -7] {
        let seen = watched().act(|| {
            raw::kill_with_origin(outside.pid(), HARMLESS, origin).unwrap();
        });
        let expected = [(Reach::Signal, Whose::Outside, outside.pid(), URG)];
        assert_eq!(signals(&seen), expected, "origin {origin}");
    }
}

#[test]
fn the_end_of_a_process_is_no_signal_of_its_own() {
    let sandbox = watched();
    let mut actor = Actor::start(|| json!(null));
    sandbox.admit(&actor);
    actor.act();
    drop(actor);
    let seen = sandbox.seen();
    assert_eq!(seen.exits().len(), 1);
    assert_eq!(seen.reaches(), []);
    assert!(1 <= seen.counts["reach"].filtered);
}

#[test]
fn a_timer_of_somebody_outside_is_no_signal_of_whoever_runs_when_it_fires() {
    let mut outside = Actor::start(|| {
        raw::tick();
        json!(null)
    });
    outside.act();
    let (told, seen) = watched().tell(|| {
        // Busy for about two hundred of its ticks.
        let mut sum = 1_u64;
        for round in 0..200_000_000_u64 {
            sum = sum.wrapping_mul(3) ^ round;
        }
        json!(sum)
    });
    assert_ne!(told, json!(0));
    assert_eq!(seen.reaches(), []);
}

#[test]
fn b2_the_question_whether_a_process_is_there_is_seen_in_the_tier_lsm() {
    let outside = bystander();
    let seen = watched().act(|| raw::kill(outside.pid(), 0).unwrap());
    if sees_objects() {
        assert_eq!(seen.reaches(), [(Reach::Probe, Whose::Outside, outside.pid(), 0)]);
        let finding = (Capability::Danger, Reason::SignalOutside);
        assert_eq!(seen.verdicts(&nothing_declared()), [finding]);
    } else {
        assert_eq!(seen.reaches(), []);
        assert_eq!(seen.times(libc::SYS_kill), 1);
        says_it_is_not_seen("the signal 0");
    }
}
