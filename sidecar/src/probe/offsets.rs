//! Resolves the kernel field offsets that the probes need from the running kernel's BTF.

use picket_abi::{ABSENT, Offsets};

use super::btf::{Btf, BtfError};

/// (field, kernel structure, dotted path) of every offset; the kernel tests compare them with an independent reader.
pub const FIELDS: &[(&str, &str, &str)] = Offsets::FIELDS;

/// Fields that may be missing, because the hooks that read them are attached only where the kernel has what they hang
/// on. A missing one becomes [`ABSENT`], which is no place of anything.
const OPTIONAL: &[(&str, &str)] = &[
    ("io_kiocb", "opcode"),
    ("io_kiocb", "flags"),
    ("io_kiocb", "cqe.res"),
    ("io_kiocb", "ctx"),
    ("io_ring_ctx", "flags"),
    ("io_kiocb", "cmd"),
    ("io_open", "file_slot"),
];

/// Looks up every field.
///
/// # Errors
/// The first field this kernel lacks or lays out in a way the probes cannot read.
pub fn resolve(btf: &Btf) -> Result<Offsets, BtfError> {
    Offsets::resolve(|structure, path| {
        if OPTIONAL.contains(&(structure, path)) {
            return Ok(btf
                .offset_optional(structure, path)?
                .map_or(ABSENT, |offset| offset.bytes()));
        }
        btf.offset(structure, path).map(|offset| offset.bytes())
    })
}
