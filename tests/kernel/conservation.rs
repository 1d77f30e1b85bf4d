//! Two sandboxes run a ring over at once while nobody reads, and go on while somebody does: to the last record, what
//! fired is what was told, what was read and what is known to be lost.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::thread;

use picket_engine::{Policy, SyscallSet};
use serde_json::Value;

use super::actor::Actor;
use super::harness::{Eye, Watched, nothing_declared};
use super::place::Place;
use super::raw;

/// Each opens files of its own, so that every open is new to its sandbox.
const THREADS: usize = 4;

/// Files of a thread, half of them opened while nobody reads: more than the 1 200 opens for which the ring of ordinary
/// records has room, whichever sandbox is first.
const FILES: usize = 700;

/// A process in the sandbox whose threads open their files and make calls, all at once.
fn flood(files: &[Vec<PathBuf>], half: fn(&[PathBuf]) -> &[PathBuf]) -> Actor {
    let files = files.to_vec();
    Actor::start(move || {
        thread::scope(|scope| {
            for files in &files {
                scope.spawn(|| {
                    for file in half(files) {
                        drop(File::open(file).unwrap());
                        raw::call(libc::SYS_getppid, 0, 0).unwrap();
                    }
                });
            }
        });
        Value::Null
    })
}

fn first_half(files: &[PathBuf]) -> &[PathBuf] {
    &files[..FILES / 2]
}

fn second_half(files: &[PathBuf]) -> &[PathBuf] {
    &files[FILES / 2..]
}

/// Lets all act at once, reading meanwhile or not.
fn act(actors: &mut [Actor], meanwhile: impl FnOnce()) {
    actors.iter_mut().for_each(Actor::begin);
    meanwhile();
    actors.iter_mut().for_each(|actor| drop(actor.finish()));
}

/// Asserts the equations to the last one, and answers how many records of opens were dropped.
fn dropped(sandbox: &Watched) -> u64 {
    let seen = sandbox.seen();
    let mut read: BTreeMap<&str, u64> = BTreeMap::new();
    for record in &seen.records {
        let hook = picket_abi::hook::NAMES[usize::from(record.hook)];
        *read.entry(hook).or_default() += 1;
    }
    for (hook, counts) in &seen.counts {
        let outcomes = counts.filtered + counts.aggregated + counts.submitted;
        assert_eq!(counts.fired, outcomes + counts.dropped + counts.error, "{hook}: {counts:?}");
        assert_eq!(counts.submitted, read.get(hook).copied().unwrap_or(0), "{hook}: {counts:?}");
    }
    seen.counts["open"].dropped
}

#[test]
fn a_flood_in_two_sandboxes_from_several_threads_balances_exactly_and_costs_a_quiet_one_nothing() {
    // A kernel side of its own: nobody reads its rings unless told to.
    let eye: &'static Eye = Box::leak(Box::new(Eye::open().unwrap()));
    let calls = SyscallSet::of(&[u32::try_from(libc::SYS_getppid).unwrap()]);
    let policy = Policy { syscalls: calls, max_processes: 64, ..nothing_declared() };
    let place = Place::new();
    let sandboxes = [eye.watch(&policy), eye.watch(&policy)];
    let quiet = eye.watch(&policy);
    // What is new to one sandbox says nothing about the other.
    let file = |thread, number| place.file(format!("{thread}-{number}"));
    let files: Vec<Vec<PathBuf>> = (0..THREADS)
        .map(|thread| (0..FILES).map(|number| file(thread, number)).collect())
        .collect();
    // Before the flood: somebody comes in and does what is of no weight.
    let mut bystander = Actor::start(|| {
        raw::call(libc::SYS_ptrace, 0xdead, 0).unwrap_err();
        Value::Null
    });
    quiet.admit(&bystander);

    let start = |half| {
        sandboxes.each_ref().map(|sandbox| {
            let actor = flood(&files, half);
            sandbox.admit(&actor);
            actor
        })
    };
    // Nobody reads: the ring runs over. What is critical still finds room in its own.
    act(&mut start(first_half), || drop(bystander.act()));
    let full = sandboxes.each_ref().map(|sandbox| sandbox.counts()["open"].dropped);
    assert!(full.iter().all(|&dropped| 0 < dropped), "room for everything: {full:?}");

    // Somebody reads again while both go on.
    act(&mut start(second_half), || drop(quiet.seen()));
    for sandbox in &sandboxes {
        assert!(0 < dropped(sandbox));
        assert_eq!(sandbox.counts()["open"].error, 0);
        let opens = u64::try_from(THREADS * FILES).unwrap();
        assert!(opens <= sandbox.counts()["open"].fired);
    }
    assert_eq!(dropped(&quiet), 0);
    assert_eq!(quiet.seen().times(libc::SYS_ptrace), 1);
    let lost = quiet.counts().values().map(|counts| counts.dropped + counts.error).sum::<u64>();
    assert_eq!(lost, 0, "the quiet one pays: {:?}", quiet.counts());
}
