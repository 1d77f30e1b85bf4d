//! What a manifest may say, what it must not, and what it becomes on a machine.

mod accepted;
mod differences;
mod machine;
mod properties;
mod refused;
mod schema;
mod tables;

use super::Manifest;
use crate::document::DocumentError;

/// A manifest that declares nothing, for tests to add to.
const NOTHING: &str = "version: 1\nplugin: { name: p, version: 1 }\n";

/// Every manifest of these tests that is accepted is accepted by the JSON Schema, too.
fn parse(text: &str) -> Result<Manifest, DocumentError> {
    let parsed = Manifest::parse("plugin.yaml", text.as_bytes());
    if parsed.is_ok() {
        assert_eq!(schema::faults(text.as_bytes()), Some(Vec::new()), "{text}");
    }
    parsed
}

/// A manifest that declares nothing but `text`.
fn declaring(text: &str) -> Manifest {
    parse(&format!("{NOTHING}{text}")).unwrap()
}

/// The complaint about a manifest that declares nothing but `text`.
fn complaint(text: &str) -> String {
    parse(&format!("{NOTHING}{text}")).unwrap_err().to_string()
}
