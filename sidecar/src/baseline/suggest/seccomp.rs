//! An OCI seccomp profile: the calls that were seen, those that any program and any container runtime need, and EPERM
//! for all others.
//!
//! Groups are apart so that a reader sees why a call is there. Calls are judged by number and never by argument. The
//! member `comment` is Docker's; the runtime specification lets members be that it does not know.

use std::collections::BTreeSet;

use picket_engine::{
    DANGER, SyscallAbi, SyscallSet,
    baseline::{Family, Meaning, meaning},
};
use serde::Serialize;

use super::{Left, Source, SuggestError, Suggestion, refused};
use crate::manifest::{self, syscalls};

/// What `runc` and `crun` call between putting the filter in force and the plugin's `execve`, also where they do it
/// early because `noNewPrivileges` is off: users, groups and capabilities are changed under the filter then.
const CONTAINER_RUNTIME: &str = "capget capset chdir close close_range epoll_ctl epoll_pwait execve exit_group \
                                 fchdir fchown fcntl fstat fstatfs futex getcwd getdents64 getpid getppid mmap \
                                 nanosleep newfstatat openat openat2 prctl read rt_sigreturn sched_yield setgid \
                                 setgroups setresgid setresuid setuid tgkill write";

/// EPERM.
const REFUSED: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile<'a> {
    default_action: &'static str,
    default_errno_ret: u32,
    architectures: [&'static str; 1],
    syscalls: Vec<Group<'a>>,
}

/// The comment is the first of a group, so that whoever opens the file reads it first.
#[derive(Serialize)]
struct Group<'a> {
    comment: String,
    names: BTreeSet<&'a str>,
    action: &'static str,
}

/// A profile. `declared` are calls that the plugin's manifest lets through by name, if it is at hand.
///
/// # Errors
/// What was called is not known, or was forgotten.
pub fn profile(
    source: &Source<'_>,
    declared: Option<SyscallSet>,
) -> Result<Suggestion, SuggestError> {
    let accepted: BTreeSet<u32> = source.accepted(Family::Syscall).filter_map(native).collect();
    let declared = declared.unwrap_or(SyscallSet::EMPTY);
    let refused = refused(source)?;
    let (mut learned, mut left) = (BTreeSet::new(), Vec::new());
    for (template, (seen, _)) in source.kinds(Family::Syscall)? {
        let call = meaning(Family::Syscall, template);
        let why = match call {
            Some(Meaning::Call { number, abi: SyscallAbi::Native }) => {
                let by_person = accepted.contains(&number) || declared.contains(number);
                match syscalls::name(number) {
                    None => "has no name here, and a profile holds names",
                    Some(_) if DANGER.contains(number) && !by_person => {
                        "dangerous: accept it (picket baseline accept), or name a manifest that declares it (-m)"
                    }
                    Some(_) if refused.get(template).is_some_and(|times| seen <= *times) => {
                        "was refused whenever it was tried"
                    }
                    Some(name) => {
                        learned.insert(name);
                        continue;
                    }
                }
            }
            _ => "of another table than that of x86-64, of which a profile lets nothing through",
        };
        left.push(Left::new(shown(Family::Syscall, template), why));
    }
    left.sort();
    let mut groups = vec![Group {
        comment: comment(source, &left),
        names: learned.clone(),
        action: "SCMP_ACT_ALLOW",
    }];
    let mut done = learned;
    let accepted = accepted.iter().filter_map(|number| syscalls::name(*number)).collect();
    for (comment, names) in [
        ("Accepted by a person, although they were not learned.", accepted),
        (
            "What any C library calls, seen or not: whether it does is up to chance. Picket's group @runtime.",
            manifest::runtime_calls().collect::<BTreeSet<_>>(),
        ),
        (
            "What container runtimes (runc, crun) call between this filter and the plugin's first instruction; not the \
             plugin's.",
            CONTAINER_RUNTIME.split_ascii_whitespace().collect(),
        ),
    ] {
        let names: BTreeSet<&str> = names.difference(&done).copied().collect();
        done.extend(&names);
        if !names.is_empty() {
            groups.push(Group { comment: comment.to_owned(), names, action: "SCMP_ACT_ALLOW" });
        }
    }
    let profile = Profile {
        default_action: "SCMP_ACT_ERRNO",
        default_errno_ret: REFUSED,
        architectures: ["SCMP_ARCH_X86_64"],
        syscalls: groups,
    };
    let text = serde_json::to_string_pretty(&profile).expect("names and numbers are JSON");
    Ok(Suggestion { text: format!("{text}\n"), left })
}

fn native(meaning: Meaning<'_>) -> Option<u32> {
    match meaning {
        Meaning::Call { number, abi: SyscallAbi::Native } => Some(number),
        _ => None,
    }
}

/// A template as people read it: calls have names.
pub(super) fn shown(family: Family, template: &str) -> &str {
    let name = || syscalls::name(native(meaning(family, template)?)?);
    name().unwrap_or(template)
}

fn comment(source: &Source<'_>, left: &[Left]) -> String {
    let mut heading = source.heading();
    heading.push("These calls were seen; other groups say why theirs are there.".to_owned());
    heading.push(
        "Calls of 32-bit code and of x32 are never let through: only SCMP_ARCH_X86_64 is an architecture of it."
            .to_owned(),
    );
    heading.extend(
        left.iter().map(|left| format!("Seen and left out: {} ({}).", left.what, left.why)),
    );
    heading.join(" ")
}
