use std::{collections::BTreeSet, fmt::Write, time::Duration};

use picket_engine::Capability;
use proptest::prelude::*;

use super::*;
use crate::probe::Tier;

const UNIFIED: &str = "\
25 30 0:23 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
26 30 0:24 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
29 26 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
31 26 0:28 / /sys/kernel/tracing rw,nosuid,nodev,noexec,relatime shared:10 - tracefs tracefs rw";

const HYBRID: &str = "\
25 30 0:23 / /proc rw,relatime - proc proc rw
26 30 0:24 / /sys rw,relatime - sysfs sysfs rw
27 26 0:25 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
28 27 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
29 27 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";

const LEGACY: &str = "\
25 30 0:23 / /proc rw,relatime - proc proc rw
27 26 0:25 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
28 27 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory";

const CONTAINER: &str = "\
25 30 0:23 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
26 30 0:24 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
29 26 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate";

const ROOT: &str = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nSeccomp:\t0";
/// Docker's default.
const CONTAINED: &str = "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\nSeccomp:\t2";
const NOBODY: &str = "Uid:\t65534\t65534\t65534\t65534\nCapEff:\t0000000000000000\nSeccomp:\t0";

fn text(text: &str) -> Reading {
    Reading::Text(text.to_owned())
}

pub(crate) fn passed(tier: Tier, because: Option<&str>) -> Trial {
    Trial::Passed {
        tier,
        because: because.map(str::to_owned),
        hooks: vec!["sys_enter", "file_open"],
        lacking: Vec::new(),
        took: Duration::from_millis(40),
    }
}

/// A host on which there is nothing to remark.
pub(crate) fn unified() -> Facts {
    Facts {
        release: text("6.12.48+deb13-cloud-amd64"),
        architecture: "x86_64",
        types: Types::Resolved { fields: 60 },
        lockdown: text("none [integrity] confidentiality"),
        modules: text("lockdown,capability,landlock,yama,apparmor,bpf"),
        compiler: text("1"),
        unprivileged: text("2"),
        mountinfo: text(UNIFIED),
        controls: Some(true),
        namespaces: Namespaces {
            user: Some(4_026_531_837),
            pid: Some(4_026_531_836),
            cgroup: Some(4_026_531_835),
        },
        time_offsets: text("monotonic           0         0\nboottime            0         0"),
        status: text(ROOT),
        real_time: Ok(()),
        memory: text("MemTotal:       16000000 kB\nMemAvailable:    8192000 kB"),
        strict: Ok(()),
        landlock: Some(4),
        residents: Residents::Listed { owned: 0, abandoned: Vec::new() },
        trial: passed(Tier::Lsm, None),
    }
}

/// Everything that is not fine, as it would be told, and the verdict.
fn remarks(facts: &Facts) -> String {
    let checks = examine(facts);
    let mut out = format!("{}\n", Verdict::of(&checks).as_str());
    for check in checks.iter().filter(|check| check.status != Status::Fine) {
        writeln!(out, "{} {}: {}", check.status.as_str(), check.id, check.found).unwrap();
        if let Some(remedy) = &check.remedy {
            writeln!(out, "    {}", remedy.say).unwrap();
            if let Some(copy) = &remedy.copy {
                writeln!(out, "    > {copy}").unwrap();
            }
        }
    }
    out
}

fn check(facts: &Facts, id: &str) -> Check {
    examine(facts).into_iter().find(|check| check.id == id).unwrap()
}

#[test]
fn a_unified_host_with_lsm_programs_has_nothing_to_remark() {
    assert_eq!(remarks(&unified()), "fine\n");
    let found: String = examine(&unified())
        .iter()
        .map(|check| format!("{}: {}\n", check.id, check.found))
        .collect();
    insta::assert_snapshot!("unified", found);
}

#[test]
fn a_hybrid_host_is_fine_and_said_to_be_one() {
    let facts = Facts { mountinfo: text(HYBRID), ..unified() };
    assert_eq!(remarks(&facts), "fine\n");
    let found = check(&facts, "cgroups").found;
    insta::assert_snapshot!(found, @"hybrid: version 2 at /sys/fs/cgroup/unified, writable");
}

