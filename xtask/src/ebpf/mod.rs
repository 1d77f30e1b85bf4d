//! Builds the kernel programs and proves that the committed object is what the sources say.
//!
//! The object is committed, so that nobody needs a BPF toolchain to build, test or install Picket.
//! That makes two promises to keep: the object belongs to the committed sources (every test run
//! compares a digest) and a rebuild gives the same bytes (`--check`).

mod build;
mod record;
mod sources;
#[cfg(test)]
mod tests;
mod toolchain;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::places;
use crate::shell::{About, Failure, Outcome};
use crate::suites;
use record::Record;

pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => rebuild()?,
        ["--check"] => check()?,
        other => {
            return Err(Failure::new(format!("ebpf knows only --check, not {other:?}")));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The committed object.
fn object() -> PathBuf {
    places::repository().join("ebpf/picket.bpf.o")
}

fn record_file() -> PathBuf {
    places::repository().join("ebpf/picket.bpf.toml")
}

fn rebuild() -> Outcome {
    let toolchain = toolchain::install()?;
    let built = build::object(&toolchain)?;
    fs::copy(&built, object()).about(object().display())?;
    let record = Record {
        object: sources::sha256(&object())?,
        sources: sources::digest(&places::repository().join("ebpf"))?,
        toolchain,
    };
    fs::write(record_file(), record.to_string()).about(record_file().display())?;
    let bytes = fs::metadata(object()).about(object().display())?.len();
    println!("ebpf/picket.bpf.o: {} bytes, sha256 {}", bytes, record.object);
    Ok(())
}

/// Compares what is committed with a rebuild: byte for byte if the toolchain is the recorded one.
fn check() -> Outcome {
    is_fresh()?;
    let recorded = Record::read(&record_file())?;
    let toolchain = toolchain::install()?;
    // From nothing, because what an earlier build left behind proves nothing.
    build::forget()?;
    let built = build::object(&toolchain)?;
    if toolchain != recorded.toolchain {
        println!(
            "the toolchain moved, so bytes cannot be compared; running the kernel tests on the \
             rebuilt object instead\n  recorded:  {}\n  installed: {toolchain}",
            recorded.toolchain
        );
        return suites::kernel_tests_on(&built);
    }
    let rebuilt = sources::sha256(&built)?;
    if rebuilt != recorded.object {
        return Err(Failure::new(format!(
            "the same sources and toolchain gave another object: somebody changed \
             ebpf/picket.bpf.o, or the build is not reproducible\n  committed: {}\n  rebuilt:   \
             {rebuilt} ({})",
            recorded.object,
            built.display()
        )));
    }
    println!("ebpf/picket.bpf.o is, byte for byte, what its sources build ({toolchain})");
    Ok(())
}

/// Whether the committed object, its record and the kernel sources belong together.
pub(crate) fn is_fresh() -> Outcome {
    let recorded = Record::read(&record_file())?;
    let sources = sources::digest(&places::repository().join("ebpf"))?;
    if sources != recorded.sources {
        return Err(Failure::new(format!(
            "kernel sources changed after ebpf/picket.bpf.o was built; run `cargo xtask ebpf`\n  \
             recorded: {}\n  now:      {sources}",
            recorded.sources
        )));
    }
    let object = sources::sha256(&object())?;
    if object != recorded.object {
        return Err(Failure::new(format!(
            "ebpf/picket.bpf.o is not the object that ebpf/picket.bpf.toml describes; run `cargo \
             xtask ebpf`\n  recorded: {}\n  now:      {object}",
            recorded.object
        )));
    }
    Ok(())
}
