//! Which programs are loaded, in which tier, how much of the verifier they use, and that each was written for the
//! prototypes that this kernel has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use picket::probe::Tier;
use picket::probe::btf::Btf;

use super::harness::{eye, sees_rings};
use super::kernel_says;

const OBJECT: &[u8] = include_bytes!("../../ebpf/picket.bpf.o");

/// Programs of both tiers, then of `lsm` alone, then of `trace` alone.
const BOTH: [&str; 14] = [
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
    "signal_generate",
    "sys_enter",
];
const LSM: [&str; 16] = [
    "file_open",
    "file_receive",
    "path_chmod",
    "path_chown",
    "path_link",
    "path_mkdir",
    "path_mknod",
    "path_rename",
    "path_rmdir",
    "path_symlink",
    "path_truncate",
    "path_unlink",
    "ptrace_access_check",
    "task_kill",
    "unix_may_send",
    "unix_stream_connect",
];
/// In the tier `trace` of kernels that have the tracepoints.
const RINGS: [&str; 2] = ["io_uring_complete", "io_uring_submit_req"];
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
    let known = of_tier(Tier::Lsm).union(&of_tier(Tier::Trace)).copied().chain(RINGS).collect();
    assert_eq!(there, known);
}

#[test]
fn every_program_of_the_tier_is_loaded_and_no_other() {
    let loaded = eye().probe().programs();
    let loaded: BTreeSet<&str> = loaded.iter().map(|report| report.name.as_str()).collect();
    let mut expected = of_tier(eye().tier.tier);
    let has_rings = Btf::from_kernel().unwrap().tracepoint_prototype(RINGS[1]).is_ok();
    if has_rings && eye().tier.tier == Tier::Trace {
        expected.extend(RINGS);
    }
    assert_eq!(loaded, expected);
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
    let objects = match eye().tier.tier {
        Tier::Lsm => LSM.as_slice(),
        Tier::Trace => &["sys_exit_openat"],
    };
    let expected = [
        "bind4",
        "cgroup_attach_task (arrival)",
        "cgroup_attach_task (departure)",
        "connect4",
        "connect4 (refusal)",
        "connect6",
        "sched_process_exec",
        "sched_process_exit",
        "sched_process_fork",
        "sendmsg4",
        "sendmsg6",
        "signal_generate",
        "sys_enter",
    ];
    let rings = if eye().tier.tier == Tier::Trace && sees_rings() { RINGS.as_slice() } else { &[] };
    let expected: BTreeSet<&str> = expected.iter().chain(objects).chain(rings).copied().collect();
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
    ("file_receive", [10_115, 10_318, 0]),
    ("io_uring_complete", [0, 0, 10_724]),
    ("io_uring_submit_req", [0, 0, 511]),
    ("path_chmod", [4_986, 10_334, 0]),
    ("path_chown", [4_986, 10_334, 0]),
    ("path_link", [9_996, 20_845, 0]),
    ("path_mkdir", [4_962, 10_317, 0]),
    ("path_mknod", [4_962, 10_317, 0]),
    ("path_rename", [9_996, 20_845, 0]),
    ("path_rmdir", [4_962, 10_317, 0]),
    ("path_symlink", [4_962, 10_317, 0]),
    ("path_truncate", [4_986, 10_334, 0]),
    ("path_unlink", [4_962, 10_317, 0]),
    ("ptrace_access_check", [791, 507, 0]),
    ("sched_process_exec", [26_885, 10_990, 10_974]),
    ("sched_process_exit", [181, 181, 174]),
    ("sched_process_fork", [796, 740, 764]),
    ("sendmsg4", [8_530, 8_337, 8_330]),
    ("sendmsg6", [17_767, 8_991, 8_984]),
    ("signal_generate", [751, 566, 536]),
    ("sys_enter", [627, 531, 485]),
    ("sys_exit_creat", [10_125, 10_406, 10_384]),
    ("sys_exit_open", [10_125, 10_406, 10_384]),
    ("sys_exit_open_by_handle_at", [10_125, 10_406, 10_384]),
    ("sys_exit_openat", [10_125, 10_406, 10_384]),
    ("sys_exit_openat2", [10_125, 10_406, 10_384]),
    ("task_kill", [611, 426, 0]),
    ("unix_may_send", [15_332, 11_786, 0]),
    ("unix_stream_connect", [15_072, 11_670, 0]),
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
const SOURCES: [&str; 30] = [
    include_str!("../../ebpf/src/hooks/bind.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_attach_task.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_mkdir.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_rmdir.rs"),
    include_str!("../../ebpf/src/hooks/connect.rs"),
    include_str!("../../ebpf/src/hooks/file_open.rs"),
    include_str!("../../ebpf/src/hooks/file_receive.rs"),
    include_str!("../../ebpf/src/hooks/io_uring_complete.rs"),
    include_str!("../../ebpf/src/hooks/io_uring_submit_req.rs"),
    include_str!("../../ebpf/src/hooks/open_exit.rs"),
    include_str!("../../ebpf/src/hooks/path_chmod.rs"),
    include_str!("../../ebpf/src/hooks/path_chown.rs"),
    include_str!("../../ebpf/src/hooks/path_link.rs"),
    include_str!("../../ebpf/src/hooks/path_mkdir.rs"),
    include_str!("../../ebpf/src/hooks/path_mknod.rs"),
    include_str!("../../ebpf/src/hooks/path_rename.rs"),
    include_str!("../../ebpf/src/hooks/path_rmdir.rs"),
    include_str!("../../ebpf/src/hooks/path_symlink.rs"),
    include_str!("../../ebpf/src/hooks/path_truncate.rs"),
    include_str!("../../ebpf/src/hooks/path_unlink.rs"),
    include_str!("../../ebpf/src/hooks/ptrace_access_check.rs"),
    include_str!("../../ebpf/src/hooks/sched_process_exec.rs"),
    include_str!("../../ebpf/src/hooks/sched_process_exit.rs"),
    include_str!("../../ebpf/src/hooks/sched_process_fork.rs"),
    include_str!("../../ebpf/src/hooks/sendmsg.rs"),
    include_str!("../../ebpf/src/hooks/signal_generate.rs"),
    include_str!("../../ebpf/src/hooks/sys_enter.rs"),
    include_str!("../../ebpf/src/hooks/task_kill.rs"),
    include_str!("../../ebpf/src/hooks/unix_may_send.rs"),
    include_str!("../../ebpf/src/hooks/unix_stream_connect.rs"),
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
    assert_eq!(n_checked, 24);
}

fn quoted_in<'a>(line: &'a str, opening: &str) -> Option<&'a str> {
    line.trim_start().strip_prefix(opening)?.split('"').nth(1)
}
