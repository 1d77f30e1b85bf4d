//! A compiled policy in a trace.

use std::{ops::RangeInclusive, time::Duration};

use ipnet::IpNet;
use picket_engine::{
    self as engine, AccessSet, Action, ArgPattern, Capability, ContainmentPlan, Denials, FileId,
    KernelTime, Mode, OnExpiry, Pattern, Protocol, SocketClass, SocketSet, SyscallSet,
};
use serde::{Deserialize, Serialize};

use super::words::{Formed, form};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    #[serde(with = "form")]
    mode: Mode,
    exec: Vec<ExecRule>,
    files: Vec<FileRule>,
    connect: Vec<EndpointRule>,
    listen: Vec<EndpointRule>,
    syscalls: Vec<u32>,
    foreign_abi: bool,
    sockets: Vec<Formed<SocketClass>>,
    peers: Vec<Formed<ArgPattern>>,
    executable_memory: bool,
    max_processes: u32,
    protected: Vec<Formed<FileId>>,
    inherited: Vec<Formed<FileId>>,
    entry: Option<Formed<FileId>>,
    actions: Actions,
    containment: Containment,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecRule {
    #[serde(with = "form")]
    path: Pattern,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interpreter: Option<Formed<Pattern>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argv: Option<Vec<Formed<ArgPattern>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Formed<KernelTime>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRule {
    #[serde(with = "form")]
    path: Pattern,
    #[serde(with = "form")]
    access: AccessSet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Formed<KernelTime>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointRule {
    #[serde(with = "form")]
    network: IpNet,
    /// First and last.
    ports: (u16, u16),
    #[serde(with = "form")]
    protocol: Protocol,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Formed<KernelTime>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Actions {
    #[serde(with = "form")]
    exec: Action,
    #[serde(with = "form")]
    files: Action,
    #[serde(with = "form")]
    network: Action,
    #[serde(with = "form")]
    listen: Action,
    #[serde(with = "form")]
    syscalls: Action,
    #[serde(with = "form")]
    danger: Action,
    #[serde(with = "form")]
    processes: Action,
    #[serde(with = "form")]
    escape: Action,
    #[serde(with = "form")]
    telemetry: Action,
    /// Not in traces of before it was there; nothing was refused then.
    #[serde(default)]
    denied: Denied,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    #[serde(with = "form")]
    first: Action,
    #[serde(with = "form")]
    repeated: Action,
}

impl Default for Denied {
    fn default() -> Self {
        Denials::STANDARD.into()
    }
}

impl From<Denials> for Denied {
    fn from(denials: Denials) -> Self {
        Self { first: denials.first, repeated: denials.repeated }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Containment {
    hold: Duration,
    #[serde(with = "form")]
    on_expiry: OnExpiry,
}

fn formed<T: Clone>(value: Option<&T>) -> Option<Formed<T>> {
    value.cloned().map(Formed)
}

fn plain<T>(value: Option<Formed<T>>) -> Option<T> {
    value.map(|formed| formed.0)
}

impl From<&engine::Policy> for Policy {
    fn from(policy: &engine::Policy) -> Self {
        let files =
            |set: &std::collections::BTreeSet<FileId>| set.iter().copied().map(Formed).collect();
        Self {
            mode: policy.mode,
            exec: policy.exec.iter().map(Into::into).collect(),
            files: policy.files.iter().map(Into::into).collect(),
            connect: policy.connect.iter().map(Into::into).collect(),
            listen: policy.listen.iter().map(Into::into).collect(),
            syscalls: policy.syscalls.numbers().collect(),
            foreign_abi: policy.foreign_abi,
            sockets: policy.sockets.classes().map(Formed).collect(),
            peers: policy.peers.iter().cloned().map(Formed).collect(),
            executable_memory: policy.executable_memory,
            max_processes: policy.max_processes,
            protected: files(&policy.protected),
            inherited: files(&policy.inherited),
            entry: formed(policy.entry.as_ref()),
            actions: (&policy.actions).into(),
            containment: Containment {
                hold: policy.containment.hold,
                on_expiry: policy.containment.on_expiry,
            },
        }
    }
}

impl From<Policy> for engine::Policy {
    fn from(policy: Policy) -> Self {
        let Containment { hold, on_expiry } = policy.containment;
        Self {
            exec: policy.exec.into_iter().map(Into::into).collect(),
            files: policy.files.into_iter().map(Into::into).collect(),
            protected: policy.protected.into_iter().map(|file| file.0).collect(),
            inherited: policy.inherited.into_iter().map(|file| file.0).collect(),
            entry: plain(policy.entry),
            connect: policy.connect.into_iter().map(Into::into).collect(),
            listen: policy.listen.into_iter().map(Into::into).collect(),
            syscalls: SyscallSet::of(&policy.syscalls),
            foreign_abi: policy.foreign_abi,
            sockets: policy.sockets.iter().fold(SocketSet::EMPTY, |set, class| set.with(class.0)),
            peers: policy.peers.into_iter().map(|name| name.0).collect(),
            executable_memory: policy.executable_memory,
            max_processes: policy.max_processes,
            actions: policy.actions.into(),
            containment: ContainmentPlan { hold, on_expiry },
            mode: policy.mode,
        }
    }
}

impl From<&engine::ExecRule> for ExecRule {
    fn from(rule: &engine::ExecRule) -> Self {
        let argv = rule.argv.as_ref();
        Self {
            path: rule.path.clone(),
            interpreter: formed(rule.interpreter.as_ref()),
            argv: argv.map(|patterns| patterns.iter().cloned().map(Formed).collect()),
            until: formed(rule.until.as_ref()),
        }
    }
}

impl From<ExecRule> for engine::ExecRule {
    fn from(rule: ExecRule) -> Self {
        Self {
            path: rule.path,
            interpreter: plain(rule.interpreter),
            argv: rule.argv.map(|argv| argv.into_iter().map(|pattern| pattern.0).collect()),
            until: plain(rule.until),
        }
    }
}

impl From<&engine::FileRule> for FileRule {
    fn from(rule: &engine::FileRule) -> Self {
        let until = formed(rule.until.as_ref());
        Self { path: rule.path.clone(), access: rule.access, until }
    }
}

impl From<FileRule> for engine::FileRule {
    fn from(rule: FileRule) -> Self {
        Self { path: rule.path, access: rule.access, until: plain(rule.until) }
    }
}

impl From<&engine::EndpointRule> for EndpointRule {
    fn from(rule: &engine::EndpointRule) -> Self {
        Self {
            network: rule.network,
            ports: (*rule.ports.start(), *rule.ports.end()),
            protocol: rule.protocol,
            until: formed(rule.until.as_ref()),
        }
    }
}

impl From<EndpointRule> for engine::EndpointRule {
    fn from(rule: EndpointRule) -> Self {
        let (first, last) = rule.ports;
        Self {
            network: rule.network,
            ports: RangeInclusive::new(first, last),
            protocol: rule.protocol,
            until: plain(rule.until),
        }
    }
}

impl From<&engine::Actions> for Actions {
    fn from(actions: &engine::Actions) -> Self {
        Self {
            exec: actions.get(Capability::Exec),
            files: actions.get(Capability::Files),
            network: actions.get(Capability::Network),
            listen: actions.get(Capability::Listen),
            syscalls: actions.get(Capability::Syscalls),
            danger: actions.get(Capability::Danger),
            processes: actions.get(Capability::Processes),
            escape: actions.get(Capability::Escape),
            telemetry: actions.get(Capability::Telemetry),
            denied: actions.denials().into(),
        }
    }
}

impl From<Actions> for engine::Actions {
    fn from(actions: Actions) -> Self {
        Self::strict()
            .with(Capability::Exec, actions.exec)
            .with(Capability::Files, actions.files)
            .with(Capability::Network, actions.network)
            .with(Capability::Listen, actions.listen)
            .with(Capability::Syscalls, actions.syscalls)
            .with(Capability::Danger, actions.danger)
            .with(Capability::Processes, actions.processes)
            .with(Capability::Escape, actions.escape)
            .with(Capability::Telemetry, actions.telemetry)
            .with_denials(Denials {
                first: actions.denied.first,
                repeated: actions.denied.repeated,
            })
    }
}
