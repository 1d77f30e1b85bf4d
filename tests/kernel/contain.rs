//! The whole product: who departs from his manifest is frozen, then killed, and the kernel's word for it is read back;
//! who does not is left alone. Through the program itself, as a user runs it.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use picket::supervisor::CgroupRoot;
use picket_tests::{picket, unique, wait_for};
use serde_json::Value;

use super::place::Place;

const CONTAINED: i32 = 120;

/// A plugin in a directory of its own, under a manifest that declares what the honest part needs.
struct Plugin {
    place: Place,
    name: String,
    server: TcpListener,
}

/// What became of a run.
struct Ran {
    code: Option<i32>,
    reports: Vec<Value>,
}

impl Plugin {
    fn new(actions: &str) -> Self {
        let place = Place::new();
        let name = unique("contain");
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        place.file("data");
        place.file("secret");
        let manifest = include_str!("contain.yaml")
            .replace("NAME", &name)
            .replace("DIRECTORY", place.path().to_str().unwrap())
            .replace("STAND_IN", stand_in().to_str().unwrap())
            .replace("PORT", &server.local_addr().unwrap().port().to_string());
        fs::write(place.join("manifest.yaml"), format!("{manifest}actions: {actions}\n")).unwrap();
        Self { place, name, server }
    }

    /// Starts `/bin/sh -c SCRIPT` under Picket, in the plugin's directory.
    fn start(&self, script: &str) -> Child {
        let script = script
            .replace("STAND_IN", stand_in().to_str().unwrap())
            .replace("PORT", &self.server.local_addr().unwrap().port().to_string());
        picket()
            .args(["exec", "--output", "json", "--report-to", "reports", "-m", "manifest.yaml"])
            .args(["--", "/bin/sh", "-c", &script])
            .current_dir(self.place.path())
            .stdin(Stdio::piped())
            .stdout(File::create(self.place.join("said")).unwrap())
            .stderr(File::create(self.place.join("complaints")).unwrap())
            .spawn()
            .unwrap()
    }

    fn finish(&self, mut child: Child) -> Ran {
        let ended = wait_for("the end of picket", || child.try_wait().unwrap());
        Ran { code: ended.code(), reports: self.reports() }
    }

    fn run(&self, script: &str) -> Ran {
        self.finish(self.start(script))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.place.join(name)).unwrap_or_default()
    }

    fn reports(&self) -> Vec<Value> {
        // The last line may be half there while Picket writes.
        let text = self.read("reports");
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Whether a sandbox of this plugin is still there.
    fn is_left_behind(&self) -> bool {
        let home = CgroupRoot::find().unwrap().home();
        let prefix = format!("{}.", self.name);
        let mut entries = fs::read_dir(home).into_iter().flatten();
        entries.any(|entry| entry.unwrap().file_name().to_str().unwrap().starts_with(&prefix))
    }
}

impl Ran {
    fn of(&self, event: &str) -> impl Iterator<Item = &Value> {
        self.reports.iter().filter(move |report| report["event"] == event)
    }

    /// Capability and reason of each finding.
    fn findings(&self) -> Vec<[String; 2]> {
        self.of("finding").map(|finding| texts(finding, ["capability", "reason"])).collect()
    }

    /// Step and outcome of each receipt, and what the step followed from.
    fn receipts(&self) -> Vec<[String; 3]> {
        self.of("receipt").map(|receipt| texts(receipt, ["step", "outcome", "trigger"])).collect()
    }

    /// What the plugin did and was frozen for, in words.
    fn deeds(&self) -> Vec<String> {
        self.of("finding").map(|finding| texts(finding, ["deed"])[0].clone()).collect()
    }
}

fn texts<const N: usize>(report: &Value, keys: [&str; N]) -> [String; N] {
    keys.map(|key| {
        report[key].as_str().unwrap_or_else(|| panic!("no {key} in {report}")).to_owned()
    })
}

fn stand_in() -> PathBuf {
    let named = env::var_os("PICKET_STAND_IN");
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_picket-stand-in").into()).into()
}

/// Everything at its default action but the harmless.
const STRICT: &str = "{ exec: freeze, files: freeze, network: freeze, syscalls: freeze }";

const HONEST: &str = "read line < data; cat data; STAND_IN visit 127.0.0.1:PORT; echo done > out; ";

#[test]
fn a_plugin_that_keeps_to_its_manifest_ends_with_its_own_code_and_no_finding() {
    let plugin = Plugin::new(STRICT);
    let ran = plugin.run(&format!("{HONEST} exit 5"));
    assert_eq!((ran.findings(), ran.code), (vec![], Some(5)), "{}", plugin.read("complaints"));
    assert_eq!((plugin.read("said"), plugin.read("out")), ("content\n".into(), "done\n".into()));
    assert_eq!(ran.receipts(), [[""; 3]; 0]);
    assert!(!plugin.is_left_behind());
}

