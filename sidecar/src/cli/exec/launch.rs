//! What is started: the entry point found as a shell would, and its environment.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{super::exit, Arguments};
use crate::session::Launch;

/// What of Picket's own environment a plugin gets without being asked for.
const HARMLESS: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TERM", "TZ"];

/// Finds the entry point as a shell would, and its environment.
pub(super) fn launch(arguments: &Arguments) -> Result<Launch, (exit::Exit, String)> {
    let wrong = |error: String| (exit::CONFIGURATION, error);
    let name = arguments.command.first().ok_or_else(|| wrong("no command".to_owned()))?;
    let working_directory = std::env::current_dir()
        .map_err(|error| (exit::PICKET, format!("the working directory: {error}")))?;
    let program = find(name, &working_directory).ok_or_else(|| {
        (exit::NOT_FOUND, format!("{}: no such program", Path::new(name).display()))
    })?;
    Ok(Launch {
        program,
        arguments: arguments.command.clone(),
        environment: environment(&arguments.env),
        working_directory,
        standard: None,
    })
}

fn find(name: &OsString, working_directory: &Path) -> Option<PathBuf> {
    let path = Path::new(name);
    if 1 < path.components().count() || path.is_absolute() {
        let path = working_directory.join(path);
        return path.exists().then_some(path);
    }
    let search = std::env::var_os("PATH")?;
    std::env::split_paths(&search)
        .map(|directory| directory.join(path))
        .find(|candidate| candidate.is_file())
}

/// The harmless variables, and what was asked for on top or in their place.
fn environment(asked: &[OsString]) -> Vec<(OsString, OsString)> {
    let harmless = HARMLESS.iter().map(OsString::from);
    let mut environment: BTreeMap<OsString, OsString> =
        harmless.filter_map(|name| std::env::var_os(&name).map(|value| (name, value))).collect();
    for entry in asked {
        let bytes = entry.as_bytes();
        let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => {
                let (name, value) = bytes.split_at(at);
                (
                    OsStr::from_bytes(name),
                    OsStr::from_bytes(value.get(1..).unwrap_or(&[])).to_owned(),
                )
            }
            // As other runners have it: what is not set here is not set there.
            None => match std::env::var_os(entry) {
                Some(value) => (entry.as_os_str(), value),
                None => continue,
            },
        };
        environment.insert(name.to_owned(), value);
    }
    environment.into_iter().collect()
}
