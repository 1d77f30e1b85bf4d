//! What a freeze does not stop by itself, and why that is no way out: nobody thaws a suspect, and a kill ends what waits.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use picket_engine::Departure::Migrated;
use picket_tests::wait_until;
use serde_json::{Value, json};

use super::actor::Actor;
use super::harness::{Watched, eye, watched};
use super::place::Place;
use super::raw::{self, Ring};

/// A sandbox with a ring whose requests a thread of the kernel takes, and a second hand on that ring: ours, from outside,
/// as an accomplice's who shares its memory.
struct Shared {
    sandbox: Watched,
    _inside: Actor,
    outside: Ring,
    /// What the ring is asked to make. Named before the fork, so that the text is in the sandbox's memory, too.
    made: PathBuf,
    text: CString,
}

impl Shared {
    fn new(place: &Place, name: &str) -> Self {
        let sandbox = watched();
        let made = place.join(name);
        let text = CString::new(made.as_os_str().as_bytes()).unwrap();
        let mut inside = Actor::start(|| {
            let ring = Ring::new(raw::POLLED).unwrap();
            let shared = json!(ring.shared());
            // Its thread lives as long as this process.
            std::mem::forget(ring);
            shared
        });
        sandbox.admit(&inside);
        let (number, parameters) = serde_json::from_value(inside.act()).unwrap();
        let ring = raw::descriptor_of(inside.pid(), number).unwrap();
        let outside = Ring::of(ring, parameters).unwrap();
        Self { sandbox, _inside: inside, outside, made, text }
    }

    fn freeze(&self) {
        self.sandbox.sandbox.freeze().unwrap();
        wait_until("frozen", || self.sandbox.sandbox.state().unwrap().frozen);
    }

    /// Puts an open that makes a file into the queue.
    fn ask(&self) {
        self.outside.ask_to_make(&self.text).unwrap();
    }
}

#[test]
fn g1_what_an_accomplice_queues_to_a_frozen_ring_waits_and_dies_with_the_sandbox() {
    let place = Place::new();
    let (frozen, free) = (Shared::new(&place, "frozen"), Shared::new(&place, "free"));
    // The ring's own thread is frozen, too: else the kernel would not say so.
    frozen.freeze();
    frozen.ask();
    // How long a request takes is shown by one that nothing holds up.
    free.ask();
    wait_until("the other ring's file", || free.made.exists());
    assert!(!frozen.made.exists(), "a frozen ring works");
    frozen.sandbox.sandbox.kill().unwrap();
    wait_until("its end", || !frozen.sandbox.sandbox.state().unwrap().populated);
    assert!(!frozen.made.exists(), "the kill let it work");
}

#[test]
fn g1_what_was_queued_to_a_frozen_ring_would_run_after_a_thaw_which_is_why_there_is_none() {
    let place = Place::new();
    let shared = Shared::new(&place, "made");
    shared.freeze();
    shared.ask();
    shared.sandbox.sandbox.thaw().unwrap();
    wait_until("the file", || shared.made.exists());
}

#[test]
fn g2_a_frozen_process_that_somebody_moves_out_is_noticed() {
    let beside = eye().sandbox();
    let sandbox = watched();
    let actor = Actor::start(|| Value::Null);
    sandbox.admit(&actor);
    sandbox.sandbox.freeze().unwrap();
    wait_until("frozen", || sandbox.sandbox.state().unwrap().frozen);
    fs::write(beside.path().join("cgroup.procs"), actor.pid().to_string()).unwrap();
    assert_eq!(sandbox.seen().departures(), [(actor.pid(), Migrated, beside.id())]);
}
