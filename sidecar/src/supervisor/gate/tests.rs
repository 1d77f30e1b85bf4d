//! Every difference the gate must see, seeded one by one into a child that is right.

use super::*;
use crate::supervisor::proc_status::{Stat, Status};

const STATUS: &str = "\
PPid:\t70\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nThreads:\t1
SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000
CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000
CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
";

/// What a child on a hybrid host sees after its launcher isolated it.
const MOUNTS: &str = "\
27 1 254:0 / / rw - ext4 /dev/vda rw
22 27 0:21 / /proc rw - proc proc rw
23 27 0:22 / /sys ro - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
42 41 0:38 /picket/p.1 /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw
50 22 0:21 /sys /proc/sys ro - proc proc rw
51 22 0:21 /bus /proc/bus ro - proc proc rw
52 22 0:21 /fs /proc/fs ro - proc proc rw
53 22 0:21 /irq /proc/irq ro - proc proc rw
54 22 0:21 /sysrq-trigger /proc/sysrq-trigger ro - proc proc rw
";

fn file(inode: u64) -> FileIdentity {
    FileIdentity::numbered(inode)
}

fn right_child() -> (Observed, Expected) {
    let descriptors: BTreeMap<RawFd, FileIdentity> =
        [(0, file(10)), (1, file(11)), (2, file(12))].into();
    let observed = Observed {
        members: vec![71],
        cgroup: "/picket/p.1".into(),
        frozen: true,
        stat: Stat { has_executed: false, start_ticks: 5 },
        status: Status::parse(STATUS.as_bytes()).unwrap(),
        inherited: descriptors.clone(),
        mount_namespace: 200,
        mounts: mounts::parse(MOUNTS.as_bytes()),
    };
    let expected = Expected {
        pid: 71,
        cgroup: "/picket/p.1".into(),
        parent: 70,
        filters: 1,
        uids: observed.status.uids.clone(),
        gids: observed.status.gids.clone(),
        capabilities: CapabilitySet::EMPTY,
        descriptors,
        outer_mount_namespace: 100,
    };
    (observed, expected)
}

/// The fact that the gate refuses a child by that `fault` made wrong.
fn fact(fault: impl FnOnce(&mut Observed)) -> Fact {
    let (mut observed, expected) = right_child();
    fault(&mut observed);
    match judge(&observed, &expected).unwrap_err() {
        GateRefusal::Differs { fact, .. } => fact,
        GateRefusal::Unreadable { what, .. } => panic!("{what} is not read here"),
    }
}

fn with_status(line: &str, wrong: &str) -> Fact {
    assert!(STATUS.contains(line), "{line}");
    let status = Status::parse(STATUS.replace(line, wrong).as_bytes()).unwrap();
    fact(|child| child.status = status)
}

fn with_mounts(line: &str, wrong: &str) -> Fact {
    assert!(MOUNTS.contains(line), "{line}");
    let mounts = mounts::parse(MOUNTS.replace(line, wrong).as_bytes());
    fact(|child| child.mounts = mounts)
}

#[test]
fn a_child_that_is_right_passes() {
    let (observed, expected) = right_child();
    judge(&observed, &expected).unwrap();
}

#[test]
fn it_must_be_alone_in_its_own_frozen_sandbox() {
    assert_eq!(fact(|child| child.members.push(72)), Fact::Members);
    assert_eq!(fact(|child| child.members.clear()), Fact::Members);
    assert_eq!(fact(|child| child.cgroup.push("below")), Fact::Cgroup);
    assert_eq!(fact(|child| child.cgroup = "/".into()), Fact::Cgroup);
    assert_eq!(fact(|child| child.frozen = false), Fact::Freezer);
}

#[test]
fn it_must_be_the_launchers_untouched_clone() {
    assert_eq!(fact(|child| child.stat.has_executed = true), Fact::Executed);
    assert_eq!(with_status("PPid:\t70", "PPid:\t1"), Fact::Parent);
    assert_eq!(with_status("TracerPid:\t0", "TracerPid:\t9"), Fact::Tracer);
    assert_eq!(with_status("Threads:\t1", "Threads:\t2"), Fact::Threads);
}

