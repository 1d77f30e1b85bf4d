//! Records about what is done with files, processes and sockets: whose they are, and what was done.

use picket_abi::{
    Peer, Reach, file_operation as operation, kind, operation as socket, reach, whose,
};
use picket_engine::{self as engine, Fact, FileOperation, NetworkOperation, Whose};

use super::{DecodeError, access_set, file_and_path, identity, impossible, path};

pub(super) fn file_operation(bytes: &[u8]) -> Result<Fact, DecodeError> {
    const KIND: u16 = kind::FILE_OPERATION;
    let (file, area) = file_and_path(bytes, KIND)?;
    let operation = match file.operation {
        operation::UNLINK => FileOperation::Unlink,
        operation::RMDIR => FileOperation::Rmdir,
        operation::MKDIR => FileOperation::Mkdir,
        operation::MKNOD => FileOperation::Mknod,
        operation::SYMLINK => FileOperation::Symlink,
        operation::LINK => FileOperation::Link,
        operation::LINK_TO => FileOperation::LinkTo,
        operation::RENAME => FileOperation::Rename,
        operation::RENAME_TO => FileOperation::RenameTo,
        operation::TRUNCATE => FileOperation::Truncate,
        operation::CHMOD => FileOperation::Chmod,
        operation::CHOWN => FileOperation::Chown,
        operation::RECEIVE => FileOperation::Receive,
        operation::CONNECT_UNIX => FileOperation::ConnectUnix,
        operation::SEND_UNIX => FileOperation::SendUnix,
        other => return Err(impossible(KIND, "operation", other.into())),
    };
    Ok(Fact::FileOperation {
        operation,
        path: path(&file, area, KIND)?,
        file: identity(&file),
        links: file.links,
        access: access_set(file.access, KIND)?,
    })
}

pub(super) fn reached(record: &Reach) -> Result<Fact, DecodeError> {
    let how = match record.how {
        reach::SIGNAL => engine::Reach::Signal,
        reach::PROBE => engine::Reach::Probe,
        reach::INSPECT => engine::Reach::Inspect,
        reach::ATTACH => engine::Reach::Attach,
        other => return Err(impossible(kind::REACH, "way", other.into())),
    };
    let whose = owner(record.whose, kind::REACH)?;
    Ok(Fact::Reach { how, whose, process: record.tgid, number: record.number })
}

pub(super) fn peer(record: &Peer) -> Result<Fact, DecodeError> {
    let operation = match record.operation {
        socket::CONNECT => NetworkOperation::Connect,
        socket::SEND => NetworkOperation::Send,
        other => return Err(impossible(kind::PEER, "operation", other.into())),
    };
    let name = record.name.get(..usize::from(record.name_len));
    let name = name.ok_or_else(|| impossible(kind::PEER, "name_len", record.name_len.into()))?;
    Ok(Fact::Peer { operation, whose: owner(record.whose, kind::PEER)?, name: name.to_vec() })
}

fn owner(number: u32, kind: u16) -> Result<Whose, DecodeError> {
    match number {
        whose::OUTSIDE => Ok(Whose::Outside),
        whose::SANDBOX => Ok(Whose::Sandbox),
        whose::PICKET => Ok(Whose::Picket),
        other => Err(impossible(kind, "owner", other.into())),
    }
}
