//! What was learned of a plugin judges the runs that the daemon watches.

use std::time::{SystemTime, UNIX_EPOCH};

use libc::SIGTERM;
use picket::baseline::Store;
use picket_engine::baseline::{Baseline, Run};
use picket_tests::runs::{calm, moved, run_id};
use picket_tests::{picket, wait_until};
use serde_json::Value;

use super::super::plugin::LINGER;
use super::learning::{baseline, counts, run, stage, status};
use super::{Daemon, Stage};

const DAY: u64 = 86_400;
/// Runs that are made of those that were watched.
const LEARNED: u64 = 45;
/// Runs a day that calibrate it: enough for each quarter of a day.
const PER_DAY: u64 = 400;
const CALIBRATED_DAYS: u64 = 29;

/// What it always does, and what it declared and never did.
const USUAL: &str = "cat declared";
const NOVEL: &str = "cat declared; sleep 0";

/// A stage whose plugin was watched by a daemon, and of which that time is then said to have been long: the watched runs
/// over weeks, and weeks of calm ones after them, until a day ago.
fn certified(budgets: &str) -> Stage {
    let mut stage = stage(budgets);
    let mut daemon = stage.watching();
    for name in ["one", "two", "three"] {
        run(&mut stage, &daemon, name, USUAL);
    }
    wait_until("three runs", || counts(&stage, &daemon, "learned", 3));
    assert_eq!(daemon.end(SIGTERM), Some(0));
    let mut store = Store::open(&stage.plugin.path("b.db")).unwrap();
    let entry = store.list().unwrap().remove(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let calibrated = now - (CALIBRATED_DAYS + 1) * DAY;
    let aged = |known: &mut Baseline| {
        let runs: Vec<Run> = entry.baseline.usable().cloned().collect();
        let mut old = Baseline::new(entry.identity.subject());
        for (number, run) in (0..LEARNED).zip(runs.iter().cycle()) {
            let began = calibrated - (LEARNED - number) * DAY / 2;
            old.learn(run_id(number), &moved(run, began));
        }
        *known = old;
    };
    store.change(&entry.identity, aged).unwrap();
    calm(&mut store, &entry.identity, calibrated, CALIBRATED_DAYS, PER_DAY, now - DAY / 2);
    stage
}

fn findings(daemon: &Daemon) -> Vec<Value> {
    daemon.of("finding")
}

/// What is told of a run that does what none did before, and goes on.
#[track_caller]
fn odd(stage: &mut Stage, daemon: &Daemon, action: &str) -> Value {
    stage.make("odd");
    let sandbox = daemon.await_watched(&stage.path("odd"));
    stage.enter("odd", &format!("{NOVEL}; {LINGER}"));
    let finding = daemon.await_about("finding", &sandbox);
    assert_eq!(
        (&finding["reason"], &finding["action"]),
        (&"anomalous_behaviour".into(), &action.into())
    );
    finding
}

/// What `picket status` says of the plugin's evidence.
fn evidence(stage: &Stage) -> Value {
    status(stage).0["plugins"][0]["evidence"].clone()
}

#[test]
fn a_run_that_is_more_unusual_than_its_budget_allows_is_frozen_with_the_deeds_that_say_so() {
    let mut stage = certified("{ contain: 1 per 1 plugin-day }");
    let daemon = stage.watching();
    for name in ["usual1", "usual2"] {
        run(&mut stage, &daemon, name, USUAL);
    }
    assert_eq!(findings(&daemon), Vec::<Value>::new());
    let finding = odd(&mut stage, &daemon, "freeze");
    let text = finding["deed"].as_str().unwrap();
    for word in [
        "by novelty: exec ",
        "/sleep (new, ",
        "% of the budget, at most one false action per 1 plugin-days",
    ] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    wait_until("a freeze", || stage.is_frozen("odd"));
    wait_until("a suspension", || evidence(&stage)["standing"] == "suspended");
    let page = status(&stage).1;
    assert!(page.contains("SUSPENDED since it contained: picket baseline rule "), "{page}");
    // What comes after it is no evidence until a person says what it was.
    run(&mut stage, &daemon, "again", NOVEL);
    assert_eq!(findings(&daemon).len(), 1);
    let key = baseline(&stage, &["list"])[0]["key"].as_str().unwrap().to_owned();
    let ruled = baseline(&stage, &["rule", &key, "deserved", "--reason", "somebody else's script"]);
    assert_eq!((&ruled[0]["event"], &ruled[0]["ruling"]), (&"ruled".into(), &"deserved".into()));
    run(&mut stage, &daemon, "after", USUAL);
    wait_until("evidence again", || evidence(&stage)["standing"] == "active");
    assert!(stage.is_frozen("odd"), "a ruling thaws nobody");
}

#[test]
fn without_a_budget_to_contain_evidence_only_alerts() {
    let mut stage = certified("{ alert: 1 per 1 plugin-day }");
    let daemon = stage.watching();
    odd(&mut stage, &daemon, "alert");
    wait_until("evidence that may act", || evidence(&stage)["standing"] == "active");
    assert!(!stage.is_frozen("odd"));
    assert_eq!(daemon.of("contain"), Vec::<Value>::new());
}

#[test]
fn a_ruling_without_a_containment_or_a_reason_is_refused() {
    let stage = certified("{ contain: 1 per 30 plugin-days }");
    let key = baseline(&stage, &["list"])[0]["key"].as_str().unwrap().to_owned();
    let refused = |words: &[&str]| {
        let store = stage.plugin.path("b.db");
        let output = picket()
            .args(["baseline", "rule", &key])
            .args(words)
            .arg("--store")
            .arg(store)
            .output();
        let output = output.unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let told = refused(&["benign", "--reason", "nothing"]);
    assert!(told.contains("there is no evidence of it, so nothing was contained by it"), "{told}");
    let told = refused(&["benign", "--reason", " "]);
    assert!(told.contains("--reason: write what it was"), "{told}");
}
