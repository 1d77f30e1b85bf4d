//! Whether all that one pattern means is meant by another, too.
//!
//! The other pattern is read as a text in which each star is one sign that no pattern spells out, so that only a star
//! can take it in; and a star that takes in the sign takes in whatever stands for it. A yes is therefore always right.
//! A no may be wrong where stars of both kinds meet (`/**/*` means all that `/*/**` does).

use alloc::vec::Vec;

use super::starred::Starred;
use super::{ArgPattern, Pattern};

/// A star of the text: patterns are UTF-8, which has no such byte.
const STAR: u8 = 0xff;

impl Pattern {
    /// Whether every path that `other` means is meant by this pattern. A no is no proof of the opposite.
    pub fn covers(&self, other: &Self) -> bool {
        // Most pairs of a long list differ in a directory: told without a copy of the other.
        let heads = self.segments.head().iter().zip(other.segments.head());
        let mut literals = heads.filter_map(|(one, two)| Some((one.literal()?, two.literal()?)));
        if literals.any(|(one, two)| one != two) {
            return false;
        }
        // `None` stands for a run of segments.
        let text: Vec<Option<Vec<u8>>> =
            other.segments.flat(|segment| Some(segment.flat(|byte| *byte, STAR)), None);
        self.segments.matches(&text, |pattern, segment| {
            segment.as_ref().is_some_and(|segment| pattern.matches(segment, u8::eq))
        })
    }
}

impl ArgPattern {
    /// Whether every argument that `other` means is meant by this pattern.
    pub fn covers(&self, other: &Self) -> bool {
        self.bytes.matches(&other.bytes.flat(|byte| *byte, STAR), u8::eq)
    }
}

impl<T> Starred<T> {
    /// All items in a row, with `star` where a star is.
    pub(super) fn flat<U: Clone>(&self, item: impl Fn(&T) -> U, star: U) -> Vec<U> {
        let mut flat: Vec<U> = self.head().iter().map(&item).collect();
        for block in self.tails() {
            flat.push(star.clone());
            flat.extend(block.iter().map(&item));
        }
        flat
    }
}
