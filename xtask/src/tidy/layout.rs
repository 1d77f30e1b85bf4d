//! What lies at the top of the repository, and what may lie nowhere in it.

use std::collections::BTreeSet;

use super::Report;
use super::tree::Tree;

/// A reader's first look: each entry has a meaning that the README explains.
const TOP: [&str; 16] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "dashboards",
    "deny.toml",
    "deploy",
    "docs",
    "ebpf",
    "rustfmt.toml",
    "sidecar",
    "tests",
    "xtask",
];

pub(super) fn top_level(tree: &Tree, report: &mut Report) {
    let entries: BTreeSet<&str> =
        tree.files.iter().filter_map(|file| file.name.split('/').next()).collect();
    for entry in entries {
        let allowed =
            TOP.contains(&entry) || entry.starts_with('.') || entry.starts_with("LICENSE");
        if !allowed {
            report.broken(entry, 1, "is new at the top: find it a home, or add it to the map");
        }
    }
}

/// Absolute paths of the machines that Picket is developed on. Split, or this file would hold them.
const MACHINES: [&str; 3] = [concat!("/wo", "rk/"), concat!("/fa", "rm/"), concat!("/tm", "p/h-")];

/// Such a path works nowhere else and tells strangers about us. Looks into binaries, too: the
/// committed object must not remember where it was built.
pub(super) fn machine_paths(tree: &Tree, report: &mut Report) {
    for file in &tree.files {
        for machine in MACHINES {
            if let Some(at) = find_absolute(&file.bytes, machine.as_bytes()) {
                let before = file.bytes.get(..at).unwrap_or_default();
                let line = before.split(|byte| *byte == b'\n').count();
                report.broken(
                    &file.name,
                    line,
                    &format!("names a path of one machine, `{machine}`"),
                );
            }
        }
    }
}

/// Where `path` stands as the beginning of a path, not inside a longer one.
fn find_absolute(bytes: &[u8], path: &[u8]) -> Option<usize> {
    let starts = |at: usize| {
        at.checked_sub(1)
            .and_then(|before| bytes.get(before))
            .is_none_or(|before| !before.is_ascii_alphanumeric() && !b"._-*}/".contains(before))
    };
    bytes
        .windows(path.len())
        .enumerate()
        .find(|(at, window)| *window == path && starts(*at))
        .map(|(at, _)| at)
}
