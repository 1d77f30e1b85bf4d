//! Where the running kernel keeps its fields, read from the type information (BTF) it publishes.
//!
//! Rust emits no CO-RE relocations, so the probes take every field offset as a constant, and this
//! module finds the constants for the kernel at hand. The reader is small and our own because it is
//! needed once per start: one pass that remembers where each type begins, then a walk per question.
//! A crate that keeps a tree of 130 000 types costs 80 MB to answer sixty questions.
//!
//! No bytes make it panic or run on: it reads through checked slices only, and every chain of types
//! that it follows has an end. Format: the kernel's `Documentation/bpf/btf.rst`.

mod prototype;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::{fmt, fs};

use record::{Kind, Record, Word};

/// Where a kernel built with `CONFIG_DEBUG_INFO_BTF` publishes its own types.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Longer chains of typedefs and qualifiers than this are taken for a loop; real ones have about five.
const MAX_HOPS: usize = 64;

/// The types of one kernel. Holds the file (5 MB): drop it when the questions are answered.
pub struct Btf {
    bytes: Vec<u8>,
    types: Range<usize>,
    strings: Range<usize>,
    /// Where each type begins in the type section, in words. Type ids count from 1: 0 is `void`.
    starts: Vec<u32>,
    /// Name and id of the structs that have a name: a twelfth of all types, and nearly all questions.
    structs: Vec<(u32, u32)>,
}

/// How far into its struct a field begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(u32);

