//! When Picket is killed, its launcher freezes the sandbox, and the next Picket clears it away.

use std::fs;
use std::time::Duration;

use libc::{SIGCONT, SIGKILL, SIGSTOP, SIGTSTP};
use picket_tests::wait_until;

use super::plugin::Plugin;
use super::run::{has_event, is_alive, processes_in, sandboxes, signal};

#[test]
fn a_picket_that_is_killed_leaves_a_frozen_sandbox() {
    let plugin = Plugin::new();
    let mut run = plugin.start("echo ready; while :; do :; done");
    run.await_output("ready");
    let (sandbox, launcher) = (run.cgroup(), run.launcher());
    assert!(has_event(&sandbox, "frozen 0"));
    run.signal(SIGKILL);
    assert_eq!(run.reap(), -1);
    wait_until("frozen", || has_event(&sandbox, "frozen 1"));
    assert!(has_event(&sandbox, "populated 1"), "frozen, not killed");
    // An end by another hand is seen by the launcher, which tidies up and goes.
    fs::write(sandbox.join("cgroup.kill"), "1").unwrap();
    wait_until("the sandbox is removed", || !sandbox.exists());
    wait_until("the launcher is gone", || !is_alive(launcher));
    assert_eq!(processes_in(plugin.directory()), Vec::<String>::new());
}

#[test]
fn what_a_killed_picket_and_its_launcher_leave_is_swept_by_the_next_which_says_so() {
    // Any other Picket on the host may be the next. Ours will be, sooner or later.
    wait_until("swept by our own", || {
        let plugin = Plugin::new();
        let mut run = plugin.start("echo ready; while :; do :; done");
        run.await_output("ready");
        let (sandbox, launcher) = (run.cgroup(), run.launcher());
        run.signal(SIGKILL);
        run.reap();
        signal(launcher.cast_signed(), SIGKILL);
        wait_until("the launcher is gone", || !is_alive(launcher));
        let ended = Plugin::new().run("exit 0");
        ended.assert_honest(0);
        assert_eq!(sandboxes(plugin.name()).len(), 0, "{ended:?}");
        assert_eq!(processes_in(plugin.directory()), Vec::<String>::new());
        let name = sandbox.file_name().unwrap().to_str().unwrap();
        let swept = ended.of("swept");
        swept.iter().any(|swept| swept["text"].as_str().unwrap().contains(name))
    });
}

#[test]
fn a_picket_whose_launcher_is_killed_ends_the_plugin() {
    let run = Plugin::new().start("echo ready; while :; do :; done");
    run.await_output("ready");
    signal(run.launcher().cast_signed(), SIGKILL);
    let ended = run.end();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("the launcher was killed"), "{ended:?}");
    assert!(ended.took < Duration::from_secs(25), "{:?}", ended.took);
}

/// As any plugin of the same uid could.
#[test]
fn a_picket_that_is_stopped_finds_its_plugin_frozen_and_contains_it() {
    let plugin = Plugin::new().declares("actions: { telemetry: alert }");
    let run = plugin.start("echo ready; while :; do :; done");
    run.await_output("ready");
    let sandbox = run.cgroup();
    run.signal(SIGSTOP);
    wait_until("frozen by its launcher", || has_event(&sandbox, "frozen 1"));
    assert!(has_event(&sandbox, "populated 1"), "frozen, not killed");
    run.signal(SIGCONT);
    let ended = run.end();
    assert_eq!(ended.code, 120, "{ended:?}");
    let findings = ended.of("finding");
    assert_eq!(findings.len(), 1, "{ended:?}");
    assert_eq!(findings[0]["reason"], "unattended", "{ended:?}");
    assert_eq!(findings[0]["action"], "freeze", "whatever is declared: {ended:?}");
    let triggers: Vec<_> = ended.of("receipt").iter().map(|one| one["trigger"].clone()).collect();
    assert_eq!(triggers, ["finding", "lease_expired"], "{ended:?}");
}

#[test]
fn the_terminals_stop_key_stops_nothing() {
    let plugin = Plugin::new();
    let run = plugin.start("echo ready; while [ ! -e DIRECTORY/go ]; do :; done; exit 3");
    run.await_output("ready");
    run.signal(SIGTSTP);
    plugin.write("go", "");
    run.end().assert_honest(3);
}
