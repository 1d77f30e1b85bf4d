//! Where things are: the repository, the build output, the cache that outlives both.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{About, Failure, Outcome};

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    // Cargo sets it at run time too; the compile-time value is wrong once a checkout has moved.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// Cargo's target directory, wherever configuration put it: this program was built into it.
pub(crate) fn target() -> Outcome<PathBuf> {
    let program = std::env::current_exe().about("finding this program's own file")?;
    program
        .ancestors()
        .find(|place| place.join("CACHEDIR.TAG").exists())
        .map(Path::to_path_buf)
        .ok_or_else(|| {
            Failure::new(format!(
                "{} lies in no target directory; use `cargo xtask`",
                program.display()
            ))
        })
}

/// A directory under the target directory, made if absent.
pub(crate) fn scratch(name: &str) -> Outcome<PathBuf> {
    let place = target()?.join("xtask").join(name);
    std::fs::create_dir_all(&place).about(place.display())?;
    Ok(place)
}

/// A directory that outlives builds and is shared by checkouts, made if absent.
pub(crate) fn cache(name: &str) -> Outcome<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .ok_or_else(|| Failure::new("neither XDG_CACHE_HOME nor HOME is set"))?;
    let place = base.join("picket").join(name);
    std::fs::create_dir_all(&place).about(place.display())?;
    Ok(place)
}

/// The developer's Cargo, run at the top of the repository.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(repository());
    forget_this_crate(&mut command);
    command
}

/// For a command that runs Cargo: takes back what `cargo run` said to this program.
pub(crate) fn forget_this_crate(command: &mut Command) {
    // `cargo run` describes this crate to us by variables; passed on, they would describe it to
    // build scripts and tests of other crates.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command.env_remove("LD_LIBRARY_PATH");
}
