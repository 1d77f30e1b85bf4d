//! Manifests that are changed to fit.

use super::{
    super::manifest::{ManifestError, patched},
    *,
};
use crate::manifest::Manifest;

const TEXT: &str = "\
version: 1
plugin: { name: weather, version: 1 }
exec: [{ path: /opt/x }, { path: /opt/never }]
files: { read: [/never/*] }
";

fn manifest() -> Manifest {
    Manifest::parse("m.yaml", TEXT.as_bytes()).unwrap()
}

#[test]
fn what_is_left_to_a_person_stands_at_the_top_and_what_one_accepted_is_declared() {
    let mut entry = entry(&[(Family::Exec, "/opt/x"), (Family::Syscall, "101")]);
    accept(&mut entry, Family::Syscall, "83");
    accept(&mut entry, Family::Exec, "/tmp/tool");
    let suggestion = patched(&source(&entry), &manifest()).unwrap();
    assert_eq!(left(&suggestion), ["syscall:ptrace"]);
    let (comments, text): (Vec<_>, Vec<_>) =
        suggestion.text.lines().partition(|line| line.starts_with("# "));
    assert!(comments[0].starts_with(&format!("# {BEGINNING} from the baseline ")), "{comments:?}");
    assert!(comments.iter().any(|line| line.contains("left out: syscall:ptrace: dangerous")));
    let expected = [
        "version: 1",
        "plugin: { name: weather, version: 1 }",
        "exec: [{ path: /opt/x }, { path: /tmp/tool }]",
        "syscalls:",
        "  allow:",
        "    - mkdir  # accepted by a person",
    ];
    assert_eq!(text, expected);
}

#[test]
fn rules_of_a_full_family_stay_as_they_are_and_that_is_said() {
    let mut entry = entry(&[(Family::Exec, "/opt/x")]);
    let mut run = Run::new(0, PluginTime::from_millis(1), true, 1);
    run.fill(Family::Path);
    entry.baseline.learn(RunId([2; 16]), &run);
    let suggestion = patched(&source(&entry), &manifest()).unwrap();
    assert!(suggestion.text.contains("files: { read: [/never/*] }"), "{}", suggestion.text);
    assert!(!suggestion.text.contains("/opt/never"));
    assert_eq!(left(&suggestion), ["path"]);
    assert!(suggestion.text.contains("left out: path: is full"), "{}", suggestion.text);
}

#[test]
fn nothing_is_changed_by_a_baseline_without_a_run_of_use() {
    let identity = identity("weather");
    let baseline = Baseline::new(identity.subject());
    let error = patched(&source(&Entry { identity, baseline }), &manifest()).unwrap_err();
    assert!(matches!(error, ManifestError::Suggest(SuggestError::Nothing)), "{error}");
}
