//! The engine stays pure: what it may depend on, and what it says about itself.

use super::Report;
use super::tree::Tree;

const MANIFEST: &str = "sidecar/engine/Cargo.toml";
const ROOT: &str = "sidecar/engine/src/lib.rs";

/// Each allowed dependency is one that brings neither clock, file, thread nor random order.
const ALLOWED: [&str; 3] = ["ipnet", "siphasher", "thiserror"];

pub(super) fn dependencies(tree: &Tree, report: &mut Report) {
    let Some(manifest) = tree.file(MANIFEST) else {
        return report.broken(MANIFEST, 1, "is gone; the engine's dependencies cannot be checked");
    };
    let mut section = String::new();
    for (number, line) in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            if section.starts_with("dependencies.") || section.starts_with("build-dependencies") {
                report.broken(
                    MANIFEST,
                    number,
                    "write dependencies as one table, so that this check sees them",
                );
            }
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        if section != "dependencies" || line.starts_with('#') {
            continue;
        }
        let name = name.trim().trim_end_matches(".workspace");
        if !ALLOWED.contains(&name) {
            let way_out = format!("`{name}` is not on the list in xtask/src/tidy/engine.rs");
            report.broken(MANIFEST, number, &way_out);
        }
        if !value.contains("default-features = false") {
            report.broken(MANIFEST, number, "needs `default-features = false`: defaults bring std");
        }
    }
}

/// The two lines that make impurity a compile error.
pub(super) fn purity(tree: &Tree, report: &mut Report) {
    let text = tree.file(ROOT).map(super::tree::File::text).unwrap_or_default();
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        if !text.lines().any(|line| line == attribute) {
            report.broken(ROOT, 1, &format!("lacks `{attribute}`"));
        }
    }
}
