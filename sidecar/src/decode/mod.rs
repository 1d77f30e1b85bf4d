//! Turns bytes from the rings into facts. The only code that reads event bytes, without `unsafe`.
//!
//! Every bit pattern has an answer: a fact, or an error that says what is wrong with it. Records of another ABI or
//! kind are refused, never guessed at.

mod deeds;
mod objects;
mod refusal;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};

use picket_abi::{
    ABI_VERSION, Calls, Destination, Exec, ExecLong, ExecShort, Exit, File, FileLong, FileShort,
    Fork, HOOKS, Header, Left, PATH_PAD, Syscall, abi_of_call, departure, flag, kind, operation,
    path_state,
};
use picket_engine::{
    AccessSet, Departure, Fact, FileId, KernelTime, NetworkOperation, ObservedArgv, ObservedPath,
    Order, Process, SandboxId, SyscallAbi, Unresolved,
};
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::arguments;

/// A record that could not be understood. Counted, not fatal: the kernel side is ours, so this is a bug or tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Too short for what it says it is.
    #[error("a record of {length} bytes is too short for its kind {kind}")]
    Short {
        /// Bytes there are.
        length: usize,
        /// What it says it is; 0 when not even that could be read.
        kind: u16,
    },
    /// Written by other kernel programs.
    #[error("probes speak ABI {theirs}, this sidecar speaks {ABI_VERSION}")]
    ForeignAbi {
        /// Their version.
        theirs: u16,
    },
    /// Not one of ours.
    #[error("unknown record kind {kind}")]
    UnknownKind {
        /// The number.
        kind: u16,
    },
    /// A field holds a value that its probe never writes.
    #[error("a record of kind {kind} has the impossible {field} {value}")]
    Impossible {
        /// The record's kind.
        kind: u16,
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
}

/// One understood record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Whose.
    pub sandbox: SandboxId,
    /// Which hook saw it: index in [`picket_abi::hook::NAMES`]. One kind of fact may come from several.
    pub hook: u16,
    /// When, among all.
    pub order: Order,
    /// Which task.
    pub process: Process,
    /// What it did.
    pub fact: Fact,
}

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whose it is.
    pub sandbox: SandboxId,
    /// Which hook wrote it: index in [`picket_abi::hook::NAMES`].
    pub hook: u16,
}

/// Whom to book a record to, whatever the rest of it holds. `None` if not even that is one of ours.
#[must_use]
pub fn origin(bytes: &[u8]) -> Option<Origin> {
    let (header, _) = Header::read_from_prefix(bytes).ok()?;
    let known = header.abi == ABI_VERSION && u32::from(header.hook) < HOOKS;
    let sandbox = SandboxId { slot: header.slot, generation: header.generation };
    known.then_some(Origin { sandbox, hook: header.hook })
}

