//! Where in a file a value stands, and how a complaint about it is shown.
//!
//! Every complaint carries its own line of the file, so that it can be printed long after the file
//! has changed or gone.

use std::{borrow::Cow, fmt};

use serde::de::DeserializeOwned;
use serde_saphyr::{Location, Spanned};

use super::{Kind, syntax};

/// How many complaints are printed; a file with more is broken in one way, many times.
const SHOWN: usize = 40;
/// How many characters of a long line are shown around the place meant.
const WINDOW: usize = 100;
/// How many characters of a complaint are shown, and how many of the end of a longer one.
const MESSAGE: usize = 320;
const TAIL: usize = 80;

/// A place in a file: line and column count characters from 1, as editors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    line: u32,
    column: u32,
    width: u32,
}

impl Position {
    /// The first character: for what is wrong with the file as a whole.
    pub(crate) const START: Self = Self { line: 1, column: 1, width: 1 };

    pub(crate) fn new(line: usize, column: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        Self { line: clamp(line), column: clamp(column), width: 1 }
    }

    /// Line, counted from 1.
    pub fn line(self) -> u32 {
        self.line
    }

    /// Column in characters, counted from 1.
    pub fn column(self) -> u32 {
        self.column
    }
}

impl From<Location> for Position {
    fn from(location: Location) -> Self {
        let clamp = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        Self {
            line: clamp(location.line()),
            column: clamp(location.column()),
            width: clamp(location.span().len()),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) position: Position,
}

impl<T> At<T> {
    pub(crate) fn with<U>(&self, value: U) -> At<U> {
        At { value, position: self.position }
    }
}

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for At<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        // Aliases are refused, so a value is defined where it is used.
        Ok(Self { value: spanned.value, position: spanned.referenced.into() })
    }
}

/// The text of a file, kept because there may be something to complain about later.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    name: String,
    text: String,
}

impl Source {
    pub(crate) fn new(name: String, text: String) -> Self {
        Self { name, text }
    }

    /// The text, as it was read.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The document in the text, which was accepted before.
    pub(crate) fn reread<T: DeserializeOwned>(&self, kind: &Kind) -> Option<T> {
        syntax::document(kind, &self.text).ok()
    }

    /// Puts the complaints in the order of the file, each with its line.
    pub(crate) fn report(&self, mut faults: Vec<Fault>) -> Report {
        faults.sort_by_key(|fault| fault.position);
        let lines: Vec<_> = self.text.lines().collect();
        let line = |position: Position| {
            let line = lines.get(usize::try_from(position.line - 1).ok()?)?;
            (!line.trim().is_empty()).then(|| cropped(&masked(line), position))
        };
        let mut problems = Vec::new();
        for Fault { position, message, hint, warning } in faults {
            // What is not printed needs no line; finding a place in one takes its length.
            let shown = if problems.len() < SHOWN { line(position) } else { None };
            let message = masked(&message);
            problems.push(Problem { position, message, hint, warning, shown });
        }
        Report { file: self.name.clone(), problems }
    }
}

/// One complaint before it is tied to the text: what is wrong, where, and the way out.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) position: Position,
    pub(crate) message: String,
    pub(crate) hint: String,
    /// What kind of warning it is; `None`: it is an error.
    pub(crate) warning: Option<&'static str>,
}

impl Fault {
    pub(crate) fn new(
        position: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { position, message: message.into(), hint: hint.into(), warning: None }
    }

    /// What is accepted, and perhaps not meant. The name of its kind is stable.
    pub(crate) fn warning(
        kind: &'static str,
        position: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { warning: Some(kind), ..Self::new(position, message, hint) }
    }
}

/// One complaint about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    position: Position,
    message: String,
    hint: String,
    warning: Option<&'static str>,
    /// The line of the file with the place marked; none where the line is empty or never printed.
    shown: Option<String>,
}

impl Problem {
    /// Where the value in question stands.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The way out.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The stable name of this kind of warning; `None` for an error.
    pub fn warning(&self) -> Option<&'static str> {
        self.warning
    }
}

/// All that is wrong with a file, in its order.
///
/// `Display` gives `file:line:column: message`, the line with the place marked, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    file: String,
    problems: Vec<Problem>,
}

impl Report {
    /// What the file was called.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The complaints, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            let Position { line, column, .. } = problem.position;
            let message = visible(&short(&problem.message));
            write!(f, "{}:{line}:{column}: ", visible(&self.file))?;
            if let Some(kind) = problem.warning {
                write!(f, "warning ({kind}): ")?;
            }
            f.write_str(&message)?;
            if let Some(shown) = &problem.shown {
                write!(f, "\n{shown}")?;
            }
            write!(f, "\n      = {}", visible(&problem.hint))?;
        }
        match self.problems.len().checked_sub(SHOWN) {
            Some(more @ 1..) => write!(f, "\n\nand {more} more"),
            _ => Ok(()),
        }
    }
}

/// Text as a YAML scalar in quotes, everything a reader would not see written as an escape.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\t' | '\n' | '\r' => quoted.extend(c.escape_default()),
            c if deceives(c) => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The part of a line around a place, with the place marked below it.
fn cropped(line: &str, position: Position) -> String {
    let index = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let n_chars = line.chars().count();
    let column = index(position.column - 1).min(n_chars);
    let skip = if WINDOW < n_chars { column.saturating_sub(WINDOW / 2) } else { 0 };
    let shown: String = line.chars().skip(skip).take(WINDOW).collect();
    let left = if 0 < skip { "…" } else { "" };
    let right = if skip + WINDOW < n_chars { "…" } else { "" };
    let indent = " ".repeat(column - skip + left.chars().count());
    let room = shown.chars().count().saturating_sub(column - skip).max(1);
    let mark = "^".repeat(index(position.width).min(room));
    let shown = visible(&shown);
    format!("{:5} | {left}{shown}{right}\n      | {indent}{mark}", position.line)
}

/// The text with the credentials of each address in it (`scheme://user:password@host`) starred out, one character for
/// one: complaints go to logs, too.
fn masked(text: &str) -> String {
    let mut rest = text;
    let mut masked = String::with_capacity(text.len());
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        let (before, after) = rest.split_at(start);
        masked.push_str(before);
        let end = after.find(|c: char| "/?#'\"".contains(c) || c.is_whitespace());
        let (authority, after) = after.split_at(end.unwrap_or(after.len()));
        let (secret, host) = authority.split_at(authority.rfind('@').unwrap_or(0));
        masked.extend(secret.chars().map(|_| '*'));
        masked.push_str(host);
        rest = after;
    }
    masked + rest
}

/// A complaint repeats the value it is about, and a value may be as long as the file.
fn short(message: &str) -> Cow<'_, str> {
    match message.char_indices().nth(MESSAGE) {
        None => message.into(),
        Some((end, _)) => {
            let (start, rest) = message.split_at(end);
            let tail = rest.chars().count().saturating_sub(TAIL);
            let tail: String = rest.chars().skip(tail).collect();
            format!("{start}…{tail}").into()
        }
    }
}

/// Text from the file as it may be shown on a terminal, one character for one, so that the mark
/// below a line stays under what it means.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if deceives(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Characters that make a text read differently from what it says, or steer a terminal. None has
/// business in a file that a person approves.
pub(super) fn deceives(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_an_address_are_never_shown() {
        for (text, shown) in [
            ("url: 'http://me:s@cret@host/x'", "url: 'http://*********@host/x'"),
            ("a http://b/c@d https://ü:é@e", "a http://b/c@d https://***@e"),
            ("http://host", "http://host"),
            ("://", "://"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