#[test]
fn a_host_with_cgroups_of_the_first_version_only_is_told_how_to_mount_the_second() {
    let trial = Trial::Failed("no cgroup2 file system is mounted".to_owned());
    let residents = Residents::Refused("there is no cgroup2 file system to look into".to_owned());
    let facts = Facts { mountinfo: text(LEGACY), controls: None, residents, trial, ..unified() };
    insta::assert_snapshot!("legacy", remarks(&facts));
}

#[test]
fn a_kernel_without_type_information_cannot_be_used() {
    let said = "/sys/kernel/btf/vmlinux does not exist";
    let trial = Trial::Failed(said.to_owned());
    let facts = Facts { types: Types::Unusable(said.to_owned()), trial, ..unified() };
    insta::assert_snapshot!("without_btf", remarks(&facts));
}

#[test]
fn lockdown_for_confidentiality_cannot_be_used() {
    let trial = Trial::Failed("the kernel refuses the program sys_enter".to_owned());
    let lockdown = text("none integrity [confidentiality]");
    insta::assert_snapshot!("confidential", remarks(&Facts { lockdown, trial, ..unified() }));
}

#[test]
fn a_list_without_bpf_is_told_the_whole_boot_parameter() {
    let because = "LSM programs load and never run";
    let trial = passed(Tier::Trace, Some(because));
    let modules = text("lockdown,capability,landlock,yama,apparmor");
    insta::assert_snapshot!("bpf_not_listed", remarks(&Facts { modules, trial, ..unified() }));
}

#[test]
fn a_kernel_that_lists_bpf_and_refuses_it_is_told_so() {
    let because = "the kernel refuses LSM programs: Operation not permitted (os error 1)";
    let trial = passed(Tier::Trace, Some(because));
    insta::assert_snapshot!("bpf_refused", remarks(&Facts { trial, ..unified() }));
}

#[test]
fn a_container_is_told_everything_that_is_missing_at_once() {
    let facts = Facts {
        mountinfo: text(CONTAINER),
        modules: Reading::Absent,
        lockdown: Reading::Refused("Operation not permitted (os error 1)".to_owned()),
        compiler: Reading::Absent,
        controls: None,
        namespaces: Namespaces { user: Some(4_026_531_837), pid: Some(4), cgroup: Some(5) },
        status: text(CONTAINED),
        real_time: Err("Operation not permitted (os error 1)".to_owned()),
        residents: Residents::Refused("there is no cgroup2 file system to look into".to_owned()),
        trial: Trial::Failed("the cgroup2 file system is mounted read-only".to_owned()),
        ..unified()
    };
    insta::assert_snapshot!("container", remarks(&facts));
}

#[test]
fn an_ordinary_user_hears_what_could_not_be_looked_at() {
    let facts = Facts {
        modules: Reading::Refused("Operation not permitted (os error 1)".to_owned()),
        lockdown: Reading::Refused("Operation not permitted (os error 1)".to_owned()),
        compiler: Reading::Refused("Permission denied (os error 13)".to_owned()),
        status: text(NOBODY),
        real_time: Err("Operation not permitted (os error 1)".to_owned()),
        trial: Trial::Skipped("loading programs takes root"),
        ..unified()
    };
    insta::assert_snapshot!("nobody", remarks(&facts));
}

#[test]
fn a_kernel_of_2020_is_too_old() {
    let trial = Trial::Failed("the kernel refuses the program file_open".to_owned());
    let facts =
        Facts { release: text("5.10.0-32-amd64"), controls: Some(false), trial, ..unified() };
    insta::assert_snapshot!("old_kernel", remarks(&facts));
}

#[test]
fn each_kernel_has_its_place_in_the_tested_range() {
    for (release, status) in [
        ("5.16.20", Status::Problem),
        ("5.17.0-rc1", Status::Warning),
        ("6.0.19", Status::Warning),
        ("6.1.0-40-cloud-amd64", Status::Fine),
        ("6.18.44-fc-v595", Status::Fine),
        ("6.19", Status::Fine),
        ("7.0.1", Status::Fine),
        ("unversioned", Status::Unknown),
        ("6", Status::Unknown),
    ] {
        let facts = Facts { release: text(release), ..unified() };
        assert_eq!(check(&facts, "kernel").status, status, "{release}");
    }
}

