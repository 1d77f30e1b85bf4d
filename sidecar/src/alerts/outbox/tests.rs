//! What an outbox keeps, in which order it gives it out, and what it survives.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::export::registry::key;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("box/alerts.db");
    (directory, path)
}

fn statement(incident: &str, revision: u64, is_resolved: bool) -> Statement {
    let mut fields = Fields::default();
    fields.number(key::REVISION, revision);
    fields.closed(key::SEVERITY, "warning");
    Statement {
        incident: incident.to_owned(),
        cgroup: 42,
        revision,
        is_resolved,
        former: None,
        fields,
    }
}

fn ids(outbox: &mut Outbox, target: &str) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(message) = outbox.next(target, 0) {
        outbox.taken(message.number);
        ids.push(message.id);
    }
    ids
}

#[test]
fn what_is_written_is_there_after_a_restart_with_the_same_key_and_bytes() {
    let (_directory, path) = place();
    let mut outbox = Outbox::open(&path).unwrap();
    outbox.record(&statement("a", 1, false), &["x", "y"], 5);
    let before = outbox.next("x", 0).unwrap();
    outbox.later(before.number, 1_000_000, "answered 503");
    assert_eq!(outbox.next("x", 0), None);
    drop(outbox);
    let mut outbox = Outbox::open(&path).unwrap();
    let after = outbox.next("x", 0).unwrap();
    assert_eq!((&after.id, &after.body, after.tries), (&before.id, &before.body, 1));
    let (open, is_of_this_boot) = outbox.open_incidents().remove(0);
    assert_eq!((open.cgroup, open.revision, is_of_this_boot), (42, 1, true));
    outbox.record(&statement("a", 1, false), &["x", "y"], 6);
    assert_eq!(outbox.waiting("x"), (1, 0), "the same state is one message");
}

#[test]
fn of_one_incident_the_oldest_goes_first_and_holds_up_no_other() {
    let (_directory, path) = place();
    let mut outbox = Outbox::open(&path).unwrap();
    outbox.record(&statement("a", 1, false), &["x"], 0);
    outbox.record(&statement("a", 2, true), &["x"], 0);
    outbox.record(&statement("b", 1, false), &["x"], 0);
    let first = outbox.next("x", 0).unwrap();
    assert_eq!(first.id, "a-1");
    outbox.later(first.number, 100, "busy");
    assert_eq!(ids(&mut outbox, "x"), ["b-1"]);
    let first = outbox.next("x", 100).unwrap();
    assert_eq!(first.id, "a-1");
    assert!(outbox.bury(first.number, "answered 400"));
    assert_eq!(ids(&mut outbox, "x"), ["a-2"]);
    assert_eq!(outbox.waiting("x"), (0, 1));
}

#[test]
fn when_it_is_full_what_is_over_longest_goes_first_and_is_counted() {
    let (_directory, path) = place();
    let mut outbox = Outbox::open(&path).unwrap();
    outbox.most = 3;
    outbox.record(&statement("open", 1, false), &["x"], 0);
    outbox.record(&statement("over", 1, false), &["x"], 0);
    outbox.record(&statement("over", 2, true), &["x"], 0);
    let dropped = outbox.record(&statement("new", 1, false), &["x"], 0);
    assert_eq!(dropped, BTreeMap::from([("x".to_owned(), 1)]));
    assert_eq!(ids(&mut outbox, "x"), ["open-1", "over-2", "new-1"]);
}

#[test]
fn what_is_too_old_is_given_up_and_can_be_replayed() {
    let (_directory, path) = place();
    let mut outbox = Outbox::open(&path).unwrap();
    outbox.record(&statement("a", 1, false), &["x"], 10);
    outbox.record(&statement("b", 1, false), &["x"], 20);
    assert_eq!(outbox.expire(15), BTreeMap::from([("x".to_owned(), 1)]));
    let desk = Desk::open(&path).unwrap();
    let dead = desk.dead().unwrap();
    assert_eq!((dead.len(), &*dead[0].id, &*dead[0].error), (1, "a-1", "never tried; given up"));
    assert_eq!(desk.replay(Some(dead[0].number), 30).unwrap(), 1);
    assert_eq!(ids(&mut outbox, "x"), ["a-1", "b-1"]);
}

#[test]
fn its_files_are_the_owners_alone_and_one_picket_sends_from_it() {
    let (_directory, path) = place();
    let mut outbox = Outbox::open(&path).unwrap();
    outbox.record(&statement("a", 1, false), &["x"], 0);
    let mut count = 0;
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
        count += 1;
    }
    assert!(3 <= count, "database, log and lock");
    assert!(matches!(Outbox::open(&path), Err(OutboxError::Taken { .. })));
    drop(outbox);
    Outbox::open(&path).unwrap();
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_a_way_out() {
    let (_directory, path) = place();
    fs::create_dir(path.parent().unwrap()).unwrap();
    let complaint = || Outbox::open(&path).unwrap_err().to_string();
    fs::write(&path, vec![7; 10_000]).unwrap();
    assert!(complaint().contains("chmod 600"), "{}", complaint());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(complaint().contains("move it away"), "{}", complaint());
    fs::write(&path, "").unwrap();
    drop(Outbox::open(&path).unwrap());
    let later = Connection::open(&path).unwrap();
    later.pragma_update(None, "user_version", 2).unwrap();
    drop(later);
    assert!(complaint().contains("has version 2, and this Picket knows 1"), "{}", complaint());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(complaint().contains("alerts.outbox"), "{}", complaint());
}

#[test]
fn a_disk_that_fails_while_it_runs_costs_durability_and_no_message() {
    let (_directory, path) = place();
    let mut outbox = Outbox::open(&path).unwrap();
    outbox.record(&statement("a", 1, false), &["x"], 0);
    // As a full disk: not one page more.
    let pages: i64 =
        outbox.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    outbox.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    let many = 2_000;
    for number in 0..many {
        outbox.record(&statement(&format!("i{number}"), 1, false), &["x"], 0);
    }
    assert!(!outbox.is_durable());
    assert_eq!(ids(&mut outbox, "x").len(), many + 1);
}
