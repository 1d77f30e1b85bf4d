use std::format;

use crate::testing::*;
use crate::*;

const CANARY: &str = "/canary-4711";

/// Facts and effects whose every text, and every byte of an address, is a canary.
fn canaries() -> [Fact; 4] {
    [
        read(CANARY),
        exec(CANARY, &[CANARY, CANARY]),
        exec_script(CANARY, CANARY, &[CANARY]),
        connect("203.0.113.47", 4711),
    ]
}

#[test]
fn nothing_that_prints_an_input_or_an_effect_shows_words_of_the_watched_code() {
    // Text, the same as a list of bytes, and the address.
    let bytes = format!("{:?}", CANARY.as_bytes());
    let needles = ["canary", "4711", "203.0.113", &bytes[1..20]];
    for fact in canaries() {
        let mut bench = Bench::running(declared());
        let input = event(ms(20), fact);
        let printed = format!("{input:?} {input:#?}");
        bench.tell(input);
        let revealed = bench.findings().next().unwrap().evidence.reveal();
        let printed = format!("{printed} {:?} {:#?} {revealed:?}", bench.effects, bench.effects);
        let printed = format!("{printed} {:?} {:#?}", revealed.done, revealed.done);
        for needle in needles {
            assert!(!printed.contains(needle), "{needle} in {printed}");
        }
    }
}

#[test]
fn a_debugged_path_or_argument_list_says_only_how_long_it_is() {
    let argv = ObservedArgv { bytes: CANARY.into(), complete: false };
    assert_eq!(format!("{:?}", resolved(CANARY)), "Resolved(12 bytes, redacted)");
    assert_eq!(format!("{argv:?}"), "ObservedArgv(12 bytes, incomplete, redacted)");
}

#[test]
fn revealed_evidence_is_the_deed_and_what_was_declared_instead() {
    let policy = declared();
    let rule = policy.files[0].clone();
    let mut bench = Bench::running(policy);
    bench.tell(event(ms(20), open("/data/x", AccessSet::WRITE)));
    let revealed = bench.findings().next().unwrap().evidence.reveal();
    assert_eq!(revealed.done, Deed::Fact(open("/data/x", AccessSet::WRITE)));
    assert_eq!(revealed.declared, Declared::Files(rule));
}

#[test]
fn evidence_is_bounded_and_cut_arguments_are_not_called_complete() {
    let long = format!("/{}", "x".repeat(10_000));
    let mut bench = Bench::running(declared());
    bench.tell(event(ms(20), exec_script(&long, &long, &[&long])));
    let revealed = bench.findings().next().unwrap().evidence.reveal();
    let Deed::Fact(Fact::Exec { path: ObservedPath::Resolved(path), script, argv, .. }) =
        &revealed.done
    else {
        panic!("not an exec");
    };
    let lengths = [path.len(), script.as_ref().unwrap().len(), argv.bytes.len()];
    assert_eq!(lengths, [Deed::MAX_BYTES; 3]);
    assert!(!argv.complete);
}

#[test]
fn labels_are_plain_copies_without_anything_borrowed_or_owned() {
    const fn exportable<T: Copy + Ord + 'static>() {}
    exportable::<FindingLabels>();
    assert!(!core::mem::needs_drop::<FindingLabels>());
    assert_eq!(size_of::<FindingLabels>(), 3);
}
