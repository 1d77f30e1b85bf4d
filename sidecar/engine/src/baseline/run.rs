//! One run of a plugin: what it did, how often, and whether it may teach anything.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use super::Family;
use crate::learned::PluginTime;

/// The longest template. What is longer is cut, so that all that begin alike are one.
pub const TEMPLATE_BYTES: usize = 512;
/// What it ends with then.
pub(super) const CUT: &str = "…";

/// Which run it is, wherever it is told of: a digest of the recording and of the sandbox in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub [u8; 16]);

closed_enum! {
    /// Why a run teaches nothing.
    pub enum Fault {
        /// Events of it never arrived.
        Lost = "lost",
        /// Its recording has gaps.
        Gaps = "gaps",
        /// The kernel side was interfered with.
        Tampered = "tampered",
        /// It was contained: what it did before may be an attack, and afterwards it was not itself.
        Contained = "contained",
    }
}

impl Fault {
    /// The fault of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.as_str() == name)
    }

    /// Whether Picket did not see everything, for whatever reason.
    pub const fn is_blindness(self) -> bool {
        matches!(self, Self::Lost | Self::Gaps | Self::Tampered)
    }
}

/// What one run did. Of a plugin that runs all the time, what one recording shows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    began: u64,
    lasted: PluginTime,
    started: bool,
    facts: u64,
    faults: BTreeMap<Fault, u64>,
    /// Never an empty family in it.
    counts: BTreeMap<Family, BTreeMap<String, u32>>,
    full: BTreeSet<Family>,
}

impl Run {
    /// A run in which nothing happened so far. `began` is in seconds since 1970; `started`: its start was seen.
    pub fn new(began: u64, lasted: PluginTime, started: bool, facts: u64) -> Self {
        Self { began, lasted, started, facts, ..Self::default() }
    }

    /// The same deeds, at this place in time.
    #[must_use]
    pub(super) fn placed(self, began: u64, lasted: PluginTime, started: bool, facts: u64) -> Self {
        Self { began, lasted, started, facts, ..self }
    }

    /// Counts a deed so many more times.
    pub fn count(&mut self, family: Family, template: &str, times: u32) {
        if self.full.contains(&family) || !self.faults.is_empty() || times == 0 {
            return;
        }
        let kinds = self.counts.entry(family).or_default();
        let template = cut(template);
        // Most deeds are known already, and need no text of their own.
        if let Some(known) = kinds.get_mut(template.as_ref()) {
            *known = known.saturating_add(times);
            return;
        }
        kinds.insert(template.into_owned(), times);
        if family.limit() < kinds.len() {
            self.fill(family);
        }
    }

    /// It teaches nothing, for this reason, which happened so many times.
    pub fn fail(&mut self, fault: Fault, times: u64) {
        let known = self.faults.entry(fault).or_insert(0);
        *known = known.saturating_add(times.max(1));
        self.settle();
    }

    /// A family is full.
    pub fn fill(&mut self, family: Family) {
        self.full.insert(family);
        self.settle();
    }

    /// What both know of the same run: the larger of each. The same in any order, and twice as once.
    pub fn join(&mut self, other: &Self) {
        self.began = self.began.min(other.began);
        self.lasted = self.lasted.max(other.lasted);
        self.started |= other.started;
        self.facts = self.facts.max(other.facts);
        for (fault, times) in &other.faults {
            let known = self.faults.entry(*fault).or_insert(0);
            *known = (*known).max(*times);
        }
        self.full.extend(&other.full);
        for (family, kinds) in &other.counts {
            let known = self.counts.entry(*family).or_default();
            for (template, times) in kinds {
                match known.get_mut(template) {
                    Some(most) => *most = (*most).max(*times),
                    None => drop(known.insert(template.clone(), *times)),
                }
            }
        }
        self.settle();
    }

    /// Seconds since 1970.
    pub const fn began(&self) -> u64 {
        self.began
    }

    /// For how long it was watched.
    pub const fn lasted(&self) -> PluginTime {
        self.lasted
    }

    /// Seconds since 1970 at its end.
    pub const fn ended(&self) -> u64 {
        self.began.saturating_add(self.lasted.as_millis() / 1000)
    }

    /// Whether its start was seen.
    pub const fn started(&self) -> bool {
        self.started
    }

    /// Facts of the plugin that arrived.
    pub const fn facts(&self) -> u64 {
        self.facts
    }

    /// Why it teaches nothing, and how often that happened. Empty: it may be learned from.
    pub const fn faults(&self) -> &BTreeMap<Fault, u64> {
        &self.faults
    }

    /// Whether it may be learned from.
    pub fn is_usable(&self) -> bool {
        self.faults.is_empty()
    }

    /// Families of which it had too many kinds.
    pub const fn full(&self) -> &BTreeSet<Family> {
        &self.full
    }

    /// Each deed, and how often it arrived: at least once. Nothing of a run that teaches nothing.
    pub fn counts(&self) -> impl Iterator<Item = (Family, &str, u32)> {
        self.counts.iter().flat_map(|(family, kinds)| {
            kinds.iter().map(|(template, times)| (*family, template.as_str(), *times))
        })
    }

    /// The deeds of one family.
    pub fn of(&self, family: Family) -> impl Iterator<Item = (&str, u32)> {
        let kinds = self.counts.get(&family).into_iter().flatten();
        kinds.map(|(template, times)| (template.as_str(), *times))
    }

    /// Keeps the invariants: no deeds of a run that teaches nothing, none of a full family, none beyond a limit.
    fn settle(&mut self) {
        if !self.faults.is_empty() {
            self.counts.clear();
            return;
        }
        let too_many = self.counts.iter().filter(|(family, kinds)| family.limit() < kinds.len());
        self.full.extend(too_many.map(|(family, _)| *family));
        self.counts.retain(|family, _| !self.full.contains(family));
    }
}

/// A template as it is counted.
pub(super) fn cut(template: &str) -> Cow<'_, str> {
    if template.len() <= TEMPLATE_BYTES {
        return Cow::Borrowed(template);
    }
    const MARK: &str = CUT;
    let mut end = TEMPLATE_BYTES - MARK.len();
    while !template.is_char_boundary(end) {
        end -= 1;
    }
    let mut text = String::from(template.get(..end).unwrap_or_default());
    text.push_str(MARK);
    Cow::Owned(text)
}
