use super::tree::File;
use super::*;

const NONE: [String; 0] = [];

/// What a check says about a tree of these files.
fn broken(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    let files = files
        .iter()
        .map(|(name, text)| File { name: (*name).to_owned(), bytes: text.as_bytes().to_vec() })
        .collect();
    let mut report = Report::default();
    check(&Tree { files }, &mut report);
    report.broken
}

/// A rule must hold for `good` and find the one fault in `bad`.
#[track_caller]
fn check(rule: Check, good: &[(&str, &str)], bad: &[(&str, &str)], complaint: &str) {
    assert_eq!(broken(rule, good), Vec::<String>::new());
    let found = broken(rule, bad);
    assert!(matches!(found.as_slice(), [one] if one.contains(complaint)), "{found:?}");
}

#[test]
fn the_repository_is_tidy() {
    if let Err(failure) = super::check() {
        panic!("{failure}");
    }
}

#[test]
fn a_file_above_the_limit_is_found() {
    let (long, longer) = ("x\n".repeat(500), "x\n".repeat(501));
    check(rust::sizes, &[("a.rs", &long)], &[("a.rs", &longer)], "a.rs:501: more than 500");
}

#[test]
fn a_generated_file_may_be_long() {
    let long = "x\n".repeat(501);
    assert_eq!(broken(rust::sizes, &[("sidecar/src/export/registry/names.rs", &long)]), NONE);
}

#[test]
fn a_word_that_nobody_may_vouch_for_is_found() {
    let text = concat!("//! A.\nlet word = Operator", "Word::new(&path);\n");
    let tested = text.replace("//! A.", "#[cfg(test)]");
    let good = [
        ("sidecar/src/config/check.rs", text),
        ("sidecar/src/export/metrics/tests.rs", text),
        ("sidecar/src/export/metrics.rs", &tested),
    ];
    check(rust::vouchers, &good, &[("sidecar/src/watch/turn.rs", text)], "turn.rs:2");
    // Under another name it would not be seen.
    let renamed = concat!("//! A.\nwords.map(Operator", "Word::new);\n");
    check(rust::vouchers, &good, &[("sidecar/src/watch/turn.rs", renamed)], "turn.rs:2");
}

#[test]
fn a_module_that_does_not_say_what_it_answers_is_found() {
    let good = [("a.rs", "//! Answers.\n"), ("a/tests.rs", "use super::*;\n")];
    check(rust::headers, &good, &[("a.rs", "use std::fs;\n")], "a.rs:1: opens without");
}

#[test]
fn a_test_that_is_told_not_to_run_is_found() {
    let bad = concat!("#[test]\n#[ig", "nore = \"slow\"]\nfn a() {}\n");
    check(rust::words, &[("a.rs", "#[test]\nfn a() {}\n")], &[("a.rs", bad)], "a.rs:2");
}

#[test]
fn inline_assembly_has_one_home() {
    let text = concat!("as", "m!(\"\");\n");
    check(rust::words, &[("ebpf/src/bounds.rs", text)], &[("ebpf/src/path.rs", text)], "bounds.rs");
}

#[test]
fn work_for_later_without_an_issue_is_found() {
    let good = concat!("// TO", "DO(#41): drop when 5.15 goes.\n");
    let bad = concat!("// TO", "DO: drop\n");
    check(rust::issue_numbers, &[("a.rs", good)], &[("a.rs", bad)], "a.rs:1");
}

#[test]
fn a_new_dependency_of_the_engine_is_found() {
    const NAME: &str = "sidecar/engine/Cargo.toml";
    let good = "[dependencies]\nipnet = { version = \"2\", default-features = false }\n\n[dev-dependencies]\nproptest.workspace = true\n";
    let bad = good.replace("ipnet", "rand");
    check(engine::dependencies, &[(NAME, good)], &[(NAME, &bad)], "`rand` is not on the list");
    let bad = good.replace(", default-features = false", "");
    check(engine::dependencies, &[(NAME, good)], &[(NAME, &bad)], "defaults bring std");
}

#[test]
fn an_engine_that_could_reach_the_standard_library_is_found() {
    const NAME: &str = "sidecar/engine/src/lib.rs";
    let good = "//! Judgement.\n#![no_std]\n#![forbid(unsafe_code)]\n";
    check(engine::purity, &[(NAME, good)], &[(NAME, &good.replace("#![no_std]\n", ""))], "no_std");
}

#[test]
fn a_hook_that_does_not_say_why_it_is_the_right_one_is_found() {
    const NAME: &str = "ebpf/src/hooks/connect.rs";
    let good = "//! Connects.\n//!\n//! Hook: `connect4`. Why here: all pass. Since: Linux 4.17.\n//! Emits: `Destination`.\n";
    check(
        hooks::headers,
        &[(NAME, good)],
        &[(NAME, &good.replace("Why here", "Reason"))],
        "Why here:",
    );
}

#[test]
fn an_entry_that_appeared_at_the_top_is_found() {
    let good = [("README.md", ""), (".ci/run", ""), ("LICENSE-MIT", "")];
    check(layout::top_level, &good, &[("scripts/go.sh", "")], "scripts");
}

#[test]
fn a_path_of_the_machine_it_was_written_on_is_found_in_text_and_binary() {
    let path = concat!("/wo", "rk/");
    let good = format!("net{path}hard, ./{path}x");
    let bad = format!("\u{7f}ELF\n\0{path}main");
    check(layout::machine_paths, &[("a.o", &good)], &[("a.o", &bad)], "a.o:2: names a path");
}

#[test]
fn a_promise_whose_link_or_test_is_gone_is_found() {
    const NAME: &str = "docs/SPECIFICATION.md";
    let source = ("tests/gate/main.rs", "#[test]\nfn nothing_runs_before_ready() {}\n");
    let good = "- [`nothing_runs_before_ready`](../tests/gate/main.rs)\n- [gate](../tests/gate)\n";
    let gone = good.replace("nothing_runs_before", "all_runs_before");
    check(documents::links, &[(NAME, good), source], &[(NAME, &gone), source], "no test `all_runs");
    let moved = good.replace("gate)", "door)");
    check(documents::links, &[(NAME, good), source], &[(NAME, &moved), source], "`../tests/door`");
}
