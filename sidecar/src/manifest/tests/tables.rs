//! The static tables: names, numbers, groups, the files every program needs.

use std::collections::BTreeSet;

use picket_engine::{DANGER, Pattern};

use super::super::{canonical::canonical, capabilities, groups, runtime, syscalls};

#[test]
fn system_calls_have_the_numbers_that_libc_gives_them() {
    let known = [
        ("read", libc::SYS_read),
        ("execve", libc::SYS_execve),
        ("openat", libc::SYS_openat),
        ("rseq", libc::SYS_rseq),
        ("pidfd_send_signal", libc::SYS_pidfd_send_signal),
        ("clone3", libc::SYS_clone3),
        ("mseal", libc::SYS_mseal),
    ];
    for (name, number) in known {
        assert_eq!(syscalls::number(name).map(i64::from), Some(number), "{name}");
        assert_eq!(syscalls::name(u32::try_from(number).unwrap()), Some(name));
    }
}

#[test]
fn every_name_leads_to_its_number_and_back() {
    let mut n_names = 0;
    for name in syscalls::names() {
        let number = syscalls::number(name).unwrap();
        assert_eq!(syscalls::name(u32::from(number)), Some(name));
        n_names += 1;
    }
    assert_eq!(n_names, 382);
}

#[test]
fn a_number_without_a_name_has_none() {
    for number in [336, 423, 511, 512, u32::MAX] {
        assert_eq!(syscalls::name(number), None, "{number}");
    }
}

#[test]
fn every_dangerous_call_has_a_name_to_declare_it_by() {
    let nameless: Vec<_> = (0..512)
        .filter(|&number| DANGER.contains(number) && syscalls::name(number).is_none())
        .collect();
    assert!(nameless.is_empty(), "{nameless:?}");
}

#[test]
fn every_call_of_every_group_exists_once_and_is_not_dangerous() {
    for group in groups::GROUPS {
        let mut seen = BTreeSet::new();
        for call in group.calls() {
            let number = syscalls::number(call).unwrap_or_else(|| panic!("{call}"));
            assert!(!DANGER.contains(u32::from(number)), "{}: {call}", group.name);
            assert!(seen.insert(call), "{}: {call} twice", group.name);
        }
    }
}

#[test]
fn groups_are_sorted_and_none_is_also_refused() {
    assert!(groups::GROUPS.is_sorted_by(|a, b| a.name < b.name));
    for group in groups::GROUPS {
        assert!(group.name.starts_with('@'));
        assert!(!groups::REFUSED.contains(&group.name));
    }
}

#[test]
fn reading_and_writing_files_are_parts_of_all_on_files() {
    let calls = |name| groups::group(name).unwrap().calls().collect::<BTreeSet<_>>();
    let all = calls("@file-system");
    assert!(calls("@file-read").is_subset(&all));
    assert!(calls("@file-write").is_subset(&all));
}

/// A shell sleeps in `rt_sigsuspend` when its child is still at work, and not when it has ended: a recorded run must
/// not decide which of the two is allowed.
#[test]
fn waiting_for_what_may_have_happened_already_is_a_part_of_running() {
    let runtime: BTreeSet<_> = groups::group(groups::RUNTIME).unwrap().calls().collect();
    for call in ["clock_nanosleep", "futex", "pause", "poll", "restart_syscall", "rt_sigsuspend"] {
        assert!(runtime.contains(call), "{call}");
    }
}

#[test]
fn capabilities_have_the_bits_of_the_kernel() {
    assert_eq!(capabilities::bit("CAP_CHOWN"), Some(1));
    assert_eq!(capabilities::bit("CAP_SYS_ADMIN"), Some(1 << 21));
    assert_eq!(capabilities::bit("CAP_CHECKPOINT_RESTORE"), Some(1 << 40));
    assert_eq!(capabilities::bit("CAP_ALL"), None);
    for name in capabilities::names().filter(|name| capabilities::undoes_the_watch(name)) {
        assert!(capabilities::bit(name).is_some());
    }
}

#[test]
fn every_path_of_the_runtime_group_is_a_pattern() {
    for path in runtime::RUNTIME.iter().flat_map(|files| files.paths) {
        Pattern::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

/// The libraries of this very process are what a dynamically linked program maps at its start.
#[test]
fn the_runtime_group_covers_what_the_loader_maps_into_a_program() {
    let patterns: Vec<_> = runtime::RUNTIME
        .iter()
        .flat_map(|files| files.paths)
        .map(|path| {
            let pattern = Pattern::parse(path).unwrap();
            let prefix = canonical(pattern.literal_prefix().as_ref()).unwrap();
            pattern.with_prefix_replaced(prefix.to_str().unwrap()).unwrap()
        })
        .collect();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mapped: BTreeSet<_> = maps
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().nth(5))
        .filter(|path| path.contains(".so"))
        .collect();
    assert!(mapped.iter().any(|path| path.contains("libc.so")), "{mapped:?}");
    for path in mapped {
        assert!(patterns.iter().any(|pattern| pattern.matches(path.as_bytes())), "{path}");
    }
}
