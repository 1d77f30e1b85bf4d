//! What was learned about the order of calls, as the kernel side can hold it.

use picket_abi::{
    SYSCALLS,
    surprise::{BUCKETS_MAX, NO_CALLS, SurpriseTable, context_after, pack, two_calls},
};
use picket_engine::sequence::{Call, SurpriseModel};
use zerocopy::FromZeros as _;

/// The table of a model. `seed` must not be known to whoever is watched: it is the key of the hash.
///
/// What finds no room in it, the rarest, counts as not learned.
#[must_use]
pub fn table_of(model: &SurpriseModel, seed: u64) -> Box<SurpriseTable> {
    let mut table = Box::new(SurpriseTable::new_zeroed());
    let SurpriseTable { head, buckets } = &mut *table;
    head.seed = seed;
    head.bucket_mask = BUCKETS_MAX - 1;
    for (number, level) in (0..).zip(&mut head.miss) {
        *level = model.miss(Call::numbered(number)).get();
    }
    let learned = model.learned().into_iter().map(|entry| {
        let [before @ .., call] = entry.gram.calls();
        (context(&before), number(call), entry.level.get())
    });
    pack(head, buckets, learned);
    // After the others, because these only explain.
    let after_two = model
        .learned_after_two()
        .into_iter()
        .map(|[before @ .., call]| (two_calls(context(&before)), number(call), 0));
    pack(head, buckets, after_two);
    table
}

/// A thread's first calls have fewer before them.
fn context(calls: &[Call]) -> u32 {
    calls.iter().filter_map(|call| call.number()).fold(NO_CALLS, context_after)
}

fn number(call: Call) -> u32 {
    call.number().unwrap_or(SYSCALLS)
}
