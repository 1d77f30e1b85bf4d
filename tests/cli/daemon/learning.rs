//! Baselines are learned from what the daemon watches.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use libc::SIGTERM;
use picket_tests::{picket, wait_until};
use serde_json::Value;

use super::super::plugin::Plugin;
use super::{Daemon, Stage, at_work, depart};

const ARTIFACT: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Learns the stage's plugin, with these budgets.
pub(super) fn stage(budgets: &str) -> Stage {
    let plugin = Plugin::new().held().declares("files: { read: [DIRECTORY/declared] }");
    plugin.write("declared", "1");
    let stage = Stage::new(plugin);
    let (store, name) = (stage.plugin.path("b.db"), stage.plugin.name().to_owned());
    let learn = format!(
        "baselines:\n  store: {}\n  deployment: here\n  budgets: {budgets}\n  learn: [{{ plugin: {name}, artifact: \"{ARTIFACT}\" }}]\n",
        store.display()
    );
    stage.configure_with(&stage.rule("*", ""), &learn);
    stage
}

/// A whole run of this script, from an empty cgroup to one that is gone.
pub(super) fn run(stage: &mut Stage, daemon: &Daemon, name: &str, script: &str) {
    stage.make(name);
    let sandbox = daemon.await_watched(&stage.path(name));
    stage.enter(name, script);
    daemon.await_about("running", &sandbox);
    stage.remove(name);
    daemon.await_about("forgotten", &sandbox);
}

/// How many runs of the stage's plugin came to this.
pub(super) fn counts(stage: &Stage, daemon: &Daemon, outcome: &str, runs: usize) -> bool {
    let plugin = stage.plugin.name();
    let series = "picket_baseline_runs_total";
    daemon.counts(&format!("{series}{{outcome=\"{outcome}\",plugin=\"{plugin}\"}} {runs}"))
}

