//! Others are told of incidents: once, signed, in order, also when they are not there at first.

mod counterparts;
mod receiver;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use libc::{SIGHUP, SIGKILL, SIGTERM};
use picket_tests::{picket, wait_for, wait_until};
use receiver::{Receiver, Reply, TAKEN};
use serde_json::Value;

use super::super::plugin::Plugin;
use super::{Daemon, Stage, depart};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQI";

fn stage() -> Stage {
    let stage = Stage::new(Plugin::new().held());
    let secret = stage.plugin.write("soc.secret", format!("{SECRET}\n"));
    fs::set_permissions(secret, Permissions::from_mode(0o600)).unwrap();
    stage
}

/// Tells these targets, which are lines of YAML.
fn tell(stage: &Stage, targets: &str) {
    let outbox = stage.plugin.path("box/alerts.db");
    let alerts = format!("alerts:\n  outbox: {}\n  targets:\n{targets}", outbox.display());
    stage.configure_with(&stage.rule("*", ""), &alerts);
}

fn webhook(url: &str) -> String {
    format!("    - {{ name: soc, type: webhook, url: \"{url}\", secret_file: soc.secret }}\n")
}

/// Tells one webhook, which answers so.
fn told(stage: &Stage, replies: &[Reply]) -> Receiver {
    let receiver = Receiver::start(replies);
    tell(stage, &webhook(&format!("http://{}/hook", receiver.address)));
    receiver
}

/// `picket alerts …`: code, and each line of its JSON.
fn alerts(stage: &Stage, arguments: &[&str]) -> (i32, Vec<Value>) {
    let mut command = picket();
    command.arg("alerts").args(arguments).args(["--output", "json", "--config"]);
    let output = command.arg(stage.plugin.path("picket.yaml")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), lines)
}

/// What `picket alerts list` says of a target.
fn target(stage: &Stage, name: &str) -> Option<Value> {
    alerts(stage, &["list"]).1.into_iter().find(|line| line["target"] == name)
}

/// The sandbox ends, and its cgroup goes.
fn remove(stage: &Stage, name: &str) {
    fs::write(stage.place(name).join("cgroup.kill"), "1").unwrap();
    stage.remove(name);
}

fn freeze_one(stage: &mut Stage, daemon: &Daemon, name: &str) {
    depart(stage, daemon, name);
    wait_until("a freeze", || stage.is_frozen(name));
}

#[test]
fn an_incident_is_one_message_when_it_is_contained_and_one_when_it_is_over() {
    let mut stage = stage();
    let receiver = told(&stage, &[]);
    let daemon = stage.watching();
    freeze_one(&mut stage, &daemon, "one");
    let first = receiver.await_noted(1).remove(0).json();
    for (key, value) in [
        ("event", "incident"),
        ("status", "firing"),
        ("severity", "critical"),
        ("capability", "files"),
        ("reason", "undeclared_path"),
        ("step", "freeze"),
        ("outcome", "done"),
        ("plugin", stage.plugin.name()),
    ] {
        assert_eq!(first[key], value, "{first}");
    }
    remove(&stage, "one");
    let noted = receiver.await_noted(2);
    let last = noted[1].json();
    assert_eq!((&last["status"], &last["closure"]), (&"resolved".into(), &"unregistered".into()));
    assert_eq!(first["incident"], last["incident"]);
    let incident = first["incident"].as_str().unwrap();
    for (message, number) in noted.iter().zip(1..) {
        assert_eq!(message.header("webhook-id"), format!("{incident}-{number}"));
        // The file is called so, and what is in it.
        assert!(!message.body.contains("secret"), "{}", message.body);
    }
    wait_until("an empty outbox", || target(&stage, "soc").unwrap()["pending"] == 0);
    assert_eq!(receiver.noted().len(), 2);
}

/// Sends the same message until it is taken, and counts it once. Three troubles: each wait may be twice as long.
#[track_caller]
fn check_persistence(trouble: [Reply; 3]) {
    let mut stage = stage();
    let receiver = told(&stage, &trouble);
    let daemon = stage.watching();
    freeze_one(&mut stage, &daemon, "one");
    let noted = receiver.await_noted(trouble.len() + 1);
    for message in &noted {
        assert_eq!(message.header("webhook-id"), noted[0].header("webhook-id"));
        assert_eq!(message.body, noted[0].body);
    }
    wait_until("it is taken", || target(&stage, "soc").unwrap()["state"] == "up");
    wait_until("counted", || {
        daemon.counts("picket_exports_total{outcome=\"sent\",output=\"soc\"} 1")
            && daemon.counts("picket_exports_queued_total{output=\"soc\"} 1")
    });
}

