//! `picket run`: sandboxes that others start are found, watched, contained and left alone.

mod alerts;
mod api;
mod exports;
mod judged;
mod learning;
mod metrics;
pub(crate) mod stage;
mod tampered;

use std::fs;

use libc::{SIGHUP, SIGKILL, SIGTERM};
use picket_tests::wait_until;
use serde_json::Value;

use super::plugin::{LINGER, Plugin};
use stage::{Daemon, Stage};

/// Waits to be told, then reads what no manifest here declares.
const WHEN_TOLD: &str = "while [ ! -e go ]; do sleep 0.02; done; cat secret; while :; do :; done";

fn stage() -> Stage {
    Stage::new(Plugin::new().held())
}

/// Makes a cgroup, waits until it is watched, and has a plugin depart from its manifest there.
fn depart(stage: &mut Stage, daemon: &Daemon, name: &str) -> Value {
    stage.make(name);
    let sandbox = daemon.await_watched(&stage.path(name));
    stage.enter(name, &format!("cat secret; {LINGER}"));
    let finding = daemon.await_about("finding", &sandbox);
    assert_eq!(finding["reason"], "undeclared_path", "{finding}");
    sandbox
}

/// Makes a cgroup, waits until it is watched, and has a plugin run there that departs when it is told to.
fn at_work(stage: &mut Stage, daemon: &Daemon, name: &str) -> Value {
    stage.make(name);
    let sandbox = daemon.await_watched(&stage.path(name));
    stage.enter(name, WHEN_TOLD);
    daemon.await_about("running", &sandbox);
    sandbox
}

#[test]
fn sandboxes_found_at_start_and_made_later_are_watched_and_only_the_offender_is_frozen() {
    let mut stage = stage();
    stage.make("early");
    stage.enter("early", WHEN_TOLD);
    wait_until("a process in it", || {
        fs::read_to_string(stage.place("early/cgroup.procs")).is_ok_and(|all| !all.is_empty())
    });
    let daemon = stage.watching();
    let early = daemon.await_watched(&stage.path("early"));
    daemon.await_about("found", &early);
    let late = depart(&mut stage, &daemon, "late");
    daemon.await_about("running", &late);
    let receipt = daemon.await_about("receipt", &late);
    assert_eq!((&receipt["step"], &receipt["outcome"]), (&"freeze".into(), &"done".into()));
    assert!(stage.is_frozen("late") && !stage.is_frozen("early"));
    assert!(daemon.of("finding").iter().all(|finding| finding["sandbox"] == late));
    // What was found at work is judged at once, without an exec.
    stage.plugin.write("go", "");
    daemon.await_about("receipt", &early);
    assert!(stage.is_frozen("early"));
}

#[test]
fn in_shadow_the_daemon_only_says_what_it_would_do() {
    let mut stage = stage();
    stage.configure(&stage.rule("*", ", mode: shadow"));
    let daemon = stage.watching();
    let sandbox = depart(&mut stage, &daemon, "one");
    daemon.await_about("would_contain", &sandbox);
    assert!(!stage.is_frozen("one"));
    assert_eq!(daemon.of("contain"), Vec::<Value>::new());
}

#[test]
fn it_is_alive_at_once_and_ready_only_when_everything_found_is_watched() {
    let stage = stage();
    for number in 0..8 {
        stage.make(&number.to_string());
    }
    let daemon = stage.daemon();
    let mut refusals = 0;
    while daemon.get("/readyz").0 == 503 {
        // It may have become ready in between.
        refusals += 1;
        assert_eq!(daemon.get("/livez").0, 200);
    }
    assert_eq!((daemon.get("/readyz"), daemon.of("watched").len()), ((200, "ok\n".to_owned()), 8));
    assert!(0 < refusals, "it was ready before the kernel side could be loaded");
    wait_until("all of them counted", || daemon.counts("picket_sandboxes 8"));
}

