//! System calls and Linux capabilities: names that must exist.

use std::collections::BTreeSet;

use picket_engine::SyscallSet;

use super::super::{capabilities, declared::Calls, groups, schema, syscalls};
use crate::document::{Faults, Once, Text};

pub(super) fn calls(written: schema::Syscalls, faults: &mut Faults) -> Calls {
    let runtime = written.runtime.is_none_or(|runtime| runtime.value);
    let mut numbers = SyscallSet::EMPTY;
    if runtime {
        insert(groups::RUNTIME, &mut numbers);
    }
    let mut once = Once::new();
    for text in &written.allow {
        once.declare(&text.value, &format!("`{}`", text.value), text.position, faults);
        if !insert(&text.value, &mut numbers) {
            let (message, hint) = unknown(&text.value, faults);
            faults.add(text.position, message, hint);
        }
    }
    drop(once);
    let foreign_abi = written.foreign_abi.is_some_and(|foreign_abi| foreign_abi.value);
    Calls { runtime, allow: written.allow, numbers, foreign_abi }
}

/// Adds a call or a group; `false` if there is none of that name.
fn insert(name: &str, numbers: &mut SyscallSet) -> bool {
    let mut add =
        |name: &str| syscalls::number(name).is_some_and(|number| numbers.insert(u32::from(number)));
    match groups::group(name) {
        Some(group) => group.calls().all(add),
        None => add(name),
    }
}

fn unknown(name: &str, faults: &Faults) -> (String, String) {
    if groups::REFUSED.contains(&name) {
        return (
            format!("`{name}` is not offered as a group"),
            "its calls can undo a sandbox: declare the ones you need by name".to_owned(),
        );
    }
    if name.starts_with('@') {
        let known = groups::GROUPS.iter().map(|group| group.name);
        return (format!("`{name}` is not a group of system calls"), faults.closest(name, known));
    }
    let bare = name.strip_prefix("__NR_").or_else(|| name.strip_prefix("SYS_")).unwrap_or(name);
    let at = format!("@{bare}");
    let hint = if groups::group(&at).is_some() {
        format!("did you mean the group `{at}`?")
    } else if let Some(number) = bare.parse().ok().and_then(syscalls::name) {
        format!("write its name, `{number}`")
    } else {
        faults.closest(bare, syscalls::names())
    };
    (format!("`{name}` is not a system call of x86_64"), hint)
}

pub(super) fn capabilities(written: &[Text], faults: &mut Faults) -> BTreeSet<&'static str> {
    let mut once = Once::new();
    let mut held = BTreeSet::new();
    for text in written {
        once.declare(&text.value, &format!("`{}`", text.value), text.position, faults);
        if let Some(name) = capabilities::names().find(|&name| name == text.value) {
            held.insert(name);
        } else {
            let long = format!("CAP_{}", text.value.to_uppercase());
            let near = if capabilities::bit(&long).is_some() { &long } else { &text.value };
            let hint = faults.closest(near, capabilities::names());
            let message = format!("`{}` is not a Linux capability", text.value);
            faults.add(text.position, message, hint);
        }
    }
    held
}