#[test]
fn what_is_refused_for_the_moment_is_sent_again_until_it_is_taken() {
    check_persistence([
        Reply::Bytes("HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n"),
        Reply::Bytes("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"),
        Reply::Bytes("HTTP/1.1 408 Late\r\nConnection: close\r\n\r\n"),
    ]);
}

#[test]
fn garbage_broken_connections_and_redirects_lead_to_the_same_message_again() {
    check_persistence([
        Reply::Bytes("\u{0}\u{1}garbage\r\n\r\n"),
        Reply::Bytes(""),
        Reply::Bytes(
            "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n",
        ),
    ]);
}

#[test]
fn what_is_refused_for_good_is_a_dead_letter_until_somebody_has_it_tried_again() {
    let mut stage = stage();
    let refusal = Reply::Bytes("HTTP/1.1 400 No\r\nConnection: close\r\n\r\n");
    let receiver = told(&stage, &[refusal]);
    let daemon = stage.watching();
    freeze_one(&mut stage, &daemon, "one");
    let dead = wait_for("a dead letter", || alerts(&stage, &["dead"]).1.pop());
    assert_eq!((&dead["target"], &dead["error"]), (&"soc".into(), &"answered 400".into()));
    wait_until("counted", || daemon.counts("picket_alerts_dead{output=\"soc\"} 1"));
    assert!(daemon.counts("picket_exports_total{outcome=\"failed\",output=\"soc\"} 1"));
    assert!(daemon.counts("picket_alert_target_up{output=\"soc\"} 0"));
    assert_eq!(receiver.noted().len(), 1);
    assert_eq!(alerts(&stage, &["replay", "4711"]).0, 1);
    assert_eq!(alerts(&stage, &["replay", "--all"]).0, 0);
    let noted = receiver.await_noted(2);
    assert_eq!(noted[1].header("webhook-id"), dead["id"]);
    wait_until("no dead letter", || alerts(&stage, &["dead"]).1.is_empty());
}

#[test]
fn a_target_that_wants_nothing_any_more_is_left_alone_until_a_reload() {
    let mut stage = stage();
    let receiver = told(&stage, &[Reply::Bytes("HTTP/1.1 410 Gone\r\nConnection: close\r\n\r\n")]);
    let daemon = stage.watching();
    freeze_one(&mut stage, &daemon, "one");
    wait_until("it is disabled", || {
        target(&stage, "soc").is_some_and(|target| target["state"] == "disabled")
    });
    freeze_one(&mut stage, &daemon, "two");
    wait_until("both wait", || target(&stage, "soc").unwrap()["pending"] == 2);
    assert_eq!(receiver.noted().len(), 1);
    daemon.signal(SIGHUP);
    receiver.await_noted(3);
    wait_until("none waits", || target(&stage, "soc").unwrap()["pending"] == 0);
}

