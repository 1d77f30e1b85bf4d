//! JSON Schemas of our files, for editors: what can be said of a value without knowing the others.
//!
//! YAML that an editor reads has numbers where Picket reads text (`port: 8080`), so such values may be either.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

/// Digits without a leading zero, as Picket reads numbers.
const NUMBER: &str = "(0|[1-9][0-9]*)";

/// The whole file.
pub(crate) fn document(title: &str, address: &str, root: Value) -> String {
    let mut all = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": address,
        "title": title,
    });
    if let (Value::Object(all), Value::Object(root)) = (&mut all, root) {
        all.extend(root);
    }
    format!("{all:#}\n")
}

/// A mapping with these keys and no others; a key that ends in `!` must be there.
pub(crate) fn object<'a>(what: &str, keys: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, value) in keys {
        let name = key.strip_suffix('!').unwrap_or(key);
        if name != key {
            required.push(name);
        }
        properties.insert(name.to_owned(), value);
    }
    let mut object = json!({
        "description": what,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        object = with(object, "required", json!(required));
    }
    object
}

/// The schema with one more keyword.
pub(crate) fn with(mut schema: Value, keyword: &str, value: Value) -> Value {
    if let Value::Object(schema) = &mut schema {
        schema.insert(keyword.to_owned(), value);
    }
    schema
}

/// A list.
pub(crate) fn list(what: &str, items: &Value) -> Value {
    json!({ "description": what, "type": "array", "items": items })
}

/// A list in which nothing is written twice.
pub(crate) fn set(what: &str, items: &Value) -> Value {
    json!({ "description": what, "type": "array", "items": items, "uniqueItems": true })
}

/// One of some words.
pub(crate) fn word<'a>(what: &str, words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "description": what, "enum": words.into_iter().collect::<Vec<_>>() })
}

/// Text of a form; the expression is for the whole text.
pub(crate) fn text(what: &str, form: &str) -> Value {
    json!({ "description": what, "type": "string", "pattern": format!("^({form})$") })
}

/// True or false.
pub(crate) fn boolean(what: &str) -> Value {
    json!({ "description": what, "type": "boolean" })
}

/// A whole number, in quotes or not.
pub(crate) fn number(what: &str, range: RangeInclusive<u32>) -> Value {
    json!({ "description": what, "anyOf": [
        { "type": "integer", "minimum": range.start(), "maximum": range.end() },
        { "type": "string", "pattern": format!("^{NUMBER}$") },
    ] })
}

/// The version of the file's format, which is one.
pub(crate) fn version(what: &str) -> Value {
    json!({ "description": what, "enum": [1, "1"] })
}

/// A length of time.
pub(crate) fn duration(what: &str) -> Value {
    text(what, &format!("{NUMBER} *(ms|s|m|h|d)"))
}

/// An amount of memory.
pub(crate) fn size(what: &str) -> Value {
    text(what, &format!("{NUMBER} *(B|KiB|MiB|GiB|TiB)"))
}

/// A share of a CPU.
pub(crate) fn percent(what: &str) -> Value {
    text(what, "[1-9][0-9]*%")
}

/// The digest of a file.
pub(crate) fn digest(what: &str) -> Value {
    text(what, "sha256:[0-9a-f]{64}")
}

/// A point in time.
pub(crate) fn moment(what: &str) -> Value {
    text(what, "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z")
}

/// One port, some in a row, or all.
pub(crate) fn ports(what: &str) -> Value {
    const PORT: &str = "[1-9][0-9]{0,4}";
    json!({ "description": what, "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 65535 },
        { "type": "string", "pattern": format!("^(any|{PORT}|{PORT} *- *{PORT})$") },
    ] })
}

/// A path pattern: absolute and normalised. `not` is what it must not begin with, as an expression.
pub(crate) fn pattern(what: &str, not: &str) -> Value {
    // A character or an escape; stars only between them, so that none touches another.
    let one = r"([^/*\\]|\\[*\\])";
    let segment = format!(r"([*][*]|[*]|([*]?{one})+[*]?)");
    json!({
        "description": what,
        "type": "string",
        "maxLength": 4096,
        "pattern": format!("^(/|(/{segment})+)$"),
        "not": { "pattern": format!("(/[.][.]?(/|$)|^({not})(/|$))") },
    })
}

#[cfg(test)]
pub(crate) mod validate;
