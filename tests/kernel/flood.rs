//! A flood of ordinary acts hides no violation: what is critical has a ring of its own, and is written down each time.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use picket_engine::{Fact, Policy, SyscallSet};
use serde_json::Value;

use super::actor::Actor;
use super::harness::{Eye, Watched, nothing_declared};
use super::place::Place;
use super::raw;

/// How long the flood goes on.
const FLOOD: Duration = Duration::from_secs(10);

/// Violations before, during and after it; a thousand in all.
const BEFORE: u32 = 333;
const DURING: u32 = 334;
const AFTER: u32 = 333;

/// Does what is never declared, as often, spread over so much time.
fn violate(times: u32, over: Duration) -> Actor {
    Actor::start(move || {
        let begun = Instant::now();
        for number in 0..times {
            // Nobody is there; the attempt is what counts.
            raw::call(libc::SYS_ptrace, 0xdead, 0).unwrap_err();
            while begun.elapsed() < over * (number + 1) / times {
                raw::call(libc::SYS_getppid, 0, 0).unwrap();
            }
        }
        Value::Null
    })
}

/// Makes files without end, each new to the sandbox, and calls between them; counts the files.
fn flood(place: &Place) -> Actor {
    let place = place.path().to_path_buf();
    Actor::start(move || {
        let begun = Instant::now();
        let made = thread::scope(|scope| {
            let threads = [0, 1].map(|thread| {
                let place = place.clone();
                scope.spawn(move || {
                    let mut made = 0_u64;
                    while begun.elapsed() < FLOOD {
                        // A file that is gone leaves its inode to the next: the name has to be new.
                        let path = place.join(format!("{thread}-{made}"));
                        fs::write(&path, "").unwrap();
                        fs::remove_file(&path).unwrap();
                        made += 1;
                    }
                    made
                })
            });
            threads.map(|thread| thread.join().unwrap()).into_iter().sum::<u64>()
        });
        made.into()
    })
}

/// Whether a record is of such an attempt.
fn is_violation(fact: &Fact) -> bool {
    let ptrace = u32::try_from(libc::SYS_ptrace).unwrap();
    matches!(fact, Fact::Syscall { number, .. } if *number == ptrace)
}

/// Waits until as many violations have been read as were done, throwing the flood away.
#[track_caller]
fn await_violations(sandbox: &Watched, read: &mut u32, done: u32) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while *read < done {
        *read += sandbox.skim(is_violation);
        assert!(Instant::now() < deadline, "{read} of {done}: {:#?}", sandbox.counts());
        thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn a_violation_before_during_and_after_a_flood_is_recorded_1000_times_of_1000() {
    // A kernel side of its own, so that it is this flood which fills the ring.
    let eye: &'static Eye = Box::leak(Box::new(Eye::open().unwrap()));
    let calls = SyscallSet::of(&[u32::try_from(libc::SYS_getppid).unwrap()]);
    let sandbox = eye.watch(&Policy { syscalls: calls, ..nothing_declared() });
    let place = Place::new();
    let [mut before, mut during, mut after, mut flood] = [
        violate(BEFORE, Duration::ZERO),
        violate(DURING, FLOOD * 4 / 5),
        violate(AFTER, Duration::ZERO),
        flood(&place),
    ];
    [&before, &during, &after, &flood].into_iter().for_each(|actor| sandbox.admit(actor));
    let mut read = 0;

    before.act();
    await_violations(&sandbox, &mut read, BEFORE);

    flood.begin();
    during.begin();
    // Nobody reads as long as this one acts: the ring of ordinary records runs over.
    during.finish();
    await_violations(&sandbox, &mut read, BEFORE + DURING);
    let made = flood.finish().as_u64().unwrap();

    after.act();
    await_violations(&sandbox, &mut read, BEFORE + DURING + AFTER);
    read += sandbox.skim(is_violation);
    assert_eq!(read, 1_000);

    let counts = sandbox.counts();
    let opens = counts["open"];
    assert!(made <= opens.fired && 0 < opens.dropped, "{made} files were no flood: {opens:?}");
    // Not one of the critical ones was among what found no room.
    assert_eq!(counts["syscall"].dropped, 0, "{counts:#?}");
    for (hook, counts) in counts {
        let outcomes = counts.filtered + counts.aggregated + counts.submitted;
        assert_eq!(counts.fired, outcomes + counts.dropped + counts.error, "{hook}");
    }
}
