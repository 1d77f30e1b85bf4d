//! Whether two patterns mean something in common. Here a yes and a no are both right.

use alloc::vec;
use alloc::vec::Vec;

use super::Pattern;
use super::starred::Starred;

impl Pattern {
    /// Whether there may be a path that both mean.
    pub fn meets(&self, other: &Self) -> bool {
        // `None` stands for a star, of segments and of bytes.
        let segments =
            |pattern: &Self| pattern.segments.flat(|segment| Some(segment.clone()), None);
        meet(&segments(self), &segments(other), segment_meets)
    }
}

fn segment_meets(one: &Starred<u8>, other: &Starred<u8>) -> bool {
    let bytes = |segment: &Starred<u8>| segment.flat(|byte| Some(*byte), None);
    meet(&bytes(one), &bytes(other), u8::eq)
}

/// Whether one text fits both: for each pair of rests, from the ends on. `items × items` comparisons.
fn meet<T>(one: &[Option<T>], other: &[Option<T>], same: impl Fn(&T, &T) -> bool) -> bool {
    // The rests of `other` beside the rest of `one` that was looked at last: at first the empty one.
    let mut below = vec![true];
    for item in other.iter().rev() {
        let only_stars = item.is_none() && below.last() == Some(&true);
        below.push(only_stars);
    }
    for item in one.iter().rev() {
        let mut row: Vec<bool> = vec![item.is_none() && below.first() == Some(&true)];
        for (at, beside) in other.iter().rev().enumerate() {
            let of = |row: &[bool], at: usize| row.get(at).copied().unwrap_or_default();
            let fits = match (item, beside) {
                (Some(item), Some(beside)) => same(item, beside) && of(&below, at),
                // The star ends here, or takes in what the other begins with; so for either.
                _ => of(&below, at + 1) || of(&row, at),
            };
            row.push(fits);
        }
        below = row;
    }
    below.last() == Some(&true)
}
