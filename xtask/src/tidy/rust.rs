//! Rules for every Rust file: how long, how it opens, which words it may not contain.

use super::Report;
use super::tree::Tree;

const AIM: usize = 400;
const LIMIT: usize = 500;

/// Made, not written: nobody holds them in the head.
const GENERATED: [&str; 2] =
    ["sidecar/src/doctor/techniques/rows.rs", "sidecar/src/export/registry/names.rs"];

/// Small enough to hold in the head.
pub(super) fn sizes(tree: &Tree, report: &mut Report) {
    for file in tree.rust().filter(|file| !GENERATED.contains(&file.name.as_str())) {
        let n_lines = file.text().lines().count();
        if n_lines > LIMIT {
            report.broken(&file.name, n_lines, &format!("more than {LIMIT} lines; split it"));
        } else if n_lines > AIM {
            report.doubtful.push(format!("{}: {n_lines} lines, aim below {AIM}", file.name));
        }
    }
}

/// A module says what it answers. A sibling `tests.rs` answers what its module does.
pub(super) fn headers(tree: &Tree, report: &mut Report) {
    for file in tree.rust() {
        let is_tests = file.name.ends_with("/tests.rs");
        if !is_tests && !file.text().starts_with("//! ") {
            report.broken(&file.name, 1, "opens without `//!`: say what the module answers");
        }
    }
}

/// Words with a reason to be absent. Split, or this file would break its own rule.
const WORDS: [(&str, &str, &str); 5] = [
    (concat!("#[ig", "nore"), "", "a test that does not run proves nothing; let it fail by name"),
    (concat!("#[should", "_panic"), "", "compare the error instead"),
    (concat!("black", "_box("), BOUNDS, "belongs into ebpf/src/bounds.rs, as a named function"),
    (concat!("as", "m!("), BOUNDS, "belongs into ebpf/src/bounds.rs, as a named function"),
    (concat!("#[al", "low("), "", "use #[expect(lint, reason = \"...\")]"),
];
const BOUNDS: &str = "ebpf/src/bounds.rs";

pub(super) fn words(tree: &Tree, report: &mut Report) {
    for file in tree.rust() {
        for (number, line) in file.lines() {
            for (word, home, way_out) in WORDS {
                if file.name != home && line.contains(word) {
                    report.broken(&file.name, number, &format!("`{word}`: {way_out}"));
                }
            }
        }
    }
}

/// Who vouches that a word is the operator's: it may leave the node as it is.
const VOUCHERS: [&str; 4] = [
    "sidecar/src/config/",
    "sidecar/src/kubernetes/",
    // Of a manifest; and the node's own name.
    "sidecar/src/export/outgoing/subject.rs",
    "sidecar/src/manifest/",
];

/// Words of the watched code must not be taken for words of the operator. Tests may call anything a word.
pub(super) fn vouchers(tree: &Tree, report: &mut Report) {
    const MAKE: &str = concat!("Operator", "Word::new");
    for file in tree.rust().filter(|file| file.name.starts_with("sidecar/src/")) {
        let vouches = VOUCHERS.iter().any(|place| file.name.starts_with(place));
        if vouches || file.name.ends_with("/tests.rs") || file.name.contains("/tests/") {
            continue;
        }
        let tested = |(_, line): &(usize, &str)| !line.starts_with("#[cfg(test)]");
        for (number, line) in file.lines().take_while(tested) {
            if line.contains(MAKE) {
                let way_out = format!(
                    "`{MAKE}`: only files that read what an operator wrote may; see xtask/src/tidy/rust.rs"
                );
                report.broken(&file.name, number, &way_out);
            }
        }
    }
}

/// What is left for later is in the tracker, and the source says where.
pub(super) fn issue_numbers(tree: &Tree, report: &mut Report) {
    const LATER: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
    for file in tree.rust() {
        for (number, line) in file.lines() {
            let marked = LATER.iter().find_map(|word| line.split_once(word));
            if let Some((_, after)) = marked
                && !has_issue_number(after)
            {
                report.broken(&file.name, number, "for later, but without an issue: write (#41)");
            }
        }
    }
}

fn has_issue_number(after: &str) -> bool {
    let number = after.strip_prefix("(#").and_then(|rest| rest.split_once(')'));
    number
        .is_some_and(|(digits, _)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
