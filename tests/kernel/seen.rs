//! What Picket saw of a sandbox, as values that a test can compare.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use picket::decode::Decoded;
use picket_abi::Counts;
use picket_engine::{
    AccessSet, Arrival, Capability, Departure, Effect, Engine, Fact, FileId, FileOperation, Input,
    KernelTime, Mode, NetworkOperation, ObservedPath, Policy, Process, Reach, Reason, Settings,
    SyscallAbi, Unresolved, Whose,
};

/// Every record about a sandbox, in order, and the counters behind them.
pub(crate) struct Seen {
    pub(crate) records: Vec<Decoded>,
    pub(crate) counts: BTreeMap<&'static str, Counts>,
}

/// An opened file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) path: Result<PathBuf, Unresolved>,
    pub(crate) file: FileId,
    pub(crate) links: u32,
    pub(crate) access: AccessSet,
}

/// A program that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Executed {
    pub(crate) path: Result<PathBuf, Unresolved>,
    pub(crate) links: u32,
    pub(crate) script: Option<PathBuf>,
    pub(crate) arguments: Vec<String>,
    pub(crate) complete: bool,
}

/// An address that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) operation: NetworkOperation,
    pub(crate) protocol: u8,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) refused: bool,
}

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// A use that the kernel let pass.
pub(crate) fn used(operation: NetworkOperation, protocol: u8, to: SocketAddr) -> Used {
    Used { operation, protocol, address: to.ip(), port: to.port(), refused: false }
}

/// A use that the kernel refused.
pub(crate) fn refused(operation: NetworkOperation, protocol: u8, to: SocketAddr) -> Used {
    Used { refused: true, ..used(operation, protocol, to) }
}

