//! Modes and holds: what happens to a plugin that was found out.

use libc::{SIGINT, SIGTERM};
use picket_tests::wait_until;

use super::plugin::{LINGER, Plugin};
use super::run::has_event;

/// Departs from every manifest of these tests, in two ways, and goes on.
const DEPART: &str = "cat secret; id >/dev/null; exit 5";

fn with_secret() -> Plugin {
    let plugin = Plugin::new();
    plugin.write("secret", "secret\n");
    plugin
}

#[test]
fn observing_tells_everything_and_stops_nothing() {
    let ended = with_secret().declares("mode: observe").run(DEPART);
    assert_eq!((ended.code, ended.of("contain").len()), (5, 0), "{ended:?}");
    assert_eq!((ended.of("would_contain").len(), ended.of("receipt").len()), (0, 0), "{ended:?}");
    let found: Vec<&str> = ended
        .of("finding")
        .iter()
        .filter_map(|finding| finding["reason"].as_str())
        .filter(|reason| ["undeclared_path", "undeclared_exec"].contains(reason))
        .collect();
    assert!(found.contains(&"undeclared_path") && found.contains(&"undeclared_exec"), "{found:?}");
    assert!(ended.output().starts_with("secret\n"), "{ended:?}");
}

#[test]
fn the_shadow_mode_says_what_would_have_been_done() {
    let ended = with_secret().declares("mode: shadow").run(DEPART);
    assert_eq!((ended.code, ended.of("contain").len()), (5, 0), "{ended:?}");
    assert_eq!(ended.of("receipt").len(), 0, "{ended:?}");
    let would = ended.of("would_contain");
    assert_eq!(would.first().map(|would| &would["step"]), Some(&"freeze".into()), "{ended:?}");
}

#[test]
fn an_alert_stops_nothing() {
    let plugin = with_secret().declares("actions: { files: alert, exec: alert }");
    let ended = plugin.run(DEPART);
    assert_eq!((ended.code, ended.of("contain").len()), (5, 0), "{ended:?}");
    assert!(!ended.of("finding").is_empty(), "{ended:?}");
}

#[test]
fn a_kill_is_a_freeze_first() {
    let plugin = with_secret().declares("actions: { files: kill }");
    let ended = plugin.run(&format!("cat secret; {LINGER}"));
    assert_eq!(ended.code, 120, "{ended:?}");
    let steps: Vec<_> = ended.of("receipt").iter().map(|one| one["step"].clone()).collect();
    assert_eq!(steps, ["freeze", "kill"], "{ended:?}");
}

#[test]
fn the_first_answer_of_a_held_plugin_is_frozen_and_so_it_stays_until_somebody_ends_it() {
    for number in [SIGINT, SIGTERM] {
        let run = with_secret().held().start(&format!("cat secret; {LINGER}"));
        let sandbox = run.cgroup();
        run.await_report("held");
        assert!(has_event(&sandbox, "frozen 1") && has_event(&sandbox, "populated 1"));
        // The hold was one second, and its end must change nothing.
        let pid = run.pid();
        wait_until("two seconds of Picket's life", || age_of(pid) > 2.5);
        assert!(has_event(&sandbox, "frozen 1") && has_event(&sandbox, "populated 1"));
        run.signal(number);
        let ended = run.end();
        assert_eq!(ended.code, 120, "{ended:?}");
        assert_eq!(ended.of("receipt").len(), 1, "{ended:?}");
    }
}

/// Seconds since a process was started.
fn age_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let started: f64 = fields.clone().nth(19).unwrap().parse().unwrap();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split_whitespace().next().unwrap().parse().unwrap();
    uptime - started / 100.0
}
