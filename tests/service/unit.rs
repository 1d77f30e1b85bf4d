//! What the unit file promises.

use std::fs;
use std::process::Command;

use super::manager::{CONFIG, Service, run};

const DROP_IN: &str = "/run/systemd/system/picket.service.d";

#[test]
fn systemd_holds_it_for_started_when_it_watches_and_it_freezes_a_rogue_of_another_unit() {
    let service = Service::start();
    assert_eq!(service.property("ActiveState"), "active");
    assert_eq!(service.reports("watching").len(), service.reports("ready").len());
    let rogue = service.let_a_rogue_in();
    service.await_that("a frozen rogue", || rogue.is_frozen().then_some(()));
    let receipts = service.await_that("a receipt", || {
        Some(service.reports("receipt")).filter(|receipts| !receipts.is_empty())
    });
    let last = receipts.last().unwrap();
    assert_eq!((&last["step"], &last["outcome"]), (&"freeze".into(), &"done".into()));
}

#[test]
fn systemctl_reload_has_the_configuration_read_again() {
    let service = Service::start();
    let before = service.reports("reloaded").len();
    fs::write("/etc/picket/picket.yaml", CONFIG.replace("/plugins.slice/*", "/other.slice/*"))
        .unwrap();
    run("systemctl", &["reload", "picket.service"]);
    service.await_that("a reload", || (before < service.reports("reloaded").len()).then_some(()));
    assert_eq!(service.property("ActiveState"), "active");
}

#[test]
fn killed_it_is_started_again_and_watches() {
    let service = Service::start();
    let (first, ready) = (service.property("MainPID"), service.reports("watching").len());
    run("kill", &["-KILL", &first]);
    service.await_that("a successor that watches", || {
        (ready < service.reports("watching").len()).then_some(())
    });
    service.await_that("systemd's word", || {
        (service.property("ActiveState") == "active").then_some(())
    });
    assert_ne!(service.property("MainPID"), first);
    let rogue = service.let_a_rogue_in();
    service.await_that("a frozen rogue", || rogue.is_frozen().then_some(()));
}

#[test]
fn stopped_in_its_tracks_it_is_replaced_by_the_watchdog() {
    // Half a minute in the unit file; here as short as an emulated processor is sure to keep.
    let service = Service::start();
    assert_eq!(service.property("WatchdogUSec"), "30s");
    drop(service);
    fs::create_dir_all(DROP_IN).unwrap();
    fs::write(format!("{DROP_IN}/soon.conf"), "[Service]\nWatchdogSec=8s\n").unwrap();
    run("systemctl", &["daemon-reload"]);
    let service = Service::start();
    let first = service.property("MainPID");
    run("kill", &["-STOP", &first]);
    service.await_that("another process", || {
        let now = service.property("MainPID");
        (now != first && now != "0").then_some(())
    });
    drop(service);
    fs::remove_dir_all(DROP_IN).unwrap();
    run("systemctl", &["daemon-reload"]);
}

#[test]
fn its_reports_are_in_the_journal_and_it_ends_when_it_is_told() {
    let service = Service::start();
    run("systemctl", &["stop", "picket.service"]);
    assert_eq!(service.property("Result"), "success");
    assert!(!service.reports("stopped").is_empty());
}

/// What `systemd-analyze security` says of the unit, in tenths: 0 is none, 100 is all.
const EXPOSURE: u32 = 41;

#[test]
fn its_exposure_is_no_more_than_when_it_was_last_looked_at() {
    let unit = "/etc/systemd/system/picket.service";
    let arguments = ["security", "--no-pager", "--offline=yes", unit];
    let output = Command::new("systemd-analyze").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    println!("{line}");
    let level = line.split(':').nth(1).unwrap().split_whitespace().next().unwrap();
    let tenths: u32 = level.replace('.', "").parse().unwrap();
    assert!(tenths <= EXPOSURE, "{said}");
}
