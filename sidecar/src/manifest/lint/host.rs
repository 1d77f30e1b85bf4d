//! What does not hold on this machine.

use std::{path::Path, time::SystemTime};

use picket_engine::{AccessSet, KernelTime, Pattern};

use super::{
    super::{Manifest, Names, Occasion, ResolveContext, ResolveError},
    Lints, kind,
};
use crate::document::{At, Position};

pub(super) fn lint(manifest: &Manifest, now: SystemTime, lints: &mut Lints) {
    let declared = &manifest.declared;
    for rule in &declared.exec {
        missing(&rule.path, lints);
        rule.interpreter.iter().for_each(|interpreter| missing(interpreter, lints));
    }
    // What is written may be created by the plugin.
    for rule in declared.files.iter().filter(|rule| !rule.access.contains(AccessSet::WRITE)) {
        missing(&rule.path, lints);
    }
    let context = ResolveContext {
        // Who lints starts nothing: the digest is verified, and ends are counted, elsewhere.
        entry: None,
        occasion: Occasion::Refresh,
        elsewhere: false,
        wall: now,
        boot: KernelTime::from_nanos(0),
        names: &Names::default(),
    };
    match manifest.resolve(&context) {
        Ok(_) => {}
        Err(ResolveError::Invalid { report }) => {
            for problem in report.problems() {
                lints.add(kind::MISSING, problem.position(), problem.message(), problem.hint());
            }
        }
        Err(error) => {
            let hint = "lint as the user that will run Picket";
            lints.add(kind::MISSING, Position::START, error.to_string(), hint);
        }
    }
}

/// The part of a path that has no wildcard is not there.
fn missing(path: &At<Pattern>, lints: &mut Lints) {
    let prefix = path.value.literal_prefix();
    // What cannot be looked at may be there.
    if let Ok(false) = Path::new(&prefix).try_exists() {
        lints.add(
            kind::MISSING,
            path.position,
            format!("there is no `{prefix}` on this machine"),
            "correct the path, or lint on a machine that is set up like the one it is for",
        );
    }
}
