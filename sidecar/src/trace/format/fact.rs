//! What a task did, in a trace.

use std::net::IpAddr;

use picket_engine::{
    self as engine, AccessSet, Arguments, Departure, FileId, FileOperation, MemoryUse,
    NetworkOperation, Reach, SyscallAbi, Unresolved, Whose,
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
        /// Up to the last one that is known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        arguments: Vec<Option<u64>>,
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
    Socket {
        family: u32,
        #[serde(rename = "type")]
        socket_type: u32,
        protocol: u32,
        refused: bool,
    },
    Memory {
        #[serde(with = "form")]
        how: MemoryUse,
    },
    Mapped {
        path: Path,
        #[serde(with = "form")]
        file: FileId,
        links: u32,
    },
    Namespaces {
        flags: u32,
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
    FileOperation {
        #[serde(with = "form")]
        operation: FileOperation,
        path: Path,
        #[serde(with = "form")]
        file: FileId,
        links: u32,
        #[serde(with = "form")]
        access: AccessSet,
    },
    Reach {
        #[serde(with = "form")]
        how: Reach,
        #[serde(with = "form")]
        whose: Whose,
        process: u32,
        number: u32,
    },
    Peer {
        #[serde(with = "form")]
        operation: NetworkOperation,
        #[serde(with = "form")]
        whose: Whose,
        name: Bytes,
    },
    Denied {
        number: u32,
        #[serde(with = "form")]
        abi: SyscallAbi,
        arguments: [u64; 6],
        by_arguments: bool,
    },
    Refused {
        number: u32,
        path: Path,
        #[serde(with = "form")]
        access: AccessSet,
    },
    Calls {
        calls: u32,
        level_sum: u32,
        novel: u32,
        table: u32,
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
            engine::Fact::Syscall { number, abi, arguments } => {
                let known = arguments.places().iter().rposition(Option::is_some);
                let kept = arguments.places().iter().take(known.map_or(0, |last| last + 1));
                Self::Syscall { number: *number, abi: *abi, arguments: kept.copied().collect() }
            }
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
            engine::Fact::Socket { family, socket_type, protocol, refused } => Self::Socket {
                family: *family,
                socket_type: *socket_type,
                protocol: *protocol,
                refused: *refused,
            },
            engine::Fact::Memory { how } => Self::Memory { how: *how },
            engine::Fact::Mapped { path, file, links } => {
                Self::Mapped { path: path.into(), file: *file, links: *links }
            }
            engine::Fact::Namespaces { flags } => Self::Namespaces { flags: *flags },
            engine::Fact::Fork { child_tgid, child_tid } => {
                Self::Fork { tgid: *child_tgid, tid: *child_tid }
            }
            engine::Fact::Exit { code } => Self::Exit { code: *code },
            engine::Fact::Left { how, cgroup } => Self::Left { how: *how, cgroup: *cgroup },
            engine::Fact::Entered {} => Self::Entered {},
            engine::Fact::FileOperation { operation, path, file, links, access } => {
                let (path, operation, links) = (path.into(), *operation, *links);
                Self::FileOperation { operation, path, file: *file, links, access: *access }
            }
            engine::Fact::Reach { how, whose, process, number } => {
                Self::Reach { how: *how, whose: *whose, process: *process, number: *number }
            }
            engine::Fact::Peer { operation, whose, name } => {
                Self::Peer { operation: *operation, whose: *whose, name: Bytes(name.clone()) }
            }
            engine::Fact::Denied { number, abi, arguments, by_arguments } => Self::Denied {
                number: *number,
                abi: *abi,
                arguments: *arguments,
                by_arguments: *by_arguments,
            },
            engine::Fact::Refused { number, path, access } => {
                Self::Refused { number: *number, path: path.into(), access: *access }
            }
            engine::Fact::Calls { calls, level_sum, novel, table } => {
                let (calls, level_sum, novel, table) = (*calls, *level_sum, *novel, *table);
                Self::Calls { calls, level_sum, novel, table }
            }
        }
    }
}

impl From<Fact> for engine::Fact {
    fn from(fact: Fact) -> Self {
        match fact {
            Fact::Syscall { number, abi, arguments } => {
                Self::Syscall { number, abi, arguments: Arguments::of(arguments) }
            }
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
            Fact::Socket { family, socket_type, protocol, refused } => {
                Self::Socket { family, socket_type, protocol, refused }
            }
            Fact::Memory { how } => Self::Memory { how },
            Fact::Mapped { path, file, links } => Self::Mapped { path: path.into(), file, links },
            Fact::Namespaces { flags } => Self::Namespaces { flags },
            Fact::Fork { tgid, tid } => Self::Fork { child_tgid: tgid, child_tid: tid },
            Fact::Exit { code } => Self::Exit { code },
            Fact::Left { how, cgroup } => Self::Left { how, cgroup },
            Fact::Entered {} => Self::Entered {},
            Fact::FileOperation { operation, path, file, links, access } => {
                Self::FileOperation { operation, path: path.into(), file, links, access }
            }
            Fact::Reach { how, whose, process, number } => {
                Self::Reach { how, whose, process, number }
            }
            Fact::Peer { operation, whose, name } => Self::Peer { operation, whose, name: name.0 },
            Fact::Denied { number, abi, arguments, by_arguments } => {
                Self::Denied { number, abi, arguments, by_arguments }
            }
            Fact::Refused { number, path, access } => {
                Self::Refused { number, path: path.into(), access }
            }
            Fact::Calls { calls, level_sum, novel, table } => {
                Self::Calls { calls, level_sum, novel, table }
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
