//! `ebpf/picket.bpf.toml`: what the committed object was built from, and with what.

use std::fmt;
use std::fs;
use std::path::Path;

use super::toolchain::Toolchain;
use crate::shell::{About, Failure, Outcome};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// SHA-256 of the object.
    pub(super) object: String,
    /// Digest of the kernel sources; see [`super::sources::digest`].
    pub(super) sources: String,
    pub(super) toolchain: Toolchain,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, sources, toolchain: Toolchain { compiler, core, llvm, linker } } = self;
        write!(
            f,
            "# What picket.bpf.o was built from. Written by `cargo xtask ebpf`, never by hand.\n\
             \n\
             object = \"{object}\"\n\
             # In this directory: LC_ALL=C sha256sum <sources in sorted order> | sha256sum\n\
             sources = \"{sources}\"\n\
             \n\
             [toolchain]\n\
             rustc-web = \"{compiler}\"\n\
             libstd-rust-web-dev-bpf = \"{core}\"\n\
             llvm-22-dev = \"{llvm}\"\n\
             bpf-linker = \"{linker}\"\n"
        )
    }
}

impl Record {
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path)
            .about(format!("{} (run `cargo xtask ebpf`)", path.display()))?;
        Self::parse(&text)
            .map_err(|missing| Failure::new(format!("{} has no `{missing}`", path.display())))
    }

    /// Reads what [`fmt::Display`] writes; an error is the name of the missing entry.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let entry = |name: &'static str| {
            text.lines()
                .filter_map(|line| line.split_once(" = "))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.trim_matches('"').to_owned())
                .ok_or(name)
        };
        Ok(Self {
            object: entry("object")?,
            sources: entry("sources")?,
            toolchain: Toolchain {
                compiler: entry("rustc-web")?,
                core: entry("libstd-rust-web-dev-bpf")?,
                llvm: entry("llvm-22-dev")?,
                linker: entry("bpf-linker")?,
            },
        })
    }
}
