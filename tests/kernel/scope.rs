//! A sandbox is its cgroup and everything below it: who is in it is seen, who is not is not, and who leaves is noticed.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use picket::clock;
use picket_engine::Departure::{ClonedOut, Migrated};
use picket_tests::wait_until;
use serde_json::{Value, json};

use super::actor::Actor;
use super::harness::{Watched, eye, nothing_declared, watched};
use super::place::Place;
use super::raw;
use super::seen::at;

fn procs(cgroup: &Path) -> std::path::PathBuf {
    cgroup.join("cgroup.procs")
}

/// A bit of everything that is reported.
fn be_busy(file: &Path) {
    drop(File::open(file).unwrap());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"hello", "127.0.0.1:9").unwrap();
    Command::new("/bin/sh").args(["-c", ":"]).status().unwrap();
    raw::call(libc::SYS_ptrace, 0xdead, 0).unwrap_err();
}

#[test]
fn nothing_from_outside_a_sandbox_is_reported_or_counted() {
    let place = Place::new();
    let file = place.file("data");
    let sandbox = watched();
    let beside = eye().sandbox();
    let mut actor = Actor::start(|| {
        be_busy(&file);
        Value::Null
    });
    fs::write(procs(beside.path()), actor.pid().to_string()).unwrap();
    actor.act();
    be_busy(&file);
    let seen = sandbox.seen();
    assert_eq!(seen.records.len(), 0);
    assert!(seen.counts.values().all(|counts| counts.fired == 0), "{:?}", seen.counts);
}

#[test]
fn two_sandboxes_are_told_apart_while_both_act() {
    let place = Place::new();
    let files = [place.file("one"), place.file("two")];
    let sandboxes = [watched(), watched()];
    let mut actors = files.each_ref().map(|file| {
        Actor::start(move || {
            (0..500).for_each(|_| drop(File::open(file).unwrap()));
            Value::Null
        })
    });
    for (sandbox, actor) in sandboxes.iter().zip(&mut actors) {
        sandbox.admit(actor);
        actor.begin();
    }
    for ((sandbox, actor), file) in sandboxes.iter().zip(&mut actors).zip(&files) {
        actor.finish();
        let seen = sandbox.seen();
        assert_eq!(seen.paths(), [at(file)]);
        assert_eq!(seen.counts["open"].fired, 500);
        assert!(seen.records.iter().all(|record| record.process.tgid == actor.pid()));
    }
}

#[test]
fn who_comes_in_is_reported_once() {
    let sandbox = watched();
    let mut actor = Actor::start(|| Value::Null);
    sandbox.admit(&actor);
    sandbox.admit(&actor);
    actor.act();
    assert_eq!(sandbox.seen().arrivals(), [actor.pid()]);
}

#[test]
fn f3_a_process_made_inside_from_outside_is_an_arrival() {
    let sandbox = watched();
    let directory = File::open(sandbox.path()).unwrap();
    let child = raw::clone_process(0, Some(&directory)).unwrap();
    assert_eq!(sandbox.seen().arrivals(), [child]);
}

#[test]
fn f4_a_process_that_moves_itself_out_is_noticed_and_then_left_alone() {
    let place = Place::new();
    let file = place.file("data");
    let beside = eye().sandbox();
    let sandbox = watched();
    let (told, seen) = sandbox.tell(|| {
        fs::write(procs(beside.path()), "0").unwrap();
        drop(File::open(&file).unwrap());
        json!(std::process::id())
    });
    let own = u32::try_from(told.as_u64().unwrap()).unwrap();
    assert_eq!(seen.departures(), [(own, Migrated, beside.id())]);
    assert!(!seen.paths().contains(&at(&file)), "{:?}", seen.paths());
}

#[test]
fn f4_a_process_that_somebody_else_moves_out_is_noticed() {
    let beside = eye().sandbox();
    let sandbox = watched();
    let actor = Actor::start(|| Value::Null);
    sandbox.admit(&actor);
    fs::write(procs(beside.path()), actor.pid().to_string()).unwrap();
    assert_eq!(sandbox.seen().departures(), [(actor.pid(), Migrated, beside.id())]);
}

