//! What a message says: registered keys, and values that may leave the node.

use std::{collections::BTreeMap, fmt, time::SystemTime};

use serde_json::{Map, Value};

use crate::export::{
    OperatorWord,
    registry::{Key, key},
};

/// The JSON of a message. A key that is not registered has no place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<Key, Value>);

impl Fields {
    /// A word of the operator.
    pub(super) fn word(&mut self, key: Key, word: &OperatorWord) {
        self.0.insert(key, word.as_str().into());
    }

    /// A word of a closed list.
    pub(super) fn closed(&mut self, key: Key, word: &'static str) {
        self.0.insert(key, word.into());
    }

    /// Something whose `Display` is made of numbers and closed words alone: an identity, a class, a pseudonym.
    pub(super) fn shown(&mut self, key: Key, shown: impl fmt::Display) {
        self.0.insert(key, shown.to_string().into());
    }

    pub(super) fn number(&mut self, key: Key, number: u64) {
        self.0.insert(key, number.into());
    }

    pub(super) fn flag(&mut self, key: Key, flag: bool) {
        self.0.insert(key, flag.into());
    }

    pub(super) fn time(&mut self, key: Key, time: SystemTime) {
        self.shown(key, humantime::format_rfc3339_millis(time));
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.0.remove(&key);
    }

    /// The text of a key; numbers and truths as JSON writes them.
    pub(super) fn text(&self, key: Key) -> Option<String> {
        match self.0.get(&key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    pub(super) fn read_number(&self, key: Key) -> Option<u64> {
        self.0.get(&key)?.as_u64()
    }

    pub(super) fn json(&self) -> String {
        let entries = self.0.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone()));
        Value::Object(entries.collect::<Map<_, _>>()).to_string()
    }

    /// What an outbox kept. A key that is not registered any more is left out.
    pub(super) fn parse(json: &str) -> Option<Self> {
        let Ok(Value::Object(entries)) = serde_json::from_str(json) else { return None };
        let known = entries.into_iter().filter_map(|(name, value)| {
            let key = key::ALL.iter().find(|key| key.as_str() == name)?;
            Some((*key, value))
        });
        Some(Self(known.collect()))
    }
}
