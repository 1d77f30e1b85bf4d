//! `picket baseline export`, `import` and `merge`.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{Output, Refusal, Which, exit, title, whose, with, words};
use crate::baseline::{self, Package};

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// Baselines: beginnings of their keys. Without any, all are exported.
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Writes here instead of standard output. A file that is no earlier export is not overwritten.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// The store of baselines.
    #[arg(long, value_name = "FILE", default_value = "/var/lib/picket/baselines.db")]
    store: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// Files that `export` or `merge` wrote.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
pub(super) struct Merge {
    /// Files that `export` or `merge` wrote.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Writes here instead of standard output. A file that is no earlier export is not overwritten.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(super) fn export(arguments: &Export) -> Result<exit::Exit, Refusal> {
    let which = Which { store: arguments.store.clone(), output: Output::Human };
    let store = which.open()?;
    let mut package = Package::new();
    if arguments.keys.is_empty() {
        store.list()?.into_iter().for_each(|entry| package.add(entry));
    }
    for key in &arguments.keys {
        package.add(store.find(key)?);
    }
    write(&package, arguments.to.as_deref())
}

pub(super) fn merge(arguments: &Merge) -> Result<exit::Exit, Refusal> {
    write(&read(&arguments.files)?, arguments.to.as_deref())
}

/// All files are read before anything is changed.
fn read(files: &[PathBuf]) -> Result<Package, Refusal> {
    let mut package = Package::new();
    for file in files {
        package.join(baseline::read(file).map_err(Refusal::configuration)?);
    }
    Ok(package)
}

pub(super) fn import(arguments: &Import) -> Result<exit::Exit, Refusal> {
    let package = read(&arguments.files)?;
    let mut store = arguments.which.make()?;
    for entry in package.entries() {
        let (before, after) = store.change(&entry.identity, |baseline| {
            baseline.join(&entry.baseline).expect("both are of this identity's subject");
        })?;
        let known =
            |it: &picket_engine::baseline::Baseline| (it.runs().count(), it.accepted().count());
        let ((runs, accepted), (all_runs, all_accepted)) = (known(&before), known(&after));
        let new = all_runs.saturating_sub(runs);
        let object = json!({
            "event": "imported", "runs_new": new, "runs": all_runs, "changed": before != after,
            "accepted_new": all_accepted.saturating_sub(accepted),
        });
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let accepted = all_accepted.saturating_sub(accepted);
        let text = match before == after {
            true => "all of it was known already".to_owned(),
            false => format!(
                "{}, {all_runs} in all; {} accepted",
                words::count(count(new), "new run"),
                words::count(count(accepted), "more deed")
            ),
        };
        let line = format!("{}: {text}", title(&entry.identity));
        arguments.which.say(&with(object, whose(&entry.identity)), &line)?;
    }
    Ok(exit::SUCCESS)
}

fn write(package: &Package, to: Option<&Path>) -> Result<exit::Exit, Refusal> {
    let mut text = Vec::new();
    let written = baseline::write(package, &mut text).and_then(|()| match to {
        None => io::stdout().write_all(&text),
        Some(path) => replace_export(path, &text),
    });
    match (written, to) {
        (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => Err(Refusal::Closed),
        (Err(error), to) => {
            let place = to.unwrap_or(Path::new("standard output"));
            Err(Refusal::Other(format!("{}: {error}", place.display())))
        }
        (Ok(()), None) => Ok(exit::SUCCESS),
        (Ok(()), Some(path)) => {
            let count = words::count(u64::try_from(package.len()).unwrap_or(u64::MAX), "baseline");
            let path = words::text(path.as_os_str().as_encoded_bytes());
            super::print(&format!("{path}: {count}, with programs and paths of the plugins"))?;
            Ok(exit::SUCCESS)
        }
    }
}

fn replace_export(path: &Path, text: &[u8]) -> io::Result<()> {
    match baseline::is_export(path) {
        Ok(false) => {
            return Err(io::Error::other(
                "is there already and no export of baselines, so it is not overwritten: name another file",
            ));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    replace(path, text)
}

/// The whole file or the one before, for its owner alone.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&beside).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", beside.display()))
        })?;
    let done = file
        .write_all(text)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        // What is half written is of no use to anybody.
        drop(fs::remove_file(&beside));
    }
    done
}
