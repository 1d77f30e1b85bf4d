//! Asking a running daemon: `picket status`, `events`, `mode` and `reload`, and who is not answered.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use libc::{SIGINT, SIGKILL, SIGTERM};
use picket_tests::{picket, wait_for};
use serde_json::Value;

use super::super::bad::{CONFIG, MANIFEST, bad_configs, bad_manifests};
use super::super::plugin::{LINGER, Plugin};
use super::super::run::signal;
use super::{depart, stage::Stage};

/// Nobody's user and group, which exist on every Debian.
const NOBODY: u32 = 65534;
/// A user that is in no group of anybody's.
const STRANGER: u32 = 61234;

/// What a plugin would ask its own guard: to look away.
const PLEA: &str = r#"use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die;
    my $b = '{"mode":"observe"}'; my $n = length $b;
    print $s "PUT /v1/sandboxes/$ARGV[1]/mode HTTP/1.1\r\nhost: x\r\ncontent-length: $n\r\n\r\n$b";
    open my $out, ">", "answer.part"; print $out $_ while <$s>; close $out;
    rename "answer.part", "answer";"#;

fn stage() -> Stage {
    Stage::new(Plugin::new().held())
}

/// A subcommand that asks the daemon of this stage.
fn asking(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = picket();
    command.args(arguments).env("PICKET_API", stage.plugin.path("picket.sock"));
    command
}

/// Code, standard output, standard error.
fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn ask(stage: &Stage, arguments: &[&str]) -> (i32, String, String) {
    said(asking(stage, arguments).output().unwrap())
}

#[track_caller]
fn status(stage: &Stage) -> Value {
    let (code, stdout, stderr) = ask(stage, &["status", "--output", "json"]);
    assert_eq!((code, &*stderr), (0, ""));
    serde_json::from_str(&stdout).unwrap()
}

