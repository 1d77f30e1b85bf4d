//! The demo keeps its promises: three rogues are contained, the honest plugin is not disturbed, and
//! nothing is left behind.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libc::SIGINT;
use picket_tests::{picket, require_root, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use super::run::{processes_in, sandboxes, signal};

/// A demo lasts five seconds on a quiet host.
const WITHIN: Duration = Duration::from_mins(1);

const ROGUES: [&str; 3] = ["rogue-1", "rogue-2", "rogue-3"];

/// A demo under way, with its stage in a directory of the test's.
struct Demo {
    child: Child,
    place: TempDir,
}

impl Demo {
    fn start(flags: &[&str]) -> Self {
        require_root("Picket loads kernel programs");
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("stage")).unwrap();
        let mut command: Command = picket();
        command.arg("demo").args(flags).env("TMPDIR", place.path().join("stage"));
        command.stdin(Stdio::null()).stdout(file(place.path(), "stdout"));
        let child = command.stderr(file(place.path(), "stderr")).spawn().unwrap();
        Self { child, place }
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.place.path().join("stderr")).unwrap()
    }

    /// Waits for its end: exit code and all it said.
    fn end(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + WITHIN;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the demo does not end: {}", self.stderr());
            std::thread::park_timeout(Duration::from_millis(1));
        };
        let place = self.place.path();
        let left: Vec<_> = fs::read_dir(place.join("stage")).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        assert_eq!(processes_in(place), Vec::<String>::new());
        assert_eq!(fs::read_to_string(place.join("stdout")).unwrap(), "");
        (status.code(), self.stderr())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Its launchers end the plugins of a demo that has to be killed.
        if let Ok(None) = self.child.try_wait() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn file(directory: &Path, name: &str) -> File {
    File::create(directory.join(name)).unwrap()
}

/// What the demo said about one plugin: the lines that begin with its name, and those indented
/// under them.
fn about<'a>(story: &'a str, plugin: &str) -> Vec<&'a str> {
    let mut own = false;
    let lines = story.lines().filter(|line| {
        own = if line.starts_with("  ") { own } else { line.starts_with(&format!("[{plugin}]")) };
        own
    });
    lines.collect()
}

#[test]
fn the_demo_shows_verdict_action_and_receipt_of_each_rogue_and_leaves_the_honest_one_alone() {
    let mut demo = Demo::start(&[]);
    let (code, story) = demo.end();
    assert_eq!(code, Some(0), "{story}");
    let verdicts = ["files: undeclared path", "network: undeclared dest", "exec: undeclared exec"];
    for (rogue, verdict) in ROGUES.into_iter().zip(verdicts) {
        let lines = about(&story, rogue).join("\n");
        for words in [
            "declared: ",
            &format!("verdict: {verdict}"),
            "→ freeze",
            "FROZEN  receipt: the kernel says `frozen 1`",
            "µs from the kernel's timestamp to the decision",
            "KILLED  receipt: the kernel says `populated 0`",
        ] {
            assert!(lines.contains(words), "no {words:?} for {rogue} in\n{story}");
        }
    }
    let honest = about(&story, "honest").join("\n");
    assert!(!honest.contains("verdict") && !honest.contains("FROZEN"), "{story}");
    assert!(story.contains("the honest plugin finished its work undisturbed"), "{story}");
    assert!(story.to_lowercase().contains("what to try next"), "{story}");
}

#[test]
fn two_demos_at_once_do_not_disturb_each_other() {
    let mut demos = [Demo::start(&["--output", "json"]), Demo::start(&["--output", "json"])];
    for demo in &mut demos {
        let (code, story) = demo.end();
        assert_eq!(code, Some(0), "{story}");
        let lines: Vec<Value> =
            story.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        for rogue in ROGUES {
            let of = |event: &str| {
                let about = lines.iter().filter(|line| line["plugin"] == rogue);
                about.filter(|line| line["event"] == event).collect::<Vec<_>>()
            };
            assert!(!of("finding").is_empty(), "{story}");
            assert_eq!(of("receipt").len(), 2, "{story}");
            assert!(of("receipt").iter().all(|one| one["outcome"] == "done"), "{story}");
        }
        let honest = lines.iter().filter(|line| line["plugin"] == "honest");
        assert_eq!(honest.filter(|line| line["event"] == "finding").count(), 0, "{story}");
    }
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let mut demo = Demo::start(&[]);
    wait_until("a rogue on stage", || demo.stderr().contains("[rogue-1]"));
    signal(demo.child.id().cast_signed(), SIGINT);
    let (code, story) = demo.end();
    assert_eq!(code, Some(1), "{story}");
    assert!(story.contains("interrupted"), "{story}");
}

#[test]
fn no_sandbox_outlives_its_demo() {
    let mut demo = Demo::start(&[]);
    let (code, story) = demo.end();
    assert_eq!(code, Some(0), "{story}");
    // Other demos on this host come and go; none of theirs stays either.
    for name in ["honest", "rogue-1", "rogue-2", "rogue-3", "self-test"] {
        for sandbox in sandboxes(name) {
            wait_until(&format!("{} is removed", sandbox.display()), || !sandbox.exists());
        }
    }
}
