//! Executable memory: what runs must come from a file that the plugin may use and cannot write to.

use super::files;
use crate::lanes::{Context, Offence};
use crate::policy::is_live;
use crate::{AccessSet, Capability, FileId, ObservedPath, Reason, Unresolved};

/// Memory that no file vouches for.
pub(super) fn judge(context: &Context<'_>) -> Option<Offence> {
    (!context.policy.executable_memory)
        .then_some(Offence::new(Capability::Danger, Reason::ExecutableMemory))
}

/// A file that was mapped for execution. A library may be read; one that may be written to as well could be anything
/// by now, and is code of the plugin's own making as much as memory is.
pub(super) fn judge_file(
    context: &Context<'_>,
    path: &ObservedPath,
    file: FileId,
    links: u32,
) -> Option<Offence> {
    let offence = |reason| Some(Offence::new(Capability::Exec, reason));
    let own_code = context.policy.executable_memory;
    let nameless = links == 0 || *path == ObservedPath::Unresolved(Unresolved::NoName);
    if nameless {
        return if own_code { None } else { offence(Reason::Fileless) };
    }
    let protected = context.policy.protected.contains(&file);
    let path = match files::segments(path) {
        Ok(path) => path,
        Err(_) if protected => return offence(Reason::ProtectedInode),
        Err(reason) => return offence(reason),
    };
    let mut granted = AccessSet::NONE;
    for (pattern, ways, until) in files::grants(context) {
        let meant = !protected || pattern.is_literal();
        if meant && is_live(until, context.at) && pattern.matches_segments(&path) {
            granted = granted | ways;
        }
    }
    if granted.without(AccessSet::WRITE).is_empty() {
        return offence(if protected { Reason::ProtectedInode } else { Reason::UndeclaredExec });
    }
    if granted.contains(AccessSet::WRITE) && !own_code {
        return offence(Reason::WritableCode);
    }
    None
}
