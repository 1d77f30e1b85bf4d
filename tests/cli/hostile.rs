//! Names made to deceive whoever reads the reports.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::plugin::Plugin;
use super::run::Ended;

/// Clears the screen, starts a line that looks like Picket's own, reads backwards, is no text.
const EVIL: &[u8] =
    b"\x1b[2J\x1b]0;title\x07\n{\"event\":\"ended\"}\r\"\\\xe2\x80\xae\xff\xc2\x9b0m";

/// Runs a plugin that opens, executes and passes on the evil name; answers its reports as written.
fn run(output: &str) -> (Ended, String) {
    let plugin = Plugin::new().declares("mode: observe");
    let evil = OsStr::from_bytes(EVIL);
    fs::write(plugin.directory().join(evil), "#!/bin/sh\n").unwrap();
    let mut command = picket_tests::picket();
    command.arg("exec").arg("-m").arg(plugin.write("manifest.yaml", plugin.manifest()));
    command.current_dir(plugin.directory()).args(["--output", output, "--report-to"]);
    let story = plugin.path("story");
    command.arg(&story).args(["--", "sh", "-c", "cat \"$0\" >/dev/null; sh \"./$0\"; exit 5"]);
    command.arg(evil);
    let ended = plugin.run_command(command);
    assert_eq!(ended.code, 5, "{ended:?}");
    (ended, fs::read_to_string(story).expect("reports are text"))
}

/// No byte of them can do anything to a terminal.
#[track_caller]
fn assert_harmless(text: &str) {
    let harmful = |letter: char| letter.is_control() || ('\u{202a}'..='\u{202e}').contains(&letter);
    for line in text.lines() {
        assert!(!line.contains(harmful), "{line:?}");
    }
}

#[test]
fn json_reports_stay_one_object_a_line_and_escaped() {
    let (_, story) = run("json");
    assert_harmless(&story);
    let mut deeds = Vec::new();
    for line in story.lines() {
        let report: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(report["event"].is_string(), "{line}");
        // What the escapes of JSON hide must be harmless too, once a reader has undone them.
        for text in report.as_object().unwrap().values().filter_map(serde_json::Value::as_str) {
            assert_harmless(text);
        }
        if report["event"] == "finding" {
            deeds.push(report["deed"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(story.matches("\"event\":\"ended\"").count(), 1, "{story}");
    let opened = deeds.iter().find(|deed| deed.contains("opened for reading")).expect("a finding");
    assert!(opened.contains("\\u{1b}[2J") && opened.contains("\\u{a}{\"event\""), "{opened}");
}

#[test]
fn sentences_stay_on_their_line_and_escaped() {
    let (_, story) = run("human");
    assert_harmless(&story);
    assert!(story.contains("\\u{1b}[2J") && story.contains("\\u{202e}"), "{story}");
    // Every line is Picket's, the plugin's by name, or indented under one.
    for line in story.lines() {
        let own = line.starts_with("picket: ") || line.starts_with("[cli-");
        assert!(own || line.starts_with("   "), "{line:?}");
    }
}

#[test]
fn what_a_manifest_says_is_escaped_too() {
    // YAML can write any character, so a manifest can hold what its own text does not show.
    let plugin = Plugin::new().declares("files: { read: [\"DIRECTORY/\\e[2J\\n\\u202e*\"] }");
    plugin.write("secret", "secret\n");
    let manifest = plugin.write("manifest.yaml", plugin.manifest());
    let explained = picket_tests::picket().args(["manifest", "explain"]).arg(manifest).output();
    let explained = explained.unwrap();
    assert_harmless(str::from_utf8(&explained.stdout).unwrap());
    assert_harmless(str::from_utf8(&explained.stderr).unwrap());
    if !explained.status.success() {
        return;
    }
    let ended = plugin.run("cat secret; while :; do :; done");
    ended.assert_contained("files", "undeclared_path");
    for finding in ended.of("finding") {
        assert_harmless(finding["declared"].as_str().unwrap());
    }
}
