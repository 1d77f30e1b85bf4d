//! Who a message is about and who sends it: words of the operator, and nothing of the watched code.

use std::{fmt, io, sync::Arc};

use picket_engine::{IncidentId, SandboxId};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::{document::Digest, manifest::Manifest, probe::Tier};

/// A word of the operator: from a manifest, the configuration, or the cluster's own names. At most 128 bytes, without
/// control characters. Whoever makes one vouches that no watched code has chosen it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorWord(Arc<str>);

impl OperatorWord {
    /// The longest, in bytes; what is longer is cut.
    pub const MAX_BYTES: usize = 128;

    /// Takes a word that an operator wrote.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut end = text.len().min(Self::MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let word = text.get(..end).unwrap_or_default();
        Self(word.replace(char::is_control, "_").into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperatorWord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// All of a sandbox that may leave the node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The plugin's name in its manifest.
    pub plugin: OperatorWord,
    /// Its version there.
    pub version: OperatorWord,
    /// First twelve hex digits of the manifest's SHA-256.
    pub digest: OperatorWord,
    /// Where it runs in Kubernetes; `None` where no kubelet has started it.
    pub place: Option<Place>,
}

/// Where a sandbox runs in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Namespace of its pod.
    pub namespace: OperatorWord,
    /// The workload that its manifest is bound to.
    pub workload: OperatorWord,
    /// Its pod.
    pub pod: OperatorWord,
    /// The container within it.
    pub container: OperatorWord,
}

impl Subject {
    /// Of a sandbox that is judged by this manifest.
    #[must_use]
    pub fn new(manifest: &Manifest, place: Option<Place>) -> Arc<Self> {
        Arc::new(Self {
            plugin: OperatorWord::new(manifest.plugin_name()),
            version: OperatorWord::new(manifest.plugin_version()),
            digest: short(manifest.digest()),
            place,
        })
    }
}

fn short(digest: Digest) -> OperatorWord {
    let text = digest.to_string();
    let hex = text.rsplit(':').next().unwrap_or_default();
    OperatorWord::new(hex.get(..12).unwrap_or(hex))
}

/// Who sends: this Picket, in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The node's name.
    pub node: OperatorWord,
    /// What its kernel lets Picket see.
    pub tier: Tier,
    /// A random number of this run: slots and incidents are numbered anew in each.
    pub instance: u64,
}

impl Origin {
    /// Of this run.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub fn new(node: OperatorWord, tier: Tier) -> io::Result<Self> {
        let mut bytes = [0; 8];
        // So few come in one piece (getrandom(2)).
        getrandom(&mut bytes, GetRandomFlags::empty())?;
        Ok(Self { node, tier, instance: u64::from_ne_bytes(bytes) })
    }

    /// The node's name unless the configuration says otherwise: `NODE_NAME`, as Kubernetes' downward API is commonly
    /// asked for it, else the host's name.
    #[must_use]
    pub fn default_node() -> OperatorWord {
        let named = std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty());
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        OperatorWord::new(&named.unwrap_or_else(host))
    }
}

/// One incident among all of all Pickets and their restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentKey {
    /// [`Origin::instance`].
    pub instance: u64,
    /// Whose.
    pub sandbox: SandboxId,
    /// Its number.
    pub incident: IncidentId,
}

impl fmt::Display for IncidentKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, sandbox, incident } = self;
        let SandboxId { slot, generation } = sandbox;
        write!(out, "{instance:016x}-{slot}-{generation}-{incident}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_cut_between_characters_and_cannot_break_a_line() {
        let long = "ä".repeat(100);
        assert_eq!(OperatorWord::new(&long).as_str().len(), 128);
        assert_eq!(OperatorWord::new(&format!("x{long}")).as_str().len(), 127);
        assert_eq!(OperatorWord::new("a\nb\0c").as_str(), "a_b_c");
    }
}
