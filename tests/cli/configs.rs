//! Bad configurations and manifests are refused with place and remedy, and looking at them starts nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;

use picket_tests::picket;
use serde_json::Value;
use tempfile::TempDir;

use super::bad::{CONFIG, MANIFEST, bad_configs, bad_manifests};

/// A directory with a good configuration and its manifest.
struct Files(TempDir);

/// What a command came to.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("picket.yaml", CONFIG.as_bytes());
        files.write("plugin.yaml", MANIFEST.as_bytes());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
        self.set_mode(name, 0o644);
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Runs in the directory, so that complaints are short.
    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = picket();
        let Output { status, stdout, stderr } =
            command.args(arguments).current_dir(self.0.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }

    fn check(&self) -> Ended {
        self.run(&["config", "check", "picket.yaml"])
    }
}

/// Refused, with file, line and column of this file, and a way out.
#[track_caller]
fn assert_refused(name: &str, ended: &Ended, file: &str) {
    assert_eq!((ended.code, &*ended.stderr), (64, ""), "{name}: {}", ended.stdout);
    let place = |line: &str| {
        let mut parts = line.strip_prefix(file)?.strip_prefix(':')?.splitn(3, ':');
        Some((parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?))
    };
    assert!(ended.stdout.lines().any(|line| place(line).is_some()), "{name}: {}", ended.stdout);
    assert!(ended.stdout.contains("\n      = "), "{name}: no way out in {}", ended.stdout);
    assert!(ended.stdout.len() < 16 << 10, "{name}: {} bytes", ended.stdout.len());
}

#[test]
fn a_good_configuration_is_good_and_shown_with_its_defaults() {
    let files = Files::new();
    let checked = files.check();
    assert_eq!((checked.code, &*checked.stderr), (0, ""));
    assert_eq!(checked.stdout, "picket.yaml: good, 1 rule and 1 manifest\n");
    let shown = files.run(&["config", "show", "picket.yaml"]);
    assert_eq!((shown.code, &*shown.stderr), (0, ""));
    for line in ["  listen: \"127.0.0.1:9464\" # default", "    setup: 10s # default"] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "{line}: {}", shown.stdout);
    }
    files.write("shown.yaml", shown.stdout.as_bytes());
    assert_eq!(files.run(&["config", "check", "shown.yaml"]).code, 0);
}

#[test]
fn every_bad_configuration_is_refused_with_place_and_remedy() {
    let files = Files::new();
    let cases = bad_configs();
    assert!(40 <= cases.len(), "{}", cases.len());
    for (name, bytes) in cases {
        files.write("picket.yaml", &bytes);
        assert_refused(name, &files.check(), "picket.yaml");
        let shown = files.run(&["config", "show", "picket.yaml"]);
        assert_eq!((shown.code, &*shown.stdout), (64, ""), "{name}");
        assert!(shown.stderr.starts_with("picket: picket.yaml:"), "{name}: {}", shown.stderr);
    }
}

#[test]
fn every_bad_manifest_behind_a_good_configuration_is_refused_where_it_is_wrong() {
    let files = Files::new();
    for (name, bytes) in bad_manifests() {
        files.write("plugin.yaml", &bytes);
        let checked = files.check();
        assert_refused(name, &checked, "plugin.yaml");
        assert!(checked.stdout.contains("picket.yaml:3:"), "{name}: {}", checked.stdout);
    }
}

#[test]
fn what_is_no_file_is_refused_by_its_name() {
    let files = Files::new();
    for path in ["none.yaml", "."] {
        let checked = files.run(&["config", "check", path]);
        assert_eq!(checked.code, 64);
        assert!(
            checked.stdout.starts_with(&format!("{path}: cannot be read: ")),
            "{}",
            checked.stdout
        );
    }
}

#[test]
fn files_that_others_may_write_are_refused_with_the_command_that_helps() {
    for name in ["picket.yaml", "plugin.yaml"] {
        let files = Files::new();
        files.set_mode(name, 0o666);
        let checked = files.check();
        assert_refused(name, &checked, "picket.yaml");
        assert!(checked.stdout.contains(&format!("chmod go-w {name}")), "{}", checked.stdout);
    }
}

