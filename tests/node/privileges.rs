//! What the DaemonSet's container is given suffices, and nothing of it is too much.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use picket::supervisor::CapabilitySet;
use picket_tests::wait_until;

use super::container::Container;
use super::pod::{Pod, daemon_set, sidecar};

/// One container at a time, because who may open performance events is a setting of the whole node.
fn node(perf_event_paranoid: &str) -> MutexGuard<'static, ()> {
    static NODE: Mutex<()> = Mutex::new(());
    let held = NODE.lock().unwrap_or_else(PoisonError::into_inner);
    fs::write("/proc/sys/kernel/perf_event_paranoid", perf_event_paranoid).unwrap();
    held
}

/// As the documentation asks of nodes without the BPF LSM.
fn calm() -> MutexGuard<'static, ()> {
    node("2")
}

/// Whether LSM programs run here, and performance events are not needed.
fn has_bpf_lsm() -> bool {
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap();
    modules.trim().split(',').any(|module| module == "bpf")
}

/// Starts it and has it contain somebody.
fn contains(pod: &Pod) -> Container {
    let mut container = Container::start(pod);
    container.await_report("watching");
    container.let_a_rogue_in();
    container.await_freeze();
    container
}

/// It must not come up, and says why in these words.
#[track_caller]
fn refuses(pod: &Pod, because: &str) {
    let mut container = Container::start(pod);
    assert_eq!(container.ended(), Some(1), "{}", container.said());
    assert!(container.said().contains(because), "{}", container.said());
}

#[test]
fn the_pod_of_the_daemon_set_comes_up_and_freezes_a_rogue_in_another_pod() {
    let _calm = calm();
    let container = contains(&daemon_set());
    let receipt = container.await_report("receipt");
    assert_eq!((&receipt["step"], &receipt["outcome"]), (&"freeze".into(), &"done".into()));
    wait_until("its readiness", || container.asked("/readyz") == "ok\n");
}

#[test]
fn the_sidecar_has_fewer_privileges_and_process_numbers_of_its_own_and_freezes_all_the_same() {
    let _calm = calm();
    let all = daemon_set().capabilities;
    let pod = sidecar();
    assert!(
        pod.capabilities.iter().all(|name| all.contains(name))
            && pod.capabilities.len() < all.len()
    );
    let container = contains(&pod);
    let own = fs::metadata(format!("/proc/{}/ns/pid", container.process())).unwrap();
    assert_ne!(own.ino(), fs::metadata("/proc/self/ns/pid").unwrap().ino());
}

#[test]
fn it_holds_exactly_the_capabilities_of_its_yaml_and_can_gain_none() {
    let _calm = calm();
    let pod = daemon_set();
    let container = Container::start(&pod);
    container.await_report("watching");
    let expected = pod.capabilities.iter().fold(CapabilitySet::EMPTY, |all, name| {
        all.with(&format!("CAP_{name}")).unwrap_or_else(|| panic!("no capability {name}"))
    });
    let status = fs::read_to_string(format!("/proc/{}/status", container.process())).unwrap();
    let of = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        CapabilitySet::from_bits(u64::from_str_radix(line.trim(), 16).unwrap())
    };
    assert_eq!((of("CapEff:"), of("CapBnd:")), (expected, expected));
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
}

#[test]
fn without_bpf_it_does_not_start() {
    let _calm = calm();
    refuses(&daemon_set().without("BPF"), "the kernel refuses Picket's maps");
}

#[test]
fn without_perfmon_it_does_not_start() {
    let _calm = calm();
    refuses(&daemon_set().without("PERFMON"), "the kernel refuses the program");
}

#[test]
fn without_net_admin_it_does_not_start() {
    let _calm = calm();
    refuses(&daemon_set().without("NET_ADMIN"), "the kernel refuses the program connect4");
}

#[test]
fn without_sys_nice_it_works_and_says_that_it_will_be_slower() {
    let _calm = calm();
    let container = contains(&daemon_set().without("SYS_NICE"));
    assert!(container.said().contains("real-time"), "{}", container.said());
}

#[test]
fn without_sys_ptrace_nobody_sees_that_a_container_has_another_root() {
    let _calm = calm();
    let container = contains(&daemon_set().without("SYS_PTRACE"));
    assert!(container.reports().iter().all(|report| report["event"] != "other_root"));
    drop(container);
    contains(&daemon_set()).await_report("other_root");
}

#[test]
fn without_the_nodes_tracepoints_it_starts_only_where_the_bpf_lsm_is_active() {
    let _calm = calm();
    let pod = daemon_set().without_volume("tracing");
    if has_bpf_lsm() {
        contains(&pod);
    } else {
        refuses(&pod, "tracefs is not at /sys/kernel/tracing");
    }
}

#[test]
fn where_performance_events_are_for_sys_admin_alone_only_the_bpf_lsm_does_without() {
    let _anxious = node("3");
    if has_bpf_lsm() {
        contains(&daemon_set());
    } else {
        refuses(&daemon_set(), "sysctl kernel.perf_event_paranoid=2");
        contains(&daemon_set().with("SYS_ADMIN"));
    }
}