/// A running `picket events --output json`.
struct Listener {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Listener {
    fn start(stage: &Stage, filter: &[&str]) -> Self {
        let mut command = asking(stage, &["events", "--output", "json"]);
        command.args(filter).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut listener = Self { child, lines };
        assert_eq!(listener.next()["event"], "following");
        listener
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Code and standard error.
    fn end(mut self) -> (i32, String) {
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code().unwrap(), errors)
    }
}

#[test]
fn status_tells_what_is_watched_to_people_and_programs() {
    let stage = stage();
    stage.make("one");
    let daemon = stage.watching();
    let sandbox = daemon.await_watched(&stage.path("one"));
    let status = status(&stage);
    let one = &status["sandboxes"][0];
    assert_eq!((&one["sandbox"], &one["state"]), (&sandbox, &"starting".into()), "{status}");
    assert_eq!((&one["plugin"], &one["mode"]), (&stage.plugin.name().into(), &"enforce".into()));
    assert_eq!(one["cgroup"], stage.path("one"));
    assert!(["lsm", "trace"].contains(&status["tier"].as_str().unwrap()));
    assert_eq!(status["refused"], Value::Null);
    let (code, stdout, stderr) = ask(&stage, &["status"]);
    assert_eq!((code, &*stderr), (0, ""));
    for words in ["PLUGIN", stage.plugin.name(), "enforce", "starting", "in force"] {
        assert!(stdout.contains(words), "no {words:?} in {stdout}");
    }
}

#[test]
fn listeners_hear_of_a_departure_and_of_what_follows_it_while_it_happens() {
    let mut stage = stage();
    let daemon = stage.watching();
    let filter = ["--event", "finding", "--event", "watched", "--plugin", stage.plugin.name()];
    let mut listener = Listener::start(&stage, &filter);
    let mut receipts = Listener::start(&stage, &["--event", "receipt"]);
    let mut others = Listener::start(&stage, &["--plugin", "other", "--event", "finding"]);
    stage.make("one");
    let sandbox = daemon.await_watched(&stage.path("one"));
    let watched = listener.next();
    assert_eq!((&watched["event"], &watched["sandbox"]), (&"watched".into(), &sandbox));
    stage.enter("one", &format!("cat secret; {LINGER}"));
    let finding = listener.next();
    assert_eq!(finding["event"], "finding");
    assert_eq!(finding["path"], stage.plugin.path("secret").to_str().unwrap(), "{finding}");
    assert_eq!((&finding["sandbox"], &finding["reason"]), (&sandbox, &"undeclared_path".into()));
    let receipt = receipts.next();
    assert_eq!((&receipt["step"], &receipt["outcome"]), (&"freeze".into(), &"done".into()));
    let mut daemon = daemon;
    assert_eq!(daemon.end(SIGTERM), Some(0));
    assert_eq!(others.next()["why"], "daemon_ended", "nothing else was for it");
    assert_eq!(others.end(), (1, "picket: the daemon has ended\n".to_owned()));
    assert!(!stage.plugin.path("picket.sock").exists());
}

#[test]
fn a_mode_is_switched_by_the_plugins_name_and_holds_from_then_on() {
    let mut stage = stage();
    stage.configure(&stage.rule("*", ", mode: observe"));
    let daemon = stage.watching();
    stage.make("one");
    let sandbox = daemon.await_watched(&stage.path("one"));
    let name = stage.plugin.name().to_owned();
    let (code, stdout, stderr) = ask(&stage, &["mode", &name, "enforce"]);
    assert_eq!((code, &*stderr), (0, ""));
    let id = sandbox.as_str().unwrap();
    assert_eq!(stdout, format!("{name} ({id}) is in mode enforce now; it was observe\n"));
    stage.enter("one", &format!("cat secret; {LINGER}"));
    daemon.await_about("receipt", &sandbox);
    assert!(stage.is_frozen("one"));
    wait_for("the state", || (status(&stage)["sandboxes"][0]["state"] == "frozen").then_some(()));
    let (code, _, stderr) = ask(&stage, &["mode", &name[..name.len() - 1], "observe"]);
    assert_eq!(code, 1);
    assert!(stderr.contains(&format!("did you mean `{name}`?")), "{stderr}");
}

#[test]
fn a_reload_says_what_it_did_and_why_it_did_nothing() {
    let stage = stage();
    stage.make("one");
    let _daemon = stage.watching();
    stage.configure(&stage.rule("*", ", mode: shadow"));
    // The daemon may have noticed by itself already; either way the new configuration holds then.
    assert_eq!(ask(&stage, &["reload"]).0, 0);
    assert_eq!(status(&stage)["sandboxes"][0]["mode"], "shadow");
    stage.configure("  - { cgroop: /x }\n");
    let (code, stdout, stderr) = ask(&stage, &["reload"]);
    assert_eq!((code, &*stdout), (1, ""));
    assert!(stderr.contains("cgroop"), "{stderr}");
    assert!(status(&stage)["refused"].as_str().unwrap().contains("cgroop"));
    assert!(ask(&stage, &["status"]).1.contains("REFUSED"));
}

#[test]
fn no_bad_file_takes_the_place_of_the_configuration_in_force() {
    let mut stage = stage();
    let daemon = stage.watching();
    let refused = |name: &str, file: &str| {
        let (code, stdout, stderr) = ask(&stage, &["reload"]);
        assert_eq!((code, &*stdout), (1, ""), "{name}");
        assert!(stderr.contains(file) && stderr.contains("\n      = "), "{name}: {stderr}");
    };
    stage.write("plugin.yaml", MANIFEST);
    for (name, bytes) in bad_configs() {
        stage.write("picket.yaml", bytes);
        refused(name, "picket.yaml:");
    }
    for (name, bytes) in bad_manifests() {
        stage.write("plugin.yaml", bytes);
        stage.write("picket.yaml", CONFIG);
        refused(name, "plugin.yaml:");
    }
    depart(&mut stage, &daemon, "one");
    wait_for("a freeze", || stage.is_frozen("one").then_some(()));
}

#[test]
fn a_plugin_cannot_ask_its_guard_to_look_away() {
    let mut stage = stage();
    // As root, unjudged and unhindered: the least that is in its way.
    stage.configure(&stage.rule("*", ", mode: shadow"));
    let daemon = stage.watching();
    stage.make("one");
    let sandbox = daemon.await_watched(&stage.path("one"));
    stage.plugin.write("plea.pl", PLEA);
    let socket = stage.plugin.path("picket.sock");
    let id = sandbox.as_str().unwrap();
    stage.enter("one", &format!("perl plea.pl {} {id}", socket.display()));
    let answer = wait_for("an answer", || fs::read_to_string(stage.plugin.path("answer")).ok());
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(status(&stage)["sandboxes"][0]["mode"], "shadow");
}

/// The subcommand as another user, from a copy of the program that everybody may run.
fn as_user(stage: &Stage, user: u32, arguments: &[&str]) -> (i32, String, String) {
    let program = stage.plugin.path("picket");
    if !program.exists() {
        fs::copy(picket_tests::picket_program(), &program).unwrap();
    }
    let mut command = Command::new(program);
    command.args(arguments).arg("--api").arg(stage.plugin.path("run/picket.sock"));
    // Supplementary groups are dropped along with root's user.
    said(command.current_dir("/").uid(user).gid(user).output().unwrap())
}

fn open_to(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn members_of_the_group_may_look_and_everybody_else_may_not_even_that() {
    let stage = stage();
    open_to(stage.plugin.directory(), 0o711);
    let socket = stage.plugin.path("run/picket.sock");
    let rule = stage.rule("*", "");
    let text = format!(
        "version: 1\nmetrics: {{ listen: \"127.0.0.1:0\" }}\n\
         api: {{ socket: {}, group: nogroup }}\nsandboxes:\n{rule}",
        socket.display()
    );
    stage.write("picket.yaml", &text);
    stage.make("one");
    let _daemon = stage.watching();
    let (code, stdout, stderr) = as_user(&stage, NOBODY, &["status"]);
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.contains(stage.plugin.name()), "{stdout}");
    for change in [&["mode", stage.plugin.name(), "enforce"][..], &["reload"]] {
        let (code, _, stderr) = as_user(&stage, NOBODY, change);
        assert_eq!(code, 1);
        assert!(stderr.contains("may look and change nothing"), "{stderr}");
    }
    let (code, _, stderr) = as_user(&stage, STRANGER, &["status"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("permission denied") && stderr.contains("nogroup"), "{stderr}");
    // Permissions that somebody loosened are not the only thing in a stranger's way.
    open_to(&stage.plugin.path("run"), 0o755);
    open_to(&socket, 0o666);
    let (code, _, stderr) = as_user(&stage, STRANGER, &["status"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("not allowed: only root"), "{stderr}");
}

#[test]
fn without_a_daemon_the_way_out_is_said() {
    let stage = stage();
    for arguments in [&["status"][..], &["events"], &["mode", "x", "enforce"], &["reload"]] {
        let (code, stdout, stderr) = ask(&stage, arguments);
        assert_eq!((code, &*stdout), (1, ""), "{arguments:?}");
        assert!(stderr.contains("no daemon answers on "), "{stderr}");
        assert!(stderr.contains("picket run"), "{stderr}");
    }
}

#[test]
fn a_killed_daemon_is_missed_and_its_socket_is_the_next_ones() {
    let stage = stage();
    let mut first = stage.watching();
    let listener = Listener::start(&stage, &[]);
    first.end(SIGKILL);
    let (code, stderr) = listener.end();
    assert_eq!(code, 1);
    assert!(stderr.starts_with("picket: the connection to the daemon broke"), "{stderr}");
    assert!(stage.plugin.path("picket.sock").exists());
    let (_, _, stderr) = ask(&stage, &["status"]);
    assert!(stderr.contains("no daemon answers on "), "{stderr}");
    let _next = stage.watching();
    status(&stage);
}

#[test]
fn a_second_daemon_on_the_same_socket_is_refused() {
    let stage = stage();
    let _first = stage.watching();
    let mut command = picket();
    command.args(["run", "--config"]).arg(stage.plugin.path("picket.yaml"));
    let (code, _, stderr) = said(command.output().unwrap());
    assert_eq!(code, 1);
    assert!(stderr.contains("another picket runs: it answers on "), "{stderr}");
    status(&stage);
}

#[test]
fn whoever_has_seen_enough_ends_listening_without_a_complaint() {
    let mut stage = stage();
    let daemon = stage.watching();
    let listener = Listener::start(&stage, &[]);
    signal(listener.child.id().cast_signed(), SIGINT);
    assert_eq!(listener.end(), (0, String::new()));
    // A reader that goes away, as `head` does.
    let mut command = asking(&stage, &["events", "--event", "finding"]);
    let errors = stage.plugin.path("errors");
    command.stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
    let mut child = command.spawn().unwrap();
    let mut first = [0];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    stage.make("one");
    daemon.await_watched(&stage.path("one"));
    stage.enter("one", &format!("cat secret; {LINGER}"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_to_string(errors).unwrap(), "");
}
