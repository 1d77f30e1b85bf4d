//! A sandbox's cgroup from its frozen birth to its removal.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

use picket::supervisor::{Sandbox, SandboxState, sweep_stale};

use super::host::{PATIENCE, root, sandbox, shell, start};

#[test]
fn it_is_born_frozen_and_empty() {
    let sandbox = sandbox();
    assert_eq!(fs::read_to_string(sandbox.path().join("cgroup.freeze")).unwrap(), "1\n");
    assert_eq!(sandbox.state().unwrap(), SandboxState { populated: false, frozen: true });
}

#[test]
fn its_id_is_the_kernels() {
    let sandbox = sandbox();
    assert_eq!(sandbox.id(), fs::metadata(sandbox.path()).unwrap().ino());
}

#[test]
fn a_hostile_plugin_name_stays_inside_picket_s_directory() {
    for name in ["../../escape", "", ".", "..", "/", "a/b", "\n", "ü", &"long".repeat(100)] {
        let sandbox = Sandbox::create(&root(), name).unwrap();
        assert_eq!(sandbox.path().parent(), Some(root().home().as_path()), "{name:?}");
    }
}

#[test]
fn a_running_plugin_freezes_thaws_and_dies_on_command() {
    let running = start(&shell("while :; do :; done"));
    let sandbox = running.sandbox();
    let deadline = Instant::now() + PATIENCE;
    let is = |frozen, populated| SandboxState { populated, frozen };
    sandbox.freeze().unwrap();
    assert_eq!(sandbox.wait(deadline, |now| now.frozen).unwrap(), Some(is(true, true)));
    sandbox.thaw().unwrap();
    assert_eq!(sandbox.wait(deadline, |now| !now.frozen).unwrap(), Some(is(false, true)));
    sandbox.freeze().unwrap();
    sandbox.wait(deadline, |now| now.frozen).unwrap().unwrap();
    sandbox.kill().unwrap();
    assert_eq!(sandbox.wait(deadline, |now| !now.populated).unwrap(), Some(is(true, false)));
}

#[test]
fn f14_cgroups_made_below_it_are_removed_with_it() {
    let running = start(&shell("while :; do :; done"));
    let path = running.sandbox().path().to_owned();
    fs::create_dir_all(path.join("a/b/c")).unwrap();
    fs::write(path.join("a/b/cgroup.procs"), running.pid().to_string()).unwrap();
    running.end();
    assert!(!path.exists());
}

#[test]
fn making_and_sweeping_at_the_same_time_never_costs_a_living_sandbox() {
    let root = root();
    let deadline = Instant::now() + Duration::from_millis(500);
    thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < deadline {
                let sweep = sweep_stale(&root).unwrap();
                assert!(sweep.failed.is_empty(), "{:?}", sweep.failed);
            }
        });
        while Instant::now() < deadline {
            let sandbox = Sandbox::create(&root, "contended").unwrap();
            assert!(sandbox.path().exists());
            assert!(sandbox.state().unwrap().frozen);
            sandbox.destroy(PATIENCE).unwrap();
        }
    });
}
