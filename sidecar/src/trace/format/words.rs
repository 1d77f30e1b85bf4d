//! The engine's closed enums and small values in JSON: by their one spelling, as labels and reports have them.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use picket_engine::{
    AccessSet, Action, ArgPattern, Capability, Closure, Departure, FileId, FileOperation,
    IncidentId, KernelTime, MemoryUse, Mode, Narrowing, NetworkOperation, OnExpiry, Outcome,
    Pattern, Protocol, Reach, Reason, Resource, SandboxId, SocketClass, Step, SyscallAbi,
    Tampering, Trigger, Unresolved, Whose,
    baseline::Family,
    learned::{Lane, Severity},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

/// A value with a form of its own in a trace.
pub(crate) trait Form: Sized {
    /// What stands in the file.
    type Stored<'a>: Serialize
    where
        Self: 'a;
    /// What is read from the file.
    type Read: for<'de> Deserialize<'de>;

    fn store(&self) -> Self::Stored<'_>;
    /// The message says what is wrong with the value.
    fn restore(read: Self::Read) -> Result<Self, String>;
}

/// For `#[serde(with = "form")]`.
pub(crate) mod form {
    use super::{Deserialize, Deserializer, Error, Form, Serialize, Serializer};

    pub(crate) fn serialize<T: Form, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        value.store().serialize(to)
    }

    pub(crate) fn deserialize<'de, T: Form, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        T::restore(T::Read::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// A value in its form, for lists and options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Formed<T>(pub(crate) T);

impl<T: Form> Serialize for Formed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        form::serialize(&self.0, to)
    }
}

impl<'de, T: Form> Deserialize<'de> for Formed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        form::deserialize(from).map(Self)
    }
}

/// One of a closed list of words; names the list when it is none of them.
pub(crate) struct Word<T>(T);

macro_rules! words {
    ($( $name:ty => $what:literal, )+) => { $(
        impl Form for $name {
            type Stored<'a> = &'static str;
            type Read = Word<Self>;

            fn store(&self) -> &'static str {
                self.as_str()
            }

            fn restore(word: Word<Self>) -> Result<Self, String> {
                Ok(word.0)
            }
        }

        impl<'de> Deserialize<'de> for Word<$name> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct WordVisitor;

                impl Visitor<'_> for WordVisitor {
                    type Value = Word<$name>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                        let found = <$name>::ALL.iter().find(|word| word.as_str() == text);
                        found.copied().map(Word).ok_or_else(|| {
                            E::custom(format_args!("`{text}` is not {}", $what))
                        })
                    }
                }

                from.deserialize_str(WordVisitor)
            }
        }
    )+ };
}

words! {
    Action => "an action",
    Capability => "a capability",
    Closure => "an end of an incident",
    Departure => "a way out of a sandbox",
    Family => "a family of deeds",
    FileOperation => "an operation on a file",
    Lane => "a lane",
    MemoryUse => "a use of memory",
    Mode => "a mode",
    Narrowing => "a cause of narrowing",
    NetworkOperation => "a network operation",
    OnExpiry => "an answer to the end of a lease",
    Outcome => "an outcome",
    Protocol => "a protocol",
    Reach => "a way to reach for a process",
    Reason => "a reason",
    Resource => "a resource",
    Severity => "a severity",
    SocketClass => "a kind of socket",
    Step => "a step",
    SyscallAbi => "a table of system calls",
    Tampering => "a kind of tampering",
    Trigger => "a trigger",
    Unresolved => "a cause of an unknown path",
    Whose => "an owner",
}

/// Values that are stored as another one, there and back.
macro_rules! stored_as {
    ($( $name:ty => $stored:ty, |$value:ident| $store:expr, |$read:pat_param| $restore:expr; )+) => { $(
        impl Form for $name {
            type Stored<'a> = $stored;
            type Read = $stored;

            fn store(&self) -> $stored {
                let $value = self;
                $store
            }

            fn restore(read: $stored) -> Result<Self, String> {
                let $read = read;
                $restore
            }
        }
    )+ };
}

stored_as! {
    KernelTime => u64, |time| time.as_nanos(), |nanos| Ok(Self::from_nanos(nanos));
    IncidentId => u32, |incident| incident.0, |number| Ok(Self(number));
    SandboxId => (u32, u32),
        |sandbox| (sandbox.slot, sandbox.generation),
        |(slot, generation)| Ok(Self { slot, generation });
    FileId => (u64, u64),
        |file| (file.device, file.inode),
        |(device, inode)| Ok(Self { device, inode });
    IpAddr => Self, |address| *address, |address| Ok(address);
    IpNet => String, |network| network.to_string(),
        |text| text.parse().map_err(|_| format!("`{text}` is no network"));
    Pattern => String, |pattern| pattern.to_string(),
        |text| Self::parse(&text).map_err(|error| format!("`{text}` is no pattern: {error}"));
    ArgPattern => String, |pattern| pattern.to_string(),
        |text| Self::parse(&text).map_err(|error| format!("`{text}` is no pattern: {error}"));
    AccessSet => String, |access| letters(*access), |text| access(&text);
}

const LETTERS: [(char, AccessSet); 3] =
    [('r', AccessSet::READ), ('w', AccessSet::WRITE), ('x', AccessSet::EXECUTE)];

fn letters(access: AccessSet) -> String {
    LETTERS.iter().filter(|(_, way)| access.contains(*way)).map(|(letter, _)| *letter).collect()
}

fn access(text: &str) -> Result<AccessSet, String> {
    text.chars().try_fold(AccessSet::NONE, |access, letter| {
        let way = LETTERS.iter().find(|(known, _)| *known == letter);
        way.map(|(_, way)| access | *way)
            .ok_or_else(|| format!("`{text}` is no access: write some of the letters r, w and x"))
    })
}
