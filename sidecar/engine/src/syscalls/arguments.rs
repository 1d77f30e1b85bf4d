//! The arguments of a system call that are numbers: what a person reads beside its name.

/// Up to six numbers. An argument that is an address, or of which nothing is known, is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arguments([Option<u64>; 6]);

impl Arguments {
    /// None of them.
    pub const NONE: Self = Self([None; 6]);

    /// These, in the order of the call; what is beyond six is left out.
    pub fn of(numbers: impl IntoIterator<Item = Option<u64>>) -> Self {
        let mut arguments = Self::NONE;
        for (place, number) in arguments.0.iter_mut().zip(numbers) {
            *place = number;
        }
        arguments
    }

    /// One of them, counted from 0.
    pub fn get(&self, index: usize) -> Option<u64> {
        self.0.get(index).copied().flatten()
    }

    /// All six places.
    pub const fn places(&self) -> &[Option<u64>; 6] {
        &self.0
    }
}
