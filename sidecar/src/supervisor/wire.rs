//! What Picket and its launcher say to each other.
//!
//! Both ends are one binary, so this is a layout, not a protocol with versions; the mark at its
//! start catches a launcher from another build. The instructions travel as a file in memory
//! (arguments and environment may be megabytes), everything else as one short message each.

#[cfg(test)]
mod tests;

use std::ffi::CString;
use std::os::fd::RawFd;
use std::time::Duration;

use picket_engine::SyscallSet;

use super::capabilities::CapabilitySet;
use super::confine::{CallFilter, Ways};
use super::spec::Confinement;
use super::sys::process::Ending;

/// First bytes of the instructions: name and layout version.
const MARK: &[u8] = b"picket launch 4";
/// More than `ARG_MAX` allows an exec to carry.
pub(super) const MAX_INSTRUCTIONS: usize = 16 << 20;

/// What a launcher is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instructions {
    pub(super) program: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) working_directory: CString,
    /// The sandbox's cgroup directory.
    pub(super) sandbox: CString,
    /// Numbers of the descriptors sent along, in the order in which they were sent.
    pub(super) numbers: Vec<RawFd>,
    pub(super) capabilities: CapabilitySet,
    pub(super) confinement: Confinement,
    /// Places, and what Landlock lets it do there; `None`: no wall.
    pub(super) wall: Option<Vec<(CString, Ways)>>,
    pub(super) orphan: Duration,
}

/// Bytes that are not what the other end sends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end of the control socket is not this build of Picket")]
pub(super) struct Malformed;

impl From<Malformed> for std::io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, malformed)
    }
}

impl Instructions {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, MARK);
        for text in [&self.program, &self.working_directory, &self.sandbox] {
            put(&mut bytes, text.to_bytes());
        }
        for list in [&self.arguments, &self.environment] {
            put_length(&mut bytes, list.len());
            for text in list {
                put(&mut bytes, text.to_bytes());
            }
        }
        put_length(&mut bytes, self.numbers.len());
        for number in &self.numbers {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.capabilities.bits().to_le_bytes());
        put_confinement(&mut bytes, self.confinement);
        bytes.push(u8::from(self.wall.is_some()));
        let wall = self.wall.as_deref().unwrap_or_default();
        put_length(&mut bytes, wall.len());
        for (place, ways) in wall {
            put(&mut bytes, place.to_bytes());
            bytes.push(ways.bits());
        }
        let orphan = u64::try_from(self.orphan.as_millis()).unwrap_or(u64::MAX);
        bytes.extend(orphan.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { rest: bytes };
        if reader.bytes()? != MARK {
            return Err(Malformed);
        }
        let program = reader.text()?;
        let working_directory = reader.text()?;
        let sandbox = reader.text()?;
        let arguments = reader.list(Reader::text)?;
        let environment = reader.list(Reader::text)?;
        let numbers = reader.list(|reader| Ok(RawFd::from_le_bytes(reader.array()?)))?;
        let capabilities = CapabilitySet::from_bits(u64::from_le_bytes(reader.array()?));
        let confinement = reader.confinement()?;
        let stands = reader.flag()?;
        let wall = reader.list(|reader| {
            let place = reader.text()?;
            let [bits] = reader.array()?;
            Ok((place, Ways::from_bits(bits).ok_or(Malformed)?))
        })?;
        let wall = stands.then_some(wall);
        let orphan = Duration::from_millis(u64::from_le_bytes(reader.array()?));
        if !reader.rest.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            program,
            arguments,
            environment,
            working_directory,
            sandbox,
            numbers,
            capabilities,
            confinement,
            wall,
            orphan,
        })
    }
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    put_length(bytes, part.len());
    bytes.extend(part);
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    // Longer than any exec can carry is as good as too long: the sender refuses the whole.
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_confinement(bytes: &mut Vec<u8>, confinement: Confinement) {
    match confinement {
        Confinement::Standard => bytes.push(0),
        Confinement::Strict(CallFilter { calls, foreign_abi, any_socket }) => {
            bytes.push(1);
            bytes.extend(calls.words().into_iter().flat_map(u64::to_le_bytes));
            bytes.extend([foreign_abi, any_socket].map(u8::from));
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*array)
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_too_long| Malformed)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn confinement(&mut self) -> Result<Confinement, Malformed> {
        match self.array()? {
            [0] => Ok(Confinement::Standard),
            [1] => {
                let mut words = [0; 8];
                for word in &mut words {
                    *word = u64::from_le_bytes(self.array()?);
                }
                let calls = SyscallSet::from_words(words);
                let [foreign_abi, any_socket] = [self.flag()?, self.flag()?];
                Ok(Confinement::Strict(CallFilter { calls, foreign_abi, any_socket }))
            }
            _ => Err(Malformed),
        }
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Malformed),
        }
    }

    fn text(&mut self) -> Result<CString, Malformed> {
        CString::new(self.bytes()?).map_err(|_holds_nul| Malformed)
    }

    fn list<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let length = self.length()?;
        // Collected one by one: a false length runs out of bytes before it runs out of memory.
        (0..length).map(|_index| item(self)).collect()
    }
}

