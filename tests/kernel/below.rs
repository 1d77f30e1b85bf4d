//! Containers inside a sandbox: what is born, moved or made below it is its own, however deep; what goes elsewhere from
//! there has left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use picket_engine::Departure::{ClonedOut, Migrated};
use picket_tests::wait_until;
use serde_json::{Value, json};

use super::actor::Actor;
use super::harness::{Watched, eye, watched};
use super::place::Place;
use super::raw;
use super::seen::at;

fn procs(cgroup: &Path) -> PathBuf {
    cgroup.join("cgroup.procs")
}

/// Makes a process in this cgroup, which ends at once; its number and its parent's.
fn clone_into(cgroup: &Path) -> Value {
    let directory = File::open(cgroup).unwrap();
    json!([raw::clone_process(0, Some(&directory)).unwrap(), std::process::id()])
}

fn numbers(told: &Value) -> [u32; 2] {
    serde_json::from_value(told.clone()).unwrap()
}

/// A cgroup below the sandbox, made by nobody in it.
fn below(sandbox: &Watched, name: &str) -> PathBuf {
    let below = sandbox.path().join(name);
    fs::create_dir_all(&below).unwrap();
    below
}

#[test]
fn f3_a_child_made_in_a_cgroup_below_is_a_child_and_no_escape() {
    let sandbox = watched();
    let below = below(&sandbox, "below");
    let (told, seen) = sandbox.tell(|| clone_into(&below));
    let [child, _] = numbers(&told);
    assert_eq!(seen.departures(), []);
    assert!(seen.forks().iter().any(|(_, forked, _)| *forked == child), "{:?}", seen.forks());
}

#[test]
fn f3_a_child_made_elsewhere_from_below_is_an_escape() {
    let beside = eye().sandbox();
    let sandbox = watched();
    let below = below(&sandbox, "below");
    let (told, seen) = sandbox.tell(|| {
        fs::write(procs(&below), "0").unwrap();
        clone_into(beside.path())
    });
    let [_, parent] = numbers(&told);
    assert_eq!(seen.departures(), [(parent, ClonedOut, beside.id())]);
}

#[test]
fn f3_a_child_made_in_another_sandbox_is_an_escape_from_one_and_an_arrival_in_the_other() {
    let (here, there) = (watched(), watched());
    let (told, seen) = here.tell(|| clone_into(there.path()));
    let [child, parent] = numbers(&told);
    assert_eq!(seen.departures(), [(parent, ClonedOut, there.sandbox.id())]);
    assert_eq!(there.seen().arrivals(), [child]);
}

#[test]
fn f4_moving_about_inside_is_neither_a_departure_nor_an_arrival() {
    let sandbox = watched();
    let (one, other) = (below(&sandbox, "one"), below(&sandbox, "other/deeper"));
    let actor = Actor::start(|| Value::Null);
    sandbox.admit(&actor);
    for cgroup in [&one, &other, sandbox.path(), &other] {
        fs::write(procs(cgroup), actor.pid().to_string()).unwrap();
    }
    let seen = sandbox.seen();
    assert_eq!((seen.departures(), seen.arrivals()), (vec![], vec![actor.pid()]));
}

#[test]
fn f4_who_is_put_into_a_cgroup_below_from_outside_has_come_into_the_sandbox() {
    let place = Place::new();
    let file = place.file("data");
    let sandbox = watched();
    let below = below(&sandbox, "container/process");
    let mut actor = Actor::start(|| {
        drop(File::open(&file).unwrap());
        Value::Null
    });
    fs::write(procs(&below), actor.pid().to_string()).unwrap();
    actor.act();
    let seen = sandbox.seen();
    assert_eq!(seen.arrivals(), [actor.pid()]);
    assert_eq!(seen.paths(), [at(&file)]);
}

#[test]
fn f14_a_container_in_a_container_belongs_to_the_sandbox_down_to_the_tenth() {
    let place = Place::new();
    let file = place.file("data");
    let beside = eye().sandbox();
    let sandbox = watched();
    let seen = sandbox.act(|| {
        let mut cgroup = sandbox.path().to_path_buf();
        for depth in 0..10 {
            cgroup.push(depth.to_string());
            fs::create_dir(&cgroup).unwrap();
            fs::write(procs(&cgroup), "0").unwrap();
        }
        drop(File::open(&file).unwrap());
        fs::write(procs(beside.path()), "0").unwrap();
    });
    assert!(seen.paths().contains(&at(&file)), "{:?}", seen.paths());
    let departures = seen.departures();
    let ways: Vec<_> = departures.iter().map(|(_, how, to)| (*how, *to)).collect();
    assert_eq!(ways, [(Migrated, beside.id())]);
}

#[test]
fn f14_a_cgroup_below_that_is_removed_and_made_again_belongs_to_the_sandbox_again() {
    let place = Place::new();
    let file = place.file("data");
    let sandbox = watched();
    for _ in 0..3 {
        let before = sandbox.counts()["open"].fired;
        let below = below(&sandbox, "container");
        let seen = sandbox.act(|| {
            fs::write(procs(&below), "0").unwrap();
            drop(File::open(&file).unwrap());
        });
        assert_eq!(seen.departures(), []);
        // Of the list of tasks, and of the file.
        assert_eq!(seen.counts["open"].fired - before, 2);
        wait_until("nobody in it", || fs::remove_dir(&below).is_ok());
    }
}
