//! Files that people write for Picket: YAML read strictly, and every complaint with its place and a way out.
//!
//! What a document means is its reader's business ([`crate::manifest`], the daemon's configuration). Here is what all
//! of them share: [`read`] turns bytes into the written shape or the parser's complaint; [`Faults`] collects what the
//! reader finds wrong with the values, so that one run shows all there is to correct.
//!
//! # Invariants
//!
//! * A file says what it shows: UTF-8, no invisible characters, no anchors, tags or merge keys, no key twice.
//! * Memory and time are bounded before the content is looked at.
//! * Every complaint has file, line, column, the line itself and a way out.

mod error;
mod faults;
pub(crate) mod hints;
pub(crate) mod json_schema;
mod source;
mod syntax;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod values;

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

pub use error::DocumentError;
pub(crate) use faults::{Faults, Once};
pub(crate) use source::{At, Fault, Source, quoted};
pub use source::{Position, Problem, Report};
pub use values::Digest;
pub(crate) use values::Fix;

/// A document is a page of text. More is a mistake, and is refused before it costs anything.
pub const MAX_BYTES: usize = 1 << 20;

/// Text and its place.
pub(crate) type Text = At<String>;

/// What complaints call a kind of document, and their ways out.
#[derive(Debug)]
pub(crate) struct Kind {
    /// `manifest`.
    pub(crate) name: &'static str,
    /// `a manifest`.
    pub(crate) one: &'static str,
    /// How one begins.
    pub(crate) start_with: &'static str,
    /// How deep one goes.
    pub(crate) deepest: &'static str,
    /// That one file holds one.
    pub(crate) only_one: &'static str,
    /// How one is made shorter.
    pub(crate) shorter: &'static str,
    /// What to write for a key that is missing.
    pub(crate) missing: fn(&str) -> &'static str,
}

/// The bytes of the file at `path`, as many as a document may have.
///
/// # Errors
/// It cannot be read or is too large.
pub(crate) fn bytes(kind: &Kind, path: &Path) -> Result<Vec<u8>, DocumentError> {
    let unreadable = |cause| DocumentError::Unreadable { path: PathBuf::from(path), cause };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    // One byte over the limit is enough to know; a pipe or device has no length to ask for.
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    if most <= length {
        return Err(DocumentError::too_large(kind, path.display().to_string()));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Reads a document into its written shape; `name` is what complaints call it.
///
/// # Errors
/// It is too large, no text, or no YAML of this shape.
pub(crate) fn read<T: DeserializeOwned>(
    kind: &Kind,
    name: &str,
    bytes: &[u8],
) -> Result<(Source, T), DocumentError> {
    if MAX_BYTES < bytes.len() {
        return Err(DocumentError::too_large(kind, name.to_owned()));
    }
    // Complaints about bytes that are not text still show what of their line is.
    let lossy = || Source::new(name.to_owned(), String::from_utf8_lossy(bytes).into_owned());
    let text = syntax::text(bytes).map_err(|fault| DocumentError::invalid(&lossy(), fault))?;
    let source = Source::new(name.to_owned(), text.to_owned());
    match syntax::document(kind, text) {
        Ok(document) => Ok((source, document)),
        Err(fault) => Err(DocumentError::invalid(&source, fault)),
    }
}

/// A key that is written has a value: `protect:` followed by nothing is a mistake, not an empty list, and a plain
/// `Option` would take it for absent.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
