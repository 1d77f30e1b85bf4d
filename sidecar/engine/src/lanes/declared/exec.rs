//! Programs: what runs must be declared by its file, and a script also by its interpreter.

use alloc::vec::Vec;

use super::files;
use crate::lanes::{Context, Offence};
use crate::pattern::Segments;
use crate::policy::is_live;
use crate::{
    AccessSet, ArgPattern, Capability, ExecRule, FileId, ObservedArgv, ObservedPath, Reason,
    Unresolved,
};

/// The parts of an exec fact.
pub(super) struct Program<'a> {
    pub(super) path: &'a ObservedPath,
    pub(super) file: FileId,
    pub(super) links: u32,
    pub(super) script: &'a Option<Vec<u8>>,
    pub(super) argv: &'a ObservedArgv,
}

/// How far a program fits a rule. Ordered: the best fit over all rules tells the reason.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    None,
    OtherInterpreter,
    OtherArguments,
    UnreadableArguments,
    Expired,
    Full,
}

pub(super) fn judge(context: &Context<'_>, program: &Program<'_>) -> Option<Offence> {
    reason(context, program).map(|reason| Offence::new(Capability::Exec, reason))
}

fn reason(context: &Context<'_>, program: &Program<'_>) -> Option<Reason> {
    if context.starting && is_replaced(context.policy.entry, program) {
        return Some(Reason::EntryReplaced);
    }
    let nameless = ObservedPath::Unresolved(Unresolved::NoName);
    if program.links == 0 || *program.path == nameless {
        return Some(Reason::Fileless);
    }
    let protected = context.policy.protected.contains(&program.file);
    let path = match files::segments(program.path) {
        Ok(path) => path,
        Err(_) if protected => return Some(Reason::ProtectedInode),
        Err(reason) => return Some(reason),
    };
    let by_program = context.policy.exec.iter().map(|rule| {
        let fit = fit(rule, program, &path, protected);
        if fit == Fit::Full && !is_live(rule.until, context.at) { Fit::Expired } else { fit }
    });
    let executable = context.policy.files.iter().filter(|rule| {
        rule.access.contains(AccessSet::EXECUTE)
            && (!protected || rule.path.is_literal())
            && rule.path.matches_segments(&path)
    });
    let by_file = executable
        .map(|rule| if is_live(rule.until, context.at) { Fit::Full } else { Fit::Expired });
    match by_program.chain(by_file).max().unwrap_or(Fit::None) {
        Fit::Full => None,
        _ if protected => Some(Reason::ProtectedInode),
        Fit::Expired => Some(Reason::GrantExpired),
        Fit::UnreadableArguments => Some(Reason::UnreadableArguments),
        Fit::OtherArguments => Some(Reason::UndeclaredArguments),
        Fit::OtherInterpreter => Some(Reason::UndeclaredInterpreter),
        Fit::None => Some(Reason::UndeclaredExec),
    }
}

/// Whether somebody exchanged the entry point between its verification and its start. What runs for
/// a script is its interpreter, which was not what was verified.
fn is_replaced(verified: Option<FileId>, program: &Program<'_>) -> bool {
    program.script.is_none() && verified.is_some_and(|entry| entry != program.file)
}

fn fit(rule: &ExecRule, program: &Program<'_>, path: &Segments<'_>, literal_only: bool) -> Fit {
    // `path` is the file that runs: the program, or the interpreter of a script.
    let runs = |pattern: &crate::Pattern| {
        (!literal_only || pattern.is_literal()) && pattern.matches_segments(path)
    };
    match &rule.interpreter {
        None if !runs(&rule.path) => Fit::None,
        None => arguments_fit(rule.argv.as_deref(), program.argv),
        Some(interpreter) => {
            let script = program.script.as_deref();
            // The script is text that the plugin wrote; `matches` refuses what is not normalised.
            if !script.is_some_and(|text| rule.path.matches(text)) {
                Fit::None
            } else if !runs(interpreter) {
                Fit::OtherInterpreter
            } else {
                arguments_fit(rule.argv.as_deref(), program.argv)
            }
        }
    }
}

fn arguments_fit(patterns: Option<&[ArgPattern]>, argv: &ObservedArgv) -> Fit {
    let Some(patterns) = patterns else {
        return Fit::Full;
    };
    if !argv.complete {
        return Fit::UnreadableArguments;
    }
    let count = argv.arguments().count();
    let mut pairs = patterns.iter().zip(argv.arguments());
    if count == patterns.len() && pairs.all(|(pattern, argument)| pattern.matches(argument)) {
        Fit::Full
    } else {
        Fit::OtherArguments
    }
}
