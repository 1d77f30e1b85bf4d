//! Seccomp profiles.

use std::collections::BTreeSet;

use picket_engine::{
    DANGER, SyscallSet,
    baseline::{Fault, Run, RunId},
    learned::PluginTime,
};
use proptest::prelude::*;
use serde_json::Value;

use super::{super::seccomp::profile, *};
use crate::manifest::syscalls;

/// The calls that a profile lets through, as a runtime would read it; all others must be refused with EPERM.
fn allowed(text: &str) -> BTreeSet<String> {
    let profile: Value = serde_json::from_str(text).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    assert_eq!(profile["defaultErrnoRet"], 1);
    assert_eq!(profile["architectures"], serde_json::json!(["SCMP_ARCH_X86_64"]));
    let mut names = BTreeSet::new();
    for group in profile["syscalls"].as_array().unwrap() {
        assert_eq!((&group["action"], &group["args"]), (&"SCMP_ACT_ALLOW".into(), &Value::Null));
        let of_group: Vec<_> = group["names"].as_array().unwrap().iter().collect();
        assert!(of_group.is_sorted_by_key(|name| name.as_str().unwrap()), "{of_group:?}");
        for name in of_group {
            assert!(names.insert(name.as_str().unwrap().to_owned()), "{name} twice");
        }
    }
    names
}

fn of(deeds: &[(Family, &str)]) -> Suggestion {
    profile(&source(&entry(deeds)), None).unwrap()
}

const CALL: Family = Family::Syscall;

#[test]
fn what_any_library_and_any_runtime_calls_is_let_through_in_groups_of_their_own() {
    let suggestion = of(&[(CALL, "257")]);
    let profile: Value = serde_json::from_str(&suggestion.text).unwrap();
    let groups = profile["syscalls"].as_array().unwrap();
    assert_eq!(groups[0]["names"], serde_json::json!(["openat"]));
    let says = |at: usize, word: &str| groups[at]["comment"].as_str().unwrap().contains(word);
    assert!(says(0, BEGINNING) && says(1, "@runtime") && says(2, "runc, crun"), "{groups:?}");
    let allowed = allowed(&suggestion.text);
    for name in ["rt_sigsuspend", "restart_syscall", "rt_sigreturn", "exit_group", "execve"] {
        assert!(allowed.contains(name), "{name}");
    }
    assert!(!allowed.contains("mkdir"));
}

#[test]
fn the_danger_set_is_let_through_only_where_a_person_accepted_or_a_manifest_declared_it() {
    let mut entry = entry(&[(CALL, "101"), (CALL, "0")]);
    let suggestion = profile(&source(&entry), None).unwrap();
    assert_eq!(left(&suggestion), ["ptrace"]);
    assert!(!allowed(&suggestion.text).contains("ptrace"));
    assert!(suggestion.text.contains("Seen and left out: ptrace"), "{}", suggestion.text);
    let declared = profile(&source(&entry), Some(SyscallSet::of(&[101]))).unwrap();
    assert!(allowed(&declared.text).contains("ptrace"));
    accept(&mut entry, CALL, "101");
    accept(&mut entry, CALL, "83");
    let accepted = profile(&source(&entry), None).unwrap();
    assert!(allowed(&accepted.text).is_superset(&["ptrace", "mkdir"].map(str::to_owned).into()));
    assert_eq!(left(&accepted), Vec::<&str>::new());
}

#[test]
fn calls_of_other_tables_and_calls_without_a_name_are_left_out_and_said() {
    let suggestion = of(&[(CALL, "ia32 83"), (CALL, "x32 1073741907"), (CALL, "4711")]);
    assert_eq!(left(&suggestion), ["4711", "ia32 83", "x32 1073741907"]);
    assert!(!allowed(&suggestion.text).contains("mkdir"), "83 is mkdir in the native table");
}

#[test]
fn a_call_that_was_always_refused_is_left_out_and_one_that_was_let_through_once_is_not() {
    let refused = (Family::Errno, "syscall 83 refused");
    let always = of(&[(CALL, "83"), refused]);
    assert_eq!((left(&always), allowed(&always.text).contains("mkdir")), (vec!["mkdir"], false));
    let identity = identity("weather");
    let mut run = Run::new(0, PluginTime::from_millis(1), true, 3);
    run.count(CALL, "83", 2);
    run.count(refused.0, refused.1, 1);
    let mut baseline = Baseline::new(identity.subject());
    baseline.learn(RunId([1; 16]), &run);
    let once = profile(&source(&Entry { identity, baseline }), None).unwrap();
    assert!(allowed(&once.text).contains("mkdir"));
}

#[test]
fn nothing_comes_of_a_family_that_is_full_and_of_a_baseline_without_a_run_of_use() {
    for full in [Family::Syscall, Family::Errno] {
        let mut one = entry(&[(CALL, "0")]);
        let mut run = Run::new(0, PluginTime::from_millis(1), true, 1);
        run.fill(full);
        one.baseline.learn(RunId([2; 16]), &run);
        let error = profile(&source(&one), None).unwrap_err();
        assert_eq!(error, SuggestError::Full { family: full });
        assert!(error.to_string().contains("learn anew"), "{error}");
    }
    let mut useless = Run::new(0, PluginTime::from_millis(1), true, 1);
    useless.fail(Fault::Lost, 1);
    let identity = identity("weather");
    let mut baseline = Baseline::new(identity.subject());
    baseline.learn(RunId([1; 16]), &useless);
    let error = profile(&source(&Entry { identity, baseline }), None).unwrap_err();
    assert_eq!(error, SuggestError::Nothing);
}

proptest! {
    #[test]
    fn every_learned_call_is_let_through_but_for_the_danger_set(
        numbers in prop::collection::btree_set(0_u32..500, 0..40),
    ) {
        let deeds: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let deeds: Vec<_> = deeds.iter().map(|call| (CALL, call.as_str())).collect();
        let suggestion = of(&deeds);
        let allowed = allowed(&suggestion.text);
        let nothing = allowed_of_nothing();
        for number in 0..500 {
            let Some(name) = syscalls::name(number) else { continue };
            let learned = numbers.contains(&number) && !DANGER.contains(number);
            prop_assert_eq!(allowed.contains(name), learned || nothing.contains(name), "{}", name);
        }
        prop_assert_eq!(&of(&deeds).text, &suggestion.text);
    }
}

/// What a profile lets through in any case.
fn allowed_of_nothing() -> BTreeSet<String> {
    let nothing = allowed(&of(&[(CALL, "0")]).text);
    assert!(nothing.iter().all(|name| !DANGER.contains(syscalls::number(name).unwrap().into())));
    nothing
}
