//! What the canary's acts must look like, from what we know about ourselves.

use std::{
    ffi::{CStr, OsStr},
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    process::Child,
};

use ipnet::IpNet;
use picket_engine::{
    AccessSet, Departure, EndpointRule, Fact, FileId, NetworkOperation, ObservedPath, Policy,
    Process, Protocol, SyscallAbi, Whose,
};

use super::{CHILD_EXIT, CHILD_WORD, CanaryError, Round, Told, calls, objects, opens};
use crate::{
    decode::Decoded,
    manifest::Mounts,
    probe::{Tier, uring::RING_HOOKS},
};

/// Inode number of the initial pid namespace, fixed in the kernel (`PROC_PID_INIT_INO`).
const INITIAL_PID_NAMESPACE: u64 = 0xeffffffc;

/// Nothing is declared but one port on loopback, so that the kernel's refusal is tested too.
pub(super) fn policy(port: u16) -> Policy {
    let rule = |address: IpAddr| EndpointRule {
        network: IpNet::from(address),
        ports: port..=port,
        protocol: Protocol::Udp,
        until: None,
    };
    Policy {
        connect: vec![rule(Ipv4Addr::LOCALHOST.into()), rule(Ipv6Addr::LOCALHOST.into())],
        max_processes: 8,
        ..Policy::nothing_declared()
    }
}

/// What is true, by other means than our probes.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// `None` inside a pid namespace: what the kernel calls us cannot be known there.
    pub(super) pid: Option<u32>,
    /// Start of the canary in clock ticks since boot.
    start_ticks: u64,
    pub(super) program: FileId,
    pub(super) path: Vec<u8>,
    arguments: Vec<u8>,
    home_cgroup: u64,
    /// Its cgroup's directory, where it does what it does with files.
    pub(super) place: PathBuf,
    /// The file in it that the kernel keeps the processes in.
    pub(super) processes: FileId,
    /// What the other calls of the open family open, in the order of [`opens::WAYS`]; `None` where it is not there.
    devices: [Option<FileId>; 4],
}

impl Truth {
    pub(super) fn of(
        canary: &Child,
        program: &Path,
        home: &Path,
        place: &Path,
    ) -> io::Result<Self> {
        let path = fs::canonicalize(program)?;
        let place = fs::canonicalize(place)?;
        let mut arguments = path.as_os_str().as_bytes().to_vec();
        arguments.extend_from_slice(format!("\0{CHILD_WORD}\0").as_bytes());
        let mounts = Mounts::read()?;
        let device = |(_, file): (_, &CStr)| {
            let path = Path::new(OsStr::from_bytes(file.to_bytes()));
            mounts.identify(path).ok().map(|found| found.file)
        };
        let outside = fs::metadata("/proc/self/ns/pid")?.ino() == INITIAL_PID_NAMESPACE;
        Ok(Self {
            pid: outside.then(|| canary.id()),
            start_ticks: start_ticks(canary.id())?,
            program: mounts.identify(&path)?.file,
            path: path.as_os_str().as_bytes().to_vec(),
            arguments,
            home_cgroup: fs::metadata(home)?.ino(),
            processes: mounts.identify(&place.join(objects::PROCESSES))?.file,
            place,
            devices: opens::WAYS.map(device),
        })
    }
}

/// Field 22 of `/proc/<pid>/stat`, counted after the name in parentheses.
fn start_ticks(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    fields
        .split(' ')
        .nth(19)
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its stat has no start time"))
}

/// The acts that still have to be seen.
#[derive(Debug)]
pub(crate) struct Expectations {
    truth: Truth,
    told: Told,
    port: u16,
    tier: Tier,
    objects: objects::Expected,
    waiting: Vec<&'static str>,
    met: Vec<&'static str>,
}

/// What this kernel lets the hooks see.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub(super) tier: Tier,
    /// Hooks of the tier that it does not have.
    pub(super) lacking: Vec<&'static str>,
    /// Whether refusals are reported.
    pub(super) refusals: bool,
}

const ENTERED: &str = "cgroup_attach_task (arrival)";
const LEFT: &str = "cgroup_attach_task (departure)";
const SYSCALL: &str = "sys_enter";

/// Whether an act is done in every round.
pub(crate) fn is_repeated(act: &str) -> bool {
    let of_objects = objects::LSM.contains(&act) || RING_HOOKS.contains(&act);
    !of_objects && act != objects::REFUSED && !calls::FIRST_ONLY.contains(&act)
}

/// Whether these are acts that only LSM programs report, and opens are among them.
pub(super) fn are_lsm(missing: &str) -> bool {
    let is_lsm =
        |act: &str| act == OPEN_LSM || calls::LSM.contains(&act) || objects::LSM.contains(&act);
    let mut missing = missing.split(", ");
    missing.clone().all(is_lsm) && missing.any(|act| act == OPEN_LSM)
}

