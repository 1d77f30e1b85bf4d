//! System calls, capabilities, ends of grants, and what is not enforced yet.

use std::time::{Duration, SystemTime};

use picket_engine::DANGER;

use super::{
    super::{capabilities, declared::Declared, groups, schema::Document, syscalls},
    Lints, kind,
};

/// Time to have the end of a grant moved before a plugin is stopped by it.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) fn lint(written: &Document, declared: &Declared, lints: &mut Lints) {
    calls(written, declared, lints);
    for name in &written.capabilities {
        if capabilities::undoes_the_watch(&name.value) {
            lints.add(
                kind::UNDOES_THE_WATCH,
                name.position,
                format!("with `{}` a plugin can switch off whoever watches it", name.value),
                "remove it, or do what needs it outside the plugin",
            );
        }
    }
    if let Some(position) = declared.executable_memory {
        lints.add(
            kind::OWN_CODE,
            position,
            "what runs need not be in any file that was looked at",
            "remove it unless the plugin holds a compiler that works at run time",
        );
    }
    let resources = &written.resources;
    let limits =
        [("memory", &resources.memory), ("cpu", &resources.cpu), ("pids", &resources.pids)];
    let limits = limits.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
    for (name, text) in limits {
        let instead =
            if name == "pids" { "`processes.max` is enforced" } else { "limit it outside" };
        not_enforced(&format!("resources.{name}"), instead, text.position, lints);
    }
    for report in &written.reports {
        let what = format!("the report `{}`", report.value);
        not_enforced(&what, "do not rely on it", report.position, lints);
    }
}

fn not_enforced(what: &str, instead: &str, position: crate::document::Position, lints: &mut Lints) {
    lints.add(
        kind::NOT_ENFORCED,
        position,
        format!("{what} is checked, not enforced yet"),
        instead,
    );
}

fn calls(written: &Document, declared: &Declared, lints: &mut Lints) {
    let allow = &written.syscalls.allow;
    let runtime = declared.calls.runtime.then_some(groups::RUNTIME);
    for text in allow {
        let name = text.value.as_str();
        if syscalls::number(name).is_some_and(|number| DANGER.contains(u32::from(number))) {
            lints.add(
                kind::DANGER,
                text.position,
                format!("`{name}` is of the danger set: it can undo a sandbox"),
                "remove it unless the plugin cannot do its work without",
            );
        }
        let others = allow.iter().map(|other| other.value.as_str()).chain(runtime);
        let holds = |group: &&groups::Group| group.calls().any(|call| call == name);
        let group = others.filter(|other| *other != name).filter_map(groups::group).find(holds);
        // Under a filter the name says more than the group: sockets of any kind.
        let says_more = declared.strict && name == "socket";
        if let Some(group) = group.filter(|_| !says_more) {
            let on = if Some(group.name) == runtime { ", which is on" } else { "" };
            lints.add(
                kind::COVERED,
                text.position,
                format!("`{name}` is in {}{on}", group.name),
                "remove it",
            );
        }
    }
    if runtime.is_some()
        && let Some(text) = allow.iter().find(|text| text.value == groups::RUNTIME)
    {
        let message = "`@runtime` is on unless `syscalls.runtime` is false";
        lints.add(kind::COVERED, text.position, message, "remove it");
    }
    if let Some(foreign) = written.syscalls.foreign_abi.as_ref().filter(|foreign| foreign.value) {
        lints.add(
            kind::FOREIGN_ABI,
            foreign.position,
            "32-bit calls are allowed as a whole: `allow` says nothing about them",
            "remove it unless the plugin holds a 32-bit program",
        );
    }
}

/// Grants that have ended, or will before long.
pub(super) fn ends(declared: &Declared, now: SystemTime, lints: &mut Lints) {
    let exec = declared.exec.iter().map(|rule| &rule.until);
    let files = declared.files.iter().map(|rule| &rule.until);
    let endpoints = declared.connect.iter().chain(&declared.listen).map(|rule| &rule.until);
    for until in exec.chain(files).chain(endpoints).flatten() {
        match until.value.duration_since(now) {
            Ok(left) if SOON < left => {}
            Ok(left) if !left.is_zero() => {
                let days = left.as_secs() / (24 * 60 * 60);
                let when = match days {
                    0 => "within a day".to_owned(),
                    1 => "in a day".to_owned(),
                    days => format!("in {days} days"),
                };
                let hint = "have its end moved, or the plugin changed, before that";
                lints.add(kind::ENDS_SOON, until.position, format!("this grant ends {when}"), hint);
            }
            _ => lints.add(
                kind::ENDED,
                until.position,
                "this grant has ended, so the manifest starts nothing",
                "remove the entry, or have its end moved by whoever may grant it",
            ),
        }
    }
}