impl Offset {
    /// The distance in bytes.
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

/// Why a question about the kernel's types has no answer.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The kernel was built without type information.
    #[error(
        "{path} does not exist: Picket needs a kernel built with CONFIG_DEBUG_INFO_BTF=y, \
         and /sys mounted"
    )]
    Missing {
        /// Where it was looked for.
        path: &'static str,
    },
    /// The file is there and cannot be read.
    #[error("cannot read the kernel's type information in {path}")]
    Unreadable {
        /// The file.
        path: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else.
    #[error("not kernel type information: it begins with {magic:#06x} where BTF has 0xeb9f")]
    NotBtf {
        /// The first two bytes.
        magic: u16,
    },
    /// Written by a big-endian machine.
    #[error("big-endian kernel type information: Picket runs on little-endian machines only")]
    BigEndian,
    /// A format that came after this reader.
    #[error("kernel type information has version {version}, this Picket reads version 1")]
    Version {
        /// The version in the file.
        version: u8,
    },
    /// A kind of type that came after this reader. Its length is unknown, so nothing behind it can be read.
    #[error("type {id} is of kind {kind}, which this Picket does not know: a newer one may")]
    UnknownKind {
        /// The type.
        id: usize,
        /// The number of its kind.
        kind: u32,
    },
    /// The bytes contradict themselves.
    #[error("kernel type information is damaged: {what}")]
    Damaged {
        /// The contradiction.
        what: &'static str,
    },
    /// Nothing of this name exists.
    #[error("this kernel has no {what} {name}")]
    Absent {
        /// Struct, function, ….
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Two things of one name give different answers, and nothing says which one is meant.
    #[error("this kernel has several kinds of {what} {name}, and they differ")]
    Ambiguous {
        /// Struct, function, ….
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The struct exists and the path leads to nothing in it.
    #[error("this kernel's struct {strct} has no member {path}")]
    NoMember {
        /// The struct.
        strct: String,
        /// The dotted path.
        path: String,
    },
    /// The path goes on behind something that is not a struct or union, such as a pointer.
    #[error("struct {strct}: {path} goes through something that is not embedded in the struct")]
    NotEmbedded {
        /// The struct.
        strct: String,
        /// The dotted path.
        path: String,
    },
    /// The member shares its bytes with others, or begins inside one.
    #[error("struct {strct}: {path} is a bitfield, which has no byte offset")]
    Bitfield {
        /// The struct.
        strct: String,
        /// The dotted path.
        path: String,
    },
}

impl Btf {
    /// Reads the types of the running kernel.
    pub fn from_kernel() -> Result<Self, BtfError> {
        let bytes = fs::read(KERNEL_BTF).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => BtfError::Missing { path: KERNEL_BTF },
            _ => BtfError::Unreadable { path: KERNEL_BTF, source },
        })?;
        Self::parse(bytes)
    }

    /// Takes the bytes of a whole BTF file, and checks that every type in it has a known length.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BtfError> {
        let (types, strings) = record::sections(&bytes)?;
        let (mut starts, mut structs) = (Vec::new(), Vec::new());
        let words = words(&bytes, &types);
        let mut rest = words;
        while !rest.is_empty() {
            let start = words.len().saturating_sub(rest.len());
            starts.push(u32::try_from(start).map_err(|_| TOO_LARGE)?);

            let id = starts.len();
            let (record, behind) = Record::split_first(rest, id)?;
            if record.kind == Kind::Struct && record.name != 0 {
                structs.push((record.name, u32::try_from(id).map_err(|_| TOO_LARGE)?));
            }
            rest = behind;
        }
        Ok(Self { bytes, types, strings, starts, structs })
    }

    /// Where the member at a dotted path begins: `offset("dentry", "d_name.len")`.
    ///
    /// Members of anonymous structs and unions belong to what encloses them, as in C. The path never
    /// follows a pointer.
    pub fn offset(&self, strct: &str, path: &str) -> Result<Offset, BtfError> {
        self.offset_optional(strct, path)?
            .ok_or_else(|| BtfError::NoMember { strct: strct.into(), path: path.into() })
    }

    /// Like [`offset`](Self::offset), for a member that some kernels do without.
    ///
    /// Only a missing member is `None`: a missing struct, a bitfield or damage stays an error.
    pub fn offset_optional(&self, strct: &str, path: &str) -> Result<Option<Offset>, BtfError> {
        let answers = self.structs_named(strct).map(|id| self.locate(id, strct, path));
        unanimous("struct", strct, answers)
    }

    /// The size of a struct in bytes.
    pub fn size_of(&self, strct: &str) -> Result<u32, BtfError> {
        let sizes = self.structs_named(strct).filter_map(|id| self.record(id).transpose());
        let answers = sizes.map(|record| Ok(record?.size_or_type));
        unanimous("struct", strct, answers)
    }

    /// Whether a struct of this name is defined, not merely declared.
    pub fn has_struct(&self, strct: &str) -> bool {
        self.structs_named(strct).next().is_some()
    }

    fn locate(&self, root: u32, strct: &str, path: &str) -> Result<Option<Offset>, BtfError> {
        let mut bits = 0_u32;
        let mut shares_bytes = false;
        let mut id = root;
        for name in path.split('.') {
            if !self.unqualified(id)?.is_some_and(|record| record.has_members()) {
                return Err(BtfError::NotEmbedded { strct: strct.into(), path: path.into() });
            }
            let Some(member) = self.member(id, name)? else {
                return Ok(None);
            };
            bits = bits.checked_add(member.bits).ok_or(TOO_LARGE)?;
            shares_bytes = member.is_bitfield || self.is_narrow_int(member.type_id)?;
            id = member.type_id;
        }
        if shares_bytes || !bits.is_multiple_of(8) {
            return Err(BtfError::Bitfield { strct: strct.into(), path: path.into() });
        }
        Ok(Some(Offset(bits / 8)))
    }

    /// Finds a member by name in a struct or union, and in the anonymous ones inside it.
    fn member(&self, holder: u32, name: &str) -> Result<Option<record::Member>, BtfError> {
        // Where a name was not found once, it will not be the second time: skipping what was seen
        // bounds the walk even when a damaged type contains itself.
        let mut seen = BTreeSet::new();
        let mut pending = vec![(holder, 0_u32)];
        while let Some((id, base)) = pending.pop() {
            let Some(record) = self.unqualified(id)? else {
                continue;
            };
            for member in record.members() {
                let bits = base.checked_add(member.bits).ok_or(TOO_LARGE)?;
                if self.is_anonymous(member.name) {
                    if seen.insert(member.type_id) {
                        pending.push((member.type_id, bits));
                    }
                } else if self.is_named(member.name, name) {
                    return Ok(Some(record::Member { bits, ..member }));
                }
            }
        }
        Ok(None)
    }

    /// Whether this is an integer narrower than its bytes: how bitfields were encoded before `kind_flag`.
    fn is_narrow_int(&self, id: u32) -> Result<bool, BtfError> {
        Ok(self.unqualified(id)?.is_some_and(|record| record.is_narrow_int()))
    }

    fn structs_named(&self, wanted: &str) -> impl Iterator<Item = u32> {
        let named = self.structs.iter().filter(move |&&(name, _)| self.is_named(name, wanted));
        named.map(|&(_, id)| id)
    }

    /// What a type is behind its typedefs and qualifiers; `None` is `void`.
    fn unqualified(&self, mut id: u32) -> Result<Option<Record<'_>>, BtfError> {
        for _ in 0..MAX_HOPS {
            match self.record(id)? {
                Some(record) if record.only_renames() => id = record.size_or_type,
                other => return Ok(other),
            }
        }
        Err(BtfError::Damaged { what: "a type is defined by itself" })
    }

    /// The type of this id; `None` is `void`.
    fn record(&self, id: u32) -> Result<Option<Record<'_>>, BtfError> {
        const NO_SUCH_TYPE: BtfError = BtfError::Damaged { what: "it refers to a missing type" };

        let id = usize::try_from(id).map_err(|_| TOO_LARGE)?;
        let Some(index) = id.checked_sub(1) else {
            return Ok(None);
        };
        let start = *self.starts.get(index).ok_or(NO_SUCH_TYPE)?;
        let start = usize::try_from(start).map_err(|_| TOO_LARGE)?;
        let words = words(&self.bytes, &self.types).get(start..).ok_or(NO_SUCH_TYPE)?;
        Record::split_first(words, id).map(|(record, _)| Some(record))
    }

    /// The bytes from a name to the end of all names.
    fn names_from(&self, name: u32) -> &[u8] {
        let names = self.bytes.get(self.strings.clone()).unwrap_or_default();
        usize::try_from(name).ok().and_then(|name| names.get(name..)).unwrap_or_default()
    }

    fn is_named(&self, name: u32, wanted: &str) -> bool {
        let behind = self.names_from(name).strip_prefix(wanted.as_bytes());
        behind.is_some_and(|behind| behind.first() == Some(&0))
    }

    fn is_anonymous(&self, name: u32) -> bool {
        self.is_named(name, "")
    }
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf").field("types", &self.starts.len()).finish_non_exhaustive()
    }
}

const TOO_LARGE: BtfError = BtfError::Damaged { what: "a place in it is beyond 4 GiB" };

fn words<'a>(bytes: &'a [u8], types: &Range<usize>) -> &'a [Word] {
    bytes.get(types.clone()).unwrap_or_default().as_chunks().0
}

/// The one answer that all things of one name agree on. Some names occur more than once in a kernel;
/// that matters only where the answer depends on which one is meant.
fn unanimous<T: PartialEq>(
    what: &'static str,
    name: &str,
    answers: impl Iterator<Item = Result<T, BtfError>>,
) -> Result<T, BtfError> {
    let mut agreed = None;
    for answer in answers {
        let answer = answer?;
        match &agreed {
            None => agreed = Some(answer),
            Some(first) if *first == answer => {}
            Some(_) => {
                return Err(BtfError::Ambiguous { what, name: name.into() });
            }
        }
    }
    agreed.ok_or_else(|| BtfError::Absent { what, name: name.into() })
}
