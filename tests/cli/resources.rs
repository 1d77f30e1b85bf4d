//! What a sandbox uses, from the kernel's counters to the scrape, the trace and `picket status`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use picket::supervisor::CgroupRoot;
use picket_tests::{picket, wait_for, wait_until};
use serde_json::Value;

use super::daemon::stage::Stage;
use super::plugin::{LINGER, Plugin};
use super::scrape::{get, start, value};

fn observed() -> Plugin {
    Plugin::new().declares("mode: observe")
}

/// The sandbox's cgroup in the unified tree.
fn cgroup(plugin: &Plugin) -> PathBuf {
    let home = CgroupRoot::find().unwrap().home();
    let prefix = format!("{}.", plugin.name());
    let mut all = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    all.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix)).unwrap()
}

fn user_time(cgroup: PathBuf) -> f64 {
    let text = fs::read_to_string(cgroup.join("cpu.stat")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("user_usec ")).unwrap();
    line.parse::<f64>().unwrap() / 1e6
}

#[test]
fn cpu_time_in_a_scrape_is_what_the_kernel_says_before_and_after() {
    let plugin = observed();
    let (run, address) = start(&plugin, &[], LINGER, "");
    run.await_report("running");
    let scraped =
        || value(&get(address, "/metrics").1, "picket_sandbox_cpu_seconds_total{mode=\"user\"}");
    wait_until("a reading", || scraped().is_some_and(|seconds| 0.1 < seconds));
    let before = user_time(cgroup(&plugin));
    let between = wait_for("a later reading", || scraped().filter(|seconds| before <= *seconds));
    let after = user_time(cgroup(&plugin));
    assert!(between <= after, "{before} {between} {after}");
}

#[test]
fn what_a_plugin_used_is_in_its_trace_and_is_replayed() {
    let plugin = observed();
    let trace = plugin.path("trace");
    let mut command = plugin.exec();
    command.arg("--record").arg(&trace);
    command.args(["--", "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
    let ended = plugin.run_command(command);
    assert_eq!(ended.code, 0, "{ended:?}");
    let text = fs::read_to_string(&trace).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let last = lines.filter_map(|line| line.get("resources").cloned()).next_back();
    // Its last reading is made when it has ended, however short it was.
    let used = last.expect("a reading")["used"].clone();
    assert!(10_000 < used["cpu_user_us"].as_u64().unwrap(), "{used}");
    let output = picket().arg("replay").arg(&trace).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("the same decisions as when it was recorded"), "{said}");
}

/// The status of the one sandbox that the daemon watches.
fn status(stage: &Stage) -> Option<Value> {
    let mut command: Command = picket();
    command.args(["status", "--output", "json", "--api"]).arg(stage.plugin.path("picket.sock"));
    let output = command.output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    status["sandboxes"].get(0).cloned()
}

#[test]
fn status_tells_what_a_cgroup_of_others_uses_and_how_fast() {
    let mut stage = Stage::new(observed());
    let daemon = stage.watching();
    stage.make("one");
    let sandbox = daemon.await_watched(&stage.path("one"));
    stage.enter("one", LINGER);
    daemon.await_about("running", &sandbox);
    let told = wait_for("two readings", || {
        status(&stage).filter(|one| one["rates"]["cpu_user_us"].as_u64() > Some(0))
    });
    assert!(told["resources"]["cpu_user_us"].as_u64() > Some(0), "{told}");
    // A loop of one process; the reading may be a little late.
    assert!(told["rates"]["cpu_user_us"].as_u64() < Some(2_000_000), "{told}");
    let mut command = picket();
    let page = command.args(["status", "--api"]).arg(stage.plugin.path("picket.sock"));
    let page = String::from_utf8(page.output().unwrap().stdout).unwrap();
    assert!(page.contains("  CPU ") && page.contains("%  "), "{page}");
}

#[test]
fn a_cgroup_that_is_gone_ends_its_series_and_others_go_on() {
    let mut stage = Stage::new(observed());
    let daemon = stage.watching();
    for name in ["one", "two"] {
        stage.make(name);
        daemon.await_watched(&stage.path(name));
    }
    stage.enter("two", LINGER);
    let series = "picket_sandbox_cpu_seconds_total{mode=\"user\"}";
    let count = || {
        let text = daemon.get("/metrics").1;
        let of = |line: &&str| {
            line.starts_with("picket_sandbox_cpu_seconds_total{") && line.contains("user")
        };
        text.lines().filter(of).count()
    };
    wait_until("both", || count() == 2);
    stage.remove("one");
    wait_until("one", || count() == 1);
    let before = daemon.reads(series).unwrap();
    wait_until("more", || daemon.reads(series).is_some_and(|now| before < now));
}