#[test]
fn a_bad_configuration_leaves_the_former_in_force() {
    let mut stage = stage();
    let good = fs::read_to_string(stage.plugin.path("picket.yaml")).unwrap();
    let daemon = stage.watching();
    let bad = [
        ("picket.yaml", "version: [".to_owned()),
        ("picket.yaml", format!("{good}surprise: 1\n")),
        ("picket.yaml", good.replace("manifest.yaml", "nowhere.yaml")),
        ("picket.yaml", good.split("sandboxes:").next().unwrap().to_owned()),
        ("picket.yaml", good.replace("cgroup: /", "cgroup: ../")),
        ("manifest.yaml", stage.plugin.manifest().replace("version: 1.0.0", "digest: 7")),
        ("manifest.yaml", format!("{}files: {{ read: [relative] }}\n", stage.plugin.manifest())),
    ];
    let manifest = stage.plugin.manifest();
    for (number, (file, text)) in bad.iter().enumerate() {
        let (refused, reloaded) = (daemon.of("config_refused").len(), daemon.of("reloaded").len());
        stage.write(file, text);
        daemon.signal(SIGHUP);
        daemon.await_count("config_refused", refused + 1);
        assert!(daemon.counts("picket_config_last_reload_successful 0"), "{text}");
        let name = number.to_string();
        depart(&mut stage, &daemon, &name);
        wait_until("a freeze", || stage.is_frozen(&name));
        stage.write("manifest.yaml", &manifest);
        stage.write("picket.yaml", &good);
        daemon.await_count("reloaded", reloaded + 1);
        wait_until("success", || daemon.counts("picket_config_last_reload_successful 1"));
    }
}

#[test]
fn what_is_wrong_with_a_configuration_is_said_once_however_often_it_is_read() {
    let stage = stage();
    let daemon = stage.watching();
    let said = || -> Vec<bool> {
        let refusals = daemon.of("config_refused");
        refusals.iter().map(|one| one["text"].as_str().unwrap().contains("picket.yaml:1")).collect()
    };
    // Read because of the signal, and because of the directory: for a slow writer more than once.
    stage.write("picket.yaml", "version: [");
    daemon.signal(SIGHUP);
    wait_until("two readings", || {
        let refused = "picket_config_reloads_total{outcome=\"refused\"}";
        daemon.reads(refused).is_some_and(|count| 2.0 <= count)
    });
    assert_eq!(said().iter().filter(|whole| **whole).count(), 1);
    // Whoever asks again is answered.
    let before = said().len();
    daemon.signal(SIGHUP);
    daemon.await_count("config_refused", before + 1);
    assert_eq!(said().last(), Some(&false));
}

#[test]
fn an_edited_manifest_is_noticed_and_judged_by_without_a_gap() {
    let mut stage = stage();
    let daemon = stage.watching();
    at_work(&mut stage, &daemon, "one");
    let secret = stage.plugin.path("secret");
    let more = format!("files: {{ read: [{}] }}\n", secret.display());
    stage.write("manifest.yaml", format!("{}{more}", stage.plugin.manifest()));
    let report = daemon.await_one("reloaded", |_| true);
    assert!(report["text"].as_str().unwrap().contains("0 added, 0 removed, 1 judged otherwise"));
    // Declared now; what is not still is a departure, in the same slot.
    stage.plugin.write("go", "");
    stage.plugin.write("secret.too", "");
    stage.make("two");
    let other = daemon.await_watched(&stage.path("two"));
    stage.enter("two", &format!("cat secret; cat secret.too; {LINGER}"));
    let finding = daemon.await_about("finding", &other);
    assert!(finding["deed"].as_str().unwrap().contains("secret.too"), "{finding}");
    assert!(daemon.of("finding").iter().all(|finding| finding["sandbox"] == other));
    assert_eq!(daemon.of("forgotten"), Vec::<Value>::new());
}

#[test]
fn what_is_removed_or_meant_no_more_is_left_alone() {
    let mut stage = stage();
    let daemon = stage.watching();
    for name in ["one", "two"] {
        stage.make(name);
        daemon.await_watched(&stage.path(name));
    }
    stage.remove("one");
    daemon.await_count("forgotten", 1);
    wait_until("one sandbox", || daemon.counts("picket_sandboxes 1"));
    stage.configure(&stage.rule("other", ""));
    daemon.await_count("forgotten", 2);
    stage.enter("two", &format!("cat secret; touch done; {LINGER}"));
    wait_until("its deed", || stage.plugin.path("done").exists());
    assert!(!stage.is_frozen("two") && daemon.of("finding").is_empty());
}

