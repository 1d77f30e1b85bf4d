//! A bad manifest starts nothing, and says where and why.

use super::plugin::Plugin;
use super::run::Ended;

/// Runs a plugin that would leave a marker, under a manifest with these bytes.
fn run(plugin: &Plugin, manifest: &[u8]) -> Ended {
    let mut command = plugin.exec();
    plugin.write("manifest.yaml", manifest);
    command.args(["--", "sh", "-c", ": > marker"]);
    let ended = plugin.run_command(command);
    assert!(!plugin.path("marker").exists(), "something was started: {ended:?}");
    ended
}

/// The manifest is refused at this line and column of it, with these words.
#[track_caller]
fn check(plugin: &Plugin, manifest: &[u8], place: &str, why: &str) {
    let ended = run(plugin, manifest);
    assert_eq!(ended.code, 64, "{ended:?}");
    let place = format!("{}:{place}: ", plugin.path("manifest.yaml").display());
    assert!(ended.stderr.contains(&place), "no {place:?} in {}", ended.stderr);
    assert!(ended.stderr.contains(why), "no {why:?} in {}", ended.stderr);
    assert!(ended.stderr.ends_with("Nothing was started.\n"), "{}", ended.stderr);
    assert!(ended.stderr.len() < 4096, "{} bytes of complaint", ended.stderr.len());
    assert_eq!(ended.stdout, b"");
}

/// The same for one more line, in a manifest that would be good without it.
#[track_caller]
fn check_line(line: &str, column: u32, why: &str) {
    let plugin = Plugin::new();
    let number = plugin.manifest().lines().count() + 1;
    let manifest = format!("{}{line}\n", plugin.manifest());
    check(&plugin, manifest.as_bytes(), &format!("{number}:{column}"), why);
}

#[test]
fn the_marker_of_these_tests_is_made_under_a_good_manifest() {
    let plugin = Plugin::new().declares("files: { write: [DIRECTORY/marker] }");
    plugin.run(": > marker").assert_honest(0);
    assert!(plugin.path("marker").exists());
}

#[test]
fn an_unknown_field_is_refused() {
    check_line("netwrok: {}", 1, "did you mean `network`?");
    check_line("files: { reed: [/data/**] }", 10, "did you mean `read`?");
}

#[test]
fn a_wrong_type_is_refused() {
    check_line("descriptors: [many]", 15, "many");
    check_line("files: { read: /data }", 16, "list");
    check_line("network: none", 10, "");
}

#[test]
fn a_bad_network_is_refused() {
    let line = "network: { connect: [{ to: 10.0.0.0/33, port: 80 }] }";
    check_line(line, 28, "10.0.0.0/33");
    let line = "network: { connect: [{ to: 10.0.0.1, port: 65536 }] }";
    check_line(line, 44, "65536");
}

#[test]
fn a_duplicate_key_is_refused() {
    check_line("version: 1", 1, "version");
    check_line("files: { read: [], read: [] }", 20, "read");
}

#[test]
fn an_impossible_pattern_is_refused() {
    for (pattern, column) in [("data/**", 17), ("/data/../etc/shadow", 17), ("/data/**x", 17)] {
        check_line(&format!("files: {{ read: [{pattern}] }}"), column, pattern);
    }
}

#[test]
fn strict_confinement_of_what_is_only_observed_is_refused() {
    let plugin = Plugin::new();
    for mode in ["observe", "shadow"] {
        let manifest = format!("{}mode: {mode}\nconfinement: strict\n", plugin.manifest());
        let number = manifest.lines().count();
        check(&plugin, manifest.as_bytes(), &format!("{number}:14"), "write `mode: enforce`");
    }
    check_line("confinement: strickt", 14, "did you mean `strict`?");
    let line = "actions: { denied: kill, denied_repeatedly: alert }";
    check_line(line, 45, "more mildly than the first");
}

#[test]
fn a_grant_that_has_ended_is_refused() {
    let line = "files: { read: [{ path: /data, expires: 2020-01-01T00:00:00Z }] }";
    check_line(line, 41, "has ended");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let plugin = Plugin::new();
    check(&plugin, b"version: 1\nplugin: { name: caf\xe9 }\n", "2:20", "is not UTF-8");
}

#[test]
fn ten_megabytes_are_refused() {
    let plugin = Plugin::new();
    check(&plugin, &vec![b'#'; 10 << 20], "1:1", "is larger than 1024 KiB");
}

#[test]
fn an_entry_point_with_another_digest_is_refused() {
    let plugin = Plugin::new();
    let pinned = format!("version: 1.0.0, digest: \"sha256:{}\"", "0".repeat(64));
    let manifest = plugin.manifest().replacen("version: 1.0.0", &pinned, 1);
    let column = manifest.lines().nth(1).unwrap().find("\"sha256").unwrap() + 1;
    check(&plugin, manifest.as_bytes(), &format!("2:{column}"), "/sh has the digest");
}

#[test]
fn a_manifest_that_is_not_there_is_refused() {
    let plugin = Plugin::new();
    let mut command = plugin.exec();
    std::fs::remove_file(plugin.path("manifest.yaml")).unwrap();
    command.args(["--", "sh", "-c", ": > marker"]);
    let ended = plugin.run_command(command);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.stderr.contains("manifest.yaml: cannot be read"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("Nothing was started.\n"), "{}", ended.stderr);
}
