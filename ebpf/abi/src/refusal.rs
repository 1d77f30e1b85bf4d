//! The record of a call that the kernel refused to do with a file. Writer: probes. Reader: `picket`'s decoder, by bytes.

use crate::{File, Header, PATH_PAD, PATH_SHORT, PathTail};

/// Room for the text that a call was given as a name, the NUL behind it included.
pub const NAME_MAX: usize = 512;

/// A call on a name ended in `EACCES`. What has two names is two records.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Refusal {
    /// Common part.
    pub header: Header,
    /// The directory that the name starts from, where it is not absolute: only how far its path could be resolved, and where
    /// it stands. Without a directory that is the root.
    pub directory: File,
    /// Which call: its native number.
    pub number: u32,
    /// `O_*` of the open family, else zero.
    pub flags: u32,
    /// Bytes of `name` in use, without the NUL; [`NAME_MAX`]: it could not be read, or was longer.
    pub name_len: u32,
    /// Zero.
    pub reserved: u32,
    /// The text as it stood in the caller's memory when the call returned: the object was never found out.
    pub name: [u8; NAME_MAX],
    /// The directory's path.
    pub path: PathTail<{ PATH_SHORT + PATH_PAD }>,
}
const _: () = assert!(size_of::<Refusal>() == 1376);