/// Understands one record.
///
/// # Errors
/// [`DecodeError`]; the bytes are of no use then.
pub fn record(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let (header, _) = Header::read_from_prefix(bytes)
        .map_err(|_| DecodeError::Short { length: bytes.len(), kind: 0 })?;
    if header.abi != ABI_VERSION {
        return Err(DecodeError::ForeignAbi { theirs: header.abi });
    }
    let fact = match header.kind {
        kind::SYSCALL => syscall(view(bytes, header.kind)?),
        kind::OPEN => open(bytes),
        kind::EXEC => exec(bytes, header),
        kind::DESTINATION => destination(view(bytes, header.kind)?),
        kind::FORK => {
            let fork: &Fork = view(bytes, header.kind)?;
            Ok(Fact::Fork { child_tgid: fork.child_tgid, child_tid: fork.child_tid })
        }
        kind::EXIT => {
            let exit: &Exit = view(bytes, header.kind)?;
            Ok(Fact::Exit { code: exit.code.cast_signed() })
        }
        kind::LEFT => left(view(bytes, header.kind)?),
        kind::SOCKET => Ok(deeds::socket(view(bytes, header.kind)?)),
        kind::MEMORY => deeds::memory(view(bytes, header.kind)?),
        kind::MAPPED => deeds::mapped(bytes),
        kind::NAMESPACES => deeds::namespaces(view(bytes, header.kind)?),
        kind::ENTERED => Ok(Fact::Entered {}),
        kind::FILE_OPERATION => objects::file_operation(bytes),
        kind::REACH => objects::reached(view(bytes, header.kind)?),
        kind::PEER => objects::peer(view(bytes, header.kind)?),
        kind::CALLS => {
            let sums: &Calls = view(bytes, header.kind)?;
            let (calls, level_sum) = (sums.calls, sums.level_sum);
            Ok(Fact::Calls { calls, level_sum, novel: sums.novel, table: sums.table })
        }
        kind::REFUSAL => refusal::refusal(view(bytes, header.kind)?),
        kind => Err(DecodeError::UnknownKind { kind }),
    }?;
    Ok(Decoded {
        sandbox: SandboxId { slot: header.slot, generation: header.generation },
        hook: header.hook,
        order: Order {
            time: KernelTime::from_nanos(header.time),
            cpu: header.cpu,
            sequence: header.sequence,
        },
        process: Process {
            tgid: header.tgid,
            tid: header.tid,
            start: KernelTime::from_nanos(header.start_time),
        },
        fact,
    })
}

/// The record as its layout. Rings round sizes up to eight bytes, so a longer slice is fine.
fn view<T: FromBytes + KnownLayout + Immutable>(
    bytes: &[u8],
    kind: u16,
) -> Result<&T, DecodeError> {
    T::ref_from_prefix(bytes)
        .map(|(record, _)| record)
        .map_err(|_| DecodeError::Short { length: bytes.len(), kind })
}

fn syscall(record: &Syscall) -> Result<Fact, DecodeError> {
    let abi = match record.abi {
        abi_of_call::NATIVE => SyscallAbi::Native,
        abi_of_call::IA32 => SyscallAbi::Ia32,
        abi_of_call::X32 => SyscallAbi::X32,
        other => return Err(impossible(kind::SYSCALL, "abi", u64::from(other))),
    };
    let arguments = arguments::numbers(record.number, abi, &record.arguments);
    Ok(Fact::Syscall { number: record.number, abi, arguments })
}

fn open(bytes: &[u8]) -> Result<Fact, DecodeError> {
    let (file, area) = file_and_path(bytes, kind::OPEN)?;
    Ok(Fact::Open {
        path: path(&file, area, kind::OPEN)?,
        file: identity(&file),
        links: file.links,
        access: access_set(file.access, kind::OPEN)?,
    })
}

/// The file of a record that holds one, and the area its path lies in.
fn file_and_path(bytes: &[u8], kind: u16) -> Result<(File, &[u8]), DecodeError> {
    Ok(if bytes.len() < size_of::<FileLong>() {
        let record: &FileShort = view(bytes, kind)?;
        (record.file, record.path.bytes.as_slice())
    } else {
        let record: &FileLong = view(bytes, kind)?;
        (record.file, record.path.bytes.as_slice())
    })
}

fn exec(bytes: &[u8], header: Header) -> Result<Fact, DecodeError> {
    let (file, exec, area) = if bytes.len() < size_of::<ExecLong>() {
        let record: &ExecShort = view(bytes, kind::EXEC)?;
        (record.file, &record.exec, record.path.bytes.as_slice())
    } else {
        let record: &ExecLong = view(bytes, kind::EXEC)?;
        (record.file, &record.exec, record.path.bytes.as_slice())
    };
    let script = if header.flags & flag::SCRIPT == 0 { None } else { Some(given(exec)?) };
    Ok(Fact::Exec {
        path: path(&file, area, kind::EXEC)?,
        file: identity(&file),
        links: file.links,
        script,
        argv: arguments(exec)?,
    })
}

