//! Builds packages and finds the programs that came out, from Cargo's own messages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::places;
use crate::shell::{self, Ended, Failure, Outcome};
use crate::suites::LONGEST;

/// Programs by the name of their target.
pub(crate) type Programs = BTreeMap<String, PathBuf>;

/// Builds `picket` and the tests that plain `cargo test` leaves alone.
///
/// One build of the whole workspace, because Cargo chooses the features of shared dependencies by
/// what is built together: this way it is what the unit tests have built already.
pub(crate) fn products() -> Outcome<Programs> {
    shell::step("building picket and the tests that need root", || {
        let mut command = places::cargo();
        command.args(["build", "--workspace", "--bin", "picket"]);
        command.args(["--test", "gate", "--test", "kernel", "--test", "cli"]);
        command.args(["--test", "node", "--test", "service", "--test", "deploy"]);
        build(&mut command)
    })
}

/// The program called `name` among those that were built.
pub(crate) fn find<'a>(programs: &'a Programs, name: &str) -> Outcome<&'a Path> {
    let program = programs.get(name).map(PathBuf::as_path);
    program.ok_or_else(|| Failure::new(format!("Cargo built no program `{name}`")))
}

/// Builds the `picket` program in the profile that demo and tests share.
pub(crate) fn picket() -> Outcome<PathBuf> {
    program(places::cargo().args(["build", "--package", "picket", "--bin", "picket"]), "picket")
}

/// Builds and returns one program.
pub(crate) fn program(command: &mut Command, name: &str) -> Outcome<PathBuf> {
    find(&build(command)?, name).map(Path::to_path_buf)
}

fn build(command: &mut Command) -> Outcome<Programs> {
    command.arg("--message-format=json-render-diagnostics");
    let mut programs = Programs::new();
    let ended = shell::stream(command, LONGEST, |line| programs.extend(executable(line)))?;
    match ended {
        Ended::Exited { success: true } => Ok(programs),
        _ => Err(Failure::new(format!("{} failed; its reasons are above", shell::shown(command)))),
    }
}

/// Name and path of the program that a message from Cargo announces.
///
/// A hand-made reading of JSON, enough because Cargo writes one message a line with a fixed order
/// of keys: the first `name` is the target's.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    message.strip_prefix("{\"reason\":\"compiler-artifact\"")?;
    let path = text(message, "executable")?;
    Some((text(message, "name")?.to_owned(), PathBuf::from(path)))
}

fn text<'a>(message: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(&format!("\"{key}\":\""))?;
    // A path with a quote or backslash in it would need a real parser; Cargo's own targets have none.
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///p#picket-tests@0.1.0","manifest_path":"/p/tests/Cargo.toml","target":{"kind":["test"],"crate_types":["bin"],"name":"kernel","src_path":"/p/tests/kernel/main.rs","edition":"2024"},"profile":{"test":true},"features":[],"filenames":["/t/debug/deps/kernel-1"],"executable":"/t/debug/deps/kernel-1","fresh":true}"#;

    #[test]
    fn a_built_program_is_found_by_its_target_name() {
        let expected = ("kernel".to_owned(), PathBuf::from("/t/debug/deps/kernel-1"));
        assert_eq!(executable(TEST), Some(expected));
    }

    #[test]
    fn a_library_is_no_program() {
        assert_eq!(
            executable(&TEST.replace("\"/t/debug/deps/kernel-1\",\"fresh\"", "null,\"fresh\"")),
            None
        );
    }

    #[test]
    fn other_messages_are_passed_over() {
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
