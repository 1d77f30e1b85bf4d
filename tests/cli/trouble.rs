//! What cannot be started is not, and the message names the thing and the way out.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use picket_tests::picket_program;

use super::plugin::Plugin;
use super::run::Ended;

/// Runs a file of the plugin's directory that the manifest declares.
fn run_file(mode: Option<u32>, text: &str) -> (Plugin, Ended) {
    let plugin = Plugin::new().may_run("path: DIRECTORY/entry");
    if let Some(mode) = mode {
        let entry = plugin.write("entry", text);
        fs::set_permissions(entry, Permissions::from_mode(mode)).unwrap();
    }
    let mut command = plugin.exec();
    command.arg("--").arg(plugin.path("entry"));
    let ended = plugin.run_command(command);
    (plugin, ended)
}

#[track_caller]
fn assert_refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no {word:?} in {}", ended.stderr);
    }
    assert!(ended.stderr.contains("Nothing was started."), "{}", ended.stderr);
    assert_eq!(ended.of("running").len(), 0, "{ended:?}");
}

#[test]
fn a_program_that_is_not_there_is_127() {
    let (plugin, ended) = run_file(None, "");
    let entry = plugin.path("entry");
    assert_refused(&ended, 127, &[entry.to_str().unwrap(), "no such program"]);
}

#[test]
fn a_program_that_is_in_no_directory_of_path_is_127() {
    let plugin = Plugin::new();
    for name in ["no-such-program", ""] {
        let mut command = plugin.exec();
        command.args(["--", name]);
        assert_refused(&plugin.run_command(command), 127, &["no such program"]);
    }
}

#[test]
fn a_file_without_the_right_to_execute_is_126() {
    let (plugin, ended) = run_file(Some(0o644), "#!/bin/sh\n: > marker\n");
    let entry = plugin.path("entry");
    assert_refused(&ended, 126, &[entry.to_str().unwrap(), "Permission denied"]);
    assert!(!plugin.path("marker").exists());
}

#[test]
fn a_file_that_is_no_program_is_126() {
    let (plugin, ended) = run_file(Some(0o755), "no program\n");
    assert_refused(&ended, 126, &[plugin.path("entry").to_str().unwrap()]);
}

#[test]
fn a_script_whose_interpreter_is_missing_is_127_as_in_a_shell() {
    let (plugin, ended) = run_file(Some(0o755), "#!/no/such/interpreter\n");
    assert_refused(&ended, 127, &[plugin.path("entry").to_str().unwrap()]);
}

#[test]
fn a_directory_is_126() {
    let plugin = Plugin::new();
    let mut command = plugin.exec();
    command.arg("--").arg(plugin.directory());
    let ended = plugin.run_command(command);
    assert_refused(&ended, 126, &[plugin.directory().to_str().unwrap(), "directory"]);
}

#[test]
fn a_kernel_object_that_is_none_is_125() {
    let plugin = Plugin::new().declares("files: { write: [DIRECTORY/marker] }");
    for bytes in [b"".as_slice(), b"garbage", &[0x7f; 4096]] {
        let mut command = plugin.exec();
        command.env("PICKET_BPF_OBJECT", plugin.write("object", bytes));
        command.args(["--", "sh", "-c", ": > marker"]);
        assert_refused(&plugin.run_command(command), 125, &["PICKET_BPF_OBJECT"]);
        assert!(!plugin.path("marker").exists());
    }
}

#[test]
fn a_kernel_object_that_is_not_there_is_125() {
    let plugin = Plugin::new();
    let mut command = plugin.exec();
    command.env("PICKET_BPF_OBJECT", "/no/such/object").args(["--", "sh", "-c", "exit 0"]);
    assert_refused(&plugin.run_command(command), 125, &["PICKET_BPF_OBJECT=/no/such/object"]);
}

#[test]
fn without_privileges_it_is_125_and_root_is_named() {
    let plugin = Plugin::new();
    // Nobody must be able to reach binary and manifest, wherever they were built.
    fs::set_permissions(plugin.directory(), Permissions::from_mode(0o755)).unwrap();
    let own = plugin.path("picket");
    fs::copy(picket_program(), &own).unwrap();
    let manifest = plugin.write("manifest.yaml", plugin.manifest());
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(own);
    command.arg("exec").arg("-m").arg(manifest).args(["--", "sh", "-c", "exit 0"]);
    command.current_dir(plugin.directory());
    assert_refused(&plugin.run_command(command), 125, &["root"]);
}

#[test]
fn an_address_for_metrics_that_is_taken_is_125() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let plugin = Plugin::new();
    let mut command = plugin.exec();
    command.args(["--metrics", &address, "--", "sh", "-c", "exit 0"]);
    assert_refused(&plugin.run_command(command), 125, &[&address]);
}

#[test]
fn a_report_file_that_cannot_be_made_is_125() {
    let plugin = Plugin::new();
    let mut command = picket_tests::picket();
    command.arg("exec").arg("-m").arg(plugin.write("manifest.yaml", plugin.manifest()));
    command.current_dir(plugin.directory());
    command.args(["--report-to", "/no/such/directory/reports", "--", "sh", "-c", "exit 0"]);
    let ended = plugin.run_command(command);
    assert_refused(&ended, 125, &["picket: /no/such/directory/reports: No such file"]);
}
