//! The faults of one document: a check that fails adds one and goes on.

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    Text, hints,
    source::{At, Fault, Position},
    values::{self, Fix},
};

/// Looking for a word that was meant takes its time; a file with more faults than this is broken in
/// one way, and nobody reads that far.
const HINTED: usize = 100;

/// The faults found so far.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_inner(self) -> Vec<Fault> {
        self.0
    }

    pub(crate) fn add(
        &mut self,
        position: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Fault::new(position, message, hint));
    }

    /// The value, or a fault where it stands.
    pub(crate) fn take<T>(&mut self, position: Position, result: Result<T, Fix>) -> Option<T> {
        result.map_err(|Fix { message, hint }| self.add(position, message, hint)).ok()
    }

    /// The nearest of the known words, while there are few enough faults for it to be read.
    pub(crate) fn closest(&self, word: &str, known: impl Iterator<Item = &'static str>) -> String {
        if HINTED < self.0.len() {
            return "correct the faults above first".to_owned();
        }
        hints::closest(word, known)
    }

    /// One of a closed list of words; `default` when it is not written or not known.
    pub(crate) fn word<T: Copy>(
        &mut self,
        what: &str,
        text: Option<&Text>,
        known: &[(&'static str, T)],
        default: T,
    ) -> T {
        let Some(text) = text else { return default };
        if let Some(&(_, value)) = known.iter().find(|&&(word, _)| word == text.value) {
            return value;
        }
        let hint = self.closest(&text.value, known.iter().map(|&(word, _)| word));
        self.add(text.position, format!("`{}` is not {what}", text.value), hint);
        default
    }

    /// The end of a grant.
    pub(crate) fn until(&mut self, expires: Option<&Text>) -> Option<At<SystemTime>> {
        let text = expires?;
        let moment: SystemTime = self.take(text.position, values::moment(&text.value))?;
        Some(At { value: moment, position: text.position })
    }
}

/// Finds what is declared a second time. Two grants that differ only in when they end contradict
/// each other, so the end is not part of a key.
pub(crate) struct Once<K>(BTreeMap<K, Position>);

impl<K: Ord> Once<K> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn declare(&mut self, key: K, what: &str, position: Position, faults: &mut Faults) {
        if let Some(first) = self.0.get(&key) {
            let message = format!("{what} is already declared in line {}", first.line());
            faults.add(position, message, "remove one of the two");
        } else {
            self.0.insert(key, position);
        }
    }
}
