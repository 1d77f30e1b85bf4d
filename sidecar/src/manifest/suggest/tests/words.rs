//! Words of the watched code in the suggested text: they mean what they are, and end nothing.

use proptest::prelude::*;

use picket_engine::{Fact, ObservedArgv};

use super::{
    super::{Identity, suggest},
    exec, read, run, script, suggested, write,
};
use crate::manifest::Manifest;

/// Path components out of what could break a line, a quote, a comment or a pattern.
fn component() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => any::<u8>(),
        4 => prop::sample::select(b"\n\r\t #:-'\"\\*{}[],&!|>%@`~?=<".to_vec()),
        4 => prop::sample::select(b"abz059.ABZ_".to_vec()),
    ];
    let letters = prop_oneof![
        3 => prop::collection::vec(byte, 1..12),
        1 => "\\PC{1,6}".prop_map(String::into_bytes),
        1 => "[\u{80}-\u{a0}\u{ad}\u{200b}-\u{202e}\u{feff}\u{2028}]{1,3}".prop_map(String::into_bytes),
    ];
    letters.prop_map(|mut name| {
        name.retain(|byte| !matches!(byte, 0 | b'/'));
        match name.as_slice() {
            b"" | b"." | b".." => b"x".to_vec(),
            _ => name,
        }
    })
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(component(), 1..5).prop_map(|names| {
        let mut path = b"/srv".to_vec();
        for name in names {
            path.push(b'/');
            path.extend(name);
        }
        path
    })
}

proptest! {
    #[test]
    fn whatever_a_path_is_the_text_is_a_manifest_that_covers_it(
        paths in prop::collection::vec(path(), 1..12),
        program in path(),
        text in path(),
        arguments: Vec<u8>,
    ) {
        let mut program = exec(&program);
        if let Fact::Exec { argv, .. } = &mut program {
            *argv = ObservedArgv { bytes: arguments, complete: true };
        }
        let mut deeds = vec![program, script(&text, "/usr/bin/dash")];
        deeds.extend(paths.iter().map(read));
        deeds.extend(paths.iter().rev().take(2).map(write));
        let run = run(deeds);
        let suggestion = suggested(&[&run]);
        let proof = suggestion.prove(&[&run]).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(proof.uncovered.len(), 0, "{}", suggestion.text());
        let text_is_utf8 = |path: &Vec<u8>| std::str::from_utf8(path).is_ok();
        prop_assert!(proof.left.len() <= 5 || !paths.iter().all(text_is_utf8));
        let again = suggested(&[&run]);
        prop_assert_eq!(suggestion.text(), again.text());
    }

    #[test]
    fn a_path_grants_itself_and_not_what_its_stars_would_match(path in path(), other in path()) {
        let Ok(text) = std::str::from_utf8(&path) else { return Ok(()) };
        prop_assume!(path != other && text.contains('*'));
        let run = run([read(&path)]);
        let manifest = Manifest::parse("x", suggested(&[&run]).text().as_bytes()).unwrap();
        let rule = &manifest.declared.files[0].path.value;
        prop_assert!(rule.matches(&path));
        // A wildcard can only come from a name that varies.
        prop_assert!(!rule.is_literal() || !rule.matches(&other));
    }

    #[test]
    fn whatever_an_entry_point_is_called_a_plugin_can_be_named_after_it(name in component()) {
        let mut run = run([]);
        let path = [b"/srv/".as_slice(), &name].concat();
        if let picket_engine::Input::Event { fact, .. } = &mut run[1] {
            *fact = exec(path);
        }
        let suggestion = suggest(&[&run], Identity { name: None, version: "1" });
        prop_assert!(Manifest::parse("x", suggestion.text().as_bytes()).is_ok());
    }
}

#[test]
fn a_name_cannot_end_its_comment_or_its_value() {
    let run = run([
        exec("/srv/x\nmode: enforce"),
        read("/srv/a b\n    - /etc/shadow"),
        read("/srv/plain # no comment"),
        read(b"/srv/\xff\nfiles: {}"),
    ]);
    let suggestion = suggested(&[&run]);
    let after_mode: Vec<&str> = suggestion.text().lines().skip(6).collect();
    insta::assert_snapshot!(after_mode.join("\n"), @r#"
    exec:
      - { path: /opt/app/tool }  # the entry point
      - { path: "/srv/x\U0000000Amode: enforce" }  # first by x\u{a}mode: enforce[4242] after 0.001 s
    files:
      read:
        - "/srv/a b\U0000000A    - /etc/shadow"  # first by x\u{a}mode: enforce[4242] after 0.002 s
        - "/srv/plain # no comment"  # first by x\u{a}mode: enforce[4242] after 0.003 s
        # - "/srv/\U0000FFFD\U0000000Afiles: {}"  # not UTF-8; cannot be written in a manifest: a person must decide; first by x\u{a}mode: enforce[4242] after 0.004 s
    processes: { max: 1 }  # at most 1 seen at once, 1 altogether
    "#);
}
