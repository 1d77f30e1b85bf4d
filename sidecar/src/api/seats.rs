//! How many may be served at once. Whoever may only look cannot take the last seats from whoever may act.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peer::Rank;

/// A bounded number of seats, some of which only ranks above [`Rank::Reader`] get.
#[derive(Debug)]
pub(super) struct Seats {
    all: Arc<Semaphore>,
    readers: Arc<Semaphore>,
}

/// A seat taken. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Seat {
    _of_all: OwnedSemaphorePermit,
    _of_readers: Option<OwnedSemaphorePermit>,
}

impl Seats {
    pub(super) fn new(all: usize, readers: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), readers: Arc::new(Semaphore::new(readers)) }
    }

    /// `None` when all are taken.
    pub(super) fn take(&self, rank: Rank) -> Option<Seat> {
        let of_readers = match rank {
            Rank::Stranger | Rank::Reader => {
                Some(Arc::clone(&self.readers).try_acquire_owned().ok()?)
            }
            Rank::Operator | Rank::Root => None,
        };
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Seat { _of_all: of_all, _of_readers: of_readers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_leave_seats_for_those_who_may_act() {
        let seats = Seats::new(3, 2);
        let held: Vec<Seat> = (0..3).filter_map(|_| seats.take(Rank::Reader)).collect();
        assert_eq!(held.len(), 2);
        let operator = seats.take(Rank::Operator);
        assert!(operator.is_some() && seats.take(Rank::Root).is_none());
        drop(held);
        assert!(seats.take(Rank::Root).is_some());
    }
}