#[test]
fn it_must_run_as_the_caller() {
    for wrong in ["Uid:\t0\t5\t0\t0", "Uid:\t0\t0\t5\t0", "Uid:\t5\t5\t5\t5"] {
        assert_eq!(with_status("Uid:\t0\t0\t0\t0", wrong), Fact::User);
    }
    assert_eq!(with_status("Gid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t5"), Fact::User);
}

#[test]
fn it_must_have_no_privilege_that_is_not_declared() {
    assert_eq!(with_status("NoNewPrivs:\t1", "NoNewPrivs:\t0"), Fact::NoNewPrivileges);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let right = format!("{set}:\t0000000000000000");
        let wrong = format!("{set}:\t0000000000000001");
        assert_eq!(with_status(&right, &wrong), Fact::Capabilities(set));
    }
}

#[test]
fn it_must_be_under_as_many_filters_as_declared() {
    for wrong in ["Seccomp_filters:\t0", "Seccomp_filters:\t2"] {
        assert_eq!(with_status("Seccomp_filters:\t1", wrong), Fact::Filters);
    }
}

#[test]
fn it_must_have_every_declared_privilege_too() {
    let (observed, mut expected) = right_child();
    expected.capabilities = CapabilitySet::from_bits(1);
    judge(&observed, &expected).unwrap_err();
}

#[test]
fn it_must_take_signals_as_a_program_expects() {
    for mask in ["SigBlk", "SigIgn", "SigCgt"] {
        let right = format!("{mask}:\t0000000000000000");
        let wrong = format!("{mask}:\t0000000000001000");
        assert_eq!(with_status(&right, &wrong), Fact::Signals(mask));
    }
}

#[test]
fn its_descriptors_must_be_the_declared_ones() {
    let undeclared = |child: &mut Observed| {
        child.inherited.insert(7, file(13));
    };
    assert_eq!(fact(undeclared), Fact::Descriptor(7));
    let missing = |child: &mut Observed| {
        child.inherited.remove(&1);
    };
    assert_eq!(fact(missing), Fact::Descriptor(1));
    let swapped = |child: &mut Observed| {
        child.inherited.insert(1, file(12));
    };
    assert_eq!(fact(swapped), Fact::Descriptor(1));
}

#[test]
fn it_must_have_mounts_of_its_own() {
    assert_eq!(fact(|child| child.mount_namespace = 100), Fact::MountNamespace);
}

#[test]
fn it_must_see_no_cgroup_but_its_own() {
    assert_eq!(with_mounts("42 41 0:38 /picket/p.1", "42 41 0:38 /picket/p.2"), Fact::CgroupMount);
    assert_eq!(with_mounts("42 41 0:38 /picket/p.1", "42 41 0:38 /picket/p.12"), Fact::CgroupMount);
    let uncovered = "\n43 27 0:38 / /mnt ro - cgroup2 cgroup2 rw\n50 ";
    assert_eq!(with_mounts("\n50 ", uncovered), Fact::CgroupMount);
}

#[test]
fn it_must_not_be_able_to_write_what_steers_the_kernel() {
    for line in [
        "/sys ro - sysfs",
        "/sys/fs/cgroup/cpu ro - cgroup",
        "/sys/fs/cgroup/unified ro - cgroup2",
        "/proc/sys ro - proc",
    ] {
        let wrong = line.replace(" ro ", " rw ");
        assert_eq!(with_mounts(line, &wrong), Fact::ControlMount, "{line}");
    }
    let bpf = "\n43 27 0:40 / /mnt rw - bpf bpf rw\n50 ";
    assert_eq!(with_mounts("\n50 ", bpf), Fact::ControlMount);
}

#[test]
fn a_refusal_names_the_difference() {
    let (mut observed, expected) = right_child();
    observed.status = Status::parse(STATUS.replace("PPid:\t70", "PPid:\t1").as_bytes()).unwrap();
    assert_eq!(
        judge(&observed, &expected).unwrap_err().to_string(),
        "the gate refuses the frozen child: its parent should be 70 and is 1"
    );
}
