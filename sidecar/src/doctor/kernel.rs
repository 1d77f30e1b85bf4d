//! What the kernel must have and allow.

use super::{Check, Facts, Reading, Trial, Types};
use crate::probe::Tier;

/// The oldest and the newest kernel that Picket was tested on.
const TESTED: [(u32, u32); 2] = [(6, 1), (6, 18)];
/// `bpf_loop`, which the kernel programs call.
const OLDEST: (u32, u32) = (5, 17);

pub(super) fn release(facts: &Facts) -> Check {
    let check = Check::new(
        "kernel",
        "Kernel",
        "The programs need Linux 5.17 (bpf_loop); 6.1, 6.12 and 6.18 are tested.",
    );
    let Some(release) = facts.release.text() else {
        return check.unknown("/proc/sys/kernel/osrelease cannot be read");
    };
    let Some(version) = version(release) else {
        return check.unknown(format!("{release}: no version that Picket understands"));
    };
    let [first, last] = TESTED;
    if version < OLDEST {
        check.problem(format!("{release} is too old")).remedy("boot Linux 6.1 or later")
    } else if version < first {
        check
            .warning(format!("{release} is older than every tested kernel"))
            .remedy("boot Linux 6.1 or later, or rely on the self-test")
    } else if last < version {
        check.fine(format!("{release}, newer than every tested kernel: the self-test decides"))
    } else {
        check.fine(format!("{release}, within the tested range 6.1 to 6.18"))
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn architecture(facts: &Facts) -> Check {
    let check = Check::new(
        "architecture",
        "Architecture",
        "System-call numbers and the kernel object are built for x86-64.",
    );
    match facts.architecture {
        "x86_64" => check.fine("x86_64"),
        other => check.problem(other).remedy("use an x86-64 machine"),
    }
}

pub(super) fn types(facts: &Facts) -> Check {
    let check = Check::new(
        "btf",
        "Type information",
        "Picket reads from it where this kernel keeps its fields (/sys/kernel/btf/vmlinux).",
    );
    match &facts.types {
        Types::Resolved { fields } => check.fine(format!("all {fields} offsets resolved")),
        Types::Unusable(said) => check.problem(said.as_str()).copy(
            "boot a kernel built with this option; distribution kernels since about 2021 have it",
            "CONFIG_DEBUG_INFO_BTF=y",
        ),
    }
}

pub(super) fn lockdown(facts: &Facts) -> Check {
    let check = Check::new(
        "lockdown",
        "Lockdown",
        "In the mode `confidentiality` no program may read kernel memory, as Picket's do.",
    );
    let text = match &facts.lockdown {
        Reading::Text(text) => text,
        Reading::Absent => return check.fine("none: this kernel has no lockdown"),
        Reading::Refused(said) => return check.unknown(no_securityfs(said)),
    };
    match text.split(['[', ']']).nth(1) {
        Some("confidentiality") => check.problem("confidentiality").copy(
            "boot with this on the kernel's command line, or without any lockdown= (the mode cannot \
             be lowered while the system is up)",
            "lockdown=integrity",
        ),
        Some(mode) => check.fine(mode),
        None => check.unknown(format!("unreadable: {text}")),
    }
}

/// Why a file of securityfs could not be read.
pub(super) fn no_securityfs(said: &str) -> String {
    format!(
        "securityfs cannot be read ({said}); as root, or after mount -t securityfs securityfs \
         /sys/kernel/security"
    )
}

pub(super) fn compiler(facts: &Facts) -> Check {
    let check = Check::new(
        "bpf_jit",
        "BPF compiler",
        "Interpreted programs make every system call of the node slower.",
    );
    match facts.compiler.text() {
        Some("0") => check
            .warning("off")
            .copy("switch the compiler on", "sysctl -w net.core.bpf_jit_enable=1"),
        Some(_) => check.fine("on"),
        None => check.unknown("bpf_jit_enable cannot be read: it takes root"),
    }
}

pub(super) fn unprivileged(facts: &Facts) -> Check {
    let check = Check::new(
        "unprivileged_bpf",
        "Unprivileged BPF",
        "A plugin without privileges that may load programs has more of the kernel to attack.",
    );
    match facts.unprivileged.text() {
        Some("0") => check
            .warning("allowed")
            .copy("refuse it", "sysctl -w kernel.unprivileged_bpf_disabled=2"),
        Some(_) => check.fine("refused"),
        None => check.unknown("unprivileged_bpf_disabled cannot be read"),
    }
}

pub(super) fn tracefs(facts: &Facts) -> Check {
    let check = Check::new(
        "tracefs",
        "tracefs",
        "The tier `trace` reads there which tracepoints see opened files.",
    );
    if let Trial::Passed { tier: Tier::Lsm, .. } = facts.trial {
        return check.fine("not needed in the tier lsm");
    }
    match facts.mountinfo.text() {
        Some(text) if has_file_system(text, "tracefs") => check.fine("mounted"),
        Some(_) => check.fine("not mounted: Picket mounts it for one thread of its own"),
        None => check.unknown("/proc/self/mountinfo cannot be read"),
    }
}

/// Whether a file system of this type is mounted anywhere.
pub(super) fn has_file_system(mountinfo: &str, name: &str) -> bool {
    mountinfo.lines().any(|line| {
        let behind = line.split_once(" - ").map(|(_, behind)| behind);
        behind.and_then(|behind| behind.split(' ').next()) == Some(name)
    })
}
