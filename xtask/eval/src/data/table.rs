//! Compressed tables of traces: read strictly, every complaint with file, line and column.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

/// A system call number as traces have it. More is damage: no kernel has as many.
const HIGHEST_CALL: u32 = 65_535;
/// Longer lines are damage, too.
const LONGEST_LINE: usize = 64 << 20;

/// Why a table could not be used.
#[derive(Debug)]
pub(crate) enum TableError {
    /// It is not there, or cannot be read.
    Unreadable { path: PathBuf, error: std::io::Error },
    /// Something in it makes no sense. Line and column count from 1, the column in characters.
    Malformed { path: PathBuf, line: usize, column: usize, what: String },
}

impl fmt::Display for TableError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => write!(
                out,
                "{}: {error}\n\
                 The figures need two published data sets, which Picket neither has nor may pass on: ADFA-LD\n\
                 (Creech and Hu, 2013; UNSW Canberra) and MIT \"live lpr\" (University of New Mexico, sequence-based\n\
                 intrusion detection, 1997). docs/sequences.md says how to lay them out.",
                path.display()
            ),
            Self::Malformed { path, line, column, what } => {
                write!(out, "{}:{line}:{column}: {what}", path.display())
            }
        }
    }
}

/// One line of a table; fields by the number of their column.
pub(crate) struct Row<'a> {
    path: &'a Path,
    line: usize,
    fields: Vec<&'a str>,
}

impl<'a> Row<'a> {
    /// The text of a field.
    pub(crate) fn text(&self, field: usize) -> &'a str {
        self.fields.get(field).copied().unwrap_or_default()
    }

    /// A field that is a number.
    pub(crate) fn number<N: std::str::FromStr>(&self, field: usize) -> Result<N, TableError> {
        let text = self.text(field);
        text.parse()
            .map_err(|_not_a_number| self.wrong(field, 0, format!("`{text}` is no number here")))
    }

    /// A field that is one of these.
    pub(crate) fn one_of(&self, field: usize, words: &[&str]) -> Result<&'a str, TableError> {
        let text = self.text(field);
        if words.contains(&text) {
            return Ok(text);
        }
        Err(self.wrong(field, 0, format!("`{text}` is none of: {}", words.join(", "))))
    }

    /// A field of numbers, as many as another one says.
    pub(crate) fn calls(&self, field: usize, length: usize) -> Result<Vec<u32>, TableError> {
        let mut calls = Vec::new();
        let mut at = 0;
        for word in self.text(field).split(' ') {
            let call = word.parse().ok().filter(|call| *call <= HIGHEST_CALL);
            let what = || self.wrong(field, at, format!("`{word}` is no system call number"));
            calls.push(call.ok_or_else(what)?);
            at += word.chars().count() + 1;
        }
        let announced: usize = self.number(length)?;
        if announced != calls.len() {
            let what = format!("{announced} calls are announced, {} follow", calls.len());
            return Err(self.wrong(length, 0, what));
        }
        Ok(calls)
    }

    fn wrong(&self, field: usize, offset: usize, what: String) -> TableError {
        let before: usize =
            self.fields.iter().take(field).map(|text| text.chars().count() + 1).sum();
        let (path, line) = (self.path.to_owned(), self.line);
        TableError::Malformed { path, line, column: before + offset + 1, what }
    }
}

/// Reads a table with exactly these columns, one row at a time.
pub(crate) fn read<T>(
    path: &Path,
    columns: &[&str],
    mut row: impl FnMut(&Row<'_>) -> Result<T, TableError>,
) -> Result<Vec<T>, TableError> {
    let unreadable = |error| TableError::Unreadable { path: path.to_owned(), error };
    let file = File::open(path).map_err(unreadable)?;
    let mut reader = BufReader::new(MultiGzDecoder::new(BufReader::new(file)));
    let mut rows = Vec::new();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let damaged = |column: usize, what: String| TableError::Malformed {
            path: path.to_owned(),
            line,
            column,
            what,
        };
        let limit = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
        let n_bytes =
            std::io::Read::take(&mut reader, limit).read_until(b'\n', &mut bytes).map_err(
                |error| damaged(bytes.len() + 1, format!("the rest cannot be unpacked: {error}")),
            )?;
        if n_bytes == 0 {
            break;
        }
        if bytes.pop_if(|last| *last == b'\n').is_none() {
            let what = "the line has no end: the file is cut off or damaged".to_owned();
            return Err(damaged(bytes.len() + 1, what));
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| damaged(error.valid_up_to() + 1, "not text (UTF-8)".to_owned()))?;
        let fields: Vec<&str> = text.split('\t').collect();
        if line == 1 {
            if fields != columns {
                return Err(damaged(1, format!("the columns must be: {}", columns.join(", "))));
            }
            continue;
        }
        if fields.len() != columns.len() {
            let what = format!("{} fields, there must be {}", fields.len(), columns.len());
            return Err(damaged(1, what));
        }
        rows.push(row(&Row { path, line, fields })?);
    }
    if rows.is_empty() {
        let what = "no trace in it".to_owned();
        return Err(TableError::Malformed { path: path.to_owned(), line: 1, column: 1, what });
    }
    Ok(rows)
}
