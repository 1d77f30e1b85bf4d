//! Somebody interferes with the kernel side of a daemon: every sandbox is told of, those to come too, and so is everybody
//! who asks.

use libc::SIGTERM;
use picket_tests::{meddle, picket, wait_until};

use super::{at_work, stage};

#[test]
fn a_program_that_is_taken_off_is_told_for_every_sandbox_and_to_everybody_who_asks() {
    let mut stage = stage();
    let mut daemon = stage.watching();
    assert_eq!(daemon.get("/readyz").0, 200);
    let before = at_work(&mut stage, &daemon, "before");
    let links = meddle::links(daemon.pid());
    let is_it = |link: &&meddle::Link| link.tracepoint.as_deref() == Some("sys_enter");
    meddle::take_from(daemon.pid(), links.iter().find(is_it).unwrap().descriptor);

    let alarm = daemon.await_one("tampered", |report| report["part"] == "sys_enter");
    assert_eq!(alarm["tampering"], "probe_detached");
    assert!(alarm["unnoticed_us"].as_u64().unwrap() <= 2_000_000, "{alarm}");
    let finding = daemon.await_about("finding", &before);
    assert_eq!(finding["reason"], "kernel_side_tampered", "{finding}");
    wait_until("not ready", || daemon.get("/readyz").0 == 503);
    assert_eq!(daemon.get("/livez").0, 200, "it judges on");

    let after = at_work(&mut stage, &daemon, "after");
    let finding = daemon.await_about("finding", &after);
    assert_eq!(finding["reason"], "kernel_side_tampered", "{finding}");

    let mut command = picket();
    command.args(["status", "--api"]).arg(stage.plugin.path("picket.sock"));
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = "TAMPERED WITH: the kernel program sys_enter is not attached any more";
    assert!(text.contains(line), "{text}");
    assert_eq!(daemon.end(SIGTERM), Some(0));
}
