use std::io::BufReader;
use std::path::Path;

use picket_engine::baseline::{Acceptance, Family, Run, RunId};
use proptest::prelude::*;

use super::*;
use crate::baseline::testing::{any_package, identity, run_at};

fn text(package: &Package) -> Vec<u8> {
    let mut text = Vec::new();
    write(package, &mut text).unwrap();
    text
}

fn read(text: &[u8]) -> Result<Package, ExchangeError> {
    reader::read_from(Path::new("x.baselines"), BufReader::new(text))
}

/// One baseline of one run that executed one thing.
fn small() -> String {
    let mut package = Package::new();
    let mut entry = Entry::new(identity("weather"));
    let mut run = Run::new(7, picket_engine::learned::PluginTime::from_millis(9), true, 1);
    run.count(Family::Exec, "/bin/a", 2);
    entry.baseline.learn(RunId([1; 16]), &run);
    package.add(entry);
    String::from_utf8(text(&package)).unwrap()
}

/// The same text with one thing replaced and a digest that fits it.
fn changed(from: &str, to: &str) -> String {
    let small = small();
    assert!(small.contains(from), "{small}");
    let body = small.replacen(from, to, 1);
    let (body, _) = body.split_at(body.rfind("{\"end\"").unwrap());
    let digest = crate::trace::to_hex(&Sha256::digest(body));
    let lines = body.lines().count();
    format!("{body}{{\"end\":{{\"lines\":{lines},\"sha256\":\"{digest}\"}}}}\n")
}

#[track_caller]
fn check(text: &str, complaint: &str) {
    let error = read(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(complaint), "{error}");
}

proptest! {
    #[test]
    fn what_is_exported_is_what_is_read_and_the_same_bytes_again(package in any_package()) {
        let first = text(&package);
        let read = read(&first).unwrap();
        prop_assert_eq!(&read, &package);
        prop_assert_eq!(text(&read), first);
    }

    #[test]
    fn merging_files_is_commutative_associative_and_idempotent(
        a in any_package(), b in any_package(), c in any_package(),
    ) {
        let merged = |parts: &[&Package]| {
            let mut all = Package::new();
            parts.iter().for_each(|part| all.join(read(&text(part)).unwrap()));
            text(&all)
        };
        let all = merged(&[&a, &b, &c]);
        prop_assert_eq!(&merged(&[&c, &b, &a]), &all);
        let bc = read(&merged(&[&b, &c])).unwrap();
        prop_assert_eq!(&merged(&[&a, &bc]), &all);
        prop_assert_eq!(&merged(&[&a, &b, &c, &b, &a]), &all);
    }

    #[test]
    fn no_flipped_bit_passes(package in any_package(), at: prop::sample::Index, bit in 0..8) {
        let mut text = text(&package);
        let end = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let at = at.index(end.max(1));
        text[at] ^= 1_u8 << bit;
        prop_assert!(read(&text).is_err());
    }

    #[test]
    fn no_part_of_a_file_passes_for_the_whole(package in any_package(), at: prop::sample::Index) {
        let text = text(&package);
        let part = &text[..at.index(text.len())];
        prop_assert!(read(part).is_err());
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
        drop(read(&bytes));
        let mut text = small().into_bytes();
        text.truncate(text.iter().position(|byte| *byte == b'\n').unwrap() + 1);
        text.extend(bytes);
        prop_assert!(read(&text).is_err());
    }
}

/// Two runs of one plugin and what a person accepted, one of another.
fn several() -> Package {
    let mut package = Package::new();
    for plugin in ["weather", "mail"] {
        let mut entry = Entry::new(identity(plugin));
        entry.baseline.learn(RunId([1; 16]), &run_at(7));
        entry.baseline.learn(RunId([2; 16]), &run_at(8));
        let (by, reason) = ("ada".to_owned(), "looked \u{e4}t it".to_owned());
        let (family, template) = (Family::Exec, "/bin/a".to_owned());
        entry.baseline.accept(Acceptance { at: 9, family, template, by, reason });
        package.add(entry);
    }
    package
}

#[test]
fn every_flipped_bit_is_refused_with_its_place_or_changes_nothing() {
    let package = several();
    let whole = text(&package);
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let lines = whole.iter().filter(|byte| **byte == b'\n').count() as u64;
    let mut text = whole.clone();
    for place in 0..whole.len() {
        for bit in 0..8 {
            text[place] ^= 1 << bit;
            match read(&text) {
                Ok(read) => assert_eq!(read, package, "bit {bit} of byte {place}"),
                Err(ExchangeError::Corrupt { line, column, .. }) => {
                    assert!((1..=lines + 1).contains(&line) && 1 <= column, "{line}:{column}");
                }
                Err(ExchangeError::Foreign { .. } | ExchangeError::Newer { .. }) => {
                    assert!(place <= header, "bit {bit} of byte {place}");
                }
                // Without its end the last line is none.
                Err(ExchangeError::Truncated { .. }) => assert_eq!(place, whole.len() - 1),
                Err(error @ ExchangeError::Unreadable { .. }) => panic!("{error}"),
            }
            text[place] ^= 1 << bit;
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let whole = text(&several());
    for length in 0..whole.len() {
        let error = read(&whole[..length]).unwrap_err();
        let expected =
            matches!(error, ExchangeError::Foreign { .. } | ExchangeError::Truncated { .. });
        assert!(expected, "{length}: {error}");
    }
}

#[test]
fn a_file_that_says_what_no_export_can_is_refused_with_its_place() {
    assert!(read(changed("/bin/a", "/bin/b").as_bytes()).is_ok(), "the check itself is wrong");
    check(&changed("\"exec\"", "\"dance\""), "x.baselines:3:1: there is no family `dance`");
    check(&changed("\":2}", "\":0}"), "x.baselines:3:1: no run can be so");
    check(
        &changed("\"faults\":{}", "\"faults\":{\"lost\":1}"),
        "deeds of a run that teaches nothing",
    );
    check(&changed("\"facts\":1", "\"facts\":-1"), "x.baselines:3:");
    check(&changed("\"facts\":1", "\"facts\":NaN"), "x.baselines:3:");
    check(&changed("\"facts\":1", "\"more\":1"), "x.baselines:3:");
    check(&changed("weather", "we\\u001b[2Jather"), "is no name of a plugin");
    check(&changed("sha256:0", "sha256:x"), "x.baselines:2:1: ");
    check(&changed("\"id\":\"01", "\"id\":\"0"), "32 hexadecimal digits");
    let small = small();
    let lines: Vec<&str> = small.lines().collect();
    let twice = changed(lines[2], &format!("{0}\n{0}", lines[2]));
    check(&twice, "x.baselines:4:1: this run was there before");
    let twice = changed(lines[1], &format!("{0}\n{0}", lines[1]));
    check(&twice, "x.baselines:3:1: this baseline was there before");
    check(&changed(&format!("{}\n", lines[1]), ""), "x.baselines:2:1: nothing says whose");
    check(&format!("{small}more\n"), "something follows the end");
}

#[test]
fn a_file_that_is_something_else_newer_or_cut_off_is_named_as_that() {
    check("", "is no export of baselines; `picket baseline export` writes one");
    check("{\"picket_trace\":2}\n", "is no export of baselines");
    let newer = "{\"picket_baselines\":2,\"picket\":\"9.0\",\"what\":1}\n";
    check(newer, "has format 2, this Picket reads format 1: use Picket 9.0 or later");
    let small = small();
    let (start, _) = small.split_at(small.rfind("{\"end\"").unwrap());
    check(start, "breaks off after 3 lines");
}
