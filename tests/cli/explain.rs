//! A recorded run is explained: what was done, why it was a finding, what followed, and what would allow it.

use std::path::Path;
use std::process::Output;

use picket_tests::picket;
use serde_json::Value;

use super::plugin::{LINGER, Plugin};

/// Records a plugin that reads what it did not declare; the trace's path.
fn record(plugin: &Plugin) -> std::path::PathBuf {
    let trace = plugin.path("trace");
    let mut command = plugin.exec();
    command.arg("--record").arg(&trace);
    command.args(["--", "sh", "-c", &format!("cat /etc/hostname; {LINGER}")]);
    plugin.run_command(command).assert_contained("files", "undeclared_path");
    trace
}

fn explain(trace: &Path, options: &[&str]) -> Output {
    picket().arg("explain").args(options).arg(trace).output().unwrap()
}

fn text(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn a_containment_is_explained_in_sentences() {
    let plugin = Plugin::new();
    let trace = record(&plugin);
    let output = explain(&trace, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = text(&output);
    for sentence in [
        "finding 1: it opened for reading /etc/hostname",
        "why: no rule for files names the path, and none comes near",
        "followed: freeze, as the manifest says of files: step 1",
        "to allow it: files.read: [/etc/hostname]",
        "step 1: it is to be frozen",
        "enough for it: finding 1 alone: one departure from what is declared needs no other",
        "step 1: the kernel says that it is frozen, ",
        "step 2: it is to be killed",
        "why: the sandbox was held as long as the manifest says",
        "step 2: the kernel says that nothing of it is left, ",
        "1 finding, 2 containment steps; the same decisions as when it was recorded",
    ] {
        assert!(text.contains(sentence), "no {sentence:?} in {text}");
    }
}

#[test]
fn a_containment_is_explained_in_json() {
    let plugin = Plugin::new();
    let trace = record(&plugin);
    let output = explain(&trace, &["--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<Value> =
        text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["finding", "contain", "receipt", "contain", "receipt", "explained"]);
    let finding = &lines[0];
    assert_eq!(finding["deed"], "opened for reading /etc/hostname");
    assert_eq!((&finding["mode"], &finding["followed"]), (&"enforce".into(), &"steps".into()));
    let line = &finding["way_out"]["lines"][0];
    assert_eq!((&line["list"], &line["value"]), (&"files.read".into(), &"/etc/hostname".into()));
    for step in &lines[1..5] {
        assert_eq!(
            (&step["enough"], &step["reason"]),
            (&[1].as_slice().into(), &"undeclared_path".into())
        );
        assert!(finding["time_ns"].as_u64() <= step["time_ns"].as_u64(), "{step}");
    }
    assert_eq!(lines[5]["compared"], "same");
}

#[test]
fn one_finding_or_one_sandbox_can_be_asked_for() {
    let plugin = Plugin::new();
    let trace = record(&plugin);
    let all = explain(&trace, &[]);
    assert_eq!(text(&explain(&trace, &["--finding", "1"])), text(&all));
    assert_eq!(text(&explain(&trace, &["--contained"])), text(&all));
    for (options, complaint) in [
        (["--finding", "2"], "there is no finding 2 in it; it has 1 finding"),
        (["--sandbox", "77.1"], "there is no sandbox 77.1 in it"),
    ] {
        let output = explain(&trace, &options);
        assert_eq!((output.status.code(), text(&output)), (Some(1), ""), "{output:?}");
        let said = str::from_utf8(&output.stderr).unwrap();
        assert!(said.contains(complaint), "{said}");
    }
    for options in [["--finding", "0"], ["--sandbox", "weather"]] {
        assert_eq!(explain(&trace, &options).status.code(), Some(64), "{options:?}");
    }
}

#[test]
fn what_is_no_trace_is_not_explained() {
    let output = explain(Path::new("/etc/hostname"), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = str::from_utf8(&output.stderr).unwrap();
    assert!(said.contains("/etc/hostname: is no Picket trace"), "{said}");
}
