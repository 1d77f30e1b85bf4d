//! Fixed blocks with stars between them, matched without backtracking.

use alloc::vec::Vec;

/// `n` stars between `n + 1` blocks of fixed width.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Starred<T> {
    head: Vec<T>,
    // Invariant: one block a star, the one that follows it; only the last may be empty, so that
    // `windows` below never has a width of zero.
    tails: Vec<Vec<T>>,
}

impl<T> Starred<T> {
    pub(super) const fn new() -> Self {
        Self { head: Vec::new(), tails: Vec::new() }
    }

    pub(super) fn push(&mut self, item: T) {
        self.tails.last_mut().unwrap_or(&mut self.head).push(item);
    }

    /// A star next to a star says nothing new.
    pub(super) fn push_star(&mut self) {
        if self.tails.last().is_none_or(|block| !block.is_empty()) {
            self.tails.push(Vec::new());
        }
    }

    /// What precedes the first star.
    pub(super) fn head(&self) -> &[T] {
        &self.head
    }

    /// The block after each star.
    pub(super) fn tails(&self) -> &[Vec<T>] {
        &self.tails
    }

    /// Everything, when there is no star.
    pub(super) fn literal(&self) -> Option<&[T]> {
        self.tails.is_empty().then_some(&self.head)
    }

    /// The first block sits at the start, the last at the end, each between them at the first
    /// place where it fits: further left leaves the others more room, so no choice is ever taken
    /// back. At most `items × text` comparisons.
    pub(super) fn matches<U>(&self, text: &[U], same: impl Fn(&T, &U) -> bool) -> bool {
        let fits = |block: &[T], window: &[U]| {
            block.iter().zip(window).all(|(item, element)| same(item, element))
        };
        let Some((window, mut rest)) = text.split_at_checked(self.head.len()) else {
            return false;
        };
        if !fits(&self.head, window) {
            return false;
        }
        let Some((last, middle)) = self.tails.split_last() else {
            return rest.is_empty();
        };
        for block in middle {
            let Some(at) = rest.windows(block.len()).position(|window| fits(block, window)) else {
                return false;
            };
            rest = rest.get(at + block.len()..).unwrap_or_default();
        }
        let Some(from_end) = rest.len().checked_sub(last.len()) else {
            return false;
        };
        fits(last, rest.get(from_end..).unwrap_or_default())
    }
}