fn given(exec: &Exec) -> Result<Vec<u8>, DecodeError> {
    let length = usize::from(exec.given_len);
    exec.given
        .get(..length)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| impossible(kind::EXEC, "given_len", exec.given_len.into()))
}

fn arguments(exec: &Exec) -> Result<ObservedArgv, DecodeError> {
    let bytes = exec
        .argv
        .get(..usize::from(exec.argv_len))
        .ok_or_else(|| impossible(kind::EXEC, "argv_len", exec.argv_len.into()))?;
    Ok(ObservedArgv {
        bytes: bytes.to_vec(),
        complete: u32::from(exec.argv_len) == exec.argv_total,
    })
}

fn destination(record: &Destination) -> Result<Fact, DecodeError> {
    let operation = match record.operation {
        operation::CONNECT => NetworkOperation::Connect,
        operation::SEND => NetworkOperation::Send,
        operation::BIND => NetworkOperation::Bind,
        operation::LISTEN => NetworkOperation::Listen,
        other => return Err(impossible(kind::DESTINATION, "operation", other.into())),
    };
    let octets: [u8; 16] = zerocopy::transmute!(record.address);
    let address = Ipv6Addr::from(octets);
    Ok(Fact::Network {
        operation,
        protocol: protocol(record.protocol),
        address: address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        port: record.port,
        refused: record.header.flags & flag::REFUSED != 0,
    })
}

/// Multipath TCP is TCP to a manifest; its number does not fit a byte.
fn protocol(number: u16) -> u8 {
    const IPPROTO_TCP: u8 = 6;
    const IPPROTO_MPTCP: u16 = 262;
    if number == IPPROTO_MPTCP { IPPROTO_TCP } else { u8::try_from(number).unwrap_or(u8::MAX) }
}

fn left(record: &Left) -> Result<Fact, DecodeError> {
    let how = match record.how {
        departure::MIGRATED => Departure::Migrated,
        departure::CLONED => Departure::ClonedOut,
        other => return Err(impossible(kind::LEFT, "departure", other.into())),
    };
    Ok(Fact::Left { how, cgroup: record.cgroup })
}

fn identity(file: &File) -> FileId {
    FileId { device: u64::from(file.device), inode: file.inode }
}

fn access_set(bits: u32, kind: u16) -> Result<AccessSet, DecodeError> {
    let known = [(1, AccessSet::READ), (2, AccessSet::WRITE), (4, AccessSet::EXECUTE)];
    if 8 <= bits {
        return Err(impossible(kind, "access", bits.into()));
    }
    Ok(known
        .into_iter()
        .filter(|(bit, _)| bits & bit != 0)
        .fold(AccessSet::NONE, |set, (_, access)| set.union(access)))
}

fn path(file: &File, area: &[u8], kind: u16) -> Result<ObservedPath, DecodeError> {
    let why = match file.path_state {
        path_state::RESOLVED => {
            let room = area.len().saturating_sub(PATH_PAD);
            return area
                .get(usize::from(file.path_start)..room)
                .filter(|path| path.first() == Some(&b'/'))
                .map(|path| ObservedPath::Resolved(path.to_vec()))
                .ok_or_else(|| impossible(kind, "path_start", file.path_start.into()));
        }
        path_state::TOO_LONG => Unresolved::TooLong,
        path_state::TOO_DEEP => Unresolved::TooDeep,
        path_state::DETACHED => Unresolved::Detached,
        path_state::NAMELESS => Unresolved::NoName,
        path_state::UNREADABLE => Unresolved::ReadFailed,
        other => return Err(impossible(kind, "path_state", other.into())),
    };
    Ok(ObservedPath::Unresolved(why))
}

fn impossible(kind: u16, field: &'static str, value: u64) -> DecodeError {
    DecodeError::Impossible { kind, field, value }
}