/// `picket baseline …`: each line of its JSON.
#[track_caller]
pub(super) fn baseline(stage: &Stage, words: &[&str]) -> Vec<Value> {
    let mut command = picket();
    command.arg("baseline").args(words).args(["--output", "json", "--store"]);
    let output = command.arg(stage.plugin.path("b.db")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `picket status` says of learning: as JSON, and for people.
pub(super) fn status(stage: &Stage) -> (Value, String) {
    let said = |words: &[&str]| {
        let mut command = picket();
        command.arg("status").args(words).env("PICKET_API", stage.plugin.path("picket.sock"));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let all: Value = serde_json::from_str(&said(&["--output", "json"])).unwrap();
    (all["learning"].clone(), said(&[]))
}

#[test]
fn runs_that_are_watched_are_learned_with_what_they_did() {
    let mut stage = stage("{}");
    let daemon = stage.watching();
    for name in ["one", "two", "three"] {
        run(&mut stage, &daemon, name, "cat declared");
    }
    wait_until("three runs", || counts(&stage, &daemon, "learned", 3));
    assert_eq!(daemon.of("finding"), Vec::<Value>::new());
    let list = baseline(&stage, &["list"]);
    assert_eq!((list.len(), &list[0]["runs"]), (1, &3.into()), "{list:?}");
    assert_eq!(list[0]["plugin"], stage.plugin.name());
    assert_eq!((&list[0]["artifact"], &list[0]["deployment"]), (&ARTIFACT.into(), &"here".into()));
    let shown = baseline(&stage, &["show", list[0]["key"].as_str().unwrap()]);
    assert_eq!((&shown[0]["runs"], &shown[0]["usable"]), (&3.into(), &3.into()), "{shown:?}");
    for (family, end) in [("exec", "/usr/bin/cat"), ("path", "/.tmp*/*")] {
        let ends = |line: &Value| line["template"].as_str().is_some_and(|text| text.ends_with(end));
        let found = shown.iter().any(|line| line["family"] == family && ends(line));
        assert!(found, "no {end} in {shown:?}");
    }
    // The same as a recorded run would have: a start was seen.
    let (learning, page) = status(&stage);
    let plugin = &learning["plugins"][0];
    assert_eq!((&plugin["runs"], &plugin["ready"]), (&3.into(), &false.into()), "{learning}");
    assert_eq!(plugin["missing"], serde_json::json!(["days", "runs"]), "{learning}");
    assert!(page.contains(": 3 runs, missing days, runs; picket baseline status "), "{page}");
}

#[test]
fn a_plugin_without_an_artifact_is_said_once_and_nothing_is_learned_of_it() {
    let mut stage = stage("{}");
    let manifest = stage.plugin.manifest();
    stage.write("other.yaml", manifest.replace(stage.plugin.name(), "nobodys"));
    let config = fs::read_to_string(stage.plugin.path("picket.yaml")).unwrap();
    let rule = stage.rule("other*", "").replace("manifest.yaml", "other.yaml");
    stage.write("picket.yaml", config.replace("sandboxes:\n", &format!("sandboxes:\n{rule}")));
    let daemon = stage.watching();
    for name in ["other1", "other2"] {
        run(&mut stage, &daemon, name, "cat declared");
    }
    stage.make("other3");
    daemon.await_watched(&stage.path("other3"));
    let said = daemon.of("not_learned");
    assert_eq!(said.len(), 1, "{said:?}");
    let text = said[0]["text"].as_str().unwrap();
    assert!(text.starts_with("nobodys: nothing is learned of it"), "{text}");
    assert!(text.contains("add `- { plugin: nobodys, artifact:"), "{text}");
    let (learning, page) = status(&stage);
    assert_eq!(learning["not_learned"], serde_json::json!(["nobodys"]));
    assert!(page.contains("nobodys: not learned: no artifact is named"), "{page}");
    assert_eq!(baseline(&stage, &["list"]), Vec::<Value>::new());
}

#[test]
fn what_was_contained_teaches_nothing() {
    let mut stage = stage("{}");
    let daemon = stage.watching();
    depart(&mut stage, &daemon, "one");
    wait_until("a freeze", || stage.is_frozen("one"));
    fs::write(stage.place("one").join("cgroup.kill"), "1").unwrap();
    stage.remove("one");
    wait_until("a run of no use", || counts(&stage, &daemon, "unusable", 1));
    let list = baseline(&stage, &["list"]);
    let shown = baseline(&stage, &["show", list[0]["key"].as_str().unwrap()]);
    assert_eq!(shown[0]["usable"], 0);
    assert!(shown.iter().all(|line| line["event"] != "deed"), "{shown:?}");
}

#[test]
fn what_runs_when_picket_ends_is_stored_as_what_was_seen_of_it() {
    let mut stage = stage("{}");
    let mut daemon = stage.watching();
    at_work(&mut stage, &daemon, "one");
    assert_eq!(daemon.end(SIGTERM), Some(0));
    let list = baseline(&stage, &["list"]);
    assert_eq!(list[0]["runs"], 1, "{list:?}");
    // The next one finds it at work: another run, whose start was not seen.
    let mut next = stage.watching();
    let sandbox = next.await_watched(&stage.path("one"));
    next.await_about("found", &sandbox);
    assert_eq!(next.end(SIGTERM), Some(0));
    assert_eq!(baseline(&stage, &["list"])[0]["runs"], 2);
}

#[test]
fn a_store_that_is_damaged_is_said_and_left_alone_and_the_offender_is_frozen_all_the_same() {
    let mut stage = stage("{}");
    let rubbish =
        "no database, and as long as the head of one, which is a hundred bytes or a little more.";
    let store = stage.plugin.write("b.db", rubbish);
    fs::set_permissions(&store, Permissions::from_mode(0o600)).unwrap();
    let daemon = stage.watching();
    let said = daemon.await_one("not_learned", |_| true);
    assert!(said["text"].as_str().unwrap().contains("move it away"), "{said}");
    depart(&mut stage, &daemon, "one");
    wait_until("a freeze", || stage.is_frozen("one"));
    assert!(daemon.counts("picket_baseline_store_usable 0"));
    assert!(status(&stage).0["trouble"].as_str().unwrap().contains("is damaged"));
    assert_eq!(fs::read_to_string(&store).unwrap(), rubbish);
    assert_eq!(daemon.of("not_learned").len(), 1);
}

#[test]
fn another_manifest_is_another_baseline_also_of_what_runs_already() {
    let mut stage = stage("{}");
    let daemon = stage.watching();
    at_work(&mut stage, &daemon, "one");
    stage.write("manifest.yaml", stage.plugin.manifest().replace("max: 16", "max: 17"));
    daemon.await_count("reloaded", 1);
    wait_until("the former run", || counts(&stage, &daemon, "learned", 1));
    let executed = || daemon.reads("picket_events_total{event=\"exec\"}").unwrap_or(0.0);
    let before = executed();
    wait_until("it goes on", || before + 1.0 < executed());
    fs::write(stage.place("one").join("cgroup.kill"), "1").unwrap();
    stage.remove("one");
    wait_until("the next run", || counts(&stage, &daemon, "learned", 2));
    let list = baseline(&stage, &["list"]);
    assert_eq!((list.len(), &list[0]["runs"], &list[1]["runs"]), (2, &1.into(), &1.into()));
    // What it did before the change and goes on doing is known to the new one, too: the kernel side tells it again.
    let news = list.iter().filter(|one| {
        let shown = baseline(&stage, &["show", one["key"].as_str().unwrap()]);
        shown.iter().any(|line| line["family"] == "syscall" && line["template"] == "execve")
    });
    assert_eq!(news.count(), 2);
}
