//! What is learned of recorded runs, how it is kept, shown, joined and accepted.

mod oci;
mod suggested;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use picket::trace::{Reader, Writer};
use picket_engine::Input;
use picket_tests::picket;
use serde_json::Value;

use super::plugin::Plugin;

/// A plugin, its manifest and stores of baselines beside it.
pub(super) struct Place {
    pub(super) plugin: Plugin,
    traces: usize,
}

impl Place {
    pub(super) fn new() -> Self {
        let plugin = Plugin::new().declares("files: { read: [/etc/**] }\nmode: observe");
        plugin.write("manifest.yaml", plugin.manifest());
        plugin.write("artifact", "the build");
        Self { plugin, traces: 0 }
    }

    /// Records a run of this line of shell.
    pub(super) fn record(&mut self, script: &str) -> PathBuf {
        self.traces += 1;
        let trace = self.plugin.path(&format!("{}.trace", self.traces));
        let mut command = self.plugin.exec();
        command.arg("--record").arg(&trace).args(["--", "sh", "-c", script]);
        let ended = self.plugin.run_command(command);
        assert_eq!(ended.code, 0, "{ended:?}");
        trace
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.plugin.path(name).to_str().unwrap().to_owned()
    }

    pub(super) fn run(&self, words: &[&str]) -> Output {
        picket().arg("baseline").args(words).current_dir(self.plugin.directory()).output().unwrap()
    }

