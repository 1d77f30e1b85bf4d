//! Makes a trace that can be shared: no word of the watched code is left in it but those that a declared rule spells,
//! and it is still judged the same.
//!
//! A replacement is a number in order of appearance, with around it no more than what declared patterns spell, so
//! there is nothing in it from which the original could be guessed. Every replacement is meant by the same patterns
//! and networks as its original, of every policy in the trace. That the decisions are the same is not believed but
//! tried: both traces are replayed side by side while the second is written.

mod addresses;
#[cfg(test)]
mod tests;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use picket_engine::{ArgPattern, Fact, FileId, Input, ObservedArgv, ObservedPath, Pattern, Policy};

use self::{addresses::Addresses, words::Words};
use super::{Reader, Replay, TraceError, Writer, format::decision};

/// Why there is no redacted trace.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// The original is of no use.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The redacted one cannot be written.
    #[error("{}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It would not be judged the same.
    #[error(
        "redacted, input {input} would be judged differently, so nothing was written: \
         two of its words can be told apart only by what they say"
    )]
    Differs {
        /// Counted from 1.
        input: u64,
    },
}

/// A redacted trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// Inputs in it.
    pub inputs: u64,
    /// Words that had to stay: nothing else is meant by the same patterns.
    pub kept: u64,
}

/// Writes the trace at `from` to `to`, redacted. `incomplete` takes one that breaks off.
///
/// # Errors
/// [`RedactError`]; there is no file at `to` then.
pub fn redact(from: &Path, to: &Path, incomplete: bool) -> Result<Redacted, RedactError> {
    let mut redactor = Redactor::new();
    for input in Reader::open(from)?.incomplete(incomplete) {
        if let Input::Register { policy, .. } | Input::Policy { policy, .. } = input? {
            redactor.declare(&policy);
        }
    }
    let reader = Reader::open(from)?.incomplete(incomplete);
    if fs::canonicalize(to).is_ok_and(|to| fs::canonicalize(from).is_ok_and(|from| from == to)) {
        let cause = io::Error::other("is the trace itself: name another file");
        return Err(RedactError::Write { path: to.to_owned(), cause });
    }
    let unwritable = |cause| RedactError::Write { path: to.to_owned(), cause };
    let writer = Writer::create(to, &reader.header().redacted()).map_err(unwritable)?;
    let outcome = write(redactor, reader, writer, &unwritable);
    if outcome.is_err() {
        fs::remove_file(to).map_err(unwritable)?;
    }
    outcome
}

fn write(
    mut redactor: Redactor,
    mut reader: Reader,
    mut writer: Writer,
    unwritable: &dyn Fn(io::Error) -> RedactError,
) -> Result<Redacted, RedactError> {
    let (mut before, mut after) = (Replay::default(), Replay::default());
    let mut inputs = 0;
    for input in reader.by_ref() {
        let original = input?;
        let redacted = redactor.redact(original.clone());
        writer.input(&redacted).map_err(unwritable)?;
        inputs += 1;
        let (before, after) = (before.tell(original), after.tell(redacted));
        if !before.iter().map(decision).eq(after.iter().map(decision)) {
            return Err(RedactError::Differs { input: inputs });
        }
        after.iter().for_each(|effect| writer.effect(effect));
    }
    writer.finish(reader.end().map_or(0, |end| end.missed)).map_err(unwritable)?;
    Ok(Redacted { inputs, kept: redactor.kept() })
}

/// How much of a text the engine compares: longer ones that begin alike and are as long are one to it.
const COMPARED: usize = 128;

/// What makes two argument vectors the same to the engine: length, beginning, and what is meant by which pattern.
type ArgvKey = (usize, Vec<u8>, Vec<Vec<bool>>);

/// Replacements so far.
#[derive(Debug)]
pub(super) struct Redactor {
    segments: Words,
    arguments: Words,
    addresses: Addresses,
    argvs: BTreeMap<ArgvKey, Vec<u8>>,
    devices: Numbers,
    files: BTreeMap<FileId, FileId>,
    cgroups: Numbers,
}

impl Redactor {
    pub(super) fn new() -> Self {
        Self {
            segments: Words::new('s'),
            arguments: Words::new('a'),
            addresses: Addresses::default(),
            argvs: BTreeMap::new(),
            // No kernel has so many: a policy made on this host must not mean one of them by accident.
            devices: Numbers::after(1 << 40),
            files: BTreeMap::new(),
            cgroups: Numbers::after(0),
        }
    }

    /// Every policy must be declared before the first input is redacted.
    pub(super) fn declare(&mut self, policy: &Policy) {
        for rule in &policy.exec {
            self.declare_path(&rule.path);
            rule.interpreter.iter().for_each(|path| self.declare_path(path));
            let patterns = rule.argv.iter().flatten();
            patterns.for_each(|pattern| self.arguments.declare(pattern.clone()));
        }
        policy.files.iter().for_each(|rule| self.declare_path(&rule.path));
        policy.peers.iter().for_each(|name| self.arguments.declare(name.clone()));
        let endpoints = policy.connect.iter().chain(&policy.listen);
        endpoints.for_each(|rule| self.addresses.declare(rule.network));
    }

