//! What surrounds Picket: cgroups, namespaces, other Pickets.

use super::{Check, Facts, Residents, kernel::has_file_system};
use crate::supervisor::{CgroupError, CgroupRoot};

/// Numbers of the namespaces the system boots with, fixed in the kernel (`PROC_*_INIT_INO`).
const INITIAL_USER: u64 = 0xefff_fffd;
const INITIAL_PID: u64 = 0xefff_fffc;
const INITIAL_CGROUP: u64 = 0xefff_fffb;

pub(super) fn cgroups(facts: &Facts) -> Check {
    let check = Check::new(
        "cgroups",
        "Cgroups",
        "A sandbox is a cgroup of the second version: Picket freezes and kills it there.",
    );
    let Some(text) = facts.mountinfo.text() else {
        return check.unknown("/proc/self/mountinfo cannot be read: is /proc mounted?");
    };
    let first_version = has_file_system(text, "cgroup");
    match CgroupRoot::in_mountinfo(text.as_bytes()) {
        Ok(_) if facts.controls == Some(false) => check
            .problem("this kernel's cgroups cannot be frozen and killed")
            .remedy("boot Linux 6.1 or later"),
        Ok(root) => {
            let layout = if first_version { "hybrid" } else { "unified" };
            let delegates = text.lines().any(|line| {
                line.contains(" - cgroup2 ")
                    && line.split([' ', ',']).any(|word| word == "nsdelegate")
            });
            let more = if delegates { ", nsdelegate" } else { "" };
            check.fine(format!("{layout}: version 2 at {}, writable{more}", root.mount().display()))
        }
        Err(CgroupError::ReadOnly { path }) => {
            check.problem(format!("version 2 at {} is mounted read-only", path.display())).copy(
                "on the host, mount it again; a container gets it writable with its host's \
                 cgroup namespace (docker run --privileged --cgroupns=host)",
                format!("mount -o remount,rw {}", path.display()),
            )
        }
        Err(_) => {
            let found = if first_version { "version 1 only" } else { "none is mounted" };
            check.problem(found).copy(
                "mount version 2 beside it; no controller is needed",
                "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
            )
        }
    }
}

pub(super) fn user_namespace(facts: &Facts) -> Check {
    let check = Check::new(
        "user_namespace",
        "User namespace",
        "The kernel asks for privileges in the initial one when programs are loaded.",
    );
    match facts.namespaces.user {
        Some(INITIAL_USER) | None => check.fine("the initial one"),
        Some(_) => check
            .problem("not the initial one: root here is an ordinary user outside")
            .remedy("run Picket on the host, or in a container that does not remap users"),
    }
}

pub(super) fn pid_namespace(facts: &Facts) -> Check {
    let check = Check::new(
        "pid_namespace",
        "PID namespace",
        "Reports name processes by the numbers of the initial one.",
    );
    match facts.namespaces.pid {
        Some(INITIAL_PID) | None => check.fine("the initial one"),
        Some(_) => check
            .warning("not the initial one: process ids in reports are not those that ps shows here")
            .remedy("share the host's (docker run --pid=host, hostPID: true in a pod)"),
    }
}

pub(super) fn cgroup_namespace(facts: &Facts) -> Check {
    let check = Check::new(
        "cgroup_namespace",
        "Cgroup namespace",
        "Only cgroups below one's own root can be seen and watched.",
    );
    match facts.namespaces.cgroup {
        Some(INITIAL_CGROUP) | None => check.fine("the initial one"),
        Some(_) => check
            .warning("not the initial one: sandboxes that others start elsewhere are out of reach")
            .remedy("share the host's (docker run --cgroupns=host) to watch those, too"),
    }
}

pub(super) fn time_namespace(facts: &Facts) -> Check {
    let check = Check::new(
        "time_namespace",
        "Time namespace",
        "Events carry the host's time since boot, and the self-test compares it with /proc.",
    );
    let Some(text) = facts.time_offsets.text() else {
        return check.fine("this kernel has none");
    };
    let shifted = text.lines().find_map(|line| line.trim().strip_prefix("boottime"));
    let is_zero = |offsets: &str| offsets.split_whitespace().all(|number| number == "0");
    if shifted.is_none_or(is_zero) {
        return check.fine("counts as the host does");
    }
    check
        .problem("its time since boot is not the host's: the self-test refuses what it reads")
        .remedy("start Picket outside it")
}

pub(super) fn residents(facts: &Facts) -> Check {
    let check = Check::new(
        "sandboxes",
        "Sandboxes",
        "What a Picket that died left behind stays, frozen or not, until the next start sweeps it.",
    );
    match &facts.residents {
        Residents::Refused(said) => check.unknown(format!("cannot be listed: {said}")),
        Residents::Listed { owned, abandoned } if abandoned.is_empty() => match owned {
            0 => check.fine("none"),
            n_owned => check.fine(format!("{n_owned} of running Pickets, which stay as they are")),
        },
        Residents::Listed { owned, abandoned } => check
            .warning(format!("abandoned: {}; {owned} with an owner", abandoned.join(", ")))
            .copy("start any Picket: it kills and removes them", "picket demo"),
    }
}