    /// What it answers, line by line; it must end with this code.
    #[track_caller]
    pub(super) fn ask(&self, code: i32, words: &[&str]) -> Vec<Value> {
        let output = self.run(&[words, &["--output", "json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Learns a trace into a store; answers what happened and the baseline's key.
    #[track_caller]
    pub(super) fn learn(&self, trace: &Path, store: &str) -> (String, String) {
        let trace = trace.to_str().unwrap();
        let lines = self.ask(
            0,
            &[
                "learn",
                "--from",
                trace,
                "-m",
                "manifest.yaml",
                "--artifact",
                "artifact",
                "--store",
                store,
            ],
        );
        let text = |name: &str| lines[0][name].as_str().unwrap().to_owned();
        (text("event"), text("key"))
    }

    pub(super) fn export(&self, store: &str) -> Vec<u8> {
        let output = self.run(&["export", "--store", store]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output.stdout
    }

    /// Refused with this code and these words; no line of the answer steers the terminal.
    #[track_caller]
    pub(super) fn check_refused(&self, words: &[&str], code: i32, complaint: &str) {
        let output = self.run(words);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(complaint), "no {complaint:?} in {told}");
    }
}

/// The deeds of a family that `show` tells.
fn deeds(shown: &[Value], family: &str) -> Vec<String> {
    let of = |line: &&Value| line["event"] == "deed" && line["family"] == family;
    let found = shown.iter().filter(of);
    found.map(|line| line["template"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_recorded_run_is_learned_once_and_shown_by_what_it_did() {
    let mut place = Place::new();
    let trace = place.record("cat /etc/hostname >/dev/null");
    let (event, key) = place.learn(&trace, "s.db");
    assert_eq!(event, "learned");
    let first = place.export("s.db");
    assert_eq!(place.learn(&trace, "s.db"), ("known".to_owned(), key.clone()));
    assert_eq!(place.export("s.db"), first, "learning the same trace twice changed something");
    let shown = place.ask(0, &["show", &key[..8], "--store", "s.db"]);
    assert!(deeds(&shown, "exec").contains(&"/usr/bin/cat".to_owned()), "{shown:?}");
    assert!(deeds(&shown, "path").contains(&"read /etc/hostname".to_owned()), "{shown:?}");
    assert!(deeds(&shown, "directory").contains(&"read /etc".to_owned()), "{shown:?}");
    assert!(deeds(&shown, "syscall").contains(&"execve".to_owned()), "{shown:?}");
    let human = place.run(&["show", &key, "--store", "s.db"]);
    let human = String::from_utf8(human.stdout).unwrap();
    assert!(human.contains("recordings hold each call once"), "{human}");
}

#[test]
fn the_store_is_for_its_owner_alone() {
    let mut place = Place::new();
    let trace = place.record(":");
    place.learn(&trace, "state/s.db");
    let mode =
        |name: &str| fs::metadata(place.plugin.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state"), mode("state/s.db")), (0o700, 0o600));
    let words = ["export", "--store", "state/s.db", "--to", "e.baselines"];
    let output = place.run(&words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(mode("e.baselines"), 0o600);
}

#[test]
fn status_says_each_condition_with_its_value_and_what_is_needed() {
    let mut place = Place::new();
    let trace = place.record(":");
    let (_, key) = place.learn(&trace, "s.db");
    let lines = place.ask(3, &["status", &key, "--store", "s.db"]);
    assert_eq!((&lines[0]["state"], &lines[0]["learned"]), (&"learning".into(), &false.into()));
    let of = |name: &str| {
        let found = lines.iter().find(|line| line["condition"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {lines:?}"))
    };
    for (name, have, at_least, met) in
        [("days", 0, Some(14), false), ("runs", 1, Some(28), false), ("starts", 1, Some(2), false)]
    {
        let line = of(name);
        assert_eq!(line["have"], have, "{line}");
        assert_eq!(line["at_least"].as_u64(), at_least, "{line}");
        assert_eq!(line["met"], met, "{line}");
    }
    assert_eq!((&of("blind")["have"], &of("blind")["met"]), (&0.into(), &true.into()));
    assert_eq!(of("new_in_next_run")["at_most"], 100);
    let calibration = lines.iter().filter(|line| line["event"] == "calibration_missing");
    assert_eq!(calibration.count(), 3, "{lines:?}");
    let human = place.run(&["status", &key, "--store", "s.db", "--continuous"]);
    let human = String::from_utf8(human.stdout).unwrap();
    assert!(human.contains("runs all the time") && human.contains("at least 7"), "{human}");
    assert!(
        human.contains("calibration: by runs that the daemon watches, and by recorded ones"),
        "{human}"
    );
}

#[test]
fn a_run_with_a_loss_teaches_nothing_and_is_said_to_be_of_no_use() {
    let mut place = Place::new();
    let whole = place.record("cat /etc/hostname >/dev/null");
    // The same run, as a kernel that lost three events would have told it.
    let mut reader = Reader::open(&whole).unwrap();
    let inputs: Vec<Input> = reader.by_ref().map(Result::unwrap).collect();
    let (sandbox, at) = inputs
        .iter()
        .find_map(|input| match input {
            Input::Event { sandbox, order, .. } => Some((*sandbox, order.time)),
            _ => None,
        })
        .unwrap();
    let lossy = place.plugin.path("lossy.trace");
    let mut file = fs::File::create(&lossy).unwrap();
    let mut writer = Writer::new(&mut file, reader.header()).unwrap();
    inputs.iter().take(3).for_each(|input| writer.input(input).unwrap());
    writer.input(&Input::Loss { sandbox, lost: 3, at }).unwrap();
    inputs.iter().skip(3).for_each(|input| writer.input(input).unwrap());
    writer.finish(0).unwrap();
    let (event, key) = place.learn(&lossy, "s.db");
    assert_eq!(event, "unusable");
    let shown = place.ask(0, &["show", &key, "--store", "s.db"]);
    assert_eq!((&shown[0]["runs"], &shown[0]["usable"]), (&1.into(), &0.into()));
    assert_eq!(deeds(&shown, "exec"), Vec::<String>::new());
    let human = String::from_utf8(place.run(&["show", &key, "--store", "s.db"]).stdout).unwrap();
    assert!(human.contains("of no use") && human.contains("3 events of it were lost"), "{human}");
    let status = place.ask(3, &["status", &key, "--store", "s.db"]);
    let blind = status.iter().find(|line| line["condition"] == "blind").unwrap();
    assert_eq!((&blind["have"], &blind["met"]), (&1.into(), &false.into()));
}

#[test]
fn replicas_pool_in_any_order_and_by_any_way_to_the_same_bytes() {
    let mut place = Place::new();
    let traces: Vec<PathBuf> =
        ["cat /etc/hostname", "sh -c :", "echo"].map(|script| place.record(script)).into();
    // One has all; the others two each, one of them in common.
    for (store, learned) in [("all.db", &[0, 1, 2][..]), ("a.db", &[0, 1]), ("b.db", &[1, 2])] {
        for trace in learned {
            place.learn(&traces[*trace], store);
        }
    }
    for store in ["a", "b"] {
        fs::write(place.plugin.path(store), place.export(&format!("{store}.db"))).unwrap();
    }
    let all = place.export("all.db");
    for files in [["a", "b"], ["b", "a"]] {
        let merged = place.run(&["merge", files[0], files[1], files[0]]);
        assert_eq!(merged.stdout, all, "{files:?}");
        let store = format!("{}.first.db", files[0]);
        for file in files.iter().chain(&files) {
            place.ask(0, &["import", file, "--store", &store]);
        }
        assert_eq!(place.export(&store), all, "{files:?}");
    }
}

#[test]
fn two_processes_that_learn_at_once_lose_nothing() {
    let mut place = Place::new();
    let traces: Vec<PathBuf> =
        (0..6).map(|number| place.record(&format!("echo {number}"))).collect();
    let learning: Vec<_> = traces
        .iter()
        .map(|trace| {
            let mut command = picket();
            command.args(["baseline", "learn", "-m", "manifest.yaml", "--artifact", "artifact"]);
            command.args(["--store", "s.db", "--from"]).arg(trace);
            command.current_dir(place.plugin.directory());
            command.stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in learning {
        assert!(child.wait().unwrap().success());
    }
    let list = place.ask(0, &["list", "--store", "s.db"]);
    assert_eq!((list.len(), &list[0]["runs"]), (1, &6.into()));
}

#[test]
fn an_accepted_deed_surprises_nobody_and_is_kept_with_who_and_why() {
    let mut place = Place::new();
    let trace = place.record("cat /etc/hostname >/dev/null");
    let (_, key) = place.learn(&trace, "s.db");
    let accept = [
        "accept",
        &key,
        "exec:/usr/bin/git",
        "path:read /proc/4711/status",
        "--reason",
        "it clones",
    ];
    let lines = place.ask(0, &[&accept[..], &["--store", "s.db"]].concat());
    let words: Vec<_> = lines.iter().map(|line| (&line["event"], &line["deed"])).collect();
    let event = Value::from("accepted");
    let [git, status] = ["exec:/usr/bin/git", "path:read /proc/*/status"].map(Value::from);
    assert_eq!(words, [(&event, &git), (&event, &status)]);
    let shown = place.ask(0, &["show", &key, "--store", "s.db"]);
    let kept: Vec<_> = shown.iter().filter(|line| line["event"] == "accepted").collect();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|line| line["reason"] == "it clones"), "{kept:?}");
    assert!(kept.iter().all(|line| line["by"].as_str().unwrap().starts_with("root")), "{kept:?}");
    let again = place.ask(0, &[&accept[..], &["--store", "s.db"]].concat());
    assert!(again.iter().all(|line| line["event"] == "known"), "{again:?}");
    // It travels with the baseline.
    fs::write(place.plugin.path("e"), place.export("s.db")).unwrap();
    let imported = place.ask(0, &["import", "e", "--store", "t.db"]);
    assert_eq!(imported[0]["accepted_new"], 2);
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_way_out() {
    let mut place = Place::new();
    let trace = place.record(":");
    let (_, key) = place.learn(&trace, "s.db");
    let trace = trace.to_str().unwrap();
    let accept = |deed, complaint| {
        let words = ["accept", &key, deed, "--reason", "x", "--store", "s.db"];
        place.check_refused(&words, 64, complaint);
    };
    accept("git", "write FAMILY:DEED");
    accept("exce:/usr/bin/git", "did you mean `exec`?");
    accept("exec:git", "write exec:/usr/bin/program");
    accept("syscall:no_such_call", "write syscall:openat");
    let words = ["accept", &key, "exec:/x", "--reason", " ", "--store", "s.db"];
    place.check_refused(&words, 64, "write why this is harmless");
    let words = ["show", "\u{1b}[2J", "--store", "s.db"];
    place.check_refused(&words, 64, "`picket baseline list` shows them");
    let learn = ["learn", "-m", "manifest.yaml", "--store", "s.db", "--from"];
    let learn = |more: &[&str], complaint| {
        place.check_refused(&[&learn[..], more].concat(), 64, complaint);
    };
    learn(&[trace], "nothing says which build this is: name its file by --artifact");
    learn(&[trace, "--artifact", "sha256:12"], "`sha256:12` is not a digest");
    learn(&[trace, "--artifact", "nowhere"], "--artifact nowhere: cannot be read");
    learn(&[trace, "--artifact", "artifact", "--deployment", "a b"], "is no name of a deployment");
    learn(&["manifest.yaml", "--artifact", "artifact"], "is no Picket trace");
    learn(&[trace, "--artifact", "artifact", "--recorded-as", "other"], "was recorded of `");
    let redacted = place.path("redacted.trace");
    picket().args(["replay", trace, "--redact", &redacted]).output().unwrap();
    learn(&[&redacted, "--artifact", "artifact"], "is redacted");
}

#[test]
fn a_store_or_file_that_is_no_good_is_refused_and_left_alone() {
    let mut place = Place::new();
    let trace = place.record(":");
    place.learn(&trace, "s.db");
    place.check_refused(&["list", "--store", "nowhere.db"], 1, "there is no store of baselines");
    assert!(!place.plugin.path("nowhere.db").exists());
    place.plugin.write(
        "bad.db",
        "no database, and as long as the head of one, which is a hundred bytes or a little more.",
    );
    let owner = fs::Permissions::from_mode(0o600);
    fs::set_permissions(place.plugin.path("bad.db"), owner).unwrap();
    let before = fs::read(place.plugin.path("bad.db")).unwrap();
    place.check_refused(&["list", "--store", "bad.db"], 1, "move it away");
    assert_eq!(fs::read(place.plugin.path("bad.db")).unwrap(), before);
    let whole = String::from_utf8(place.export("s.db")).unwrap();
    let cut: String = whole.lines().take(2).map(|line| format!("{line}\n")).collect();
    place.plugin.write("cut", cut);
    place
        .plugin
        .write("newer", whole.replacen("{\"picket_baselines\":1", "{\"picket_baselines\":9", 1));
    place.plugin.write("changed", whole.replacen("/usr/bin", "/usr/bim", 1));
    for (file, complaint) in [
        ("cut", "cut: breaks off after 2 lines"),
        ("newer", "newer: has format 9, this Picket reads format 1"),
        ("changed", ": the digest of all lines before is another one"),
        ("manifest.yaml", "is no export of baselines"),
        ("nowhere", "nowhere: cannot be read"),
    ] {
        for words in [&["import", file, "--store", "new.db"][..], &["merge", file]] {
            place.check_refused(words, 64, complaint);
        }
    }
    assert!(!place.plugin.path("new.db").exists(), "a file that was refused made a store");
    let words = ["export", "--store", "s.db", "--to", "manifest.yaml"];
    place.check_refused(&words, 1, "is there already and no export of baselines");
}
