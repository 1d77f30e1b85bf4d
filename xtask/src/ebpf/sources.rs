//! Digests of the kernel sources and of files, as anyone can repeat them in a shell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, About, Failure, Outcome};

const MANIFESTS: [&str; 3] = ["Cargo.lock", "Cargo.toml", "abi/Cargo.toml"];
const TREES: [&str; 2] = ["abi/src", "src"];

/// One digest over everything that the object is built from, names included.
///
/// It is the digest of the text that `sha256sum` prints for the sorted files, run in `ebpf/`:
/// `LC_ALL=C sha256sum FILE... | sha256sum`.
pub(super) fn digest(ebpf: &Path) -> Outcome<String> {
    let mut files: Vec<PathBuf> = MANIFESTS.iter().map(PathBuf::from).collect();
    for tree in TREES {
        collect(ebpf, Path::new(tree), &mut files)?;
    }
    // By bytes, as the shell's sort does; paths would compare part by part.
    files.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    let listing = shell::capture(Command::new("sha256sum").args(&files).current_dir(ebpf))?;
    first_word(&shell::filter(&mut Command::new("sha256sum"), &listing)?)
}

/// The digest of one file.
pub(super) fn sha256(file: &Path) -> Outcome<String> {
    first_word(&shell::capture(Command::new("sha256sum").arg("--").arg(file))?)
}

fn first_word(said: &str) -> Outcome<String> {
    let digest = said.split_whitespace().next();
    digest.map(str::to_owned).ok_or_else(|| Failure::new("sha256sum said nothing"))
}

fn collect(base: &Path, place: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let whole = base.join(place);
    for entry in fs::read_dir(&whole).about(whole.display())? {
        let entry = entry.about(whole.display())?;
        let name = place.join(entry.file_name());
        if entry.file_type().about(name.display())?.is_dir() {
            collect(base, &name, files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}