impl Seen {
    /// `fired = filtered + aggregated + submitted + dropped + error` for each hook, and everything submitted was read.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_balanced = |counts: &Counts| {
            let Counts { fired, filtered, aggregated, submitted, dropped, error } = *counts;
            fired == filtered + aggregated + submitted + dropped + error
        };
        let submitted: u64 = self.counts.values().map(|counts| counts.submitted).sum();
        self.counts.values().all(is_balanced)
            && submitted == u64::try_from(self.records.len()).unwrap()
    }

    pub(crate) fn facts<T>(&self, of: impl Fn(&Decoded) -> Option<T>) -> Vec<T> {
        self.records.iter().filter_map(of).collect()
    }

    pub(crate) fn opens(&self) -> Vec<Opened> {
        self.facts(|record| match &record.fact {
            Fact::Open { path, file, links, access } => {
                Some(Opened { path: shown(path), file: *file, links: *links, access: *access })
            }
            _ => None,
        })
    }

    /// What was opened otherwise than to run it: the tier `lsm` sees the kernel's own opens in exec, too.
    pub(crate) fn opens_by_hand(&self) -> Vec<Opened> {
        let mut opens = self.opens();
        opens.retain(|open| open.access != AccessSet::EXECUTE);
        opens
    }

    /// Paths of the files that were opened by the program itself.
    pub(crate) fn paths(&self) -> Vec<Result<PathBuf, Unresolved>> {
        self.opens_by_hand().into_iter().map(|open| open.path).collect()
    }

    pub(crate) fn execs(&self) -> Vec<Executed> {
        self.facts(|record| match &record.fact {
            Fact::Exec { path, links, script, argv, .. } => Some(Executed {
                path: shown(path),
                links: *links,
                script: script.clone().map(|text| PathBuf::from(OsString::from_vec(text))),
                arguments: argv
                    .arguments()
                    .map(|bytes| String::from_utf8_lossy(bytes).into())
                    .collect(),
                complete: argv.complete,
            }),
            _ => None,
        })
    }

    pub(crate) fn network(&self) -> Vec<Used> {
        self.facts(|record| match record.fact {
            Fact::Network { operation, protocol, address, port, refused } => {
                Some(Used { operation, protocol, address, port, refused })
            }
            _ => None,
        })
    }

    /// (calling convention, number), in order.
    pub(crate) fn syscalls(&self) -> Vec<(SyscallAbi, u32)> {
        self.facts(|record| match record.fact {
            Fact::Syscall { number, abi, .. } => Some((abi, number)),
            _ => None,
        })
    }

    /// How often a native call was reported.
    pub(crate) fn times(&self, number: libc::c_long) -> usize {
        let number = u32::try_from(number).unwrap();
        self.syscalls().iter().filter(|call| **call == (SyscallAbi::Native, number)).count()
    }

    /// (who, child process, child thread)
    pub(crate) fn forks(&self) -> Vec<(Process, u32, u32)> {
        self.facts(|record| match record.fact {
            Fact::Fork { child_tgid, child_tid } => Some((record.process, child_tgid, child_tid)),
            _ => None,
        })
    }

    /// (process, wait status)
    pub(crate) fn exits(&self) -> Vec<(u32, i32)> {
        self.facts(|record| match record.fact {
            Fact::Exit { code } => Some((record.process.tgid, code)),
            _ => None,
        })
    }

    /// (process, how, into which cgroup)
    pub(crate) fn departures(&self) -> Vec<(u32, Departure, u64)> {
        self.facts(|record| match record.fact {
            Fact::Left { how, cgroup } => Some((record.process.tgid, how, cgroup)),
            _ => None,
        })
    }

    /// (what, of which name, the inode that stands there), in order.
    pub(crate) fn operations(&self) -> Vec<(FileOperation, Result<PathBuf, Unresolved>, u64)> {
        self.facts(|record| match &record.fact {
            Fact::FileOperation { operation, path, file, .. } => {
                Some((*operation, shown(path), file.inode))
            }
            _ => None,
        })
    }

    /// (how, whose, process, number) of processes outside that were reached for.
    pub(crate) fn reaches(&self) -> Vec<(Reach, Whose, u32, u32)> {
        self.facts(|record| match record.fact {
            Fact::Reach { how, whose, process, number } => Some((how, whose, process, number)),
            _ => None,
        })
    }

    /// (how, whose, name) of Unix sockets without a file.
    pub(crate) fn peers(&self) -> Vec<(NetworkOperation, Whose, String)> {
        self.facts(|record| match &record.fact {
            Fact::Peer { operation, whose, name } => {
                Some((*operation, *whose, String::from_utf8_lossy(name).into()))
            }
            _ => None,
        })
    }

    /// What Picket finds in it by this policy, calls and comings apart: those are what the harness does, too.
    pub(crate) fn verdicts(&self, policy: &Policy) -> Vec<(Capability, Reason)> {
        let policy = Policy { mode: Mode::Observe, ..policy.clone() };
        let mut engine = Engine::new(Settings::STANDARD);
        let mut effects = Vec::new();
        let first = self.records.first().expect("something was seen");
        let arrival = Arrival::Running { processes: Vec::new() };
        let (sandbox, at) = (first.sandbox, KernelTime::BOOT);
        engine.handle(Input::Register { sandbox, policy, arrival, at }, &mut effects);
        for record in &self.records {
            if matches!(record.fact, Fact::Syscall { .. } | Fact::Entered {} | Fact::Fork { .. }) {
                continue;
            }
            let (order, process, fact) = (record.order, record.process, record.fact.clone());
            engine.handle(Input::Event { sandbox, order, process, fact }, &mut effects);
        }
        let findings = effects.into_iter().filter_map(|effect| match effect {
            Effect::Finding(finding) => Some((finding.capability, finding.reason)),
            _ => None,
        });
        findings.collect()
    }

    /// Processes that came in from outside.
    pub(crate) fn arrivals(&self) -> Vec<u32> {
        self.facts(|record| matches!(record.fact, Fact::Entered {}).then_some(record.process.tgid))
    }
}

/// Tests compare what the engine's types would not print.
pub(crate) fn shown(path: &ObservedPath) -> Result<PathBuf, Unresolved> {
    match path {
        ObservedPath::Resolved(bytes) => Ok(PathBuf::from(OsString::from_vec(bytes.clone()))),
        ObservedPath::Unresolved(why) => Err(*why),
    }
}

/// A resolved path, for comparing.
pub(crate) fn at(path: impl AsRef<Path>) -> Result<PathBuf, Unresolved> {
    Ok(path.as_ref().to_owned())
}
