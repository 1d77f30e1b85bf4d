//! Whose baseline it is: plugin, build, manifest and deployment. Another one of any of them is another baseline.

use std::fmt;

use picket_engine::learned::Subject;
use sha2::{Digest as _, Sha256};

use crate::document::Digest;

/// The longest name of a deployment.
const LONGEST: usize = 63;

/// Where a plugin runs, as its operator calls it: what differs in load or data is another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deployment(String);

impl Deployment {
    /// Up to 63 of `a-z`, `A-Z`, `0-9`, `-`, `_`, `.` and `/`.
    ///
    /// # Errors
    /// It is empty, longer, or has other characters.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        named("deployment", text).map(Self)
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A name that nobody could store or type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a name.
    #[error(
        "`{text}` is no name of a {what}: write up to {LONGEST} of a-z, A-Z, 0-9, `-`, `_`, `.` and `/`"
    )]
    Name {
        /// Of what.
        what: &'static str,
        /// As it was written, without what would steer a terminal.
        text: String,
    },
    /// Not a digest.
    #[error("{0}")]
    Digest(String),
}

/// What a baseline belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Name of the plugin, as its manifest says it.
    pub plugin: String,
    /// The build: digest of what runs.
    pub artifact: Digest,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Where it runs.
    pub deployment: Deployment,
}

impl Identity {
    /// From the words in which it is stored.
    ///
    /// # Errors
    /// A word is none that was ever written.
    pub(super) fn parse(
        [plugin, artifact, manifest, deployment]: [&str; 4],
    ) -> Result<Self, IdentityError> {
        let digest = |text: &str| {
            Digest::parse(text).map_err(|fix| IdentityError::Digest(printable(&fix.message)))
        };
        Ok(Self {
            plugin: named("plugin", plugin)?,
            artifact: digest(artifact)?,
            manifest: digest(manifest)?,
            deployment: Deployment::parse(deployment)?,
        })
    }

    /// One number for all four: what certificates and evidence are bound to.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let mut hasher = Sha256::new();
        hasher.update(b"picket baseline 1");
        for name in [&self.plugin, self.deployment.as_str()] {
            hasher.update(u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(name);
        }
        hasher.update(self.artifact.as_bytes());
        hasher.update(self.manifest.as_bytes());
        Subject(hasher.finalize().into())
    }

    /// The subject in hexadecimal digits: what a person names a baseline by, the beginning being enough.
    #[must_use]
    pub fn key(&self) -> String {
        crate::trace::to_hex(&self.subject().0)
    }

    /// As much of the key as is shown.
    #[must_use]
    pub fn short(&self) -> String {
        self.key().chars().take(12).collect()
    }
}

fn named(what: &'static str, text: &str) -> Result<String, IdentityError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if !text.is_empty() && text.len() <= LONGEST && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(IdentityError::Name { what, text: printable(text) })
}

fn printable(text: &str) -> String {
    crate::words::text(text.as_bytes()).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(plugin: &str, deployment: &str) -> Identity {
        let digest = format!("sha256:{}", "0".repeat(64));
        Identity::parse([plugin, &digest, &digest, deployment]).unwrap()
    }

    #[test]
    fn another_plugin_build_manifest_or_deployment_is_another_subject() {
        let one = identity("weather", "edge");
        let other = Digest::of(b"other");
        let others = [
            identity("weather2", "edge"),
            identity("weather", "edge2"),
            // The border between the names counts.
            identity("weathere", "dge"),
            Identity { artifact: other, ..one.clone() },
            Identity { manifest: other, ..one.clone() },
        ];
        for other in others {
            assert_ne!(one.key(), other.key(), "{other:?}");
        }
        assert_eq!(one.key(), identity("weather", "edge").key());
    }

    #[test]
    fn the_subject_does_not_change_between_versions() {
        assert_eq!(identity("weather", "edge").short(), "71101e1342d1");
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_way_out() {
        for text in ["", "a b", "\u{1b}[2J", &"x".repeat(64), "caf\u{e9}"] {
            let error = Deployment::parse(text).unwrap_err().to_string();
            assert!(error.contains("write up to 63 of a-z"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }
}
