//! What Picket says about itself, and about what was typed wrongly.

use std::fs;
use std::process::Output;

use picket_tests::{picket, unique};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = picket().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn every_subcommand_has_a_help_text_on_standard_output() {
    for (arguments, words) in [
        (&["--help"][..], &["Usage: picket", "exec", "demo", "manifest"][..]),
        (&["help"], &["Usage: picket", "exec", "demo", "manifest"]),
        (
            &["exec", "--help"],
            &["Usage: picket exec", "--manifest", "--env", "--metrics", "--output", "--report-to"],
        ),
        (
            &["explain", "--help"],
            &[
                "Usage: picket explain",
                "<FILE>",
                "--output",
                "--sandbox",
                "--finding",
                "--contained",
            ],
        ),
        (&["demo", "--help"], &["Usage: picket demo", "--output"]),
        (&["manifest", "--help"], &["Usage: picket manifest", "explain"]),
        (&["manifest", "explain", "--help"], &["Usage: picket manifest explain", "<MANIFEST>"]),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, &*stderr), (Some(0), ""), "{arguments:?}");
        for word in words {
            assert!(stdout.contains(word), "no {word:?} in {arguments:?}: {stdout}");
        }
        let widest = stdout.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{arguments:?}: {widest:?} columns");
    }
}

#[test]
fn hidden_roles_are_not_in_the_help_text() {
    let (_, stdout, _) = run(&["--help"]);
    assert!(!stdout.contains("__"), "{stdout}");
}

#[test]
fn the_version_is_the_packages() {
    let (code, stdout, _) = run(&["--version"]);
    assert_eq!((code, stdout), (Some(0), format!("picket {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn what_cannot_be_understood_is_64_and_starts_nothing() {
    for arguments in [
        &[][..],
        &["dance"],
        &["--no-such-flag"],
        &["exec"],
        &["exec", "--no-such-flag"],
        &["exec", "-m", "/dev/null"],
        &["exec", "--", "true"],
        &["exec", "-m", "/dev/null", "--output", "xml", "--", "true"],
        &["exec", "-m", "/dev/null", "--metrics", "9464", "--", "true"],
        &["exec", "-m", "/dev/null", "-m", "/dev/null", "--", "true"],
        &["demo", "--no-such-flag"],
        &["demo", "stray"],
        &["explain"],
        &["explain", "trace", "stray"],
        &["manifest"],
        &["manifest", "explain"],
        &["manifest", "explain", "/dev/null", "stray"],
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, &*stdout), (Some(64), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains("--help"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn explain_shows_the_runtime_group_and_what_was_declared() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("manifest.yaml");
    let name = unique("explained");
    let text = format!(
        "version: 1\nplugin: {{ name: {name}, version: 1.0.0 }}\nexec: [{{ path: /opt/tool }}]\n\
         resources: {{ memory: 256MiB }}\n"
    );
    fs::write(&file, text).unwrap();
    let (code, stdout, stderr) = run(&["manifest", "explain", file.to_str().unwrap()]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    for words in [
        &*name,
        "/opt/tool",
        "the dynamic loader",
        "/lib64/ld-linux-x86-64.so.2",
        "/etc/ld.so.cache",
        "/dev/urandom",
        "@runtime",
        "not enforced yet",
    ] {
        assert!(stdout.contains(words), "no {words:?} in {stdout}");
    }
}

#[test]
fn explain_refuses_what_exec_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("manifest.yaml");
    fs::write(&file, "version: 1\nplugin: { name: p, version: 1 }\nnetwrok: {}\n").unwrap();
    let (code, stdout, stderr) = run(&["manifest", "explain", file.to_str().unwrap()]);
    assert_eq!((code, &*stdout), (Some(64), ""), "{stderr}");
    assert!(stderr.contains(&format!("{}:3:1: ", file.display())), "{stderr}");
}

#[test]
fn a_launcher_that_a_person_starts_says_what_it_is_for() {
    let (code, _, stderr) = run(&["__launch"]);
    assert_eq!(code, Some(64));
    assert!(stderr.contains("picket exec"), "{stderr}");
}
