//! Which rules may have been needed, and by what.

use std::collections::BTreeSet;

use ipnet::IpNet;
use picket_engine::{
    AccessSet, Pattern, SocketClass, SyscallAbi,
    baseline::{Destination, Family, Meaning},
};

use super::{
    super::{
        declared::{Declared, Endpoint, File, Host},
        diff, groups, resolve, syscalls,
    },
    Rule, Wide,
    grants::{access_of, reaches},
};
use crate::document::Position;

/// What was learned, its paths compiled: each is held against each rule.
pub(super) struct Deed<'a> {
    template: &'a str,
    meaning: Meaning<'a>,
    path: Option<Pattern>,
    script: Option<Pattern>,
}

impl<'a> Deed<'a> {
    pub(super) fn new(template: &'a str, meaning: Meaning<'a>) -> Self {
        let (path, script) = match meaning {
            Meaning::Exec { script, program } => (Some(program), script),
            Meaning::File { path, .. } => (Some(path), None),
            _ => (None, None),
        };
        let pattern = |text: Option<&str>| Pattern::parse(text?).ok();
        Self { template, meaning, path: pattern(path), script: pattern(script) }
    }

    /// As people read it: calls have names.
    fn shown(&self) -> &'a str {
        let name = match self.meaning {
            Meaning::Call { number, abi: SyscallAbi::Native } => syscalls::name(number),
            _ => None,
        };
        name.unwrap_or(self.template)
    }
}

/// A rule's path as it is written, and as it leads here.
struct Place(Vec<Pattern>);

impl Place {
    fn new(rule: &Pattern) -> Self {
        let followed = resolve::followed(rule).filter(|followed| followed != rule);
        Self([rule.clone()].into_iter().chain(followed).collect())
    }

    /// Whether there may be a path that both mean.
    fn meets(&self, path: Option<&Pattern>) -> bool {
        path.is_some_and(|path| self.0.iter().any(|rule| rule.meets(path)))
    }
}

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
            let path = Place::new(&rule.path.value);
            let interpreter = rule.interpreter.as_ref().map(|path| Place::new(&path.value));
            let needs = |deed: &Deed<'_>| runs(&path, interpreter.as_ref(), deed);
            found.rule(rule.path.position, "exec", text, wide, needs);
        }
    }
    if known(&[Family::Exec, Family::Path]) {
        for rule in &declared.files {
            let (text, wide) = (rule.path.value.to_string(), !rule.path.value.is_literal());
            let list = diff::list_of(rule.access);
            let path = Place::new(&rule.path.value);
            let needs = |deed: &Deed<'_>| opens(rule, &path, deed);
            found.rule(rule.path.position, list, text, wide, needs);
        }
    }
    if known(&[Family::Destination]) {
        for (rules, list, listens) in [
            (&declared.connect, "network.connect", false),
            (&declared.listen, "network.listen", true),
        ] {
            for rule in rules {
                let needs = |deed: &Deed<'_>| match &deed.meaning {
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
            let needs = |deed: &Deed<'_>| match &deed.meaning {
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
            found.rule(class.position, "network.sockets", text, false, |deed| {
                deed.meaning == Meaning::Socket(class.value)
            });
        }
    }
    if let Some(at) = declared.executable_memory
        && known(&[Family::Deed, Family::Path])
    {
        let text = "true".to_owned();
        let written = declared.files.iter().filter(|rule| rule.access.contains(AccessSet::WRITE));
        let written: Vec<Place> = written.map(|rule| Place::new(&rule.path.value)).collect();
        found.rule(at, "memory.executable", text, false, |deed| own_code(&written, deed));
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
        needs: impl Fn(&Deed<'_>) -> bool,
    ) {
        let needed = self.deeds.iter().filter(|deed| needs(deed));
        let used_by: Vec<String> = needed.map(|deed| deed.shown().to_owned()).collect();
        let rule = Rule { at, list, rule: text };
        match used_by.is_empty() {
            true => self.unused.push(rule),
            false if wide => self.wide.push(Wide { rule, used_by }),
            false => {}
        }
    }
}

fn runs(path: &Place, interpreter: Option<&Place>, deed: &Deed<'_>) -> bool {
    match (&deed.meaning, interpreter) {
        (Meaning::Exec { .. }, None) => path.meets(deed.path.as_ref()),
        (Meaning::Exec { .. }, Some(interpreter)) => {
            path.meets(deed.script.as_ref()) && interpreter.meets(deed.path.as_ref())
        }
        _ => false,
    }
}

fn opens(rule: &File, path: &Place, deed: &Deed<'_>) -> bool {
    let needs = match deed.meaning {
        Meaning::File { done, .. } => {
            let access = access_of(done);
            // The kernel opens for reading, too, what it runs and maps.
            access.is_empty() || access.without(rule.access) != access
        }
        Meaning::Exec { .. } => rule.access.contains(AccessSet::EXECUTE),
        _ => false,
    };
    needs && path.meets(deed.path.as_ref())
}

/// Whether memory was made executable, or a file mapped so that it may write itself.
fn own_code(written: &[Place], deed: &Deed<'_>) -> bool {
    match deed.meaning {
        Meaning::Memory => true,
        Meaning::File { done: "map", .. } => {
            written.iter().any(|place| place.meets(deed.path.as_ref()))
        }
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
