//! What is mounted where, and which of it a path can still reach.
//!
//! Pure: takes the text of a `mountinfo` file. The launcher asks it what to close off, the gate
//! asks it again about the frozen child, and `CgroupRoot` finds the cgroup2 mount with it.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// File systems through which the kernel itself is steered. uid 0 may write most of their files
/// even without a single capability, because their permission check is by owner.
pub(super) const CONTROL_FILE_SYSTEMS: [&str; 11] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    CGROUP2,
    "configfs",
    "debugfs",
    "efivarfs",
    "pstore",
    "securityfs",
    "sysfs",
    "tracefs",
];

/// What in `/proc` steers the kernel rather than showing a process. `/proc/sys/kernel/core_pattern`
/// alone would let a plugin without capabilities run a program as root outside its sandbox.
pub(super) const PROC_CONTROLS: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// The type of the unified cgroup file system.
const CGROUP2: &str = "cgroup2";

/// One line of `mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    id: u32,
    parent: u32,
    /// The directory of the file system that is mounted; `/` for all of it.
    pub(super) root: PathBuf,
    /// Where it is mounted.
    pub(super) point: PathBuf,
    pub(super) file_system: String,
    /// Options of the file system; of a cgroup v1 hierarchy, its controllers among them.
    pub(super) options: Vec<String>,
    /// Whether this mount refuses writes, or its file system does.
    pub(super) read_only: bool,
}

impl Mount {
    /// Whether this mount shows cgroups of the unified tree.
    pub(super) fn is_cgroup2(&self) -> bool {
        self.file_system == CGROUP2
    }

    /// Whether this mount shows a cgroup v1 hierarchy.
    pub(super) fn is_cgroup1(&self) -> bool {
        self.file_system == "cgroup"
    }

    /// Whether this mount shows all of `/proc`.
    pub(super) fn is_proc(&self) -> bool {
        self.file_system == "proc" && self.root == Path::new("/")
    }

    /// Whether the kernel is steered through this mount.
    pub(super) fn controls_the_kernel(&self) -> bool {
        CONTROL_FILE_SYSTEMS.contains(&self.file_system.as_str())
    }
}

/// Reads `mountinfo`; a line that is not as documented is left out.
pub(super) fn parse(mountinfo: &[u8]) -> Vec<Mount> {
    mountinfo.split(|&byte| byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let _device = fields.next()?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let options = fields.next()?;
    // Any number of optional fields, ended by a lone dash.
    let mut rest = fields.skip_while(|&field| field != b"-").skip(1);
    let file_system = String::from_utf8_lossy(rest.next()?).into_owned();
    let _source = rest.next()?;
    let super_options = rest.next()?;
    let read_only = is_read_only(options) || is_read_only(super_options);
    let options = super_options.split(|&byte| byte == b',');
    let options = options.map(|option| String::from_utf8_lossy(option).into_owned()).collect();
    Some(Mount { id, parent, root, point, file_system, options, read_only })
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn is_read_only(options: &[u8]) -> bool {
    options.split(|&byte| byte == b',').any(|option| option == b"ro")
}

/// The kernel writes blanks, newlines and backslashes in paths as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.first_chunk::<3>().filter(|_| first == b'\\').and_then(octal);
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { after.split_at(3).1 } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(digits: &[u8; 3]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// The wanted mounts that some path leads to: those that no other mount covers.
///
/// A plugin cannot take a cover away, in a user namespace of its own neither: mounts that it
/// inherits are locked together.
pub(super) fn reachable(
    mounts: &[Mount],
    wanted: impl Fn(&Mount) -> bool,
) -> impl Iterator<Item = &Mount> {
    // Wanted first: hosts with thousands of mounts have few that steer the kernel.
    mounts
        .iter()
        .filter(move |mount| wanted(mount))
        .filter(|mount| !is_covered(mount, mounts, mounts.len()))
}

/// Whether no path leads to a mount: something lies on top of it, or over the way to it.
fn is_covered(mount: &Mount, mounts: &[Mount], generations: usize) -> bool {
    let is_on_top =
        |other: &Mount| other.parent == mount.id && other.point == mount.point && !is(other, mount);
    mounts.iter().any(is_on_top) || is_out_of_the_way(mount, mounts, generations)
}

/// Whether the place where a mount hangs cannot be reached.
///
/// `generations` bounds the walk to the root, should the text name a mount as its own ancestor.
fn is_out_of_the_way(mount: &Mount, mounts: &[Mount], generations: usize) -> bool {
    let lies_above = |other: &Mount| {
        other.parent == mount.parent
            && other.point != mount.point
            && mount.point.starts_with(&other.point)
            && !is(other, mount)
    };
    if mounts.iter().any(lies_above) {
        return true;
    }
    let parent = mounts.iter().find(|other| other.id == mount.parent && !is(other, mount));
    match (parent, generations.checked_sub(1)) {
        // It lies on top of its parent, so it is found in the parent's place.
        (Some(parent), Some(left)) if parent.point == mount.point => {
            is_out_of_the_way(parent, mounts, left)
        }
        (Some(parent), Some(left)) => is_covered(parent, mounts, left),
        _ => false,
    }
}

fn is(one: &Mount, other: &Mount) -> bool {
    one.id == other.id
}
