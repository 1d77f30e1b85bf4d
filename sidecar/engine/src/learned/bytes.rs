//! What outlives a restart, as bytes: fixed layout, little-endian, checked as a whole when read.

use alloc::vec::Vec;
use core::fmt;

/// The layout that is written and the only one that is read.
const VERSION: u16 = 1;

/// Why bytes are not what they should be. The way out is the same for all: begin anew without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BytesError {
    /// Not this kind of record, or damaged: the check sum differs.
    Damaged,
    /// Written by another version.
    Version {
        /// The version it says.
        found: u16,
    },
    /// Ends too early.
    Short,
    /// Goes on after its end.
    Long,
    /// No detector can have been in this state.
    Impossible,
    /// It belongs to another certificate: other bounds, or another baseline.
    OtherCertificate,
    /// It was gathered under other rungs or budgets.
    OtherRungs,
}

impl fmt::Display for BytesError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => write!(out, "damaged: its check sum differs"),
            Self::Version { found } => {
                write!(out, "layout {found}, but this engine reads layout {VERSION}")
            }
            Self::Short => write!(out, "ends too early"),
            Self::Long => write!(out, "goes on after its end"),
            Self::Impossible => write!(out, "holds a state that no detector can be in"),
            Self::OtherCertificate => write!(out, "belongs to another certificate"),
            Self::OtherRungs => write!(out, "was gathered under other rungs or budgets"),
        }
    }
}

impl core::error::Error for BytesError {}

/// FNV-1a, 64 bits. Against accidents; whoever can write the store can also compute it.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(kind: [u8; 4]) -> Self {
        let mut writer = Self(Vec::new());
        writer.bytes(&kind);
        writer.u16(VERSION);
        writer
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn sealed(mut self) -> Vec<u8> {
        let seal = digest(&self.0);
        self.u64(seal);
        self.0
    }
}

#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks kind, version and check sum before anything inside is looked at.
    pub(super) fn open(kind: [u8; 4], bytes: &'a [u8]) -> Result<Self, BytesError> {
        let (body, seal) = bytes.split_last_chunk::<8>().ok_or(BytesError::Short)?;
        if digest(body) != u64::from_le_bytes(*seal) {
            return Err(BytesError::Damaged);
        }
        let mut reader = Self(body);
        if reader.array()? != kind {
            return Err(BytesError::Damaged);
        }
        match reader.u16()? {
            VERSION => Ok(reader),
            found => Err(BytesError::Version { found }),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BytesError> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(BytesError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn fill<const N: usize>(&mut self, place: &mut [u8; N]) -> Result<(), BytesError> {
        *place = self.array()?;
        Ok(())
    }

    pub(super) fn u8(&mut self) -> Result<u8, BytesError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool, BytesError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(BytesError::Impossible),
        }
    }

    pub(super) fn u16(&mut self) -> Result<u16, BytesError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, BytesError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, BytesError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn end(self) -> Result<(), BytesError> {
        if self.0.is_empty() { Ok(()) } else { Err(BytesError::Long) }
    }
}
