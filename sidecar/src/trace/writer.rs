//! Writes a trace: header, inputs as they come, and an end that says that it is whole.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read as _, Seek as _, Write},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use picket_engine::{Effect, Input};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    End, Header,
    format::{MAGIC, Record, bytes::to_hex, rendering},
};

/// A trace being written. Without [`Writer::finish`] it stays one that breaks off.
#[derive(Debug)]
pub struct Writer<W: Write = BufWriter<File>> {
    out: W,
    inputs: u64,
    effects: u64,
    bytes_digest: Sha256,
    effects_digest: Sha256,
}

impl Writer {
    /// Makes the file, readable for its owner only. An older trace under this name is replaced, any other file is not.
    ///
    /// # Errors
    /// The file cannot be made, or is there and no trace.
    pub fn create(path: &Path, header: &Header) -> io::Result<Self> {
        Self::new(BufWriter::with_capacity(1 << 16, create(path)?), header)
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut file = match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path)?,
        made => return made,
    };
    let mut start = Vec::new();
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is there already and no ordinary file"));
    }
    let beginning = u64::try_from(MAGIC.len()).unwrap_or(u64::MAX);
    io::Read::by_ref(&mut file).take(beginning).read_to_end(&mut start)?;
    if !start.is_empty() && start != MAGIC {
        return Err(io::Error::other(
            "is there already and no trace, so it is not overwritten: name another file",
        ));
    }
    // Before the words of the watched code are in it.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.set_len(0)?;
    file.rewind()?;
    Ok(file)
}

impl<W: Write> Writer<W> {
    /// Begins a trace anywhere.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(out: W, header: &Header) -> io::Result<Self> {
        let (bytes_digest, effects_digest) = (Sha256::new(), Sha256::new());
        let mut writer = Self { out, inputs: 0, effects: 0, bytes_digest, effects_digest };
        writer.line(header)?;
        Ok(writer)
    }

    /// Writes what the engine was told.
    ///
    /// # Errors
    /// It cannot be written; the trace breaks off here.
    pub fn input(&mut self, input: &Input) -> io::Result<()> {
        self.line(&Record::from(input))?;
        self.inputs += 1;
        Ok(())
    }

    /// Takes note of what the engine answered.
    pub fn effect(&mut self, effect: &Effect) {
        self.effects += 1;
        update(&mut self.effects_digest, effect);
    }

    /// Hands on what is still held back.
    ///
    /// # Errors
    /// It cannot be written; the trace breaks off.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the trace; `missed` says how much of what passed the engine is not in it.
    ///
    /// # Errors
    /// It cannot be written; the trace breaks off.
    pub fn finish(mut self, missed: u64) -> io::Result<End> {
        let end = End {
            inputs: self.inputs,
            effects: self.effects,
            missed,
            effects_sha256: to_hex(&self.effects_digest.finalize_reset()),
            sha256: to_hex(&self.bytes_digest.finalize_reset()),
        };
        self.line(&Record::End(end.clone()))?;
        self.out.flush()?;
        Ok(end)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        if super::reader::MAX_LINE < text.len() {
            return Err(io::Error::other("one input is longer than a line of a trace may be"));
        }
        self.bytes_digest.update(&text);
        self.out.write_all(&text)
    }
}

/// Adds an effect to a digest of effects.
pub(super) fn update(digest: &mut Sha256, effect: &Effect) {
    digest.update(rendering(effect));
    digest.update(b"\n");
}
