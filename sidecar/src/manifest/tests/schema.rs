//! The JSON Schema says what the code says, as far as a schema can.

use std::sync::LazyLock;

use serde::de::DeserializeOwned;
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
    let committed = include_str!("../../../../docs/manifest.schema.json");
    let fresh = json_schema::json_schema();
    assert!(
        committed == fresh,
        "write it again: picket manifest schema > docs/manifest.schema.json"
    );
}

#[test]
fn the_schema_has_the_keys_that_the_reader_has() {
    fn check<T: DeserializeOwned>(schema: Value) {
        assert_eq!(validate::properties(&schema), validate::keys::<T>());
    }
    check::<schema::Document>(json_schema::root());
    check::<schema::Plugin>(json_schema::plugin());
    check::<schema::Exec>(json_schema::exec());
    check::<schema::Files>(json_schema::files());
    check::<schema::Detailed>(json_schema::detailed());
    check::<schema::Network>(json_schema::network());
    check::<schema::Connect>(json_schema::connect());
    check::<schema::Listen>(json_schema::listen());
    check::<schema::Syscalls>(json_schema::calls());
    check::<schema::Resources>(json_schema::resources());
    check::<schema::Actions>(json_schema::actions());
    check::<schema::Containment>(json_schema::containment());
}

#[test]
fn every_key_and_list_of_the_schema_is_described() {
    fn check(schema: &Value, at: &str) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            assert!(value["description"].is_string(), "{at}/{key}");
            check(value, &format!("{at}/{key}"));
            check(&value["items"], &format!("{at}/{key}"));
        }
    }
    check(&SCHEMA, "");
    assert_eq!(SCHEMA["required"], serde_json::json!(["version", "plugin"]));
}
