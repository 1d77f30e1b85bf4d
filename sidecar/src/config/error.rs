//! Why a configuration is not accepted.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::document::DocumentError;

/// All that is wrong with a configuration and the manifests it names; nothing of it is in force.
#[derive(Debug)]
pub struct ConfigError {
    documents: Vec<DocumentError>,
    files: Vec<PathBuf>,
}

impl ConfigError {
    pub(super) fn new(documents: Vec<DocumentError>, files: Vec<PathBuf>) -> Self {
        Self { documents, files }
    }

    /// One entry a file that is not good, the configuration first; at least one.
    pub fn documents(&self) -> &[DocumentError] {
        &self.documents
    }

    /// Every file that was looked at, absolute: a change to one of them may be the correction.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, document) in self.documents.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            fmt::Display::fmt(document, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
