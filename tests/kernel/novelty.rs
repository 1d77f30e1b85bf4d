//! What counts as seen before, and for whom.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::thread;

use picket::clock;

use super::harness::{eye, nothing_declared, watched};
use super::place::Place;
use super::raw;
use super::seen::{Seen, at};

/// A file, a destination and a system call.
fn show(file: &Path) {
    drop(File::open(file).unwrap());
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"hello", "127.0.0.1:9").unwrap();
    raw::call(libc::SYS_getppid, 0, 0).unwrap();
}

/// How often each of them was reported; the local port that the kernel chose is a fourth.
fn times(seen: &Seen, file: &Path) -> [usize; 4] {
    let opened = seen.paths().iter().filter(|path| **path == at(file)).count();
    let to = |port| seen.network().iter().filter(|used| used.port == port).count();
    [opened, to(9), to(0), seen.times(libc::SYS_getppid)]
}

#[test]
fn what_a_sandbox_has_shown_is_new_when_the_next_one_in_its_slot_does_it() {
    let place = Place::new();
    let file = place.file("data");
    // Slots are given out again at once; with other tests at work it may take a few tries to meet the same.
    let mut slots = BTreeSet::new();
    loop {
        let sandbox = watched();
        let seen = sandbox.act(|| show(&file));
        assert_eq!(times(&seen, &file), [1; 4]);
        if !slots.insert(sandbox.id.slot) {
            return;
        }
    }
}

#[test]
fn what_the_launcher_shows_is_still_new_when_the_plugin_does_it() {
    let place = Place::new();
    let file = place.file("data");
    let policy = nothing_declared();
    let sandbox = eye().prepare(&policy);
    assert_eq!(times(&sandbox.act(|| show(&file)), &file), [1; 4]);
    assert_eq!(times(&sandbox.act(|| show(&file)), &file), [2; 4]);
    eye().slots().replace(sandbox.id, &policy, clock::now()).unwrap();
    assert_eq!(times(&sandbox.act(|| show(&file)), &file), [3; 4]);
    assert_eq!(times(&sandbox.act(|| show(&file)), &file), [3; 4]);
}

#[test]
fn each_of_many_files_is_reported_though_threads_open_them_at_once() {
    const FILES: usize = 600;
    let place = Place::new();
    let files: Vec<PathBuf> =
        (0..FILES).map(|number| place.file(format!("data-{number}"))).collect();
    let sandbox = watched();
    let open_all = || {
        // Each thread begins elsewhere, so that they write to the same places at different times and at the same.
        thread::scope(|scope| {
            for start in [0, 1, FILES / 2] {
                let files = files.iter().cycle().skip(start).take(FILES);
                scope.spawn(|| files.for_each(|file| drop(File::open(file).unwrap())));
            }
        });
    };
    let seen = sandbox.act(open_all);
    let reported = seen.paths();
    for file in &files {
        assert!(reported.contains(&at(file)), "{file:?} was never reported");
    }
    // Two threads may be first at once, and a place may be too full; nearly all are known from then on.
    let again = sandbox.act(open_all).paths().len() - reported.len();
    assert!(again < FILES / 10, "{again} records of files that were reported before");
}

#[test]
fn everything_is_new_once_more_under_a_new_policy() {
    let place = Place::new();
    let file = place.file("data");
    let sandbox = watched();
    for round in 1..=3 {
        sandbox.act(|| show(&file));
        assert_eq!(times(&sandbox.act(|| show(&file)), &file), [round; 4]);
        eye().slots().replace(sandbox.id, &nothing_declared(), clock::now()).unwrap();
    }
}
