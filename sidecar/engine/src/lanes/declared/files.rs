//! Files: the canonical path must be declared with every way it is opened, and the file behind it
//! must not be protected.

use crate::lanes::{Context, Offence};
use crate::pattern::Segments;
use crate::policy::is_live;
use crate::{AccessSet, Capability, FileId, KernelTime, ObservedPath, Pattern, Reason, Unresolved};

pub(super) fn judge(
    context: &Context<'_>,
    path: &ObservedPath,
    file: FileId,
    access: AccessSet,
) -> Option<Offence> {
    if context.policy.inherited.contains(&file) && !access.contains(AccessSet::EXECUTE) {
        return None;
    }
    let protected = context.policy.protected.contains(&file);
    let reason = match segments(path) {
        // Only a rule that spells a protected file out can mean it: a wildcard that happens to
        // reach it was written without thinking of it.
        Ok(path) => departure(context, &path, access, protected)?,
        Err(reason) => reason,
    };
    let reason = if protected { Reason::ProtectedInode } else { reason };
    Some(if access.contains(AccessSet::EXECUTE) {
        Offence::new(Capability::Exec, run(reason))
    } else {
        Offence::new(Capability::Files, reason)
    })
}

/// A name that the kernel would not have. One that is declared was refused by its permissions, as it would have been
/// without Picket; but a program may be declared and refused for the interpreter or loader that it names.
pub(super) fn refused(
    context: &Context<'_>,
    path: &ObservedPath,
    access: AccessSet,
) -> Option<Offence> {
    if access.contains(AccessSet::EXECUTE) {
        return Some(Offence::new(Capability::Exec, Reason::DeniedAttempt));
    }
    let departs =
        segments(path).map_or(true, |path| departure(context, &path, access, false).is_some());
    departs.then_some(Offence::new(Capability::Files, Reason::DeniedAttempt))
}

/// Why a file that the kernel opened in order to run it may not run: the words of its exec, which
/// follows, so that a departure has one name whether or not the kernel reports that open.
const fn run(reason: Reason) -> Reason {
    match reason {
        Reason::UndeclaredPath | Reason::ReadNotDeclared => Reason::UndeclaredExec,
        Reason::NamelessObject => Reason::Fileless,
        reason => reason,
    }
}

/// The segments of a path that rules can be held against, or why there are none.
pub(super) fn segments(path: &ObservedPath) -> Result<Segments<'_>, Reason> {
    match path {
        ObservedPath::Resolved(bytes) => Segments::of(bytes).ok_or(Reason::UnresolvedPath),
        ObservedPath::Unresolved(Unresolved::NoName) => Err(Reason::NamelessObject),
        ObservedPath::Unresolved(_) => Err(Reason::UnresolvedPath),
    }
}

fn departure(
    context: &Context<'_>,
    path: &Segments<'_>,
    access: AccessSet,
    literal_only: bool,
) -> Option<Reason> {
    let mut live = Granted::default();
    let mut ever = Granted::default();
    for (pattern, ways, until) in grants(context) {
        if (literal_only && !pattern.is_literal()) || !pattern.matches_segments(path) {
            continue;
        }
        ever.add(ways);
        if is_live(until, context.at) {
            live.add(ways);
        }
    }
    let covered = Some(AccessSet::NONE);
    Some(match live.missing(access) {
        missing if missing == covered => return None,
        _ if ever.missing(access) == covered => Reason::GrantExpired,
        None => Reason::UndeclaredPath,
        Some(missing) if missing.contains(AccessSet::WRITE) => Reason::WriteNotDeclared,
        Some(_) => Reason::ReadNotDeclared,
    })
}

/// Everything that lets a file be opened: the file rules, and what an exec rule cannot do without.
/// The kernel opens the program it runs, and an interpreter reads the script it was given.
pub(super) fn grants<'a>(
    context: &Context<'a>,
) -> impl Iterator<Item = (&'a Pattern, AccessSet, Option<KernelTime>)> {
    let files = context.policy.files.iter().map(|rule| (&rule.path, rule.access, rule.until));
    let programs = context.policy.exec.iter().flat_map(|rule| {
        let script = rule.interpreter.is_some();
        let ways = if script { AccessSet::READ | AccessSet::EXECUTE } else { AccessSet::EXECUTE };
        let interpreter = rule.interpreter.as_ref();
        let interpreter = interpreter.map(|path| (path, AccessSet::EXECUTE, rule.until));
        core::iter::once((&rule.path, ways, rule.until)).chain(interpreter)
    });
    files.chain(programs)
}

/// What several rules allow together. Reading by one and writing by another is both at once.
#[derive(Clone, Copy, Default)]
struct Granted(Option<AccessSet>);

impl Granted {
    fn add(&mut self, ways: AccessSet) {
        self.0 = Some(self.0.unwrap_or(AccessSet::NONE) | ways);
    }

    /// `None` when no rule matched at all.
    fn missing(self, access: AccessSet) -> Option<AccessSet> {
        let granted = self.0?;
        if !access.contains(AccessSet::EXECUTE) {
            return Some(access.without(granted));
        }
        // The kernel opens what it runs, and with it the loader that a program names. Reading is
        // enough for that: whether the program may *run* is for its exec fact to say, and a loader
        // that needed `execute` could then be run by itself on any readable file.
        let able = granted.contains(AccessSet::READ) || granted.contains(AccessSet::EXECUTE);
        let granted = if able { granted | AccessSet::READ | AccessSet::EXECUTE } else { granted };
        Some(access.without(granted))
    }
}
