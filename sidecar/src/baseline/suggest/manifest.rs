//! The manifest that a baseline was learned under, compared with it and changed to fit.

use std::collections::BTreeSet;

use picket_engine::baseline::Family;

use super::{Left, Source, SuggestError, Suggestion, refused};
use crate::manifest::{Comparison, Learned, Manifest, PatchError, ResolveError};

/// What rules of a manifest are about.
const ASKED: [Family; 5] =
    [Family::Exec, Family::Destination, Family::Syscall, Family::Path, Family::Deed];

/// Why there is no comparison, or no changed manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Nothing can be made of the baseline.
    #[error("{0}")]
    Suggest(#[from] SuggestError),
    /// The manifest does not hold on this machine.
    #[error("{0}")]
    Resolve(#[from] ResolveError),
    /// The manifest cannot be changed.
    #[error("{0}")]
    Patch(#[from] PatchError),
}

/// Declared against learned, both ways.
///
/// # Errors
/// Nothing is known of the plugin, or the manifest does not hold here.
pub fn compare(source: &Source<'_>, manifest: &Manifest) -> Result<Comparison, ManifestError> {
    let (mut learned, mut unknown) = (Vec::new(), BTreeSet::new());
    let always_refused = match refused(source) {
        Err(SuggestError::Full { family }) => {
            unknown.insert(family);
            None
        }
        refused => Some(refused?),
    };
    for family in ASKED {
        let kinds = match source.kinds(family) {
            Err(SuggestError::Full { family }) => {
                unknown.insert(family);
                continue;
            }
            kinds => kinds?,
        };
        for (template, (seen, runs)) in kinds {
            let times = always_refused.as_ref().and_then(|refused| refused.get(template));
            let refused = family == Family::Syscall && times.is_some_and(|times| seen <= *times);
            let accepted = source.is_accepted(family, template);
            learned.push(Learned { family, template, runs, accepted, refused });
        }
    }
    let baseline = &source.entry.baseline;
    let kinds = learned.len();
    for one in baseline.accepted().filter(|one| !unknown.contains(&one.family)) {
        let known = learned.get(..kinds).unwrap_or_default().iter();
        let mut known = known.filter(|it| it.family == one.family && it.template == one.template);
        if known.next().is_none() {
            let (family, template) = (one.family, one.template.as_str());
            learned.push(Learned { family, template, runs: 0, accepted: true, refused: false });
        }
    }
    learned.sort();
    learned.dedup();
    Ok(manifest.compare(&learned, &unknown)?)
}

/// The manifest with what it lacks, and without what nothing needed.
///
/// # Errors
/// As of [`compare`]; or the manifest cannot be changed in place.
pub fn patched(source: &Source<'_>, manifest: &Manifest) -> Result<Suggestion, ManifestError> {
    let comparison = compare(source, manifest)?;
    let mut left: Vec<Left> = comparison
        .undeclared
        .iter()
        .filter_map(|one| {
            let template = super::seccomp::shown(one.family, &one.template);
            let what = format!("{}:{template}", one.family);
            one.grants.as_ref().err().map(|why| Left::new(&what, why))
        })
        .collect();
    for family in &comparison.unknown {
        let why = "is full: it forgot what it had, so its rules stay as they are";
        left.push(Left::new(family.as_str(), why));
    }
    let mut text: String = source.heading().iter().map(|line| format!("# {line}\n")).collect();
    for left in &left {
        text.push_str(&format!("# Learned and left out: {}: {}.\n", left.what, left.why));
    }
    text.push_str(&manifest.patched(&comparison)?);
    Ok(Suggestion { text, left })
}
