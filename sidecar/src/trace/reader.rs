//! Reads a trace line by line, holding one at a time.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use picket_engine::Input;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{
    End, Header, TraceError, VERSION,
    format::{Line, MAGIC, OLDEST, Record, Version, bytes::to_hex},
};

/// The longest line: a policy made from the largest manifest takes less.
pub(super) const MAX_LINE: usize = 16 << 20;

/// How much of a file is looked at to say what it is, when it is no trace.
const LOOKED_AT: usize = 4096;

/// A trace being read: an iterator over its inputs. The first error is the last item; without one, the trace was
/// whole and as it was written.
#[derive(Debug)]
pub struct Reader<R = BufReader<File>> {
    lines: Lines<R>,
    header: Header,
    end: Option<End>,
    incomplete: bool,
    over: bool,
    inputs: u64,
    /// Of every line before the end.
    digest: Sha256,
}

impl Reader {
    /// Opens a trace and reads its header.
    ///
    /// # Errors
    /// The file cannot be read, is no trace, or one that only a later Picket understands.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let unreadable = |cause| TraceError::Unreadable { path: path.to_owned(), cause };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            let looks = "a directory";
            return Err(TraceError::Foreign { path: path.to_owned(), looks });
        }
        Self::new(path, BufReader::with_capacity(1 << 16, file))
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads a trace from anywhere; `path` is what complaints call it.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(path: &Path, source: R) -> Result<Self, TraceError> {
        let mut lines = Lines { source, path: path.to_owned(), number: 0, text: Vec::new() };
        let header = header(&mut lines)?;
        let mut digest = Sha256::new();
        digest.update(&lines.text);
        Ok(Self { lines, header, end: None, incomplete: false, over: false, inputs: 0, digest })
    }

    /// Takes a trace that breaks off for one that ends there.
    #[must_use]
    pub fn incomplete(mut self, accepted: bool) -> Self {
        self.incomplete = accepted;
        self
    }

    /// Where the trace comes from.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What was recorded, once all inputs have been read; `None` also when the trace breaks off.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    fn read_input(&mut self) -> Result<Option<Input>, TraceError> {
        if !self.lines.read()? {
            return if self.incomplete { Ok(None) } else { Err(self.lines.truncated(self.inputs)) };
        }
        match self.lines.parse::<Record>()?.into() {
            Line::Input(input) => {
                self.digest.update(&self.lines.text);
                self.inputs += 1;
                Ok(Some(input))
            }
            Line::End(end) => {
                self.check(&end)?;
                self.end = Some(end);
                Ok(None)
            }
        }
    }

    fn check(&mut self, end: &End) -> Result<(), TraceError> {
        if end.inputs != self.inputs {
            let why = format!("the end says {} inputs, there are {}", end.inputs, self.inputs);
            return Err(self.lines.corrupt(1, &why));
        }
        if end.sha256 != to_hex(&self.digest.finalize_reset()) {
            return Err(self.lines.corrupt(1, "the digest of all lines before is another one"));
        }
        if self.lines.read()? || !self.lines.text.is_empty() {
            return Err(self.lines.corrupt(1, "something follows the end"));
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Input, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.read_input().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

fn header<R: BufRead>(lines: &mut Lines<R>) -> Result<Header, TraceError> {
    let whole = match lines.read() {
        Ok(whole) => whole,
        // No header is that long.
        Err(TraceError::Corrupt { .. }) => return Err(lines.foreign()),
        Err(error) => return Err(error),
    };
    let Ok(Version { picket_trace: version, picket }) = serde_json::from_slice(&lines.text) else {
        return Err(match (lines.text.starts_with(MAGIC), whole) {
            (false, _) => lines.foreign(),
            (true, true) => lines.corrupt(1, "the header is damaged"),
            (true, false) => lines.truncated(0),
        });
    };
    if VERSION < version {
        return Err(TraceError::Newer { path: lines.path.clone(), version, picket });
    }
    if version < OLDEST {
        return Err(lines.corrupt(1, "there is no such format of a trace"));
    }
    let header = lines.parse()?;
    if whole { Ok(header) } else { Err(lines.truncated(0)) }
}

/// The lines of a file, one at a time, and complaints about them.
#[derive(Debug)]
struct Lines<R> {
    source: R,
    path: PathBuf,
    /// Of the line in `text`, from 1.
    number: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next line, its end included; false when the file ends before the line does.
    fn read(&mut self) -> Result<bool, TraceError> {
        self.text.clear();
        self.number += 1;
        let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let mut limited = io::Read::by_ref(&mut self.source).take(most);
        limited
            .read_until(b'\n', &mut self.text)
            .map_err(|cause| TraceError::Unreadable { path: self.path.clone(), cause })?;
        if self.text.ends_with(b"\n") {
            return Ok(true);
        }
        if self.text.len() == MAX_LINE {
            return Err(self.corrupt(1, &format!("a line of more than {} MiB", MAX_LINE >> 20)));
        }
        Ok(false)
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, TraceError> {
        serde_json::from_slice(&self.text).map_err(|error| {
            let text = error.to_string();
            // The parser counts lines within the one it was given.
            let why = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why);
            self.corrupt(error.column().max(1), why)
        })
    }

    fn truncated(&self, whole: u64) -> TraceError {
        TraceError::Truncated { path: self.path.clone(), whole }
    }

    fn corrupt(&self, column: usize, why: &str) -> TraceError {
        // What a damaged line quotes may steer a terminal.
        let why = why.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        TraceError::Corrupt { path: self.path.clone(), line: self.number, column, why }
    }

    fn foreign(&self) -> TraceError {
        let looks = looks(self.text.get(..LOOKED_AT).unwrap_or(&self.text));
        TraceError::Foreign { path: self.path.clone(), looks }
    }
}

/// What the beginning of a file that is no trace looks like.
fn looks(start: &[u8]) -> &'static str {
    match start {
        [] => "empty",
        [0x7f, b'E', b'L', b'F', ..] => "a program (ELF)",
        [0x1f, 0x8b, ..] => "compressed (gzip): decompress it first",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "compressed (zstd): decompress it first",
        _ => text_looks(start),
    }
}

fn text_looks(start: &[u8]) -> &'static str {
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        // Cut within a character.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(start.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return "binary data",
    };
    let line = text.trim_start();
    if text.contains('\0') {
        "binary data"
    } else if line.starts_with('{') || line.starts_with('[') {
        "other JSON"
    } else if line.starts_with("version:") || line.starts_with("plugin:") {
        "YAML, perhaps a manifest"
    } else if line.starts_with("---") || line.lines().next().is_some_and(|it| it.ends_with(':')) {
        "YAML"
    } else {
        "other text"
    }
}