#[test]
fn f4_a_child_that_moves_out_is_noticed() {
    let beside = eye().sandbox();
    let script = format!("echo $$ > {}", procs(beside.path()).display());
    let (told, seen) = watched().tell(|| {
        let mut child = Command::new("/bin/sh").args(["-c", &script]).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        json!(child.id())
    });
    let child = u32::try_from(told.as_u64().unwrap()).unwrap();
    assert_eq!(seen.departures(), [(child, Migrated, beside.id())]);
}

#[test]
fn f4_an_entry_point_that_was_there_before_the_watch_is_noticed_too() {
    let beside = eye().sandbox();
    let script = format!("echo $$ > {}", procs(beside.path()).display());
    let home = eye().sandbox();
    let mut actor =
        Actor::start(|| panic!("{}", Command::new("/bin/sh").args(["-c", &script]).exec()));
    fs::write(procs(home.path()), actor.pid().to_string()).unwrap();
    home.freeze().unwrap();
    wait_until("the sandbox frozen", || home.state().unwrap().frozen);
    let id = eye().slots().watch(home.id(), &nothing_declared(), 0, clock::now()).unwrap();
    let sandbox = eye().follow(home, id);
    sandbox.sandbox.thaw().unwrap();
    let pid = actor.pid();
    actor.begin();
    assert_eq!(actor.wait(), 0);
    assert_eq!(sandbox.seen().departures(), [(pid, Migrated, beside.id())]);
}

#[test]
fn f3_a_child_made_in_another_cgroup_is_an_escape() {
    let beside = eye().sandbox();
    let (told, seen) = watched().tell(|| {
        let directory = File::open(beside.path()).unwrap();
        raw::clone_process(0, Some(&directory)).unwrap();
        json!(std::process::id())
    });
    let own = u32::try_from(told.as_u64().unwrap()).unwrap();
    assert_eq!(seen.departures(), [(own, ClonedOut, beside.id())]);
    assert_eq!(seen.forks(), []);
}

#[test]
fn a_process_that_goes_from_one_sandbox_to_another_is_a_departure_and_an_arrival() {
    let (here, there) = (watched(), watched());
    let actor = Actor::start(|| Value::Null);
    here.admit(&actor);
    there.admit(&actor);
    assert_eq!(here.seen().departures(), [(actor.pid(), Migrated, there.sandbox.id())]);
    assert_eq!(there.seen().arrivals(), [actor.pid()]);
}

/// Moves into a new cgroup below the sandbox and opens a file there.
fn go_below(sandbox: &Watched, file: &Path) {
    let below = sandbox.path().join("below");
    fs::create_dir_all(below.join("deeper")).unwrap();
    fs::write(procs(&below), "0").unwrap();
    fs::write(procs(&below.join("deeper")), "0").unwrap();
    drop(File::open(file).unwrap());
}

#[test]
fn f14_a_cgroup_made_below_a_sandbox_belongs_to_it() {
    let place = Place::new();
    let file = place.file("data");
    let sandbox = watched();
    let seen = sandbox.act(|| {
        go_below(&sandbox, &file);
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"hello", "127.0.0.1:9").unwrap();
    });
    assert_eq!(seen.departures(), []);
    assert_eq!(seen.paths().last(), Some(&at(&file)));
    assert_eq!(seen.network().len(), 2);
}

#[test]
fn f14_leaving_from_a_cgroup_below_is_leaving() {
    let place = Place::new();
    let file = place.file("data");
    let beside = eye().sandbox();
    let sandbox = watched();
    let seen = sandbox.act(|| {
        go_below(&sandbox, &file);
        fs::write(procs(beside.path()), "0").unwrap();
    });
    let ways: Vec<_> = seen.departures().iter().map(|(_, how, to)| (*how, *to)).collect();
    assert_eq!(ways, [(Migrated, beside.id())]);
}
