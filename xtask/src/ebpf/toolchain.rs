//! The toolchain that builds kernel programs, and how it gets onto a Debian 12 machine.
//!
//! Debian's `rustc-web` (from the security suite) is the one packaged compiler that comes with a
//! core library for the BPF target. bpf-linker is built against the same LLVM as that compiler,
//! because it reads the compiler's bitcode.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, About, Failure, Outcome};
use crate::{apt, places};

pub(super) const RUSTC: &str = "/usr/bin/rustc";
pub(super) const CARGO: &str = "/usr/bin/cargo";
pub(super) const LLVM: &str = "/usr/lib/llvm-22";

const LLVM_MAJOR: &str = "22";
const LINKER_VERSION: &str = "0.13.0";
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf", "llvm-22-dev"];

/// Everything that decides the object's bytes, by version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Toolchain {
    pub(super) compiler: String,
    pub(super) core: String,
    pub(super) llvm: String,
    pub(super) linker: String,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compiler, core, llvm, linker } = self;
        write!(f, "rustc-web {compiler}, core {core}, LLVM {llvm}, bpf-linker {linker}")
    }
}

/// Installs what is missing and says what is there.
pub(super) fn install() -> Outcome<Toolchain> {
    make_room()?;
    apt::ensure(&PACKAGES).map_err(|failure| {
        Failure::new(format!("{failure}\n(the packages are in Debian's bookworm-security suite)"))
    })?;
    same_llvm()?;
    if !linker().is_ok_and(|linker| linker.exists()) {
        shell::step(
            &format!("installing bpf-linker {LINKER_VERSION} (once per machine)"),
            install_linker,
        )?;
    }
    Ok(Toolchain {
        compiler: version("rustc-web")?,
        core: version("libstd-rust-web-dev-bpf")?,
        llvm: version("llvm-22-dev")?,
        linker: LINKER_VERSION.to_owned(),
    })
}

/// Asked first, because apt would remove these packages without a word to install ours.
fn make_room() -> Outcome {
    let in_the_way = ["rustc", "cargo", "rustup"].map(|name| apt::version(name).map(|_| name));
    let names: Vec<&str> = in_the_way.into_iter().flatten().collect();
    if names.is_empty() {
        return Ok(());
    }
    let names = names.join(" ");
    Err(Failure::new(format!(
        "Debian's {names} exclude rustc-web, which can build for BPF; if they may go: sudo apt-get \
         remove {names} (toolchains that rustup keeps in a home directory are not in the way)"
    )))
}

/// Path of the linker, installed or not.
pub(super) fn linker() -> Outcome<PathBuf> {
    Ok(linker_root()?.join("bin/bpf-linker"))
}

fn linker_root() -> Outcome<PathBuf> {
    places::cache(&format!("bpf-linker-{LINKER_VERSION}-llvm-{LLVM_MAJOR}"))
}

fn install_linker() -> Outcome {
    let root = linker_root()?;
    let scratch = root.join("build");
    shell::run(
        places::cargo()
            .args(["install", "--quiet", "--locked", "bpf-linker", "--version", LINKER_VERSION])
            .args(["--no-default-features", "--features"])
            .arg(format!("llvm-{LLVM_MAJOR}"))
            .arg("--root")
            .arg(&root)
            .env("LLVM_PREFIX", LLVM)
            .env("CARGO_TARGET_DIR", &scratch),
    )?;
    std::fs::remove_dir_all(&scratch).about(scratch.display())
}

fn version(package: &str) -> Outcome<String> {
    apt::version(package).ok_or_else(|| {
        Failure::new(format!("package {package} is not installed after apt said so"))
    })
}

/// A security update may bring a compiler with another LLVM, whose bitcode our linker cannot read.
fn same_llvm() -> Outcome {
    let said = shell::capture(Command::new(RUSTC).arg("-vV"))?;
    let llvm = said.lines().find_map(|line| line.strip_prefix("LLVM version: ")).unwrap_or("?");
    if llvm.split('.').next() == Some(LLVM_MAJOR) && Path::new(LLVM).exists() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{RUSTC} uses LLVM {llvm}, the recipe expects {LLVM_MAJOR}: raise LLVM_MAJOR, LLVM and \
         PACKAGES in xtask/src/ebpf/toolchain.rs"
    )))
}
