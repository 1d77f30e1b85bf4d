//! Records of deeds that are judged by their arguments.

use picket_abi::{
    FileLong, FileShort, Memory, Namespaces, Socket, flag, kind, memory_use, new_namespace,
};
use picket_engine::{Fact, MemoryUse};

use super::{DecodeError, identity, impossible, path, view};

pub(super) fn socket(record: &Socket) -> Fact {
    Fact::Socket {
        family: record.family,
        socket_type: record.socket_type,
        protocol: record.protocol,
        refused: record.header.flags & flag::REFUSED != 0,
    }
}

pub(super) fn memory(record: &Memory) -> Result<Fact, DecodeError> {
    let how = match record.how {
        memory_use::MAPPED => MemoryUse::Mapped,
        memory_use::CHANGED => MemoryUse::Changed,
        memory_use::ATTACHED => MemoryUse::Attached,
        other => return Err(impossible(kind::MEMORY, "use", other.into())),
    };
    Ok(Fact::Memory { how })
}

pub(super) fn mapped(bytes: &[u8]) -> Result<Fact, DecodeError> {
    let (file, area) = if bytes.len() < size_of::<FileLong>() {
        let record: &FileShort = view(bytes, kind::MAPPED)?;
        (record.file, record.path.bytes.as_slice())
    } else {
        let record: &FileLong = view(bytes, kind::MAPPED)?;
        (record.file, record.path.bytes.as_slice())
    };
    let path = path(&file, area, kind::MAPPED)?;
    Ok(Fact::Mapped { path, file: identity(&file), links: file.links })
}

pub(super) fn namespaces(record: &Namespaces) -> Result<Fact, DecodeError> {
    #[expect(clippy::cast_possible_truncation, reason = "flags of 32 bits, widened for the kernel")]
    const KNOWN: u32 = new_namespace::BY_CLONE as u32 | new_namespace::TIME;
    match record.flags {
        0 => Err(impossible(kind::NAMESPACES, "flags", 0)),
        flags if flags & !KNOWN != 0 => Err(impossible(kind::NAMESPACES, "flags", flags.into())),
        flags => Ok(Fact::Namespaces { flags }),
    }
}