const OPEN_LSM: &str = "file_open";
const OPEN_TRACE: &str = "sys_exit_openat";
const FORK: &str = "sched_process_fork";
const EXEC: &str = "sched_process_exec";
const EXIT: &str = "sched_process_exit";
const BIND4: &str = "bind4";
const BIND6: &str = "bind6";
const CONNECT4: &str = "connect4";
const CONNECT6: &str = "connect6";
const SEND4: &str = "sendmsg4";
const SEND6: &str = "sendmsg6";
const REFUSED: &str = "connect4 (refusal)";
/// By the kind of its address.
const LISTENS: [&str; 2] = ["inet_sock_set_state (IPv4)", "inet_sock_set_state (IPv6)"];

impl Expectations {
    pub(super) fn new(
        truth: Truth,
        told: Told,
        port: u16,
        sight: &Sight,
        round: Round,
        objects: objects::Expected,
    ) -> Self {
        let mut waiting = vec![ENTERED, LEFT, SYSCALL, FORK, EXEC, EXIT, REFUSED, objects::SIGNAL];
        match sight.tier {
            Tier::Lsm => {
                waiting.push(OPEN_LSM);
                let could = |act: &&str| told.looked || *act != objects::INSPECTED;
                waiting.extend(objects::LSM.into_iter().filter(could));
            }
            Tier::Trace => {
                waiting.push(OPEN_TRACE);
                let could = |(bit, _): &(usize, _)| told.opens & 1 << bit != 0;
                let ways = opens::WAYS.into_iter().enumerate().filter(could);
                waiting.extend(ways.map(|(_, (hook, _))| hook));
            }
        }
        if told.v4 {
            waiting.extend([CONNECT4, SEND4, BIND4]);
        }
        if told.v6 {
            waiting.extend([CONNECT6, SEND6, BIND6]);
        }
        let listened = LISTENS.into_iter().zip(told.ports).filter(|(_, port)| *port != 0);
        waiting.extend(listened.map(|(act, _)| act));
        if told.ring {
            waiting.extend(RING_HOOKS);
        }
        if sight.refusals {
            waiting.push(objects::REFUSED);
        }
        waiting.extend(calls::expected(told.done, sight.tier, &sight.lacking));
        waiting.retain(|act| round == Round::First || is_repeated(act));
        Self { truth, told, port, tier: sight.tier, objects, waiting, met: Vec::new() }
    }

    pub(super) fn all_met(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn missing(&self) -> String {
        self.waiting.join(", ")
    }

    pub(crate) fn still_missing(&self) -> &[&'static str] {
        &self.waiting
    }

    pub(super) fn hooks(&self) -> Vec<&'static str> {
        self.met.clone()
    }

    /// What the kernel calls Picket, as the canary's signal had it.
    pub(super) fn own_number(&self) -> u32 {
        self.objects.own
    }

    /// An act that is seen by other means than a record.
    pub(super) fn expect_too(&mut self, act: &'static str, seen: bool) {
        if seen { self.met.push(act) } else { self.waiting.push(act) }
    }

    /// True when the record is one of the acts; an error when it is and says something wrong.
    pub(crate) fn meet(&mut self, decoded: &Decoded) -> Result<bool, CanaryError> {
        let act = match &decoded.fact {
            Fact::Entered {} => self.entered(decoded)?,
            Fact::Syscall { abi, .. } => {
                same("the calling convention", abi, &SyscallAbi::Native)?;
                Some(SYSCALL)
            }
            Fact::Open { path, file, access, .. } => {
                self.open(decoded.process, path, *file, *access)?
            }
            Fact::Fork { child_tgid, .. } => self.fork(decoded.process.tgid, *child_tgid)?,
            Fact::Exec { path, file, argv, .. } => {
                same("the program's path", path, &ObservedPath::Resolved(self.truth.path.clone()))?;
                same("the program's inode", file, &self.truth.program)?;
                same("its arguments", &argv.bytes, &self.truth.arguments)?;
                Some(EXEC)
            }
            Fact::Exit { code } => self.exit(decoded.process.tgid, *code)?,
            Fact::Network { operation, address, port, refused, .. } => {
                self.network(*operation, *address, *port, *refused)
            }
            Fact::Left { how: Departure::Migrated, cgroup } => {
                same("the cgroup it was moved to", cgroup, &self.truth.home_cgroup)?;
                Some(LEFT)
            }
            // The canary is not confined.
            Fact::Left { .. } | Fact::Denied { .. } => None,
            Fact::Socket { .. }
            | Fact::Memory { .. }
            | Fact::Mapped { .. }
            | Fact::Namespaces { .. } => self.call(&decoded.fact)?,
            fact => self.objects.meet(&self.truth, fact)?,
        };
        let Some(act) = act else { return Ok(false) };
        let Some(place) = self.waiting.iter().position(|waiting| *waiting == act) else {
            return Ok(false);
        };
        self.met.push(self.waiting.swap_remove(place));
        Ok(true)
    }

