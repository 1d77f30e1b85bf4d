//! Programs and files: written paths become the ones the kernel reports.

use std::{collections::BTreeMap, path::Path};

use picket_engine::{AccessSet, ExecRule, FileRule, KernelTime, Pattern};

use super::{
    super::{
        canonical::{FollowError, Reader, canonical, canonical_by},
        declared::Declared,
        runtime,
    },
    Clock,
};
use crate::document::{At, Fault};

/// How written paths become the ones the kernel reports.
#[derive(Clone, Copy)]
pub(in super::super) enum Ways<'a> {
    /// In Picket's own root. What cannot be followed is a fault.
    Own,
    /// In a container's. What cannot be followed stays as written: the image is not its manifest's fault.
    InContainer(Reader<'a>),
}

/// All programs and files of the manifest, the group `runtime` included.
pub(in super::super) fn rules(
    declared: &Declared,
    clock: &Clock,
    ways: Ways<'_>,
    faults: &mut Vec<Fault>,
) -> (Vec<ExecRule>, Vec<FileRule>) {
    let mut files = Files::default();
    if declared.runtime_files {
        for (pattern, access) in runtime::patterns() {
            // A link that cannot be followed leads the plugin nowhere either.
            let path = real(pattern, ways).unwrap_or_else(|_| pattern.clone());
            files.grant(path, None, *access);
        }
    }
    for rule in &declared.files {
        let Ok(until) = clock.until(&rule.until) else {
            continue;
        };
        if let Some(path) = follow(&rule.path, ways, faults) {
            files.grant(path, until, rule.access);
        }
    }
    let mut exec = Vec::new();
    for rule in &declared.exec {
        let Ok(until) = clock.until(&rule.until) else {
            continue;
        };
        // Both are followed before either is missed, so that both get to complain.
        let path = follow(&rule.path, ways, faults);
        let interpreter = rule.interpreter.as_ref().map(|path| follow(path, ways, faults));
        let Some(path) = path else { continue };
        let interpreter = match interpreter {
            Some(None) => continue,
            Some(interpreter) => interpreter,
            None => None,
        };
        let mut allow = |path: Pattern| {
            let (interpreter, argv) = (interpreter.clone(), rule.argv.clone());
            exec.push(ExecRule { path, interpreter, argv, until });
        };
        // A script is reported by the text that named it, which may be the written one.
        if interpreter.is_some() && path != rule.path.value {
            allow(rule.path.value.clone());
        }
        allow(path);
    }
    (exec, files.into_rules())
}

/// File rules by path and end: several written paths may lead to one file, and one rule will do.
#[derive(Default)]
struct Files(BTreeMap<(Pattern, Option<KernelTime>), AccessSet>);

impl Files {
    fn grant(&mut self, path: Pattern, until: Option<KernelTime>, access: AccessSet) {
        let known = self.0.entry((path, until)).or_insert(AccessSet::NONE);
        *known = known.union(access);
    }

    fn into_rules(self) -> Vec<FileRule> {
        let rule = |((path, until), access)| FileRule { path, access, until };
        self.0.into_iter().map(rule).collect()
    }
}

/// The pattern with the links of its literal beginning followed.
fn real(pattern: &Pattern, ways: Ways<'_>) -> Result<Pattern, Misled> {
    let written = pattern.literal_prefix();
    let prefix = match ways {
        Ways::Own => canonical(Path::new(&written)),
        Ways::InContainer(read) => canonical_by(Path::new(&written), read),
    };
    let prefix = prefix.map_err(Misled::Follow)?;
    if prefix.as_os_str() == written.as_str() {
        // Shares what was compiled with the manifest, and so with every other sandbox of it.
        return Ok(pattern.clone());
    }
    let text = prefix.to_str().ok_or(Misled::NotText)?;
    pattern.with_prefix_replaced(text).map_err(|_| Misled::TooLong)
}

/// The pattern that a rule becomes here; `None` when its beginning cannot be followed.
pub(in super::super) fn followed(pattern: &Pattern) -> Option<Pattern> {
    real(pattern, Ways::Own).ok()
}

/// Why a written path has no pattern of the real one.
enum Misled {
    Follow(FollowError),
    NotText,
    TooLong,
}

fn follow(path: &At<Pattern>, ways: Ways<'_>, faults: &mut Vec<Fault>) -> Option<Pattern> {
    let (why, hint) = match real(&path.value, ways) {
        Ok(pattern) => return Some(pattern),
        Err(_) if matches!(ways, Ways::InContainer(_)) => return Some(path.value.clone()),
        Err(Misled::Follow(why @ FollowError::PerProcess { .. })) => {
            (why.to_string(), "write the path that does not go through it")
        }
        Err(Misled::Follow(why)) => (why.to_string(), "write a path that Picket can follow"),
        Err(Misled::NotText) => ("leads to a name that is not UTF-8".into(), "rename the target"),
        Err(Misled::TooLong) => ("leads to a longer path than can be opened".into(), "shorten it"),
    };
    faults.push(Fault::new(path.position, format!("`{}`: {why}", path.value), hint));
    None
}
