//! What is suggested of made-up baselines, read back by other means than it was written with.

mod changed;
mod policy;
mod profile;

use picket_engine::{
    baseline::{Acceptance, Baseline, Run, RunId},
    learned::PluginTime,
};

use proptest::prelude::*;

use super::*;
use crate::baseline::testing::identity;

/// A baseline of one run with these deeds.
fn entry(deeds: &[(Family, &str)]) -> Entry {
    let identity = identity("weather");
    let mut run = Run::new(1_700_000_000, PluginTime::from_millis(1000), true, 1);
    deeds.iter().for_each(|(family, template)| run.count(*family, template, 1));
    let mut baseline = Baseline::new(identity.subject());
    baseline.learn(RunId([1; 16]), &run);
    Entry { identity, baseline }
}

fn accept(entry: &mut Entry, family: Family, template: &str) {
    let text = str::to_owned;
    let (template, by, reason) = (text(template), text("root"), text("known"));
    entry.baseline.accept(Acceptance { at: 1, family, template, by, reason });
}

fn source(entry: &Entry) -> Source<'_> {
    Source { entry, missing: Vec::new() }
}

fn left(suggestion: &Suggestion) -> Vec<&str> {
    suggestion.left.iter().map(|left| left.what.as_str()).collect()
}

#[test]
fn what_is_not_known_well_enough_says_so_with_each_condition_once() {
    let entry = entry(&[]);
    let missing = vec![Condition::NewInNextRun, Condition::Days, Condition::NewInNextRun];
    let warning = Source { entry: &entry, missing }.warning().unwrap();
    assert!(warning.contains("(days, new_in_next_run missing; "), "{warning}");
    assert_eq!(source(&entry).warning(), None);
}

/// Words as hostile as an imported file can have.
fn any_template() -> impl Strategy<Value = (Family, String)> {
    let family = prop::sample::select(Family::ALL);
    let begin = prop::sample::select(
        &[
            "",
            "/",
            "read /",
            "write /a/",
            "map ?",
            "rename /x",
            "connect ",
            "bind 10.0.0.0/24 tcp ",
            "socket ",
            "ia32 ",
            "syscall ",
            "/a by /",
            "namespaces ",
        ][..],
    );
    let text = prop_oneof![
        "[a*\\\\/ .]{0,8}",
        any::<String>(),
        "[\n\r\"'#:{},\u{2028}\u{85}-]{0,6}",
        "[0-9]{1,5}"
    ];
    let end = prop::sample::select(&["", " refused", "/24 tcp 443", "\u{2028}exec:"][..]);
    (family, begin, text, end)
        .prop_map(|(family, begin, text, end)| (family, format!("{begin}{text}{end}")))
}

const MANIFEST: &str =
    "version: 1\nplugin: { name: weather, version: 1 }\nfiles: { read: [/a/*] }\n";

proptest! {
    #[test]
    fn no_words_of_a_baseline_make_a_suggestion_say_something_else(
        learned in prop::collection::vec(any_template(), 0..12),
        accepted in prop::collection::vec(any_template(), 0..6),
    ) {
        let deeds: Vec<_> = learned.iter().map(|(family, text)| (*family, text.as_str())).collect();
        let mut entry = entry(&deeds);
        accepted.iter().for_each(|(family, text)| accept(&mut entry, *family, text));
        let source = source(&entry);
        let profile = seccomp::profile(&source, None).unwrap().text;
        let profile: serde_json::Value = serde_json::from_str(&profile).unwrap();
        let groups = profile["syscalls"].as_array().unwrap().iter();
        let mut names = groups.flat_map(|group| group["names"].as_array().unwrap());
        prop_assert!(names.all(|name| crate::manifest::syscalls::number(name.as_str().unwrap()).is_some()));
        let policy = network_policy::policy(&source, None, &Default::default()).unwrap().text;
        let policy: serde_json::Value = serde_saphyr::from_str(&policy).unwrap();
        let keys: Vec<&String> = policy.as_object().unwrap().keys().collect();
        prop_assert_eq!(keys, ["apiVersion", "kind", "metadata", "spec"]);
        let manifest = crate::manifest::Manifest::parse("m", MANIFEST.as_bytes()).unwrap();
        let patched = manifest::patched(&source, &manifest).unwrap().text;
        let patched = crate::manifest::Manifest::parse("m", patched.as_bytes()).unwrap();
        let left = manifest::compare(&source, &patched).unwrap();
        prop_assert!(left.undeclared.iter().all(|one| one.grants.is_err()), "{:?}", left.undeclared);
    }
}
