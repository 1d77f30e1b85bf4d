//! Several at once: Pickets beside each other, and processes that outlive their entry point.

use std::fs;
use std::process::Command;

use super::plugin::{LINGER, Plugin};
use super::run::Run;

#[test]
fn a_picket_is_not_disturbed_by_what_others_on_the_host_see_and_do() {
    let plugin = Plugin::new().declares("files: { read: [DIRECTORY/gate] }");
    let gate = plugin.path("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let long = plugin.start("echo ready; cat gate; sleep 0; exit 5");
    long.await_output("ready");
    let rogue = Plugin::new().run(&format!("id; {LINGER}"));
    rogue.assert_contained("exec", "undeclared_exec");
    Plugin::new().run("exit 3").assert_honest(3);
    fs::write(gate, "go on\n").unwrap();
    let ended = long.end();
    ended.assert_honest(5);
    assert_eq!(ended.output(), "ready\ngo on\n");
}

#[test]
fn eight_pickets_in_parallel_all_succeed() {
    let plugins: Vec<Plugin> = (0..8).map(|_| Plugin::new()).collect();
    let runs: Vec<Run> = plugins
        .iter()
        .enumerate()
        .map(|(number, plugin)| plugin.start(&format!("sleep 0.2; echo {number}; exit {number}")))
        .collect();
    for (number, run) in (0..).zip(runs) {
        let ended = run.end();
        ended.assert_honest(number);
        assert_eq!(ended.output(), format!("{number}\n"));
    }
}

#[test]
fn what_an_entry_point_leaves_running_ends_with_it() {
    let plugin = Plugin::new().may_run("path: /usr/bin/setsid");
    // That no process is left is part of every end.
    plugin
        .run("sleep 99 & setsid sleep 99 & (trap '' HUP TERM INT; sleep 99) & exit 4")
        .assert_honest(4);
}

#[test]
fn a_plugin_that_ends_as_fast_as_it_can_is_seen_from_its_first_act_to_its_last() {
    for _ in 0..20 {
        let plugin = Plugin::new().may_run("path: /usr/bin/true");
        let mut command = plugin.exec();
        command.args(["--", "true"]);
        let ended = plugin.run_command(command);
        ended.assert_honest(0);
        assert_eq!(ended.of("running").len(), 1, "{ended:?}");
    }
}
