//! Debian's systemd in the guest: the real manager for the real unit file, with as few units as start a service.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{install, write};
use crate::places;
use crate::shell::{About, Outcome};

/// Runs the tests and ends the guest.
pub(super) const TEST_UNIT: &str = include_str!("../systemd/picket-test.service");
const TEST_TARGET: &str = include_str!("../systemd/picket-test.target");

const PROGRAMS: [&str; 6] = [
    "usr/lib/systemd/systemd",
    "usr/lib/systemd/systemd-journald",
    "usr/bin/journalctl",
    "usr/bin/systemctl",
    "usr/bin/systemd-analyze",
    "usr/bin/systemd-run",
];

/// Of the package's own units: what a service with default dependencies stands on, and the journal.
const UNITS: [&str; 16] = [
    "basic.target",
    "emergency.target",
    "local-fs.target",
    "multi-user.target",
    "paths.target",
    "shutdown.target",
    "slices.target",
    "sockets.target",
    "swap.target",
    "sys-kernel-tracing.mount",
    "sysinit.target",
    "systemd-journald-dev-log.socket",
    "systemd-journald.service",
    "systemd-journald.socket",
    "timers.target",
    "umount.target",
];

/// Started with the system, as the package has it.
const WANTED: [(&str, &str); 4] = [
    ("sockets.target.wants", "systemd-journald.socket"),
    ("sockets.target.wants", "systemd-journald-dev-log.socket"),
    ("sysinit.target.wants", "systemd-journald.service"),
    ("sysinit.target.wants", "sys-kernel-tracing.mount"),
];

const PLACE: &str = "usr/lib/systemd/system";

/// Puts systemd, its units, ours and Picket's into the guest's tree.
pub(super) fn install_into(root: &Path) -> Outcome {
    fs::create_dir_all(root.join(PLACE)).about(PLACE)?;
    fs::create_dir_all(root.join("etc/systemd/system")).about("etc/systemd/system")?;
    for program in PROGRAMS {
        install(root, &Path::new("/").join(program), program)?;
    }
    for unit in UNITS {
        let from = Path::new("/").join(PLACE).join(unit);
        fs::copy(&from, root.join(PLACE).join(unit)).about(from.display())?;
    }
    for (directory, unit) in WANTED {
        let place = root.join(PLACE).join(directory);
        fs::create_dir_all(&place).about(directory)?;
        symlink(Path::new("..").join(unit), place.join(unit)).about(unit)?;
    }
    write(root, &format!("{PLACE}/picket-test.service"), TEST_UNIT)?;
    write(root, &format!("{PLACE}/picket-test.target"), TEST_TARGET)?;
    // A machine that has been booted before: nothing is asked for, nothing is set up.
    write(root, "etc/machine-id", "70696b65740000000000000000000001\n")?;
    let unit = places::repository().join("deploy/systemd/picket.service");
    fs::copy(&unit, root.join("etc/systemd/system/picket.service")).map(drop).about(unit.display())
}
