//! What the bytes of one type say, without following it to another.

use std::ops::Range;

use super::BtfError;

/// BTF types are made of little-endian words, and only of them.
pub(super) type Word = [u8; 4];

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;

/// Bits of a type's second word that mean something: length, kind, flag. The others are spare, and a
/// format that begins to use them is one this reader would misread.
const KNOWN_BITS: u32 = 0x9f00_ffff;

/// Where a BTF file keeps its types and its names.
pub(super) fn sections(bytes: &[u8]) -> Result<(Range<usize>, Range<usize>), BtfError> {
    const CUT_SHORT: BtfError = BtfError::Damaged { what: "it ends inside its header" };

    let (&[m0, m1, version], _) = bytes.split_first_chunk().ok_or(CUT_SHORT)?;
    match u16::from_le_bytes([m0, m1]) {
        MAGIC => {}
        magic if magic == MAGIC.swap_bytes() => return Err(BtfError::BigEndian),
        magic => return Err(BtfError::NotBtf { magic }),
    }
    if version != VERSION {
        return Err(BtfError::Version { version });
    }
    let (words, _) = bytes.as_chunks();
    let (header, _) = words.split_first_chunk().ok_or(CUT_SHORT)?;
    let [_, header, types_at, types, strings_at, strings] = header.map(u32::from_le_bytes);

    let types = section(bytes, header, types_at, types)?;
    let strings = section(bytes, header, strings_at, strings)?;
    if !types.len().is_multiple_of(size_of::<Word>()) {
        return Err(BtfError::Damaged { what: "its types end inside a word" });
    }
    Ok((types, strings))
}

fn section(bytes: &[u8], header: u32, at: u32, len: u32) -> Result<Range<usize>, BtfError> {
    let place = || {
        let start = usize::try_from(header).ok()?.checked_add(usize::try_from(at).ok()?)?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (end <= bytes.len()).then_some(start..end)
    };
    place().ok_or(BtfError::Damaged { what: "a section reaches beyond its end" })
}

/// The kinds of types, numbered by the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    Var,
    DataSec,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
}

impl Kind {
    fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Int,
            2 => Self::Ptr,
            3 => Self::Array,
            4 => Self::Struct,
            5 => Self::Union,
            6 => Self::Enum,
            7 => Self::Fwd,
            8 => Self::Typedef,
            9 => Self::Volatile,
            10 => Self::Const,
            11 => Self::Restrict,
            12 => Self::Func,
            13 => Self::FuncProto,
            14 => Self::Var,
            15 => Self::DataSec,
            16 => Self::Float,
            17 => Self::DeclTag,
            18 => Self::TypeTag,
            19 => Self::Enum64,
            _ => return None,
        })
    }

    /// How many words follow the three that every type has, given the length it states.
    const fn words_behind(self, len: usize) -> usize {
        match self {
            Self::Int | Self::Var | Self::DeclTag => 1,
            Self::Array => 3,
            Self::Struct | Self::Union | Self::DataSec | Self::Enum64 => 3 * len,
            Self::Enum | Self::FuncProto => 2 * len,
            Self::Ptr
            | Self::Fwd
            | Self::Typedef
            | Self::Volatile
            | Self::Const
            | Self::Restrict
            | Self::Func
            | Self::Float
            | Self::TypeTag => 0,
        }
    }
}

/// One type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) kind: Kind,
    /// Means something else for each kind: members carry bitfield sizes, a forward is of a union.
    pub(super) flag: bool,
    /// Where its name begins among the names; 0 is the empty name.
    pub(super) name: u32,
    /// The size of what has one, the type referred to by what refers to one.
    pub(super) size_or_type: u32,
    /// The words behind the first three.
    pub(super) details: &'a [Word],
}

/// One member of a struct or union.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) name: u32,
    pub(super) type_id: u32,
    pub(super) bits: u32,
    pub(super) is_bitfield: bool,
}

impl<'a> Record<'a> {
    /// Reads the type that `words` begins with, and what is behind it. The id is for the message.
    pub(super) fn split_first(
        words: &'a [Word],
        id: usize,
    ) -> Result<(Self, &'a [Word]), BtfError> {
        const CUT_SHORT: BtfError = BtfError::Damaged { what: "it ends inside a type" };

        let (first, rest) = words.split_first_chunk().ok_or(CUT_SHORT)?;
        let [name, info, size_or_type] = first.map(u32::from_le_bytes);
        if info & !KNOWN_BITS != 0 {
            return Err(BtfError::Damaged { what: "a type has spare bits set" });
        }
        let number = (info >> 24) & 0x1f;
        let kind = Kind::from_number(number).ok_or(BtfError::UnknownKind { id, kind: number })?;
        let [len_low, len_high, ..] = info.to_le_bytes();
        let len = usize::from(u16::from_le_bytes([len_low, len_high]));
        let (details, rest) = rest.split_at_checked(kind.words_behind(len)).ok_or(CUT_SHORT)?;
        let flag = info >> 31 == 1;
        Ok((Self { kind, flag, name, size_or_type, details }, rest))
    }

    pub(super) fn has_members(&self) -> bool {
        matches!(self.kind, Kind::Struct | Kind::Union)
    }

    /// Whether the layout is that of the type it refers to.
    pub(super) fn only_renames(&self) -> bool {
        matches!(
            self.kind,
            Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag
        )
    }

    /// The members of a struct or union, in order; nothing else has any.
    pub(super) fn members(&self) -> impl Iterator<Item = Member> + use<'a> {
        let carries_sizes = self.flag;
        let details = if self.has_members() { self.details } else { &[] };
        details.as_chunks().0.iter().map(move |member| {
            let [name, type_id, place] = member.map(u32::from_le_bytes);
            let (bits, size) =
                if carries_sizes { (place & 0xff_ffff, place >> 24) } else { (place, 0) };
            Member { name, type_id, bits, is_bitfield: size != 0 }
        })
    }

    /// What an array holds, and how many of it.
    pub(super) fn array(&self) -> Option<(u32, u32)> {
        let &[element, _, length] = self.details else {
            return None;
        };
        let is_array = self.kind == Kind::Array;
        is_array.then(|| (u32::from_le_bytes(element), u32::from_le_bytes(length)))
    }

    /// Whether this is an integer of fewer bits than its bytes hold, or one that begins inside them.
    pub(super) fn is_narrow_int(&self) -> bool {
        let &[encoding] = self.details else {
            return false;
        };
        let [bits, _, shift, _] = encoding;
        let whole = u32::from(bits).is_multiple_of(8) && u32::from(bits) / 8 == self.size_or_type;
        self.kind == Kind::Int && (shift != 0 || !whole)
    }
}
