//! Files that were not declared: whoever opens one is frozen, and killed when the hold is over.

use std::fs;
use std::os::unix::fs::symlink;

use super::plugin::{LINGER, Plugin};

/// The file of these tests, and what reads it.
const READ: &str = "cat secret; while :; do :; done";

fn with_secret(rules: &str) -> Plugin {
    let plugin = Plugin::new().declares(rules);
    plugin.write("secret", "secret\n");
    plugin
}

#[test]
fn reading_an_undeclared_file_is_contained() {
    let ended = with_secret("").run(READ);
    ended.assert_contained("files", "undeclared_path");
    let finding = ended.of("finding")[0];
    let deed = finding["deed"].as_str().unwrap();
    assert!(deed.starts_with("opened for reading /") && deed.ends_with("/secret"), "{deed}");
}

#[test]
fn reading_a_declared_file_is_not() {
    let ended = with_secret("files: { read: [DIRECTORY/secret] }").run("cat secret");
    ended.assert_honest(0);
    assert_eq!(ended.output(), "secret\n");
}

#[test]
fn writing_what_was_declared_for_reading_is_contained() {
    let plugin = with_secret("files: { read: [DIRECTORY/**] }");
    let ended = plugin.run(&format!("echo changed > secret; {LINGER}"));
    ended.assert_contained("files", "write_not_declared");
}

#[test]
fn reading_what_was_declared_for_writing_is_contained() {
    let ended = with_secret("files: { write: [DIRECTORY/**] }").run(READ);
    ended.assert_contained("files", "read_not_declared");
}

#[test]
fn making_an_undeclared_file_is_contained() {
    let plugin = with_secret("files: { read: [DIRECTORY/**] }");
    plugin.run(&format!(": > new; {LINGER}")).assert_contained("files", "write_not_declared");
}

#[test]
fn a_protected_file_is_protected_under_its_own_name() {
    with_secret("files: { read: [DIRECTORY/**], protect: [DIRECTORY/secret] }")
        .run(READ)
        .assert_contained("files", "protected_inode");
}

#[test]
fn a_protected_file_is_protected_through_a_hard_link() {
    let plugin = with_secret("files: { read: [DIRECTORY/**], protect: [DIRECTORY/secret] }");
    fs::hard_link(plugin.path("secret"), plugin.path("alias")).unwrap();
    let ended = plugin.run(&format!("cat alias; {LINGER}"));
    ended.assert_contained("files", "protected_inode");
}

#[test]
fn a_protected_file_is_protected_through_a_hard_link_made_by_the_plugin() {
    let plugin = with_secret("files: { read: [DIRECTORY/**], protect: [DIRECTORY/secret] }")
        .may_run("path: /bin/ln");
    let ended = plugin.run(&format!("ln secret alias; cat alias; {LINGER}"));
    ended.assert_contained("files", "protected_inode");
}

#[test]
fn a_protected_file_is_protected_through_a_symbolic_link() {
    let plugin = with_secret("files: { read: [DIRECTORY/**], protect: [DIRECTORY/secret] }");
    symlink(plugin.path("secret"), plugin.path("alias")).unwrap();
    let ended = plugin.run(&format!("cat alias; {LINGER}"));
    ended.assert_contained("files", "protected_inode");
}

#[test]
fn a_symbolic_link_does_not_lead_out_of_what_was_declared() {
    let plugin = with_secret("files: { read: [DIRECTORY/data/**] }");
    fs::create_dir(plugin.path("data")).unwrap();
    symlink(plugin.path("secret"), plugin.path("data/alias")).unwrap();
    let ended = plugin.run(&format!("cat data/alias; {LINGER}"));
    ended.assert_contained("files", "undeclared_path");
}

#[test]
fn what_was_protected_is_not_harmed_by_being_neighbours() {
    let plugin = with_secret("files: { read: [DIRECTORY/**], protect: [DIRECTORY/secret] }");
    plugin.write("open", "open\n");
    plugin.run("cat open").assert_honest(0);
}