    fn entered(&self, decoded: &Decoded) -> Result<Option<&'static str>, CanaryError> {
        if let Some(pid) = self.truth.pid {
            same("its process id", &decoded.process.tgid, &pid)?;
            same("its thread id", &decoded.process.tid, &pid)?;
        }
        // /proc counts in hundredths of a second, whatever the kernel's own tick is.
        let ticks = decoded.process.start.as_nanos() / 10_000_000;
        same("its start time", &ticks, &self.truth.start_ticks)?;
        Ok(Some(ENTERED))
    }

    /// The canary opens other files too; the one meant is known by its path or by its identity.
    fn open(
        &self,
        process: Process,
        path: &ObservedPath,
        file: FileId,
        access: AccessSet,
    ) -> Result<Option<&'static str>, CanaryError> {
        if let Some(act) = objects::opened_by_ring(&self.truth, path, file) {
            return Ok(Some(act));
        }
        if let Some(way) = self.truth.devices.iter().position(|device| *device == Some(file)) {
            return Ok(opens::WAYS.get(way).map(|(hook, _)| *hook));
        }
        let truth = ObservedPath::Resolved(self.truth.path.clone());
        if access != AccessSet::READ || (*path != truth && file != self.truth.program) {
            return Ok(None);
        }
        same("an opened file's inode", &file, &self.truth.program)?;
        same("an opened file's path", path, &truth)?;
        if let Some(pid) = self.truth.pid {
            same("the process id of its second thread", &process.tgid, &pid)?;
            if process.tid == pid {
                return Err(CanaryError::Mismatch {
                    what: "the thread id of its second thread",
                    read: process.tid.to_string(),
                    truth: "another than the process id".to_owned(),
                });
            }
        }
        let is_open = |waiting: &&&'static str| [OPEN_LSM, OPEN_TRACE].contains(*waiting);
        Ok(self.waiting.iter().find(is_open).copied())
    }

    fn fork(&self, parent: u32, child: u32) -> Result<Option<&'static str>, CanaryError> {
        // The thread that the canary opens its file from.
        if child == parent {
            return Ok(None);
        }
        if self.truth.pid.is_some() {
            same("its child's process id", &child, &self.told.child)?;
        }
        Ok(Some(FORK))
    }

    /// Other files may be mapped, too; the one meant is the canary's program.
    fn call(&self, fact: &Fact) -> Result<Option<&'static str>, CanaryError> {
        if let Some((path, file)) = calls::mapped(fact) {
            if file != self.truth.program {
                return Ok(None);
            }
            let truth = ObservedPath::Resolved(self.truth.path.clone());
            same("a mapped file's path", path, &truth)?;
        }
        Ok(calls::met(fact, self.tier))
    }

    fn exit(&self, process: u32, code: i32) -> Result<Option<&'static str>, CanaryError> {
        if self.truth.pid.is_some() && process != self.told.child {
            return Ok(None);
        }
        same("its child's exit code", &code, &(i32::from(CHILD_EXIT) << 8))?;
        Ok(Some(EXIT))
    }

    fn network(
        &self,
        operation: NetworkOperation,
        address: IpAddr,
        port: u16,
        refused: bool,
    ) -> Option<&'static str> {
        let v4 = address == IpAddr::from(Ipv4Addr::LOCALHOST);
        let v6 = address == IpAddr::from(Ipv6Addr::LOCALHOST);
        match (operation, refused) {
            (NetworkOperation::Connect, true) if v4 && port == self.port ^ 1 => Some(REFUSED),
            (NetworkOperation::Connect, false) if v4 && port == self.port => Some(CONNECT4),
            (NetworkOperation::Connect, false) if v6 && port == self.port => Some(CONNECT6),
            (NetworkOperation::Send, false) if v4 && port == self.port => Some(SEND4),
            (NetworkOperation::Send, false) if v6 && port == self.port => Some(SEND6),
            (NetworkOperation::Bind, false) if v4 && port == 0 => Some(BIND4),
            (NetworkOperation::Bind, false) if v6 && port == 0 => Some(BIND6),
            (NetworkOperation::Listen, false) if v4 && port == self.told.ports[0] => {
                Some(LISTENS[0])
            }
            (NetworkOperation::Listen, false) if v6 && port == self.told.ports[1] => {
                Some(LISTENS[1])
            }
            _ => None,
        }
    }
}

/// Both values are our own: nothing of a watched plugin is printed here.
pub(super) fn same<T: PartialEq + Shown>(
    what: &'static str,
    read: &T,
    truth: &T,
) -> Result<(), CanaryError> {
    if read == truth {
        return Ok(());
    }
    Err(CanaryError::Mismatch { what, read: read.shown(), truth: truth.shown() })
}

/// Engine types print as placeholders, on purpose; the self-test shows its own values.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown_by_debug {
    ($($type:ty),+) => {
        $(impl Shown for $type {
            fn shown(&self) -> String {
                format!("{self:?}")
            }
        })+
    };
}
shown_by_debug!(u32, u64, i32, SyscallAbi, FileId, Whose, AccessSet);

impl Shown for Vec<u8> {
    fn shown(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(self))
    }
}

impl Shown for ObservedPath {
    fn shown(&self) -> String {
        match self {
            Self::Resolved(path) => path.shown(),
            Self::Unresolved(why) => format!("unresolved ({})", why.as_str()),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