#[test]
fn problems_are_one_object_a_line_on_request() {
    let files = Files::new();
    files.write("picket.yaml", format!("{CONFIG}metrics: {{ listen: '0.0.0.0:1' }}\n").as_bytes());
    let warned = files.run(&["config", "check", "picket.yaml", "--output", "json"]);
    let problems = lines(&warned.stdout);
    assert_eq!((warned.code, problems.len()), (0, 1), "{}", warned.stdout);
    assert_eq!(problems[0]["kind"], "public-metrics");
    files.write("plugin.yaml", format!("{MANIFEST}mode: watch\nreports: [x]\n").as_bytes());
    let refused = files.run(&["config", "check", "picket.yaml", "--output", "json"]);
    let problems = lines(&refused.stdout);
    assert_eq!((refused.code, problems.len()), (64, 3), "{}", refused.stdout);
    let place = |problem: &Value| {
        let number = |key: &str| problem[key].as_u64().unwrap();
        assert_eq!(problem["severity"], "error");
        assert!(problem["message"].is_string() && problem["hint"].is_string());
        (problem["file"].as_str().unwrap().to_owned(), number("line"), number("column"))
    };
    let places: Vec<_> = problems.iter().map(place).collect();
    let plugin = |line, column| ("plugin.yaml".to_owned(), line, column);
    assert_eq!(places[1..], [plugin(3, 7), plugin(4, 11)]);
    assert_eq!((places[0].0.as_str(), places[0].1), ("picket.yaml", 3));
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn schemas_are_printed_as_json() {
    let files = Files::new();
    for arguments in [["config", "schema"], ["manifest", "schema"]] {
        let printed = files.run(&arguments);
        assert_eq!((printed.code, &*printed.stderr), (0, ""), "{arguments:?}");
        let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false);
    }
}

#[test]
fn lint_ends_with_0_for_clean_3_for_warnings_and_64_for_errors_over_all_files() {
    let files = Files::new();
    files.write("doubtful.yaml", format!("{MANIFEST}files: {{ read: [/**] }}\n").as_bytes());
    files.write("bad.yaml", format!("{MANIFEST}files: {{ reed: [] }}\n").as_bytes());
    let lint = |names: &[&str]| files.run(&[&["manifest", "lint"], names].concat());
    let clean = lint(&["plugin.yaml"]);
    assert_eq!((clean.code, &*clean.stdout), (0, "plugin.yaml: good\n"));
    let doubtful = lint(&["doubtful.yaml", "plugin.yaml"]);
    assert_eq!(doubtful.code, 3);
    assert!(doubtful.stdout.starts_with("doubtful.yaml:3:17: warning (always-true): "));
    let all = lint(&["bad.yaml", "none.yaml", "doubtful.yaml", "plugin.yaml"]);
    assert_eq!(all.code, 64);
    for words in ["bad.yaml:3:10: ", "did you mean `read`?", "none.yaml: cannot", "(always-true)"] {
        assert!(all.stdout.contains(words), "{words}: {}", all.stdout);
    }
    let json = lint(&["doubtful.yaml", "none.yaml", "--output", "json"]);
    let kinds: Vec<_> = lines(&json.stdout).iter().map(|line| line["kind"].clone()).collect();
    assert_eq!((json.code, kinds), (64, vec![Value::from("always-true"), Value::Null]));
}

#[test]
fn lint_looks_at_this_machine_only_when_asked() {
    let files = Files::new();
    files.write("plugin.yaml", format!("{MANIFEST}exec: [{{ path: /no/such/file }}]\n").as_bytes());
    assert_eq!(files.run(&["manifest", "lint", "plugin.yaml"]).code, 0);
    let here = files.run(&["manifest", "lint", "--host", "plugin.yaml"]);
    assert_eq!(here.code, 3, "{}", here.stdout);
    assert!(here.stdout.contains("(missing): there is no `/no/such/file`"), "{}", here.stdout);
}
