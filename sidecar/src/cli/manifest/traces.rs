//! Recorded runs, for the subcommands that look at what a plugin did.

use std::path::{Path, PathBuf};

use picket_engine::Input;

use super::{exit, words};
use crate::trace::{Reader, TraceError};

/// The inputs of each trace; complaints have been printed when one is of no use.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Vec<Input>>, exit::Exit> {
    paths.iter().map(|path| one(path)).collect()
}

fn one(path: &Path) -> Result<Vec<Input>, exit::Exit> {
    let bad = |error: TraceError| {
        words::error(&error.to_string());
        exit::CONFIGURATION
    };
    let mut reader = Reader::open(path).map_err(bad)?;
    if reader.header().redacted {
        words::error(&format!(
            "{}: is redacted: its paths are not those of the plugin; use the trace it was made from",
            path.display()
        ));
        return Err(exit::CONFIGURATION);
    }
    let inputs = reader.by_ref().collect::<Result<Vec<_>, _>>().map_err(bad)?;
    if let Some(missed) = reader.end().map(|end| end.missed).filter(|missed| 0 < *missed) {
        words::error(&format!(
            "{}: {missed} of what happened is not in it: record it again",
            path.display()
        ));
    }
    Ok(inputs)
}
