//! Which programs are loaded, in which tier, how much of the verifier they use, and that each was written for the
//! prototypes that this kernel has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use picket::probe::Tier;
use picket::probe::btf::Btf;

use super::harness::eye;
use super::kernel_says;

const OBJECT: &[u8] = include_bytes!("../../ebpf/picket.bpf.o");

/// Programs of both tiers, then of `lsm` alone, then of `trace` alone.
const BOTH: [&str; 13] = [
    "bind4",
    "bind6",
    "cgroup_attach_task",
    "cgroup_mkdir",
    "cgroup_rmdir",
    "connect4",
    "connect6",
    "sched_process_exec",
    "sched_process_exit",
    "sched_process_fork",
    "sendmsg4",
    "sendmsg6",
    "sys_enter",
];
const LSM: [&str; 1] = ["file_open"];
const TRACE: [&str; 5] = [
    "sys_exit_creat",
    "sys_exit_open",
    "sys_exit_open_by_handle_at",
    "sys_exit_openat",
    "sys_exit_openat2",
];

fn of_tier(tier: Tier) -> BTreeSet<&'static str> {
    let open = match tier {
        Tier::Lsm => LSM.as_slice(),
        Tier::Trace => TRACE.as_slice(),
    };
    BOTH.iter().chain(open).copied().collect()
}

#[test]
fn every_program_of_the_object_belongs_to_a_tier() {
    let object = aya::EbpfLoader::new().load(OBJECT).unwrap();
    let there: BTreeSet<&str> = object.programs().map(|(name, _)| name).collect();
    let known = of_tier(Tier::Lsm).union(&of_tier(Tier::Trace)).copied().collect();
    assert_eq!(there, known);
}

#[test]
fn every_program_of_the_tier_is_loaded_and_no_other() {
    let loaded = eye().probe().programs();
    let loaded: BTreeSet<&str> = loaded.iter().map(|report| report.name.as_str()).collect();
    assert_eq!(loaded, of_tier(eye().tier.tier));
}

#[test]
fn the_tier_is_the_best_that_this_kernel_allows_and_a_lesser_one_has_its_reason() {
    let report = &eye().tier;
    let expected = if kernel_says::lsm_programs_run() { Tier::Lsm } else { Tier::Trace };
    assert_eq!(report.tier, expected, "{:?}", report.because);
    assert_eq!(report.because.is_some(), expected == Tier::Trace, "{:?}", report.because);
}

#[test]
fn the_self_test_has_seen_an_act_for_every_hook_of_the_tier() {
    let opens = match eye().tier.tier {
        Tier::Lsm => LSM.as_slice(),
        Tier::Trace => TRACE.as_slice(),
    };
    let expected = BTreeSet::from([
        "bind4",
        "bind6",
        "cgroup_attach_task (arrival)",
        "cgroup_attach_task (departure)",
        "connect4",
        "connect4 (refusal)",
        "connect6",
        "cgroup_mkdir",
        "cgroup_rmdir",
        "sched_process_exec",
        "sched_process_exit",
        "sched_process_fork",
        "sendmsg4",
        "sendmsg6",
        "sys_enter",
    ]);
    let expected = expected.into_iter().chain(opens.iter().copied()).collect::<BTreeSet<_>>();
    assert_eq!(eye().proof.hooks.iter().copied().collect::<BTreeSet<_>>(), expected);
}

/// Instructions the verifier walked when this was written, by kernel: 6.1, 6.12, 6.18. 0: not loaded there.
const VERIFIED: &[(&str, [u32; 3])] = &[
    ("bind4", [8_539, 8_263, 8_265]),
    ("bind6", [17_845, 9_047, 8_920]),
    ("cgroup_attach_task", [616, 564, 582]),
    ("cgroup_mkdir", [120, 120, 117]),
    ("cgroup_rmdir", [24, 24, 24]),
    ("connect4", [8_529, 8_336, 8_329]),
    ("connect6", [17_766, 8_990, 8_983]),
    ("file_open", [10_266, 10_431, 0]),
    ("sched_process_exec", [26_885, 10_990, 10_974]),
    ("sched_process_exit", [181, 181, 174]),
    ("sched_process_fork", [796, 740, 764]),
    ("sendmsg4", [8_530, 8_337, 8_330]),
    ("sendmsg6", [17_767, 8_991, 8_984]),
    ("sys_enter", [627, 531, 485]),
    ("sys_exit_creat", [10_125, 10_406, 10_384]),
    ("sys_exit_open", [10_125, 10_406, 10_384]),
    ("sys_exit_open_by_handle_at", [10_125, 10_406, 10_384]),
    ("sys_exit_openat", [10_125, 10_406, 10_384]),
    ("sys_exit_openat2", [10_125, 10_406, 10_384]),
];