    /// A pattern means a path segment by segment, and one segment as an argument's pattern means an argument.
    fn declare_path(&mut self, pattern: &Pattern) {
        for segment in pattern.to_string().split('/').filter(|segment| !segment.is_empty()) {
            if let (false, Ok(segment)) = (segment == "**", ArgPattern::parse(segment)) {
                self.segments.declare(segment);
            }
        }
    }

    fn kept(&self) -> u64 {
        self.segments.kept + self.arguments.kept + self.addresses.kept
    }

    pub(super) fn redact(&mut self, mut input: Input) -> Input {
        match &mut input {
            Input::Register { policy, .. } | Input::Policy { policy, .. } => self.policy(policy),
            Input::Event { fact, .. } => self.fact(fact),
            Input::Loss { .. }
            | Input::Resources { .. }
            | Input::Tampered { .. }
            | Input::Supervisor { .. }
            | Input::Receipt { .. }
            | Input::Tick { .. }
            | Input::Unregister { .. } => {}
        }
        input
    }

    fn policy(&mut self, policy: &mut Policy) {
        for set in [&mut policy.protected, &mut policy.inherited] {
            let replaced: BTreeSet<FileId> = set.iter().map(|file| self.file(*file)).collect();
            *set = replaced;
        }
        policy.entry = policy.entry.map(|file| self.file(file));
    }

    fn fact(&mut self, fact: &mut Fact) {
        match fact {
            Fact::Open { path, file, .. }
            | Fact::Mapped { path, file, .. }
            | Fact::FileOperation { path, file, .. } => {
                self.observed(path);
                *file = self.file(*file);
            }
            Fact::Exec { path, file, script, argv, .. } => {
                self.observed(path);
                *file = self.file(*file);
                if let Some(script) = script {
                    *script = self.path(script);
                }
                self.argv(argv);
            }
            Fact::Network { address, .. } => *address = self.addresses.replace(*address),
            Fact::Left { cgroup, .. } => *cgroup = self.cgroups.replace(*cgroup),
            Fact::Peer { name, .. } if !name.is_empty() => *name = self.arguments.replace(name),
            Fact::Refused { path, .. } => self.observed(path),
            // Registers may hold anything, and nobody judges by them.
            Fact::Denied { arguments, .. } => *arguments = [0; 6],
            Fact::Syscall { .. }
            | Fact::Socket { .. }
            | Fact::Memory { .. }
            | Fact::Namespaces { .. }
            | Fact::Fork { .. }
            | Fact::Exit { .. }
            | Fact::Entered {}
            | Fact::Reach { .. }
            | Fact::Peer { .. }
            | Fact::Calls { .. } => {}
        }
    }

    fn observed(&mut self, path: &mut ObservedPath) {
        if let ObservedPath::Resolved(bytes) = path {
            *bytes = self.path(bytes);
        }
    }

    /// What is not normalised stays so.
    fn path(&mut self, path: &[u8]) -> Vec<u8> {
        let segments = path.split(|byte| *byte == b'/').map(|segment| match segment {
            b"" | b"." | b".." => segment.to_vec(),
            segment => self.segments.replace(segment),
        });
        segments.collect::<Vec<_>>().join(&b'/')
    }

    fn argv(&mut self, argv: &mut ObservedArgv) {
        let meant = argv.arguments().map(|argument| self.arguments.meant(argument)).collect();
        let start = argv.bytes.get(..COMPARED).unwrap_or(&argv.bytes);
        let key = (argv.bytes.len(), start.to_vec(), meant);
        let replaced = match self.argvs.get(&key) {
            Some(replaced) => replaced.clone(),
            None => {
                let mut bytes = Vec::new();
                for argument in argv.arguments() {
                    bytes.extend(match argument {
                        b"" => Vec::new(),
                        argument => self.arguments.replace(argument),
                    });
                    bytes.push(0);
                }
                if argv.bytes.last().is_some_and(|byte| *byte != 0) {
                    bytes.pop();
                }
                self.argvs.insert(key, bytes.clone());
                bytes
            }
        };
        argv.bytes = replaced;
    }

    fn file(&mut self, file: FileId) -> FileId {
        let inode = u64::try_from(self.files.len()).unwrap_or(u64::MAX).saturating_add(1);
        let device = self.devices.replace(file.device);
        *self.files.entry(file).or_insert(FileId { device, inode })
    }
}

/// Numbers replaced in order of appearance.
#[derive(Debug)]
struct Numbers {
    given: BTreeMap<u64, u64>,
    last: u64,
}

impl Numbers {
    const fn after(last: u64) -> Self {
        Self { given: BTreeMap::new(), last }
    }

    fn replace(&mut self, number: u64) -> u64 {
        *self.given.entry(number).or_insert_with(|| {
            self.last += 1;
            self.last
        })
    }
}
