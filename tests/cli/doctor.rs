//! What the doctor says about this node, and that it is what happens then.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use picket_tests::{picket, picket_program, require_root};
use serde_json::Value;

use super::plugin::Plugin;

/// The code and the one object on standard output.
#[track_caller]
fn examine(mut command: Command) -> (i32, Value) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let report = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text:?} {}", String::from_utf8_lossy(&stderr)));
    assert_eq!(text.lines().count(), 1, "{text}");
    (status.code().unwrap(), report)
}

fn doctor(arguments: &[&str]) -> Command {
    let mut command = picket();
    command.args(["doctor", "--output", "json"]).args(arguments);
    command
}

#[track_caller]
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["check"] == name)
        .unwrap_or_else(|| panic!("no {name}: {report}"))
}

fn code_of(verdict: &Value) -> i32 {
    match verdict.as_str().unwrap() {
        "fine" => 0,
        "limits" => 2,
        "unfit" => 3,
        other => panic!("{other}"),
    }
}

#[test]
fn the_doctor_proves_what_exec_then_says() {
    require_root("Picket loads kernel programs");
    let (code, report) = examine(doctor(&[]));
    assert_eq!(code, code_of(&report["verdict"]), "{report}");
    assert_ne!(code, 3, "{report}");
    assert_eq!(report["self_test"]["outcome"], "passed", "{report}");
    assert_eq!(report["tier_proven"], true, "{report}");

    let ended = Plugin::new().run("exit 0");
    let ready = ended.of("ready")[0]["text"].as_str().unwrap();
    let tier = report["tier"].as_str().unwrap();
    assert!(ready.starts_with(&format!("tier {tier}")), "{ready}");
    let acts = report["self_test"]["hooks"].as_array().unwrap().len();
    assert!(ready.contains(&format!("{acts} acts")), "{ready}");
}

#[test]
fn every_warning_and_problem_comes_with_a_remedy() {
    require_root("Picket loads kernel programs");
    let (_, report) = examine(doctor(&["--no-load"]));
    for check in report["checks"].as_array().unwrap() {
        let needs_one = check["status"] == "warning" || check["status"] == "problem";
        assert!(!needs_one || check["remedy"].is_string(), "{check}");
        for key in ["check", "status", "found", "why"] {
            assert!(check[key].as_str().is_some_and(|text| !text.is_empty()), "{check}");
        }
    }
    for row in report["capabilities"].as_array().unwrap() {
        for key in ["observe", "deny", "contain"] {
            assert!(row[key]["answer"].is_string() && row[key]["why"].is_string(), "{row}");
        }
    }
}

#[test]
fn told_to_load_nothing_the_doctor_proves_nothing() {
    require_root("Picket loads kernel programs");
    let (code, report) = examine(doctor(&["--no-load"]));
    assert_eq!(code, code_of(&report["verdict"]), "{report}");
    assert_eq!(report["self_test"]["outcome"], "skipped", "{report}");
    assert_eq!(report["tier_proven"], false, "{report}");
}

#[test]
fn without_privileges_the_doctor_says_what_it_could_not_look_at_and_ends_with_3() {
    require_root("it becomes another user");
    let directory = tempfile::tempdir().unwrap();
    // Nobody must be able to reach the binary, wherever it was built.
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let own = directory.path().join("picket");
    fs::copy(picket_program(), &own).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(own);
    command.args(["doctor", "--output", "json"]);
    let (code, report) = examine(command);
    assert_eq!(code, 3, "{report}");
    assert_eq!(check(&report, "privileges")["status"], "problem", "{report}");
    assert_eq!(check(&report, "self_test")["status"], "unknown", "{report}");
    assert!(report["next"].as_str().unwrap().contains("sudo picket doctor"), "{report}");
}

#[test]
fn a_missing_capability_is_named_with_what_it_is_for() {
    require_root("it gives a capability up");
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]);
    command.arg(picket_program()).args(["doctor", "--output", "json", "--no-load"]);
    let (code, report) = examine(command);
    assert_eq!(code, 3, "{report}");
    let found = check(&report, "privileges")["found"].as_str().unwrap();
    assert_eq!(found, "root without CAP_SYS_PTRACE (looking at a plugin before its start)");
}

#[test]
fn the_capabilities_that_the_doctor_calls_enough_are_enough() {
    require_root("it gives capabilities up");
    let enough = "-all,+dac_override,+setuid,+setpcap,+sys_ptrace,+sys_admin";
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", enough, "--inh-caps", "-all"]);
    command.arg(picket_program()).args(["doctor", "--output", "json"]);
    let (_, report) = examine(command);
    assert_eq!(check(&report, "privileges")["status"], "ok", "{report}");

    let plugin = Plugin::new();
    let manifest = plugin.write("manifest.yaml", plugin.manifest());
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", enough, "--inh-caps", "-all"]).arg(picket_program());
    command.arg("exec").arg("-m").arg(manifest).args(["--output", "json", "--report-to"]);
    command.arg(plugin.path("reports")).current_dir(plugin.directory());
    command.args(["--", "sh", "-c", "exit 5"]);
    plugin.run_command(command).assert_honest(5);
}

#[test]
fn a_shifted_time_since_boot_is_found_before_the_self_test_fails_of_it() {
    require_root("it makes a time namespace");
    let mut command = Command::new("unshare");
    command.args(["--time", "--boottime", "100000", "--fork"]).arg(picket_program());
    command.args(["doctor", "--output", "json"]);
    let (code, report) = examine(command);
    assert_eq!(code, 3, "{report}");
    assert_eq!(check(&report, "time_namespace")["status"], "problem", "{report}");
    assert_eq!(report["self_test"]["outcome"], "failed", "{report}");
    assert!(report["next"].as_str().unwrap().starts_with("Time namespace: "), "{report}");
}

#[test]
fn a_report_that_cannot_be_written_is_1() {
    let mut command = picket();
    command.args(["doctor", "--no-load"]).stdout(File::create("/dev/full").unwrap());
    let Output { status, stderr, .. } = command.output().unwrap();
    assert_eq!(status.code(), Some(1));
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stderr.contains("writing the report: No space left"), "{stderr}");
}

#[test]
fn people_get_a_verdict_in_the_last_lines_and_no_colours_in_a_file() {
    let Output { stdout, .. } = picket().args(["doctor", "--no-load"]).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "{text}");
    let last: Vec<&str> = text.lines().rev().take(2).collect();
    assert!(last[0].starts_with("Next:    ") && last[1].starts_with("Verdict: "), "{text}");
}