/// Growth beyond this share is to be looked at, and the table changed in the same review.
const SLACK_PERCENT: u32 = 25;

#[test]
fn no_program_needs_much_more_of_the_verifier_than_when_it_was_written() {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let column = ["6.1.", "6.12.", "6.18."].iter().position(|series| release.starts_with(series));
    let pinned: BTreeMap<&str, [u32; 3]> = VERIFIED.iter().copied().collect();
    let mut complaints = Vec::new();
    let programs = eye().probe().programs();
    for program in &programs {
        let pinned = pinned.get(program.name.as_str()).copied().unwrap_or_default();
        // A kernel without a column is held to the widest of the others.
        let of_here =
            column.map_or_else(|| pinned.iter().copied().max(), |at| pinned.get(at).copied());
        let allowed = of_here.map_or(0, |pinned| pinned + pinned * SLACK_PERCENT / 100);
        if allowed < program.verified_instructions {
            complaints.push(format!("{}: {allowed} allowed", program.name));
        }
    }
    let table = programs
        .iter()
        .map(|program| format!("    (\"{}\", {}),\n", program.name, program.verified_instructions));
    let table: String = table.collect();
    assert!(complaints.is_empty(), "{complaints:#?}\nnow, on {release}{table}");
}

/// The hooks' sources, where their `// kernel:` lines are.
const SOURCES: [&str; 12] = [
    include_str!("../../ebpf/src/hooks/bind.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_attach_task.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_mkdir.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_rmdir.rs"),
    include_str!("../../ebpf/src/hooks/connect.rs"),
    include_str!("../../ebpf/src/hooks/file_open.rs"),
    include_str!("../../ebpf/src/hooks/open_exit.rs"),
    include_str!("../../ebpf/src/hooks/sched_process_exec.rs"),
    include_str!("../../ebpf/src/hooks/sched_process_exit.rs"),
    include_str!("../../ebpf/src/hooks/sched_process_fork.rs"),
    include_str!("../../ebpf/src/hooks/sendmsg.rs"),
    include_str!("../../ebpf/src/hooks/sys_enter.rs"),
];

#[test]
fn every_hook_was_written_for_the_prototype_that_this_kernel_has() {
    let btf = Btf::from_kernel().unwrap();
    let mut n_checked = 0;
    for source in SOURCES {
        let mut claim = None;
        for line in source.lines() {
            claim = line.strip_prefix("// kernel: ").or(claim);
            let tracepoint = quoted_in(line, "#[btf_tracepoint(function = ");
            let lsm_hook = quoted_in(line, "#[lsm(hook = ");
            let Some(name) = tracepoint.or(lsm_hook) else { continue };
            let claimed = claim.take().unwrap_or_else(|| panic!("{name} has no `// kernel:` line"));
            let prototype = match lsm_hook {
                Some(hook) => btf.function_prototype(&format!("bpf_lsm_{hook}")),
                None => btf.tracepoint_prototype(name),
            };
            let actual = format!("{name}{}", prototype.unwrap());
            if name == "sched_process_exit" {
                // Kernels from 6.16 on append an argument, which nobody here reads.
                let claimed = claimed.strip_suffix(')').unwrap();
                assert!(actual.starts_with(claimed), "{actual} is not {claimed}…");
            } else {
                assert_eq!(actual, claimed);
            }
            n_checked += 1;
        }
    }
    // The other programs have a context that is the same on every kernel.
    assert_eq!(n_checked, 8);
}

fn quoted_in<'a>(line: &'a str, opening: &str) -> Option<&'a str> {
    line.trim_start().strip_prefix(opening)?.split('"').nth(1)
}
