//! What can be wrong with a pattern.

use core::fmt;

/// What is wrong with a pattern, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Byte offset into the source text.
    pub at: usize,
    /// What is wrong there.
    pub why: PatternFault,
}

impl fmt::Display for PatternError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at byte {}: {}", self.at, self.why)
    }
}

impl core::error::Error for PatternError {}

closed_enum! {
    /// What is wrong with a pattern, in words that name the way out.
    pub enum PatternFault {
        /// No text.
        Empty = "a path cannot be empty",
        /// Does not start at the root.
        Relative = "a path starts with `/`",
        /// `.` or `..`.
        DotSegment = "`.` and `..` are not allowed: write the path that they lead to",
        /// Two slashes in a row.
        EmptySegment = "two slashes in a row: write one",
        /// Ends in a slash.
        TrailingSlash = "a path does not end in `/`: write `/**` for everything below",
        /// `**` with something beside it.
        GluedStars = "`**` stands alone between slashes: write `*` for a run inside one segment",
        /// A NUL byte.
        Nul = "no path or argument contains NUL",
        /// A backslash at the end.
        DanglingEscape = "a backslash ends the text: write `\\\\` for a backslash",
        /// A backslash before something that needs none.
        UnknownEscape = "only `\\*` and `\\\\` are escapes: write `\\\\` for a backslash",
        /// More than [`crate::Pattern::MAX_BYTES`].
        TooLong = "longer than 4096 bytes: no such path can be opened",
    }
}
