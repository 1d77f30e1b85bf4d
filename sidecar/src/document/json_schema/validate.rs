//! A judge of documents by JSON Schema, as far as our schemas go; it does not know any other keyword.

use std::collections::BTreeSet;

use regex_automata::nfa::thompson::pikevm::PikeVM;
use serde_json::Value;

/// The YAML in the eyes of an editor.
pub(crate) fn instance(bytes: &[u8]) -> Option<Value> {
    serde_saphyr::from_slice(bytes).ok()
}

/// Where the value is not what the schema says.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    judge(schema, value, "", &mut faults);
    faults
}

fn fits(schema: &Value, value: &Value) -> bool {
    faults(schema, value).is_empty()
}

fn judge(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let number = |value: &Value| value.as_f64().unwrap();
    for (keyword, wanted) in schema.as_object().unwrap() {
        let good = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "default" => true,
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|one| is(one, value)),
                one => is(one, value),
            },
            "enum" => wanted.as_array().unwrap().contains(value),
            "anyOf" => wanted.as_array().unwrap().iter().any(|one| fits(one, value)),
            "not" => !fits(wanted, value),
            "pattern" => value.as_str().is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
            "maxLength" => {
                value.as_str().is_none_or(|text| text.chars().count() as f64 <= number(wanted))
            }
            "minimum" => !value.is_number() || number(wanted) <= number(value),
            "maximum" => !value.is_number() || number(value) <= number(wanted),
            "minItems" => value.as_array().is_none_or(|items| number(wanted) <= items.len() as f64),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as f64 <= number(wanted)),
            "uniqueItems" => value.as_array().is_none_or(|items| {
                items.iter().map(Value::to_string).collect::<BTreeSet<_>>().len() == items.len()
            }),
            "required" => value.as_object().is_none_or(|object| {
                wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|key| object.contains_key(key.as_str().unwrap()))
            }),
            "additionalProperties" => {
                assert_eq!(wanted, false);
                let known = schema["properties"].as_object().unwrap();
                value
                    .as_object()
                    .is_none_or(|object| object.keys().all(|key| known.contains_key(key)))
            }
            "properties" => {
                for (key, schema) in wanted.as_object().unwrap() {
                    if let Some(inner) = value.get(key) {
                        judge(schema, inner, &format!("{at}/{key}"), faults);
                    }
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    judge(wanted, item, &format!("{at}/{index}"), faults);
                }
                true
            }
            other => panic!("{other} is not one of the keywords in use"),
        };
        if !good {
            faults.push(format!("{at}: {keyword}"));
        }
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("{other} is not one of the types in use"),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let machine = PikeVM::new(pattern).unwrap();
    machine.is_match(&mut machine.create_cache(), text)
}

/// The keys that a written shape has: what `serde` asks its format for.
pub(crate) fn keys<T: serde::de::DeserializeOwned>() -> BTreeSet<String> {
    struct Asked;

    impl<'de> serde::Deserializer<'de> for Asked {
        type Error = serde::de::value::Error;

        fn deserialize_struct<V: serde::de::Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom(fields.join(" ")))
        }

        fn deserialize_any<V: serde::de::Visitor<'de>>(
            self,
            _: V,
        ) -> Result<V::Value, Self::Error> {
            panic!("only mappings have keys")
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let fields = T::deserialize(Asked).err().expect("a mapping asks for its keys").to_string();
    fields.split(' ').map(ToOwned::to_owned).collect()
}

/// The keys that a schema has for a mapping.
pub(crate) fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}
