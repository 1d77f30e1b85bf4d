//! What a manifest asks of the one who starts the plugin, and the daemon, which starts nothing, cannot give.

use super::{Manifest, schema::Document};
use crate::document::{Fault, Position, Report, Text};

/// Parts of a manifest that have no effect on a plugin somebody else starts.
#[derive(Debug)]
pub(crate) struct OfTheStart {
    /// What would be trusted without being true.
    pub(crate) errors: Vec<Fault>,
    /// What has no effect.
    pub(crate) warnings: Vec<Fault>,
}

impl Manifest {
    /// What of this manifest the daemon cannot give.
    pub(crate) fn of_the_start(&self) -> OfTheStart {
        let mut errors = Vec::new();
        if let Some(digest) = &self.declared.plugin.digest {
            errors.push(Fault::new(
                digest.position,
                "the digest of a plugin that others start cannot be verified",
                "start the plugin by `picket exec`, or remove `digest`",
            ));
        }
        let written = self.written();
        if self.declared.strict {
            let confinement = written.as_ref().and_then(|written| written.confinement.as_ref());
            errors.extend(confinement.map(|text| {
                Fault::new(
                    text.position,
                    "a plugin that others start cannot be confined any more: its calls would not be refused",
                    "start the plugin by `picket exec`; or remove `confinement` and give what starts \
                     the plugin a filter of its own",
                )
            }));
        }
        let mut warnings = Vec::new();
        let mut idle = |place: Option<Position>, what: &str, instead: &str| {
            let message = format!("`{what}` has no effect on a plugin that others start");
            warnings
                .extend(place.map(|place| Fault::warning("start-only", place, message, instead)));
        };
        if let Some(written) = &written {
            let text = |text: &Text| text.position;
            let first = |list: &[Text]| list.first().map(text);
            let give = "give it to what starts the plugin, or start the plugin by `picket exec`";
            let standard = written.confinement.as_ref().filter(|_| !self.declared.strict);
            idle(standard.map(text), "confinement", give);
            idle(first(&written.capabilities), "capabilities", give);
            let descriptors = written.descriptors.as_ref();
            idle(descriptors.map(|list| list.position), "descriptors", give);
        }
        OfTheStart { errors, warnings }
    }

    /// The manifest as it is written. Read again, because only complaints ask for the places of everything.
    pub(super) fn written(&self) -> Option<Document> {
        self.source.reread(&super::MANIFEST)
    }

    /// Complaints, tied to the manifest's text.
    pub(crate) fn report(&self, faults: Vec<Fault>) -> Report {
        self.source.report(faults)
    }
}
