//! System calls: groups where they say it shorter without saying much more, names for the rest.
//!
//! A group is taken when a program that does some of it does more of it on another day (`BASE`) and two of its calls
//! were seen, or when at least half of it was seen. Calls of the danger set are in no group, and never granted.

use std::collections::BTreeSet;

use picket_engine::DANGER;

use super::{
    super::{groups, syscalls},
    lines::{self, List},
    seen::Seen,
};

/// Groups that one kind of work draws from, in the order in which they are tried: a program that seeks in a file today
/// reads at an offset tomorrow, and libc's spelling of a call changes with its version.
const BASE: [&str; 8] = [
    "@file-read",
    "@file-write",
    "@basic-io",
    "@network-io",
    "@process",
    "@signal",
    "@io-event",
    "@timer",
];
/// So many calls of such a group have to be seen.
const BASE_SEEN: usize = 2;
/// How many calls a remark names.
const NAMED: usize = 4;

/// The list `syscalls.allow`.
pub(super) fn calls(seen: &Seen) -> List {
    let mut list = List::default();
    let mut open: BTreeSet<&'static str> = BTreeSet::new();
    let mut done: BTreeSet<&'static str> = members(groups::RUNTIME).collect();
    for (number, evidence) in &seen.calls {
        match syscalls::name(*number) {
            Some(name) if DANGER.contains(*number) => {
                list.leave(name.to_owned(), "dangerous", evidence);
            }
            Some(name) if !done.contains(name) => drop(open.insert(name)),
            Some(_) => {}
            None => {
                list.leave(format!("{number}"), "has no name here; cannot be granted", evidence)
            }
        }
    }
    for group in candidates() {
        let found: Vec<&str> = members(group).filter(|name| open.contains(name)).collect();
        let new = members(group).filter(|name| !done.contains(name)).count();
        let is_base = BASE.contains(&group) && BASE_SEEN <= found.len();
        if !is_base && (found.len() < BASE_SEEN || 2 * found.len() < new) {
            continue;
        }
        list.grant(format!("\"{group}\""), remark(&found, new));
        open.retain(|name| !found.contains(name));
        done.extend(members(group));
    }
    for name in open {
        let number = syscalls::number(name).map(u32::from);
        let evidence = number.and_then(|number| seen.calls.get(&number));
        list.grant(name.to_owned(), evidence.map(lines::first).unwrap_or_default());
    }
    list
}

/// The base groups first, then the others by name; not those that are all of another and more.
fn candidates() -> impl Iterator<Item = &'static str> {
    let rest = groups::GROUPS.iter().map(|group| group.name);
    let known = |name: &&str| !BASE.contains(name) && *name != groups::RUNTIME;
    BASE.into_iter().chain(rest.filter(known))
}

fn members(group: &str) -> impl Iterator<Item = &'static str> {
    groups::group(group).into_iter().flat_map(groups::Group::calls)
}

fn remark(found: &[&str], new: usize) -> String {
    let named = found.iter().take(NAMED).copied().collect::<Vec<_>>().join(" ");
    let more = found.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{named}{more}: {} of the {new} that the group adds", found.len())
}
