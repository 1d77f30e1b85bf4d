//! Whose runs are learned from: what is accepted, and what is said of the rest.

use std::path::Path;

use super::{Digest, Files, LEAST, PLUGIN};

const ARTIFACT: &str =
    "artifact: 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'";

fn files(baselines: &str) -> Files {
    let text = format!("{LEAST}baselines:\n{baselines}\n");
    Files::new(&[("picket.yaml", &text), ("p.yaml", PLUGIN)])
}

fn learn(entry: &str) -> Files {
    files(&format!("  learn: [{{ {entry} }}]"))
}

#[test]
fn nothing_is_learned_unless_it_is_said() {
    let files = Files::new(&[("picket.yaml", LEAST), ("p.yaml", PLUGIN)]);
    assert_eq!(files.load().unwrap().baselines, None);
}

#[test]
fn what_is_learned_has_the_documented_defaults_and_is_shown_as_the_same_again() {
    let files = learn(&format!("plugin: p, {ARTIFACT}"));
    let config = files.load().unwrap();
    let baselines = config.baselines.as_ref().unwrap();
    assert_eq!(baselines.store, Path::new("/var/lib/picket/baselines.db"));
    assert_eq!(baselines.deployment.as_str(), "default");
    let learned = baselines.learned("p").unwrap();
    assert_eq!((learned.artifact, learned.continuous), (Digest::of(b""), false));
    assert_eq!(baselines.learned("q"), None);
    let again = Files::new(&[("picket.yaml", &config.effective().to_string())]);
    assert_eq!(again.load().unwrap().baselines, config.baselines);
    let all = format!("plugin: p, {ARTIFACT}, continuous: true");
    let all = format!("  store: /a/b\n  deployment: edge/1\n  learn: [{{ {all} }}]");
    let files = self::files(&all);
    let config = files.load().unwrap();
    let again = Files::new(&[("picket.yaml", &config.effective().to_string())]);
    let again = again.load().unwrap().baselines.unwrap();
    assert_eq!((again.store.as_path(), again.deployment.as_str()), (Path::new("/a/b"), "edge/1"));
    assert!(again.learn[0].continuous);
}

#[test]
fn what_has_no_budget_does_not_act() {
    let entry = format!("  learn: [{{ plugin: p, {ARTIFACT} }}]");
    let with = |budgets: &str| files(&format!("{budgets}{entry}"));
    assert!(with("").load().unwrap().baselines.unwrap().budgets.rungs().is_empty());
    let files =
        with("  budgets: { alert: '1 per 7 plugin-days', contain: '1 per 30 plugin-days' }\n");
    let config = files.load().unwrap();
    let budgets = config.baselines.as_ref().unwrap().budgets;
    assert_eq!(budgets.alert.unwrap().time().whole_days(), 7);
    assert_eq!(budgets.contain.unwrap().time().whole_days(), 30);
    let again = Files::new(&[("picket.yaml", &config.effective().to_string())]);
    assert_eq!(again.load().unwrap().baselines, config.baselines);
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_place_and_the_way_out() {
    let check = |files: Files, complaint: &str| {
        let found = files.complaint();
        assert!(found.contains(complaint), "no {complaint:?} in {found}");
    };
    let entry = format!("plugin: p, {ARTIFACT}");
    check(
        learn(&format!("plugin: q, {ARTIFACT}")),
        "picket.yaml:4:21: no manifest is of a plugin `q`",
    );
    check(learn(&format!("plugin: q, {ARTIFACT}")), "known are p");
    check(learn("plugin: p"), "sha256sum FILE");
    check(learn("plugin: p, artifact: 12"), "sha256sum FILE");
    check(learn(&format!("{entry}, continuous: often")), "`often` is not true or false");
    check(files("  learn: []"), "name 1 to 256 whose runs you trust");
    check(files("  store: /a/b"), "name the plugins whose runs you trust");
    let two = format!("  learn: [{{ {entry} }}, {{ {entry} }}]");
    check(files(&two), "a plugin `p` is already declared in line 4");
    let with = |more: &str| files(&format!("  {more}\n  learn: [{{ {entry} }}]"));
    check(with("store: b.db"), "`b.db` is no absolute path of a file");
    check(with("deployment: 'a b'"), "is no name of a deployment");
    check(with("budgets: { contain: '30 days' }"), "such as '1 per 30 plugin-days'");
    check(with("budgets: { contain: '1 per 0 plugin-days' }"), "write at least 1");
    check(
        with("budgets: { alert: '1 per 1000000000000 plugin-days' }"),
        "is beyond 1000000: leave the step out",
    );
    check(with("budgets: { kill: '1 per 30 plugin-days' }"), "kill");
}
