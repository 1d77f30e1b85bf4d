//! The JSON Schema says what the code says, as far as a schema can.

use std::sync::LazyLock;

use serde_json::Value;

use super::super::{json_schema, schema};
use crate::document::json_schema::validate;

static SCHEMA: LazyLock<Value> = LazyLock::new(json_schema::root);

/// What an editor finds wrong; `None` where it finds no YAML.
pub(super) fn faults(bytes: &[u8]) -> Option<Vec<String>> {
    validate::instance(bytes).map(|instance| validate::faults(&SCHEMA, &instance))
}

#[test]
fn the_schema_in_the_documentation_is_fresh() {
    let committed = include_str!("../../../../docs/picket.schema.json");
    let fresh = json_schema::json_schema();
    assert!(committed == fresh, "write it again: picket config schema > docs/picket.schema.json");
}

#[test]
fn the_schema_has_the_keys_that_the_reader_has() {
    let inner = |key: &str| validate::properties(&SCHEMA["properties"][key]);
    assert_eq!(validate::properties(&SCHEMA), validate::keys::<schema::Document>());
    assert_eq!(inner("metrics"), validate::keys::<schema::Metrics>());
    assert_eq!(inner("api"), validate::keys::<schema::Api>());
    assert_eq!(inner("limits"), validate::keys::<schema::Limits>());
    assert_eq!(inner("otlp"), validate::keys::<schema::Otlp>());
    assert_eq!(inner("alerts"), validate::keys::<schema::Alerts>());
    let target = &SCHEMA["properties"]["alerts"]["properties"]["targets"]["items"];
    assert_eq!(validate::properties(target), validate::keys::<schema::AlertTarget>());
    assert_eq!(inner("baselines"), validate::keys::<schema::Baselines>());
    let learned = &SCHEMA["properties"]["baselines"]["properties"]["learn"]["items"];
    assert_eq!(validate::properties(learned), validate::keys::<schema::Learned>());
    assert_eq!(inner("kubernetes"), validate::keys::<schema::Kubernetes>());
    let rule = &SCHEMA["properties"]["sandboxes"]["items"];
    assert_eq!(validate::properties(rule), validate::keys::<schema::Sandbox>());
}
