//! One command that turns `ebpf/` into an object, the same bytes in every checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::toolchain::{self, Toolchain};
use crate::places;
use crate::shell::{self, About, Failure, Outcome};

const TARGET: &str = "bpfel-unknown-none";

/// Builds into the target directory and returns the finished object.
pub(super) fn object(toolchain: &Toolchain) -> Outcome<PathBuf> {
    shell::step(&format!("building kernel programs with {toolchain}"), || {
        let output = places::scratch("ebpf")?;
        shell::run(&mut compile(&output)?)?;
        let built = output.join(TARGET).join("release/picket-ebpf");
        let object = output.join("picket.bpf.o");
        // The kernel and Picket read .BTF and .BTF.ext; DWARF would only make the binary fat.
        shell::run(
            Command::new(format!("{}/bin/llvm-strip", toolchain::LLVM))
                .arg("--strip-debug")
                .arg("-o")
                .arg(&object)
                .arg(&built),
        )?;
        Ok(object)
    })
}

/// Removes what earlier builds made for the kernel; what they made for this machine may stay.
pub(super) fn forget() -> Outcome {
    let made = places::scratch("ebpf")?.join(TARGET);
    if made.exists() { std::fs::remove_dir_all(&made).about(made.display()) } else { Ok(()) }
}

/// Debian's Cargo in `ebpf/`, with nothing of the developer's own Cargo and rustup steering it.
fn cargo(output: &Path) -> Command {
    let mut command = Command::new(toolchain::CARGO);
    for name in [
        "CARGO",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_INCREMENTAL",
        "LD_LIBRARY_PATH",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
    ] {
        command.env_remove(name);
    }
    command
        .current_dir(places::repository().join("ebpf"))
        .env("CARGO_TARGET_DIR", output)
        .env("RUSTC", toolchain::RUSTC)
        // A rustup proxy earlier on the path would answer to the same names.
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C");
    command
}

fn compile(output: &Path) -> Outcome<Command> {
    // First, because the flags name the directories that this makes.
    shell::run(cargo(output).args(["fetch", "--quiet", "--locked"]))?;
    let mut command = cargo(output);
    command
        .args(["build", "--quiet", "--locked", "--release", "--target", TARGET])
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", toolchain::linker()?)
        .env("CARGO_ENCODED_RUSTFLAGS", flags()?.join("\u{1f}"))
        // The target is not a stable one.
        .env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}

/// Compiler flags. The remapped prefixes are all that differs between checkouts and machines;
/// the core library needs none, because Debian compiled it and its names are in the package.
fn flags() -> Outcome<Vec<String>> {
    let mut flags = vec![
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        // BTF is made from debug information.
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        remap(&places::repository(), "/picket")?,
    ];
    // One directory per registry; a mirror's has another name for the same crates.
    let registries = cargo_home()?.join("registry/src");
    for registry in std::fs::read_dir(&registries).about(registries.display())? {
        flags.push(remap(&registry.about(registries.display())?.path(), "/crates")?);
    }
    Ok(flags)
}

fn remap(from: &Path, to: &str) -> Outcome<String> {
    // The compiler sees where symbolic links lead.
    let from = from.canonicalize().about(from.display())?;
    let from = from.to_str().ok_or_else(|| {
        Failure::new(format!("{} is not UTF-8, which rustc needs", from.display()))
    })?;
    Ok(format!("--remap-path-prefix={from}={to}"))
}

fn cargo_home() -> Outcome<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))
        .ok_or_else(|| Failure::new("neither CARGO_HOME nor HOME is set"))
}
