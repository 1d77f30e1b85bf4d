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
const BOTH: [&str; 19] = [
    "bind4",
    "bind6",
    "call_refused",
    "cgroup_attach_task",
    "cgroup_mkdir",
    "cgroup_rmdir",
    "connect4",
    "connect6",
    "inet_sock_set_state",
    "packet_egress",
    "packet_ingress",
    "sched_process_exec",
    "sched_process_exit",
    "sched_process_fork",
    "sendmsg4",
    "sendmsg6",
    "signal_generate",
    "sock_create",
    "sys_enter",
];
const LSM: [&str; 20] = [
    "file_mprotect",
    "file_open",
    "file_receive",
    "mmap_file",
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
    "socket_create",
    "task_kill",
    "unix_may_send",
    "unix_stream_connect",
    "userns_create",
];
/// In the tier `trace` of kernels that have the tracepoints.
const RINGS: [&str; 2] = ["io_uring_complete", "io_uring_submit_req"];
const TRACE: [&str; 6] = [
    "sys_exit_creat",
    "sys_exit_mmap",
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
    let object = aya::EbpfLoader::new().allow_unsupported_maps().load(OBJECT).unwrap();
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
    let of_tier: &[&str] = match eye().tier.tier {
        Tier::Lsm => &LSM,
        Tier::Trace => &TRACE,
    };
    let of_calls: &[&str] = match eye().tier.tier {
        Tier::Lsm => &[],
        Tier::Trace => &["sys_enter (memory)", "sys_enter (socket)"],
    };
    let both = [
        "bind4",
        "bind6",
        "call_refused",
        "cgroup_attach_task (arrival)",
        "cgroup_attach_task (departure)",
        "connect4",
        "connect4 (refusal)",
        "connect6",
        "inet_sock_set_state (IPv4)",
        "inet_sock_set_state (IPv6)",
        "cgroup_mkdir",
        "cgroup_rmdir",
        "packet_egress",
        "sched_process_exec",
        "sched_process_exit",
        "sched_process_fork",
        "sendmsg4",
        "sendmsg6",
        "signal_generate",
        "sock_create (refusal)",
        "sys_enter",
    ];
    let rings = if eye().tier.tier == Tier::Trace && sees_rings() { RINGS.as_slice() } else { &[] };
    let of_tier = of_tier.iter().chain(of_calls).chain(rings);
    let expected: BTreeSet<&str> = both.iter().chain(of_tier).copied().collect();
    assert_eq!(eye().proof.hooks.iter().copied().collect::<BTreeSet<_>>(), expected);
}

/// Instructions the verifier walked when this was written, by kernel: 6.1, 6.12, 6.18. 0: not loaded there.
const VERIFIED: &[(&str, [u32; 3])] = &[
    ("bind4", [9_041, 8_561, 8_539]),
    ("bind6", [10_195, 9_299, 9_277]),
    ("call_refused", [15_387, 13_404, 13_347]),
    ("cgroup_attach_task", [822, 758, 849]),
    ("cgroup_mkdir", [298, 298, 295]),
    ("cgroup_rmdir", [62, 62, 62]),
    ("connect4", [9_078, 8_561, 8_554]),
    ("connect6", [10_196, 9_300, 9_293]),
    ("file_mprotect", [1_270, 1_146, 0]),
    ("file_open", [13_840, 13_468, 0]),
    ("file_receive", [15_119, 13_792, 0]),
    ("inet_sock_set_state", [2_469, 1_618, 1_593]),
    ("io_uring_complete", [0, 0, 13_527]),
    ("io_uring_submit_req", [0, 0, 1_424]),
    ("mmap_file", [8_877, 14_612, 0]),
    ("packet_egress", [190, 190, 186]),
    ("packet_ingress", [190, 190, 186]),
    ("path_chmod", [10_531, 13_425, 0]),
    ("path_chown", [10_531, 13_425, 0]),
    ("path_link", [21_079, 27_072, 0]),
    ("path_mkdir", [10_398, 13_406, 0]),
    ("path_mknod", [10_398, 13_406, 0]),
    ("path_rename", [21_078, 27_071, 0]),
    ("path_rmdir", [10_398, 13_406, 0]),
    ("path_symlink", [10_398, 13_406, 0]),
    ("path_truncate", [10_531, 13_425, 0]),
    ("path_unlink", [10_398, 13_406, 0]),
    ("ptrace_access_check", [4_357, 1_788, 0]),
    ("sched_process_exec", [27_991, 12_579, 12_560]),
    ("sched_process_exit", [518, 518, 501]),
    ("sched_process_fork", [3_421, 3_051, 3_138]),
    ("sendmsg4", [9_078, 8_561, 8_554]),
    ("sendmsg6", [10_196, 9_300, 9_293]),
    ("signal_generate", [2_608, 1_811, 1_839]),
    ("sock_create", [65_794, 7_224, 7_202]),
    ("socket_create", [26_709, 2_105, 0]),
    ("sys_enter", [26_662, 13_946, 13_488]),
    ("sys_exit_creat", [13_952, 11_160, 13_544]),
    ("sys_exit_mmap", [7_778, 10_660, 13_568]),
    ("sys_exit_open", [13_952, 11_160, 13_544]),
    ("sys_exit_open_by_handle_at", [13_952, 11_160, 13_544]),
    ("sys_exit_openat", [13_952, 11_160, 13_544]),
    ("sys_exit_openat2", [13_952, 11_160, 13_544]),
    ("task_kill", [2_332, 1_535, 0]),
    ("unix_may_send", [19_539, 15_730, 0]),
    ("unix_stream_connect", [19_718, 15_919, 0]),
    ("userns_create", [1_292, 1_157, 0]),
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
            complaints.push(format!(
                "{}: {allowed} allowed, {} needed",
                program.name, program.verified_instructions
            ));
        }
    }
    let table = programs
        .iter()
        .map(|program| format!("    (\"{}\", {}),\n", program.name, program.verified_instructions));
    let table: String = table.collect();
    assert!(complaints.is_empty(), "{complaints:#?}\nnow, on {release}{table}");
}

/// The hooks' sources, where their `// kernel:` lines are.
const SOURCES: [&str; 31] = [
    include_str!("../../ebpf/src/hooks/bind.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_attach_task.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_mkdir.rs"),
    include_str!("../../ebpf/src/hooks/cgroup_rmdir.rs"),
    include_str!("../../ebpf/src/hooks/connect.rs"),
    include_str!("../../ebpf/src/hooks/file_open.rs"),
    include_str!("../../ebpf/src/hooks/file_receive.rs"),
    include_str!("../../ebpf/src/hooks/inet_sock_set_state.rs"),
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
    assert_eq!(n_checked, 25);
}

fn quoted_in<'a>(line: &'a str, opening: &str) -> Option<&'a str> {
    line.trim_start().strip_prefix(opening)?.split('"').nth(1)
}
