//! Which rules may have been needed, and by what.

use std::collections::BTreeSet;

use ipnet::IpNet;
use picket_engine::{
    AccessSet, Pattern, SocketClass, SyscallAbi,
    baseline::{Destination, Family, Meaning},
};

use super::{
    super::{
        declared::{Declared, Endpoint, Exec, File, Host},
        diff, groups, resolve, syscalls,
    },
    Rule, Wide,
    grants::{access_of, reaches},
};
use crate::document::Position;

/// What was learned, with its template.
type Deed<'a> = (&'a str, Meaning<'a>);

/// Rules that nothing needed, and wide ones with what they were needed for. Of families that are full neither.
pub(super) fn rules(
    declared: &Declared,
    deeds: &[Deed<'_>],
    unknown: &BTreeSet<Family>,
) -> (Vec<Rule>, Vec<Wide>) {
    let mut found = Found { deeds, unused: Vec::new(), wide: Vec::new() };
    let known = |families: &[Family]| families.iter().all(|family| !unknown.contains(family));
    if known(&[Family::Exec]) {
        for rule in &declared.exec {
            let text = rule.path.value.to_string();
            let wide = !rule.path.value.is_literal();
            found.rule(rule.path.position, "exec", text, wide, |meaning| runs(rule, meaning));
        }
    }
    if known(&[Family::Exec, Family::Path]) {
        for rule in &declared.files {
            let (text, wide) = (rule.path.value.to_string(), !rule.path.value.is_literal());
            let list = diff::list_of(rule.access);
            found.rule(rule.path.position, list, text, wide, |meaning| opens(rule, meaning));
        }
    }
    if known(&[Family::Destination]) {
        for (rules, list, listens) in [
            (&declared.connect, "network.connect", false),
            (&declared.listen, "network.listen", true),
        ] {
            for rule in rules {
                let needs = |meaning: &Meaning<'_>| match meaning {
                    Meaning::Destination(one) => reaches(rule, listens, one),
                    _ => false,
                };
                let text = diff::words(rule);
                found.rule(rule.host.position, list, text, is_wide(rule), needs);
            }
        }
    }
    if known(&[Family::Syscall]) {
        let runtime: BTreeSet<&str> = super::super::runtime_calls().collect();
        for name in &declared.calls.allow {
            let group = groups::group(&name.value);
            let calls: BTreeSet<&str> = match group {
                Some(group) => group.calls().filter(|call| !runtime.contains(call)).collect(),
                None => BTreeSet::from([name.value.as_str()]),
            };
            let needs = |meaning: &Meaning<'_>| match meaning {
                Meaning::Call { number, abi: SyscallAbi::Native } => {
                    syscalls::name(*number).is_some_and(|name| calls.contains(name))
                }
                _ => false,
            };
            let text = name.value.clone();
            found.rule(name.position, "syscalls.allow", text, group.is_some(), needs);
        }
    }
    if known(&[Family::Deed]) {
        for class in &declared.sockets {
            let text = class.value.to_string();
            found.rule(class.position, "network.sockets", text, false, |meaning| {
                *meaning == Meaning::Socket(class.value)
            });
        }
    }
    if let Some(at) = declared.executable_memory
        && known(&[Family::Deed, Family::Path])
    {
        let text = "true".to_owned();
        found.rule(at, "memory.executable", text, false, |meaning| own_code(declared, meaning));
    }
    found.unused.sort();
    (found.unused, found.wide)
}

struct Found<'a> {
    deeds: &'a [Deed<'a>],
    unused: Vec<Rule>,
    wide: Vec<Wide>,
}

impl Found<'_> {
    fn rule(
        &mut self,
        at: Position,
        list: &'static str,
        text: String,
        wide: bool,
        needs: impl Fn(&Meaning<'_>) -> bool,
    ) {
        let needed = self.deeds.iter().filter(|(_, meaning)| needs(meaning));
        let used_by: Vec<String> = needed.map(|(template, _)| (*template).to_owned()).collect();
        let rule = Rule { at, list, rule: text };
        match used_by.is_empty() {
            true => self.unused.push(rule),
            false if wide => self.wide.push(Wide { rule, used_by }),
            false => {}
        }
    }
}

/// Whether a rule, as it is written or as it leads here, and a template have a path in common.
fn meets(rule: &Pattern, template: &str) -> bool {
    let Ok(template) = Pattern::parse(template) else {
        return false;
    };
    rule.meets(&template)
        || resolve::followed(rule).is_some_and(|followed| followed.meets(&template))
}

fn runs(rule: &Exec, meaning: &Meaning<'_>) -> bool {
    let Meaning::Exec { script, program } = meaning else {
        return false;
    };
    match (&rule.interpreter, script) {
        (None, _) => meets(&rule.path.value, program),
        (Some(interpreter), Some(script)) => {
            meets(&rule.path.value, script) && meets(&interpreter.value, program)
        }
        (Some(_), None) => false,
    }
}

fn opens(rule: &File, meaning: &Meaning<'_>) -> bool {
    match meaning {
        Meaning::File { done, path } => {
            let access = access_of(done);
            // The kernel opens for reading, too, what it runs and maps.
            let some = access.is_empty() || access.without(rule.access) != access;
            some && meets(&rule.path.value, path)
        }
        Meaning::Exec { program, .. } => {
            rule.access.contains(AccessSet::EXECUTE) && meets(&rule.path.value, program)
        }
        _ => false,
    }
}

/// Whether memory was made executable, or a file mapped so that it may write itself.
fn own_code(declared: &Declared, meaning: &Meaning<'_>) -> bool {
    let mut written = declared.files.iter().filter(|rule| rule.access.contains(AccessSet::WRITE));
    match meaning {
        Meaning::Memory => true,
        Meaning::File { done: "map", path } => written.any(|rule| meets(&rule.path.value, path)),
        _ => false,
    }
}

/// Whether it means more addresses than a template does, or ports.
fn is_wide(rule: &Endpoint) -> bool {
    let network = match &rule.host.value {
        Host::Network(IpNet::V4(network)) => network.prefix_len() < 24,
        Host::Network(IpNet::V6(network)) => network.prefix_len() < 48,
        Host::Name(_) => true,
    };
    network || rule.ports.start() != rule.ports.end()
}

/// Whether a rule lets sockets of this kind be.
pub(super) fn has_socket(declared: &Declared, class: SocketClass) -> bool {
    declared.sockets.iter().any(|rule| rule.value == class)
}

/// Whether a rule may have let this pass.
pub(super) fn may_reach(declared: &Declared, one: &Destination, listens: bool) -> bool {
    let rules = if listens { &declared.listen } else { &declared.connect };
    rules.iter().any(|rule| reaches(rule, listens, one))
}
