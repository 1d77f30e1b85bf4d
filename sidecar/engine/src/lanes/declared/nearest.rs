//! The declared rule that comes nearest to a departure: what a person wants to see beside it.
//!
//! Computed for findings that are said, never for the million repeats.

use core::net::IpAddr;

use super::{files, network};
use crate::lanes::{Context, Offence};
use crate::pattern::Segments;
use crate::policy::is_live;
use crate::{AccessSet, Declared, ExecRule, Fact, FileRule, ObservedPath, Reason};

pub(crate) fn nearest(context: &Context<'_>, fact: &Fact, offence: Offence) -> Declared {
    if offence.reason == Reason::ProtectedInode {
        return Declared::Protected;
    }
    match fact {
        Fact::Syscall { .. } if context.starting => Declared::Launcher,
        Fact::Denied { by_arguments: true, .. } => Declared::OtherArguments,
        Fact::Open { path, access, .. } | Fact::Refused { path, access, .. }
            if access.contains(AccessSet::EXECUTE) =>
        {
            program(context, path, None).unwrap_or(Declared::Nothing)
        }
        Fact::Open { path, access, .. }
        | Fact::FileOperation { path, access, .. }
        | Fact::Refused { path, access, .. } => near_path(path)
            .and_then(|path| file_rule(context, &path, *access))
            .map_or(Declared::Nothing, |(rule, _)| Declared::Files(rule.clone())),
        Fact::Exec { path, script, .. } => {
            program(context, path, script.as_deref()).unwrap_or(Declared::Nothing)
        }
        Fact::Network { operation, protocol, address, port, .. } => {
            let rules = network::rules(context, *operation);
            let near = rules.iter().rev().max_by_key(|rule| {
                let address: IpAddr = address.to_canonical();
                let fits = (rule.network.contains(&address), rule.ports.contains(port));
                (fits, rule.protocol.covers(*protocol))
            });
            near.map_or(Declared::Nothing, |rule| Declared::Endpoint(rule.clone()))
        }
        Fact::Fork { .. } => {
            Declared::Processes { limit: context.policy.max_processes, alive: context.alive }
        }
        Fact::Mapped { path, .. } => near_path(path)
            .and_then(|path| file_rule(context, &path, AccessSet::READ))
            .map_or(Declared::Nothing, |(rule, _)| Declared::Files(rule.clone())),
        Fact::Syscall { .. }
        | Fact::Socket { .. }
        | Fact::Memory { .. }
        | Fact::Namespaces { .. }
        | Fact::Exit { .. }
        | Fact::Left { .. }
        | Fact::Entered {}
        | Fact::Reach { .. }
        | Fact::Peer { .. }
        | Fact::Denied { .. }
        | Fact::Calls { .. } => Declared::Nothing,
    }
}

fn near_path(path: &ObservedPath) -> Option<Segments<'_>> {
    files::segments(path).ok()
}

/// Nearness of a rule: whether it matches, how much of the path it shares, whether it still holds.
type Nearness = (bool, usize, bool);

/// The first of the nearest rules, if it is near at all.
fn file_rule<'a>(
    context: &Context<'a>,
    path: &Segments<'_>,
    access: AccessSet,
) -> Option<(&'a FileRule, Nearness)> {
    let rules = context.policy.files.iter().map(|rule| {
        let fits = rule.path.matches_segments(path);
        (rule, (fits, rule.path.shared_segments(path), rule.access.contains(access)))
    });
    // Reversed, because of several maxima `max_by_key` takes the last.
    rules.filter(|(_, near)| is_near(near)).rev().max_by_key(|(_, near)| *near)
}

fn exec_rule<'a>(
    context: &Context<'a>,
    path: Option<&Segments<'_>>,
    script: Option<&Segments<'_>>,
) -> Option<(&'a ExecRule, Nearness)> {
    let rules = context.policy.exec.iter().filter_map(|rule| {
        // A rule for scripts is near to a script, a rule for programs to a program.
        let path = if rule.interpreter.is_some() { script } else { path }?;
        let fits = rule.path.matches_segments(path);
        Some((rule, (fits, rule.path.shared_segments(path), is_live(rule.until, context.at))))
    });
    rules.filter(|(_, near)| is_near(near)).rev().max_by_key(|(_, near)| *near)
}

fn program(context: &Context<'_>, path: &ObservedPath, script: Option<&[u8]>) -> Option<Declared> {
    let path = near_path(path);
    let script = script.and_then(Segments::of);
    let by_program = exec_rule(context, path.as_ref(), script.as_ref());
    let by_file = path.and_then(|path| {
        let (rule, near) = file_rule(context, &path, AccessSet::EXECUTE)?;
        rule.access.contains(AccessSet::EXECUTE).then_some((rule, near))
    });
    match (by_program, by_file) {
        (Some((_, program)), Some((rule, file))) if program < file => {
            Some(Declared::Files(rule.clone()))
        }
        (Some((rule, _)), _) => Some(Declared::Exec(rule.clone())),
        (None, Some((rule, _))) => Some(Declared::Files(rule.clone())),
        (None, None) => None,
    }
}

/// Sharing a top-level directory such as `/etc` or `/usr` is not near: everything does.
fn is_near((fits, shared, _): &Nearness) -> bool {
    *fits || 1 < *shared
}
