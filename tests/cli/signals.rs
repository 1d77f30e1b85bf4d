//! Signals that ask Picket to end reach the plugin first, and nothing survives them.

use libc::{SIGHUP, SIGINT, SIGTERM};
use std::os::unix::process::CommandExt;
use std::time::Duration;

use super::plugin::Plugin;
use super::run::{Run, signal};

/// Answers SIGINT with 5, SIGTERM with 6 and SIGHUP with 7.
const POLITE: &str =
    "trap 'exit 5' INT; trap 'exit 6' TERM; trap 'exit 7' HUP; echo ready; sleep 99 & wait";

/// Answers nothing.
const DEAF: &str = "trap '' INT TERM HUP; echo ready; sleep 99 & wait; wait";

fn start(script: &str) -> Run {
    let run = Plugin::new().start(script);
    run.await_output("ready");
    run
}

#[test]
fn a_plugin_that_ends_on_the_signal_gives_its_own_code() {
    for (number, code) in [(SIGINT, 5), (SIGTERM, 6), (SIGHUP, 7)] {
        let run = start(POLITE);
        run.signal(number);
        run.end().assert_honest(code);
    }
}

#[test]
fn a_plugin_without_an_answer_dies_of_the_signal() {
    let run = start("echo ready; exec sleep 99");
    run.signal(SIGTERM);
    run.end().assert_honest(143);
}

#[test]
fn a_deaf_plugin_is_killed_by_the_second_signal() {
    for second in [SIGTERM, SIGINT] {
        let run = start(DEAF);
        // Signals of one number may arrive as one, so the first is another.
        run.signal(SIGHUP);
        run.signal(second);
        let ended = run.end();
        ended.assert_honest(137);
        assert!(ended.took < Duration::from_secs(9), "{:?}", ended.took);
    }
}

#[test]
fn a_deaf_plugin_is_killed_when_its_grace_is_over() {
    let run = start(DEAF);
    run.signal(SIGTERM);
    let ended = run.end();
    ended.assert_honest(137);
    assert_eq!(ended.of("grace_over").len(), 1, "{ended:?}");
}

#[test]
fn the_terminals_interrupt_reaches_picket_only_and_is_passed_on_once() {
    let plugin = Plugin::new();
    let mut command = plugin.exec();
    // As a shell with job control would; the interrupt goes to the whole group.
    command.process_group(0);
    let count = "n=0; trap 'n=$((n+1))' INT; echo ready; sleep 1 & wait; sleep 0; exit $((40 + n))";
    command.args(["--", "sh", "-c", count]);
    let run = Run::start(&plugin, command);
    run.await_output("ready");
    signal(-run.pid().cast_signed(), SIGINT);
    run.end().assert_honest(41);
}
