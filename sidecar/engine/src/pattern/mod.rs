//! Which paths and arguments a manifest means: the one wildcard semantics of Picket.
//!
//! `*` stands for any run of bytes inside one segment, also none. `**` as a whole segment stands
//! for any run of segments, also none. `\*` and `\\` are a star and a backslash. Nothing else is
//! special. A pattern is therefore stars between fixed blocks twice over: segments of a path, and
//! bytes of a segment; [`Starred`] is that shape, matched without backtracking.

mod covers;
mod error;
mod meets;
mod parse;
mod starred;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

pub use error::{PatternError, PatternFault};
use starred::Starred;

/// A path pattern: absolute, normalised, and at most [`Pattern::MAX_BYTES`] long.
///
/// A copy shares what was compiled: a policy has dozens of patterns, and several hold it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    source: Arc<str>,
    segments: Arc<Starred<Starred<u8>>>,
}

impl Pattern {
    /// The longest source text; no longer path can be opened anyway.
    pub const MAX_BYTES: usize = 4096;

    /// Compiles a pattern, or says what is wrong with it and where.
    ///
    /// # Errors
    ///
    /// When the text is not absolute, not normalised, too long, or uses `\` or `**` in a way that
    /// means nothing.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let segments = Arc::new(parse::path(source)?);
        Ok(Self { source: source.into(), segments })
    }

    /// Whether the pattern means this path. A path that is not absolute and normalised is meant by
    /// no pattern: `/allowed/../secret` is a text, not a place.
    pub fn matches(&self, path: &[u8]) -> bool {
        Segments::of(path).is_some_and(|path| self.matches_segments(&path))
    }

    pub(crate) fn matches_segments(&self, path: &Segments<'_>) -> bool {
        self.segments.matches(&path.0, segment_matches)
    }

    /// How many segments from the root on the path has in common with the pattern: how near a
    /// path comes to a rule that does not match it.
    pub(crate) fn shared_segments(&self, path: &Segments<'_>) -> usize {
        let pairs = self.segments.head().iter().zip(&path.0);
        pairs.take_while(|(pattern, segment)| segment_matches(pattern, segment)).count()
    }

    /// Whether the pattern means exactly one path.
    pub fn is_literal(&self) -> bool {
        self.segments.literal().is_some_and(|all| all.iter().all(|one| one.literal().is_some()))
    }

    /// The longest run of whole literal segments from the root on, as a path without escapes: the
    /// part that can be looked up in a file system. `/` when there is none.
    pub fn literal_prefix(&self) -> String {
        let mut prefix = String::new();
        for segment in self.literal_head() {
            prefix.push('/');
            // Segments are cut from a `str` at ASCII bytes, so they are still UTF-8.
            prefix.push_str(&String::from_utf8_lossy(segment));
        }
        if prefix.is_empty() {
            prefix.push('/');
        }
        prefix
    }

    /// The pattern with its literal prefix replaced by another path: where the prefix leads when
    /// its symbolic links are followed.
    ///
    /// # Errors
    ///
    /// When `prefix`, a path and not a pattern, is not absolute and normalised, or the result
    /// becomes too long.
    pub fn with_prefix_replaced(&self, prefix: &str) -> Result<Self, PatternError> {
        let prefix = Self::parse(&parse::escaped(prefix))?;
        let mut source = String::new();
        if &*prefix.source != "/" {
            source.push_str(&prefix.source);
        }
        for segment in self.source_segments().skip(self.literal_head().count()) {
            source.push('/');
            source.push_str(segment);
        }
        if source.is_empty() {
            source.push('/');
        }
        Self::parse(&source)
    }

    fn literal_head(&self) -> impl Iterator<Item = &[u8]> {
        self.segments.head().iter().map_while(Starred::literal)
    }

    fn source_segments(&self) -> impl Iterator<Item = &str> {
        self.source.split('/').filter(|segment| !segment.is_empty())
    }
}

fn segment_matches(pattern: &Starred<u8>, segment: &&[u8]) -> bool {
    pattern.matches(segment, u8::eq)
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.source)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Pattern({:?})", self.source)
    }
}

/// The segments of an absolute, normalised path; none for the root. Cut once, matched by many
/// rules.
#[derive(Debug)]
pub(crate) struct Segments<'a>(Vec<&'a [u8]>);

impl<'a> Segments<'a> {
    pub(crate) fn of(path: &'a [u8]) -> Option<Self> {
        let relative = path.strip_prefix(b"/")?;
        if relative.is_empty() {
            return Some(Self(Vec::new()));
        }
        let segments: Vec<_> = relative.split(|byte| *byte == b'/').collect();
        let normalised = |segment: &&[u8]| !matches!(*segment, b"" | b"." | b"..");
        segments.iter().all(normalised).then_some(Self(segments))
    }
}

/// A pattern for one argument of a program: `*` stands for any run of bytes, and `/` is a byte
/// like any other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArgPattern {
    source: String,
    bytes: Starred<u8>,
}

impl ArgPattern {
    /// Compiles a pattern, or says what is wrong with it and where.
    ///
    /// # Errors
    ///
    /// When the text is too long, contains NUL, or uses `\` in a way that means nothing.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let bytes = parse::argument(source)?;
        Ok(Self { source: source.into(), bytes })
    }

    /// Whether the pattern means this argument.
    pub fn matches(&self, argument: &[u8]) -> bool {
        self.bytes.matches(argument, u8::eq)
    }
}

impl fmt::Display for ArgPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.source)
    }
}

impl fmt::Debug for ArgPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ArgPattern({:?})", self.source)
    }
}

#[cfg(test)]
mod tests;