/// A plugin does its honest work and then a deed; what is found, and that it is frozen and then killed.
#[track_caller]
fn check_rogue(deed: &str, finding: [&str; 2], words: &str) {
    let plugin = Plugin::new(STRICT);
    // It stays after the deed: one that ends by itself at once may leave nothing to kill.
    let ran = plugin.run(&format!("{HONEST} {deed}; read line"));
    assert_eq!(plugin.read("out"), "done\n", "it was stopped too early: {:?}", ran.deeds());
    assert_eq!(ran.findings()[0], finding);
    let deed = &ran.deeds()[0];
    assert!(deed.contains(words), "{deed}");
    let expected = [["freeze", "done", "finding"], ["kill", "done", "lease_expired"]];
    assert_eq!(ran.receipts(), expected);
    assert_eq!(ran.code, Some(CONTAINED), "{}", plugin.read("complaints"));
    assert!(!plugin.is_left_behind());
    for receipt in ran.of("receipt") {
        assert!(receipt["decision_us"].as_u64() <= receipt["receipt_us"].as_u64(), "{receipt}");
    }
}

#[test]
fn who_opens_an_undeclared_file_is_frozen_and_then_killed() {
    let finding = ["files", "undeclared_path"];
    check_rogue("read line < secret", finding, "secret");
    check_rogue("cat secret", finding, "secret");
}

#[test]
fn who_writes_what_he_may_read_is_frozen_and_then_killed() {
    check_rogue("echo changed > data", ["files", "write_not_declared"], "data");
}

#[test]
fn who_connects_elsewhere_is_refused_frozen_and_then_killed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = elsewhere.local_addr().unwrap().to_string();
    check_rogue(&format!("STAND_IN visit {to}"), ["network", "undeclared_destination"], &to);
    assert!(elsewhere.accept().is_err(), "somebody came through");
}

#[test]
fn who_runs_an_undeclared_program_is_frozen_and_then_killed() {
    // The tier `lsm` sees the kernel open a program before it runs it: the same finding, earlier.
    check_rogue("/usr/bin/id", ["exec", "undeclared_exec"], "/usr/bin/id");
}

#[test]
fn what_the_wall_of_a_strict_plugin_refuses_is_found_in_either_tier() {
    let plugin = Plugin::new("{ denied: alert, denied_repeatedly: alert }\nconfinement: strict");
    // Elsewhere: around what it may write, Landlock lets everything through, and the hooks judge.
    let elsewhere = Place::new();
    let secret = elsewhere.file("secret");
    let ran = plugin.run(&format!("{HONEST} cat {}; exit 5", secret.display()));
    assert_eq!(ran.code, Some(5), "{:?}\n{}", ran.deeds(), plugin.read("complaints"));
    assert_eq!(plugin.read("said"), "content\n", "the secret came through");
    let told = texts(ran.of("confinement").next().unwrap(), ["text"]);
    assert!(told[0].contains("Landlock"), "{told:?}: is landlock among the security modules?");
    let deed = format!("was refused openat on {}", secret.display());
    assert_eq!(ran.findings(), [["files", "denied_attempt"]], "{:?}", ran.deeds());
    assert_eq!(ran.deeds(), [deed]);
}

#[test]
fn who_is_to_be_killed_is_frozen_first_and_not_held() {
    let plugin = Plugin::new("{ files: kill }");
    let ran = plugin.run(&format!("{HONEST} read line < secret; read line"));
    let expected = [["freeze", "done", "finding"], ["kill", "done", "freeze_confirmed"]];
    assert_eq!(ran.receipts(), expected);
    assert_eq!(ran.code, Some(CONTAINED));
}

#[test]
fn two_pickets_at_once_see_only_their_own_plugin() {
    let (honest, rogue) = (Plugin::new(STRICT), Plugin::new(STRICT));
    let mut waiting = honest.start(&format!("{HONEST} read line; cat data; exit 5"));
    wait_for("the honest plugin's first work", || {
        assert_eq!(waiting.try_wait().unwrap(), None, "{}", honest.read("complaints"));
        (honest.read("out") == "done\n").then_some(())
    });
    let contained = rogue.run(&format!("{HONEST} read line < secret; read line"));
    assert_eq!((contained.findings().len(), contained.code), (1, Some(CONTAINED)));
    drop(waiting.stdin.take());
    let ran = honest.finish(waiting);
    assert_eq!((ran.findings(), ran.code), (vec![], Some(5)), "{}", honest.read("complaints"));
    let sandboxes = |ran: &Ran, name: &str| {
        ran.reports
            .iter()
            .filter_map(|report| report["plugin"].as_str())
            .all(|plugin| plugin == name)
    };
    assert!(sandboxes(&ran, &honest.name) && sandboxes(&contained, &rogue.name));
}
