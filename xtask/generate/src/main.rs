//! `cargo xtask docs`: writes every file that is made of another one. `--check` writes nothing and names what is stale.
//!
//! Does not depend on the crate whose names it makes, so that a registry which that crate does not fit yet can still
//! be generated from.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

mod dashboards;
mod markdown;
mod registry;
mod rust;
mod techniques;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use registry::Registry;

/// A file that is made, from the top of the repository on, and all of its text.
struct Made {
    path: PathBuf,
    text: String,
}

fn main() -> ExitCode {
    let check = std::env::args().nth(1).as_deref() == Some("--check");
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match run(&top, check) {
        Ok(stale) if check && !stale.is_empty() => {
            eprintln!("stale, run `cargo xtask docs`:");
            stale.iter().for_each(|path| eprintln!("  {}", path.display()));
            ExitCode::FAILURE
        }
        Ok(written) => {
            written.iter().for_each(|path| println!("wrote {}", path.display()));
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that is generated.
fn all(top: &Path) -> Result<Vec<Made>, String> {
    let path = top.join(registry::PATH);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let registry = Registry::parse(&text)?;
    let mut all = vec![rust::names(&registry), markdown::reference(&registry)];
    all.extend(dashboards::made(&registry)?);
    all.extend(techniques::made(top)?);
    Ok(all)
}

/// Writes what differs, unless it is only to be checked; answers which files those are.
fn run(top: &Path, check: bool) -> Result<Vec<PathBuf>, String> {
    let mut stale = Vec::new();
    for Made { path, text } in all(top)? {
        let place = top.join(&path);
        let there = match fs::read_to_string(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.map_err(|error| format!("{}: {error}", path.display()))?),
        };
        if there.as_ref() == Some(&text) {
            continue;
        }
        if !check {
            if let Some(directory) = place.parent() {
                fs::create_dir_all(directory)
                    .map_err(|error| format!("{}: {error}", directory.display()))?;
            }
            fs::write(&place, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        stale.push(path);
    }
    Ok(stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_what_the_registry_makes() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert_eq!(run(&top, true).unwrap(), Vec::<PathBuf>::new(), "run `cargo xtask docs`");
    }
}
