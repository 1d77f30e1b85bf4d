//! What passes between the caller and the plugin: streams, arguments, environment, directory.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use super::plugin::Plugin;
use super::run::Ended;

#[test]
fn standard_output_and_error_are_the_plugins() {
    let ended = Plugin::new().run("echo out; echo error >&2");
    ended.assert_honest(0);
    assert_eq!((ended.output(), &*ended.stderr), ("out\n", "error\n"));
}

#[test]
fn standard_input_is_the_plugins() {
    let plugin = Plugin::new();
    plugin.write("stdin", b"every \xff byte\0of it\n");
    let ended = plugin.run("cat");
    ended.assert_honest(0);
    assert_eq!(ended.stdout, b"every \xff byte\0of it\n");
}

#[test]
fn reports_go_to_standard_error_unless_told_otherwise() {
    let plugin = Plugin::new();
    let mut command = picket_tests::picket();
    command.arg("exec").arg("-m").arg(plugin.write("manifest.yaml", plugin.manifest()));
    command.current_dir(plugin.directory()).args(["--", "sh", "-c", "echo plain"]);
    let ended = plugin.run_command(command);
    assert_eq!((ended.code, ended.output()), (0, "plain\n"));
    assert!(ended.stderr.contains("runs, watched from its first instruction"), "{ended:?}");
    assert!(ended.stderr.contains("exit code 0"), "{ended:?}");
    assert!(!ended.stderr.contains('\x1b'), "no colours in a file: {ended:?}");
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let plugin = Plugin::new();
    let mut command = plugin.exec();
    command.args(["--", "sh", "-c", "printf '%s\\0' \"$0\" \"$@\"", "--metrics", "a b", "", "*"]);
    command.arg(OsStr::from_bytes(b"\xff\xfe\n")).arg("--");
    let ended = plugin.run_command(command);
    ended.assert_honest(0);
    assert_eq!(ended.stdout, b"--metrics\0a b\0\0*\0\xff\xfe\n\0--\0");
}

/// The environment of a plugin that was started with `flags`, while Picket had `SECRET`, `SHARED`
/// and bytes that are no text in its own.
fn environment(flags: &[&OsStr]) -> (Ended, Vec<String>) {
    // No rule can name the directory of the plugin's own process.
    let plugin = Plugin::new().declares("mode: observe");
    let mut command = plugin.exec();
    command.env("SECRET", "token").env("SHARED", "one = two").env("LANG", "C.UTF-8");
    command.env("BYTES", OsStr::from_bytes(b"\xff\xfe"));
    command.args(flags).args(["--", "cat", "/proc/self/environ"]);
    let ended = plugin.run_command(command);
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    (ended, text.split_terminator('\0').map(str::to_owned).collect())
}

#[test]
fn the_environment_is_the_harmless_list() {
    let (ended, variables) = environment(&[]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let harmless = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TERM", "TZ"];
    for variable in &variables {
        let (name, _) = variable.split_once('=').unwrap();
        assert!(harmless.contains(&name), "{variable}");
    }
    assert!(variables.contains(&"LANG=C.UTF-8".to_owned()), "{variables:?}");
}

#[test]
fn what_env_names_or_sets_is_passed_on_too() {
    let flags = ["--env", "SHARED", "-e", "OWN=a = b", "--env", "ABSENT_HERE", "--env", "EMPTY="];
    let (_, variables) = environment(&flags.map(OsStr::new));
    let expected = ["SHARED=one = two", "OWN=a = b", "EMPTY="];
    for variable in expected {
        assert!(variables.contains(&variable.to_owned()), "{variable}: {variables:?}");
    }
    // What is not set here is not set there.
    let absent = ["SECRET", "ABSENT_HERE"];
    let passed = |name: &&str| variables.iter().any(|one| one.starts_with(name));
    assert!(!absent.iter().any(passed), "{variables:?}");
}

#[test]
fn what_env_sets_takes_the_place_of_what_is_harmless() {
    let (_, variables) = environment(&["--env", "LANG=C", "--env", "HOME=/a"].map(OsStr::new));
    let names: Vec<&str> = variables.iter().map(|one| one.split('=').next().unwrap()).collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), distinct.len(), "{variables:?}");
    assert!(variables.contains(&"LANG=C".to_owned()), "{variables:?}");
}

#[test]
fn a_variable_that_is_no_text_arrives_too() {
    let own = OsStr::from_bytes(b"OWN=\xff");
    let (ended, _) = environment(&[OsStr::new("--env"), own, OsStr::new("--env=BYTES")]);
    let variables: Vec<&[u8]> = ended.stdout.split(|byte| *byte == 0).collect();
    assert!(variables.contains(&b"OWN=\xff".as_slice()), "{ended:?}");
    assert!(variables.contains(&b"BYTES=\xff\xfe".as_slice()), "{ended:?}");
}

#[test]
fn the_working_directory_is_kept() {
    let plugin = Plugin::new();
    fs::create_dir(plugin.path("deep er")).unwrap();
    let mut command = plugin.exec();
    command.current_dir(plugin.path("deep er")).args(["--", "sh", "-c", "pwd -P"]);
    let ended = plugin.run_command(command);
    ended.assert_honest(0);
    assert_eq!(ended.output(), format!("{}\n", plugin.path("deep er").display()));
}

#[test]
fn a_program_is_found_relative_to_the_working_directory() {
    let plugin = Plugin::new()
        .may_run("path: DIRECTORY/tool, interpreter: /bin/sh")
        .declares("files: { read: [DIRECTORY/tool] }");
    let tool = plugin.write("tool", "#!/bin/sh\nexit 4\n");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = plugin.exec();
    command.args(["--", "./tool"]);
    plugin.run_command(command).assert_honest(4);
}
