//! What this process may do, and has.

use super::{Check, Facts, Trial};
use picket_engine::SyscallSet;

use crate::supervisor::{CapabilitySet, StrictFiles};

/// What Picket needs besides uid 0, by number and use. Measured: with these alone, and no other, `picket exec` works.
/// `CAP_SYS_ADMIN` contains `CAP_BPF`, `CAP_PERFMON` and, for loading programs, `CAP_NET_ADMIN`.
const NEEDED: [(u32, &str, &str); 5] = [
    (1, "CAP_DAC_OVERRIDE", "making cgroups"),
    (7, "CAP_SETUID", "the guard's own user"),
    (8, "CAP_SETPCAP", "taking a plugin's capabilities"),
    (19, "CAP_SYS_PTRACE", "looking at a plugin before its start"),
    (21, "CAP_SYS_ADMIN", "kernel programs and mount namespaces"),
];

/// What all of Picket needs while it runs, with room for reading the kernel's type information.
const NEEDED_MEMORY_KIB: u64 = 128 * 1024;

pub(super) fn privileges(facts: &Facts) -> Check {
    let check = Check::new(
        "privileges",
        "Privileges",
        "Kernel programs, cgroups and the look at a plugin before its start take root.",
    );
    let Some(status) = facts.status.text() else {
        return check.unknown("/proc/self/status cannot be read");
    };
    if !is_root(facts) {
        let user = effective_user(status).unwrap_or("unknown");
        return check
            .problem(format!("uid {user}: much could not be looked at"))
            .copy("run it as root", "sudo picket doctor");
    }
    let Some(held) = field(status, "CapEff").and_then(CapabilitySet::from_status) else {
        return check.unknown("/proc/self/status says nothing of capabilities");
    };
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|(number, ..)| !held.contains(*number))
        .map(|(_, name, purpose)| format!("{name} ({purpose})"))
        .collect();
    if missing.is_empty() {
        return check.fine("root with the capabilities that Picket needs");
    }
    check
        .problem(format!("root without {}", missing.join(", ")))
        .remedy("give the missing ones; in a container, run it privileged")
}

pub(super) fn seccomp(facts: &Facts) -> Check {
    let check = Check::new(
        "seccomp",
        "Seccomp",
        "A filter around Picket may refuse bpf(2), mount(2) or clone3(2).",
    );
    let mode = facts.status.text().and_then(|status| field(status, "Seccomp"));
    match (mode, &facts.trial) {
        (Some("0"), _) => check.fine("no filter"),
        (Some(_), Trial::Passed { .. }) => check
            .warning("a filter; it let the self-test through, the start of a plugin was not tried")
            .remedy("run Picket without it (docker run --security-opt seccomp=unconfined)"),
        (Some(_), _) => check
            .warning("a filter")
            .remedy("run Picket without it (docker run --security-opt seccomp=unconfined)"),
        (None, _) => check.unknown("/proc/self/status does not say"),
    }
}

pub(super) fn strict(facts: &Facts) -> Check {
    let check = Check::new(
        "strict",
        "Confinement strict",
        "A plugin that asks for it is not started where its calls cannot be refused.",
    );
    let files = StrictFiles::with(SyscallSet::EMPTY, facts.landlock);
    match &facts.strict {
        Ok(()) => check.fine(format!("undeclared system calls are recorded and refused; {files}")),
        Err(said) => check.warning(format!("not here: {said}")).remedy(
            "boot Linux 6.1 or later with CONFIG_SECCOMP_FILTER, and start Picket outside a filter that \
             forbids seccomp(2)",
        ),
    }
}

pub(super) fn real_time(facts: &Facts) -> Check {
    let check = Check::new(
        "real_time",
        "Real-time priority",
        "Without it a loaded node lets an offender run some milliseconds longer.",
    );
    match &facts.real_time {
        Ok(()) => check.fine("granted"),
        Err(_) if !is_root(facts) => check.unknown("was not asked for as root"),
        Err(said) => check.warning(format!("refused: {said}")).remedy(
            "give CAP_SYS_NICE; on a node with version 1 of the cpu controller, start Picket in a \
             cgroup with cpu.rt_runtime_us above 0",
        ),
    }
}

pub(super) fn memory(facts: &Facts) -> Check {
    let check = Check::new(
        "memory",
        "Memory",
        "The kernel's tables and the type information need about 100 MiB for a moment.",
    );
    let available = facts
        .memory
        .text()
        .and_then(|text| field(text, "MemAvailable"))
        .and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok());
    match available {
        None => check.unknown("/proc/meminfo does not say"),
        Some(kib) if kib < NEEDED_MEMORY_KIB => {
            check.warning(format!("{} MiB available", kib / 1024)).remedy("free some memory first")
        }
        Some(kib) => check.fine(format!("{} MiB available", kib / 1024)),
    }
}

/// So that nobody searches there.
pub(super) fn not_needed() -> Check {
    Check::new("not_needed", "Not needed", "Nothing of it changes what Picket can do.").fine(
        "a bpf file system (nothing is pinned), RLIMIT_MEMLOCK, a setting of Yama, a cgroup \
         controller",
    )
}

fn is_root(facts: &Facts) -> bool {
    facts.status.text().and_then(effective_user) == Some("0")
}

fn effective_user(status: &str) -> Option<&str> {
    field(status, "Uid")?.split_whitespace().nth(1)
}

/// The value of a line `name:  value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(found, value)| (found == name).then(|| value.trim()))
}