#[test]
fn a_target_that_hangs_or_is_not_there_holds_up_neither_detection_nor_other_targets() {
    let mut stage = stage();
    let hanging = Receiver::start(&[Reply::Silence, Reply::Silence, Reply::Silence]);
    let taking = Receiver::start(&[]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = |name: &str, address| {
        webhook(&format!("http://{address}/")).replace("soc,", &format!("{name},"))
    };
    tell(
        &stage,
        &[line("hangs", hanging.address), line("nobody", nobody), line("takes", taking.address)]
            .concat(),
    );
    let mut daemon = stage.watching();
    for name in ["one", "two", "three"] {
        freeze_one(&mut stage, &daemon, name);
    }
    taking.await_noted(3);
    hanging.await_noted(1);
    wait_until("it is known", || target(&stage, "nobody").unwrap()["state"] == "failing");
    assert_eq!(target(&stage, "nobody").unwrap()["pending"], 3);
    assert_eq!(daemon.end(SIGTERM), Some(0));
}

#[test]
fn what_a_killed_daemon_had_written_down_is_sent_by_the_next_under_the_same_key() {
    let mut stage = stage();
    let receiver = told(&stage, &[Reply::Silence]);
    let mut first = stage.watching();
    freeze_one(&mut stage, &first, "one");
    let unanswered = receiver.await_noted(1).remove(0);
    first.end(SIGKILL);
    assert_eq!(target(&stage, "soc").unwrap()["pending"], 1);
    let _second = stage.watching();
    let again = receiver.await_noted(2).remove(1);
    assert_eq!(again.header("webhook-id"), unanswered.header("webhook-id"));
    assert_eq!(again.body, unanswered.body);
    wait_until("it is taken", || target(&stage, "soc").unwrap()["pending"] == 0);
    // The sandbox is still there: so is the incident, and nothing new is to be said.
    let open = |line: &Value| line["incident"] == again.json()["incident"];
    assert!(alerts(&stage, &["list"]).1.iter().any(open));
    remove(&stage, "one");
    let last = receiver.await_noted(3).remove(2).json();
    assert_eq!((&last["status"], &last["revision"]), (&"resolved".into(), &2.into()));
    assert_eq!(last["incident"], again.json()["incident"]);
}

#[test]
fn what_was_never_sent_is_delivered_once_after_a_kill() {
    let mut stage = stage();
    let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    tell(&stage, &webhook(&format!("http://{place}/")));
    let mut first = stage.watching();
    freeze_one(&mut stage, &first, "one");
    wait_until("it waits", || target(&stage, "soc").is_some_and(|target| target["pending"] == 1));
    first.end(SIGKILL);
    let receiver = Receiver::on(TcpListener::bind(place).unwrap(), &[TAKEN]);
    let _second = stage.watching();
    receiver.await_noted(1);
    wait_until("it is taken", || target(&stage, "soc").unwrap()["pending"] == 0);
    assert_eq!(receiver.noted().len(), 1);
}

#[test]
fn a_test_says_of_itself_that_it_is_one_and_what_came_of_it() {
    let stage = stage();
    let receiver = told(&stage, &[TAKEN, Reply::Bytes("HTTP/1.1 500 No\r\n\r\n")]);
    assert_eq!(alerts(&stage, &["test", "soc"]).0, 0);
    assert_eq!(receiver.noted()[0].json()["event"], "test");
    let (code, said) = alerts(&stage, &["test", "soc"]);
    assert_eq!((code, &said[0]["error"]), (1, &"answered 500".into()));
    receiver.relent();
    assert_eq!(alerts(&stage, &["test", "nobody"]).0, 64);
}

#[test]
fn an_outbox_that_is_something_else_is_said_with_the_way_out_and_nothing_starts() {
    let stage = stage();
    told(&stage, &[]);
    fs::create_dir(stage.plugin.path("box")).unwrap();
    let file = stage.plugin.write("box/alerts.db", "not a database, and long enough to be sure");
    let run = || {
        let mut command = picket();
        let config = stage.plugin.path("picket.yaml");
        let output = command.arg("run").arg("--config").arg(config).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = run();
    assert!(
        said.contains("can be read or written by others") && said.contains("chmod 600"),
        "{said}"
    );
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    let said = run();
    assert!(said.contains("alerts.db, is damaged") && said.contains("move it away"), "{said}");
}

#[test]
fn a_second_daemon_on_the_same_outbox_is_refused() {
    let stage = stage();
    told(&stage, &[]);
    let _first = stage.watching();
    let text = fs::read_to_string(stage.plugin.path("picket.yaml")).unwrap();
    stage.write("other.yaml", text.replace("picket.sock", "other.sock"));
    let mut command = picket();
    command.arg("run").arg("--config").arg(stage.plugin.path("other.yaml"));
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another picket sends from the outbox"), "{said}");
}

#[test]
fn a_target_that_is_configured_while_it_runs_is_told_from_then_on() {
    let mut stage = stage();
    let first = told(&stage, &[]);
    let daemon = stage.watching();
    let second = told(&stage, &[]);
    daemon.await_one("reloaded", |_| true);
    freeze_one(&mut stage, &daemon, "one");
    second.await_noted(1);
    assert_eq!(first.noted().len(), 0);
}
