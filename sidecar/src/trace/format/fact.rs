//! What a task did, in a trace.

use std::net::IpAddr;

use picket_engine::{
    self as engine, AccessSet, Departure, FileId, NetworkOperation, SyscallAbi, Unresolved,
};
use serde::{Deserialize, Serialize};

use super::{bytes::Bytes, words::form};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Fact {
    Syscall {
        number: u32,
        #[serde(with = "form")]
        abi: SyscallAbi,
    },
    Open {
        path: Path,
        #[serde(with = "form")]
        file: FileId,
        links: u32,
        #[serde(with = "form")]
        access: AccessSet,
    },
    Exec {
        path: Path,
        #[serde(with = "form")]
        file: FileId,
        links: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        script: Option<Bytes>,
        argv: Argv,
    },
    Network {
        #[serde(with = "form")]
        operation: NetworkOperation,
        protocol: u8,
        address: IpAddr,
        port: u16,
        refused: bool,
    },
    Fork {
        tgid: u32,
        tid: u32,
    },
    Exit {
        code: i32,
    },
    Left {
        #[serde(with = "form")]
        how: Departure,
        cgroup: u64,
    },
    Entered {},
    Denied {
        number: u32,
        #[serde(with = "form")]
        abi: SyscallAbi,
        arguments: [u64; 6],
        by_arguments: bool,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Path {
    Resolved(Bytes),
    #[serde(with = "form")]
    Unresolved(Unresolved),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Argv {
    arguments: Vec<Bytes>,
    complete: bool,
    /// The last argument lacks its NUL: it was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl From<&engine::Fact> for Fact {
    fn from(fact: &engine::Fact) -> Self {
        match fact {
            engine::Fact::Syscall { number, abi } => Self::Syscall { number: *number, abi: *abi },
            engine::Fact::Open { path, file, links, access } => {
                Self::Open { path: path.into(), file: *file, links: *links, access: *access }
            }
            engine::Fact::Exec { path, file, links, script, argv } => Self::Exec {
                path: path.into(),
                file: *file,
                links: *links,
                script: script.clone().map(Bytes),
                argv: argv.into(),
            },
            engine::Fact::Network { operation, protocol, address, port, refused } => {
                Self::Network {
                    operation: *operation,
                    protocol: *protocol,
                    address: *address,
                    port: *port,
                    refused: *refused,
                }
            }
            engine::Fact::Fork { child_tgid, child_tid } => {
                Self::Fork { tgid: *child_tgid, tid: *child_tid }
            }
            engine::Fact::Exit { code } => Self::Exit { code: *code },
            engine::Fact::Left { how, cgroup } => Self::Left { how: *how, cgroup: *cgroup },
            engine::Fact::Entered {} => Self::Entered {},
            engine::Fact::Denied { number, abi, arguments, by_arguments } => Self::Denied {
                number: *number,
                abi: *abi,
                arguments: *arguments,
                by_arguments: *by_arguments,
            },
        }
    }
}

impl From<Fact> for engine::Fact {
    fn from(fact: Fact) -> Self {
        match fact {
            Fact::Syscall { number, abi } => Self::Syscall { number, abi },
            Fact::Open { path, file, links, access } => {
                Self::Open { path: path.into(), file, links, access }
            }
            Fact::Exec { path, file, links, script, argv } => Self::Exec {
                path: path.into(),
                file,
                links,
                script: script.map(|script| script.0),
                argv: argv.into(),
            },
            Fact::Network { operation, protocol, address, port, refused } => {
                Self::Network { operation, protocol, address, port, refused }
            }
            Fact::Fork { tgid, tid } => Self::Fork { child_tgid: tgid, child_tid: tid },
            Fact::Exit { code } => Self::Exit { code },
            Fact::Left { how, cgroup } => Self::Left { how, cgroup },
            Fact::Entered {} => Self::Entered {},
            Fact::Denied { number, abi, arguments, by_arguments } => {
                Self::Denied { number, abi, arguments, by_arguments }
            }
        }
    }
}

impl From<&engine::ObservedPath> for Path {
    fn from(path: &engine::ObservedPath) -> Self {
        match path {
            engine::ObservedPath::Resolved(bytes) => Self::Resolved(Bytes(bytes.clone())),
            engine::ObservedPath::Unresolved(why) => Self::Unresolved(*why),
        }
    }
}

impl From<Path> for engine::ObservedPath {
    fn from(path: Path) -> Self {
        match path {
            Path::Resolved(bytes) => Self::Resolved(bytes.0),
            Path::Unresolved(why) => Self::Unresolved(why),
        }
    }
}

impl From<&engine::ObservedArgv> for Argv {
    fn from(argv: &engine::ObservedArgv) -> Self {
        Self {
            arguments: argv.arguments().map(|argument| Bytes(argument.to_vec())).collect(),
            complete: argv.complete,
            cut: argv.bytes.last().is_some_and(|byte| *byte != 0),
        }
    }
}

impl From<Argv> for engine::ObservedArgv {
    fn from(argv: Argv) -> Self {
        let mut bytes = Vec::new();
        for argument in argv.arguments {
            bytes.extend(argument.0);
            bytes.push(0);
        }
        if argv.cut {
            bytes.pop();
        }
        Self { bytes, complete: argv.complete }
    }
}