#[test]
fn a_shifted_time_since_boot_is_a_problem_and_one_that_is_not_is_fine() {
    let shifted = "monotonic           0         0\nboottime       100000         0";
    let facts = Facts { time_offsets: text(shifted), ..unified() };
    assert_eq!(check(&facts, "time_namespace").status, Status::Problem);
    let facts = Facts { time_offsets: Reading::Absent, ..unified() };
    assert_eq!(check(&facts, "time_namespace").status, Status::Fine);
}

#[test]
fn small_troubles_are_warnings_with_a_remedy_each() {
    let facts = Facts {
        compiler: text("0"),
        unprivileged: text("0"),
        real_time: Err("Operation not permitted (os error 1)".to_owned()),
        memory: text("MemAvailable:      65536 kB"),
        residents: Residents::Listed {
            owned: 1,
            abandoned: vec!["plugin.0123456789abcdef".into()],
        },
        ..unified()
    };
    insta::assert_snapshot!("small", remarks(&facts));
}

#[test]
fn root_of_a_user_namespace_is_an_ordinary_user_outside() {
    let namespaces = Namespaces { user: Some(7), ..unified().namespaces };
    let facts = Facts { namespaces, ..unified() };
    assert_eq!(check(&facts, "user_namespace").status, Status::Problem);
}

#[test]
fn a_kernel_without_filters_that_ask_is_told_to_be_left_for_another() {
    let strict = Err("the kernel has no seccomp user notification: Invalid argument".to_owned());
    let facts = Facts { strict, landlock: None, ..unified() };
    insta::assert_snapshot!("no_strict", remarks(&facts));
}

#[test]
fn nothing_tried_is_nothing_proven() {
    let facts = Facts { trial: Trial::Skipped("--no-load was given"), ..unified() };
    assert_eq!(expected_tier(&facts), (Tier::Lsm, false));
    insta::assert_snapshot!(remarks(&facts), @r"
    fine
    unknown self_test: not run: --no-load was given
    ");
}

#[test]
fn the_table_answers_for_every_capability_with_a_reason_each() {
    for tier in [Tier::Lsm, Tier::Trace] {
        let rows = matrix(tier);
        let names: BTreeSet<&str> = rows.iter().map(|row| row.capability).collect();
        assert_eq!(names.len(), rows.len());
        assert!(Capability::ALL.iter().all(|capability| names.contains(capability.as_str())));
        for row in rows {
            for ability in [row.observe, row.deny, row.contain] {
                assert!(!ability.why.is_empty(), "{row:?}");
            }
        }
    }
}

#[test]
fn destinations_are_refused_in_both_tiers_and_files_in_neither() {
    for tier in [Tier::Lsm, Tier::Trace] {
        let rows = matrix(tier);
        let row = |name| rows.iter().find(|row| row.capability == name).unwrap();
        assert_eq!(
            (row("network").deny.answer, row("listen").deny.answer),
            // Of other sockets only Internet ones.
            (Answer::Partly, Answer::Yes)
        );
        assert_eq!((row("files").deny.answer, row("exec").deny.answer), (Answer::No, Answer::No));
        let seen = if tier == Tier::Lsm { Answer::Yes } else { Answer::Partly };
        assert_eq!(row("files").observe.answer, seen);
    }
}

proptest! {
    #[test]
    fn no_text_of_the_kernels_makes_examining_panic(words: [String; 9]) {
        let [release, lockdown, modules, compiler, unprivileged, mountinfo, time, status, memory] =
            words.map(Reading::Text);
        let facts = Facts {
            release, lockdown, modules, compiler, unprivileged, mountinfo,
            time_offsets: time, status, memory, ..unified()
        };
        prop_assert!(!examine(&facts).is_empty());
    }
}

#[test]
fn a_hook_that_the_kernel_lacks_is_named() {
    let mut facts = unified();
    if let Trial::Passed { tier, lacking, .. } = &mut facts.trial {
        (*tier, *lacking) = (Tier::Lsm, vec!["userns_create"]);
    }
    let said = format!("{:?}", super::proof::tier(&facts));
    assert!(said.contains("this kernel has no userns_create"), "{said}");
}