#[test]
fn sigterm_ends_the_daemon_and_touches_nobody() {
    let mut stage = stage();
    let mut daemon = stage.watching();
    depart(&mut stage, &daemon, "frozen");
    wait_until("a freeze", || stage.is_frozen("frozen"));
    at_work(&mut stage, &daemon, "running");
    assert_eq!(daemon.end(SIGTERM), Some(0));
    assert_eq!(daemon.of("left_frozen").len(), 1);
    assert!(stage.is_frozen("frozen") && !stage.is_frozen("running"));
    // The next one finds both as they are.
    let next = stage.watching();
    let frozen = next.await_watched(&stage.path("frozen"));
    next.await_about("found_frozen", &frozen);
    assert!(stage.is_frozen("frozen"));
}

#[test]
fn after_a_crash_the_next_daemon_judges_what_it_finds_at_once() {
    let mut stage = stage();
    let mut first = stage.watching();
    at_work(&mut stage, &first, "one");
    assert_eq!(first.end(SIGKILL), None);
    assert!(!stage.is_frozen("one"));
    let second = stage.watching();
    let sandbox = second.await_watched(&stage.path("one"));
    second.await_about("found", &sandbox);
    stage.plugin.write("go", "");
    second.await_about("receipt", &sandbox);
    assert!(stage.is_frozen("one"));
}

#[test]
fn two_daemons_watch_side_by_side() {
    let (mut left, mut right) = (stage(), stage());
    let (first, second) = (left.watching(), right.watching());
    depart(&mut left, &first, "one");
    wait_until("a freeze", || left.is_frozen("one"));
    assert_eq!(second.of("finding"), Vec::<Value>::new());
    depart(&mut right, &second, "one");
    wait_until("a freeze", || right.is_frozen("one"));
    assert_eq!(first.of("watched").len(), 1);
}

#[test]
fn surplus_sandboxes_are_loudly_unwatched_until_there_is_room() {
    let stage = stage();
    stage.configure_with(&stage.rule("*", ""), "limits: { sandboxes: 1 }\n");
    let daemon = stage.watching();
    stage.make("one");
    daemon.await_watched(&stage.path("one"));
    stage.make("two");
    let report = daemon.await_one("unwatched", |report| report["sandbox"].is_null());
    let text = report["text"].as_str().unwrap();
    assert!(text.contains("two is NOT watched: all 1 sandboxes"), "{text}");
    assert!(daemon.counts("picket_sandboxes_unwatched 1"));
    assert_eq!(daemon.get("/readyz").0, 200);
    stage.remove("one");
    daemon.await_watched(&stage.path("two"));
    assert!(daemon.counts("picket_sandboxes_unwatched 0"));
}

#[test]
fn what_is_below_a_watched_cgroup_belongs_to_it() {
    let mut stage = stage();
    stage.configure(&stage.rule("**", ""));
    // Made before anybody watched: adopted when the outermost is joined, not by the kernel.
    stage.make("old");
    stage.make("old/older");
    let daemon = stage.watching();
    let home = daemon.of("watched");
    assert_eq!(home.len(), 1, "the outermost match wins: {home:?}");
    stage.make("old/older/new");
    for name in ["old/older", "old/older/new"] {
        let seen = daemon.of("finding").len();
        stage.enter(name, &format!("cat secret; cat {name}; {LINGER}"));
        daemon.await_count("finding", seen + 1);
    }
    assert!(daemon.of("finding").iter().all(|finding| finding["sandbox"] == home[0]["sandbox"]));
    assert_eq!(daemon.of("watched").len(), 1);
}

#[test]
fn whoever_is_moved_into_a_running_sandbox_is_a_finding() {
    let mut stage = stage();
    let daemon = stage.watching();
    let sandbox = at_work(&mut stage, &daemon, "one");
    assert_eq!(daemon.of("finding"), Vec::<Value>::new());
    stage.enter("one", LINGER);
    let finding = daemon.await_about("finding", &sandbox);
    assert_eq!(finding["reason"], "entered_from_outside", "{finding}");
}
