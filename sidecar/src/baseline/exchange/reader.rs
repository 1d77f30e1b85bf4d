//! Reads an exported file, all or nothing, holding one line at a time.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use picket_engine::baseline::{Acceptance, TEMPLATE_BYTES};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{
    ExchangeError, Package, VERSION,
    lines::{Header, Line, MAGIC, Version, family},
};
use crate::{baseline::Identity, trace::to_hex};

/// The longest line: a run with every family at its limit and the longest templates takes less.
const MAX_LINE: u64 = 16 << 20;
/// Who accepted something, and why.
const LONGEST_WORDS: usize = 4096;
/// Baselines in one file. Each is bounded by itself.
const MOST: usize = 1024;

/// Reads baselines.
///
/// # Errors
/// [`ExchangeError`].
pub fn read(path: &Path) -> Result<Package, ExchangeError> {
    let unreadable = |cause| ExchangeError::Unreadable { path: path.to_owned(), cause };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(ExchangeError::Foreign { path: path.to_owned() });
    }
    read_from(path, BufReader::with_capacity(1 << 16, file))
}

/// Whether a file that is there begins like an export.
///
/// # Errors
/// It cannot be read, or is not there.
pub fn is_export(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start == MAGIC)
}

/// Reads baselines from anywhere; `path` is what complaints call it.
///
/// # Errors
/// [`ExchangeError`].
pub fn read_from(path: &Path, source: impl BufRead) -> Result<Package, ExchangeError> {
    let mut lines = Lines { source, path: path.to_owned(), number: 0, text: Vec::new() };
    header(&mut lines)?;
    let mut digest = Sha256::new();
    let (mut package, mut whose) = (Package::new(), None);
    loop {
        digest.update(&lines.text);
        if !lines.read()? {
            let (path, lines) = (lines.path, lines.number - 1);
            return Err(ExchangeError::Truncated { path, lines });
        }
        match lines.parse()? {
            Line::End { lines: count, sha256 } => {
                if count != lines.number - 1 || sha256 != to_hex(&digest.finalize()) {
                    return Err(lines.corrupt(1, "the digest of all lines before is another one"));
                }
                if lines.read()? || !lines.text.is_empty() {
                    return Err(lines.corrupt(1, "something follows the end"));
                }
                return Ok(package);
            }
            line => take(line, &mut package, &mut whose).map_err(|why| lines.corrupt(1, &why))?,
        }
    }
}

fn take(line: Line, package: &mut Package, whose: &mut Option<Identity>) -> Result<(), String> {
    const NOBODYS: &str = "nothing says whose baseline this belongs to";
    match line {
        Line::Baseline { plugin, artifact, manifest, deployment, sampled } => {
            let identity = Identity::parse([&plugin, &artifact, &manifest, &deployment]);
            let identity = identity.map_err(|error| error.to_string())?;
            if package.entries().any(|entry| entry.identity == identity) {
                return Err("this baseline was there before".to_owned());
            }
            if MOST <= package.len() {
                return Err(format!("more than {MOST} baselines in one file"));
            }
            let baseline = package.of(&identity);
            if sampled {
                baseline.set_sampled();
            }
            *whose = Some(identity);
        }
        Line::Run(run) => {
            let (id, run) = run.run()?;
            let baseline = package.of(whose.as_ref().ok_or(NOBODYS)?);
            if baseline.run(id).is_some() {
                return Err("this run was there before".to_owned());
            }
            baseline.learn(id, &run);
            if baseline.run(id).is_none() {
                return Err("more runs than a baseline holds".to_owned());
            }
        }
        Line::Accepted { at, family: name, template, by, reason } => {
            if TEMPLATE_BYTES < template.len() || LONGEST_WORDS < by.len().max(reason.len()) {
                return Err("longer words than anybody may have accepted by".to_owned());
            }
            let baseline = package.of(whose.as_ref().ok_or(NOBODYS)?);
            baseline.accept(Acceptance { at, family: family(&name)?, template, by, reason });
        }
        Line::End { .. } => {}
    }
    Ok(())
}

fn header<R: BufRead>(lines: &mut Lines<R>) -> Result<(), ExchangeError> {
    let whole = match lines.read() {
        Ok(whole) => whole,
        // No header is that long.
        Err(ExchangeError::Corrupt { .. }) => return Err(lines.foreign()),
        Err(error) => return Err(error),
    };
    if !lines.text.starts_with(MAGIC) {
        return Err(lines.foreign());
    }
    if !whole {
        return Err(ExchangeError::Truncated { path: lines.path.clone(), lines: 0 });
    }
    let Version { picket_baselines: version, picket } = lines.parse()?;
    if VERSION < version {
        let picket = crate::words::text(picket.as_bytes()).chars().take(40).collect();
        return Err(ExchangeError::Newer { path: lines.path.clone(), version, picket });
    }
    if version != VERSION {
        return Err(lines.corrupt(1, "there is no such format of baselines"));
    }
    lines.parse::<Header>().map(drop)
}

/// The lines of a file, one at a time, and complaints about them.
struct Lines<R> {
    source: R,
    path: PathBuf,
    /// Of the line in `text`, from 1.
    number: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next line, its end included; false when the file ends before the line does.
    fn read(&mut self) -> Result<bool, ExchangeError> {
        self.text.clear();
        self.number += 1;
        (&mut self.source)
            .take(MAX_LINE)
            .read_until(b'\n', &mut self.text)
            .map_err(|cause| ExchangeError::Unreadable { path: self.path.clone(), cause })?;
        if self.text.ends_with(b"\n") {
            return Ok(true);
        }
        if MAX_LINE <= self.text.len() as u64 {
            return Err(self.corrupt(1, &format!("a line of more than {} MiB", MAX_LINE >> 20)));
        }
        Ok(false)
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, ExchangeError> {
        serde_json::from_slice(&self.text).map_err(|error| {
            let text = error.to_string();
            // The parser counts lines within the one it was given.
            let why = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why);
            self.corrupt(error.column().max(1), why)
        })
    }

    fn corrupt(&self, column: usize, why: &str) -> ExchangeError {
        // What a damaged line quotes may steer a terminal.
        let why = crate::words::text(why.as_bytes());
        ExchangeError::Corrupt { path: self.path.clone(), line: self.number, column, why }
    }

    fn foreign(&self) -> ExchangeError {
        ExchangeError::Foreign { path: self.path.clone() }
    }
}
