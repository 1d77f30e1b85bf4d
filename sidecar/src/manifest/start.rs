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
        let mut warnings = Vec::new();
        let mut idle = |place: Option<Position>, what: &str, instead: &str| {
            let message = format!("`{what}` has no effect on a plugin that others start");
            warnings
                .extend(place.map(|place| Fault::warning("start-only", place, message, instead)));
        };
        if let Some(written) = self.written() {
            let text = |text: &Text| text.position;
            let first = |list: &[Text]| list.first().map(text);
            let give = "give it to what starts the plugin, or start the plugin by `picket exec`";
            idle(written.confinement.as_ref().map(text), "confinement", give);
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
