//! A run is recorded, decided again, tried under another manifest, and redacted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use picket_tests::picket;
use serde_json::Value;

use super::plugin::Plugin;
use super::run::{Ended, Run};

/// What a recorded plugin does: one deed a line.
const SCRIPT: &str = "cat DIRECTORY/canary-alice >/dev/null; cat DIRECTORY/bob >/dev/null";

fn plugin() -> Plugin {
    let plugin = Plugin::new()
        .declares("files: { read: [DIRECTORY/canary-alice, DIRECTORY/bob] }\nmode: observe");
    plugin.write("canary-alice", "1");
    plugin.write("bob", "2");
    plugin
}

/// `picket exec --record` of a line of shell, under the plugin's manifest.
fn record(plugin: &Plugin, script: &str) -> Ended {
    let mut command = plugin.exec();
    command.arg("--record").arg(plugin.path("trace"));
    let script = script.replace("DIRECTORY", plugin.directory().to_str().unwrap());
    command.args(["--", "sh", "-c", &script]);
    plugin.run_command(command)
}

fn command(words: &[&str], files: &[&Path]) -> Output {
    let mut command = picket();
    command.args(words).args(files);
    command.output().unwrap()
}

#[track_caller]
fn replay(trace: &Path) -> Vec<u8> {
    let output = command(&["replay"], &[trace]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    output.stdout
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn a_replay_says_the_same_every_time_and_as_when_it_was_recorded() {
    let plugin = plugin();
    let ended = record(&plugin, &format!("{SCRIPT}; cat /etc/hostname"));
    assert_eq!((ended.code, ended.of("finding").len()), (0, 1), "{ended:?}");
    let trace = plugin.path("trace");
    let first = replay(&trace);
    assert_eq!(first, replay(&trace));
    assert!(text(&first).contains("opened for reading /etc/hostname"), "{}", text(&first));
    assert!(text(&first).contains("1 finding, 0 containment steps; the same decisions"));
    assert_eq!(fs::metadata(&trace).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(ended.of("recorded")[0]["text"].as_str().unwrap().contains("manifest suggest --from"));
}

#[test]
fn what_is_contained_is_recorded_to_the_last_receipt() {
    let plugin = Plugin::new();
    let ended = record(&plugin, &format!("cat /etc/hostname; {}", super::plugin::LINGER));
    ended.assert_contained("files", "undeclared_path");
    let output = command(&["replay", "--output", "json"], &[&plugin.path("trace")]);
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!((of("finding"), of("contain")), (ended.of("finding").len(), 2), "{lines:?}");
    assert_eq!(lines.last().unwrap()["compared"], "same");
}

#[test]
fn a_program_nobody_has_declared_is_observed_undisturbed() {
    let plugin = Plugin::new();
    let trace = plugin.path("trace");
    let mut command = picket();
    command.arg("exec").arg("--record").arg(&trace).current_dir(plugin.directory());
    command.args(["--", "sh", "-c", "cat /etc/hostname >/dev/null && cat /etc/hostname | cat"]);
    let ended = plugin.run_command(command);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.output(), fs::read_to_string("/etc/hostname").unwrap());
    assert!(!ended.stderr.contains("verdict"), "{ended:?}");
    let again = replay(&trace);
    assert!(text(&again).contains("executed /usr/bin/cat"), "{}", text(&again));
}

#[test]
fn a_manifest_that_lacks_one_grant_would_have_found_exactly_that() {
    let plugin = plugin();
    record(&plugin, SCRIPT).assert_honest(0);
    let trace = plugin.path("trace");
    let whole = plugin.write("whole.yaml", plugin.manifest());
    let same = command(&["simulate", "--manifest"], &[&whole, &trace]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let bob = format!(", {}", plugin.path("bob").display());
    let less = plugin.write("less.yaml", plugin.manifest().replace(&bob, ""));
    let output = command(&["simulate", "--output", "json", "--manifest"], &[&less, &trace]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    for event in ["finding", "only_now"] {
        let [finding] = of(event)[..] else { panic!("{event}: {lines:?}") };
        assert!(finding["deed"].as_str().unwrap().ends_with("/bob"), "{finding}");
    }
    // Frozen, and killed when its lease of a second would have been over, if it had lived so long.
    assert_eq!(of("would_contain")[0]["step"], "freeze");
    assert!(of("only_then").is_empty());
}

#[test]
fn a_redacted_trace_keeps_its_decisions_and_no_undeclared_word() {
    let plugin = plugin();
    let ended = record(&plugin, &format!("{SCRIPT}; cat /etc/hostname; : canary-argument"));
    assert_eq!(ended.code, 0, "{ended:?}");
    let (trace, redacted) = (plugin.path("trace"), plugin.path("redacted"));
    let output = command(&["replay", "--redact"], &[&redacted, &trace]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shared = fs::read_to_string(&redacted).unwrap();
    for word in ["canary-argument", "hostname", plugin.name()] {
        assert!(fs::read_to_string(&trace).unwrap().contains(word), "{word} was never there");
        assert!(!shared.contains(word), "{word}");
    }
    assert!(shared.contains("canary-alice"), "the manifest names it");
    assert!(
        text(&replay(&redacted)).contains("1 finding, 0 containment steps; the same decisions")
    );
}

#[test]
fn a_signal_ends_the_trace_as_it_ends_the_plugin() {
    let plugin = plugin();
    let mut command = plugin.exec();
    command.arg("--record").arg(plugin.path("trace"));
    command.args(["--", "sh", "-c", "echo ready; sleep 600"]);
    let run = Run::start(&plugin, command);
    run.await_output("ready");
    run.signal(libc::SIGTERM);
    assert_eq!(run.end().code, 128 + libc::SIGTERM);
    assert!(text(&replay(&plugin.path("trace"))).contains("the same decisions"));
}

#[test]
fn a_full_disk_stops_the_trace_and_not_the_plugin_and_is_said() {
    let plugin = plugin();
    fs::create_dir(plugin.path("disk")).unwrap();
    let mut exec = plugin.exec();
    exec.arg("--record").arg(plugin.path("disk/trace"));
    exec.args(["--", "sh", "-c", "echo to the end"]);
    // The mount is gone with the namespace; so is the trace.
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o size=4k tmpfs disk && exec \"$@\"").arg("sh");
    command.arg(exec.get_program()).args(exec.get_args());
    command.current_dir(plugin.directory());
    let ended = plugin.run_command(command);
    assert_eq!((ended.code, ended.output()), (121, "to the end\n"), "{ended:?}");
    let said = ended.of("not_recorded")[0]["text"].as_str().unwrap();
    assert!(said.contains("is incomplete: No space left on device"), "{said}");
}

#[test]
fn nothing_is_started_when_the_file_is_something_else() {
    let plugin = plugin();
    plugin.write("trace", "my notes");
    let ended = record(&plugin, SCRIPT);
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("is there already and no trace"), "{ended:?}");
    assert_eq!(fs::read_to_string(plugin.path("trace")).unwrap(), "my notes");
}

#[test]
fn what_did_not_start_leaves_no_trace() {
    let plugin = plugin();
    let mut command = plugin.exec();
    command.arg("--record").arg(plugin.path("trace")).args(["--", "/nowhere/at/all"]);
    assert_eq!(plugin.run_command(command).code, 127);
    let broken = plugin.write("broken", "#!/nowhere/sh\n");
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = plugin.exec();
    command.arg("--record").arg(plugin.path("trace")).arg("--").arg(&broken);
    assert_eq!(plugin.run_command(command).code, 127);
    assert!(!plugin.path("trace").exists());
}

#[test]
fn without_a_manifest_and_without_a_trace_it_says_what_is_missing() {
    let output = command(&["exec", "--", "true"], &[]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(text(&output.stderr).contains("--manifest"), "{output:?}");
}