/// What Picket says after the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The child is about to be thawed: from now on Picket's death leaves something running.
    Starting,
    /// Picket has ended the sandbox itself; there is nothing left to guard.
    Goodbye,
}

impl Word {
    pub(super) fn encode(self) -> [u8; 1] {
        match self {
            Self::Starting => [b'S'],
            Self::Goodbye => [b'G'],
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        match bytes {
            b"S" => Ok(Self::Starting),
            b"G" => Ok(Self::Goodbye),
            _ => Err(Malformed),
        }
    }
}

/// What a launcher says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// It could not make the child: which step, and the kernel's error number.
    Failed { step: Step, errno: i32 },
    /// The child exists, frozen. Its pidfd comes along, and the listener of its filter if it has one.
    Cloned { child: u32 },
    /// The child is gone.
    Exited { ending: Ending, executed: bool },
    /// Picket gave no sign of life for a while, so the sandbox was frozen.
    Unattended,
}

impl Report {
    pub(super) fn encode(self) -> Vec<u8> {
        let (tag, detail, value) = match self {
            Self::Failed { step, errno } => (b'F', step.index(), errno),
            Self::Cloned { child } => (b'C', 0, child.cast_signed()),
            Self::Exited { ending: Ending::Code(code), executed } => {
                (b'E', u8::from(executed), code)
            }
            Self::Exited { ending: Ending::Signal(signal), executed } => {
                (b'S', u8::from(executed), signal)
            }
            Self::Unattended => (b'U', 0, 0),
        };
        [&[tag, detail][..], &value.to_le_bytes()].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let ([tag, detail], value) = bytes.split_first_chunk().ok_or(Malformed)?;
        let value = i32::from_le_bytes(value.try_into().map_err(|_length| Malformed)?);
        let executed = *detail == 1;
        match tag {
            b'F' => {
                let step = *Step::ALL.get(usize::from(*detail)).ok_or(Malformed)?;
                Ok(Self::Failed { step, errno: value })
            }
            b'C' => Ok(Self::Cloned { child: value.cast_unsigned() }),
            b'E' => Ok(Self::Exited { ending: Ending::Code(value), executed }),
            b'S' => Ok(Self::Exited { ending: Ending::Signal(value), executed }),
            b'U' => Ok(Self::Unattended),
            _ => Err(Malformed),
        }
    }
}

/// The steps of a launcher, for its error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Instructions,
    HideMemory,
    Signals,
    Fork,
    Session,
    MountNamespace,
    OwnCgroupOnly,
    ReadOnlyControls,
    Descriptors,
    BoundingSet,
    KeptCapabilities,
    Securebits,
    Capabilities,
    NoNewPrivileges,
    WorkingDirectory,
    ReadBack,
    Wall,
    Filter,
    Clone,
    Reducer,
    Guard,
}

impl Step {
    pub(super) const ALL: [Self; 21] = [
        Self::Instructions,
        Self::HideMemory,
        Self::Signals,
        Self::Fork,
        Self::Session,
        Self::MountNamespace,
        Self::OwnCgroupOnly,
        Self::ReadOnlyControls,
        Self::Descriptors,
        Self::BoundingSet,
        Self::KeptCapabilities,
        Self::Securebits,
        Self::Capabilities,
        Self::NoNewPrivileges,
        Self::WorkingDirectory,
        Self::ReadBack,
        Self::Wall,
        Self::Filter,
        Self::Clone,
        Self::Reducer,
        Self::Guard,
    ];

    fn index(self) -> u8 {
        let index = Self::ALL.iter().position(|step| *step == self);
        index.and_then(|index| u8::try_from(index).ok()).expect("ALL holds every step")
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Instructions => "reading its instructions",
            Self::HideMemory => "hiding its memory",
            Self::Signals => "resetting signals",
            Self::Fork => "forking",
            Self::Session => "starting a session of its own",
            Self::MountNamespace => "entering a mount namespace of its own",
            Self::OwnCgroupOnly => "hiding the cgroups of others",
            Self::ReadOnlyControls => "making the kernel's control files read-only",
            Self::Descriptors => "arranging the declared descriptors",
            Self::BoundingSet => "emptying the capability bounding set",
            Self::KeptCapabilities => "keeping the declared capabilities (does Picket have them?)",
            Self::Securebits => "locking the securebits",
            Self::Capabilities => "dropping capabilities",
            Self::NoNewPrivileges => "refusing new privileges",
            Self::WorkingDirectory => "entering the working directory",
            Self::ReadBack => "reading back what it gave up",
            Self::Wall => "restricting files by Landlock, as `confinement: strict` does",
            Self::Filter => {
                "installing the filter of `confinement: strict` (is Picket under such a filter itself?)"
            }
            Self::Clone => "cloning the child into the frozen cgroup",
            Self::Reducer => "reducing itself, and died of it without a word",
            Self::Guard => "becoming the sandbox's guard",
        }
    }
}
