//! What runs in production: learned by the engine, packed as the kernel side holds it, observed as the kernel side does
//! it, judged by the engine.
//!
//! The data have no clock. A second is taken to be 256 calls of a thread, and a trace to be one thread; where the
//! seconds are cut does not change a run's score, because sums add up.

use std::cell::Cell;

use picket_abi::SYSCALLS;
use picket_abi::surprise::{
    BUCKETS_MAX, NO_CALLS, Packed, SurpriseBucket, SurpriseHead, ThreadCalls, context_after, pack,
    two_calls,
};
use picket_engine::sequence::{
    Call, CallCounts, Distance, Histogram, KnownRuns, MeanLevel, Neighbours, SurpriseModel,
    ThreadSums, Trail,
};

use super::experiment::Trace;

/// Calls of a thread in what stands for a second.
const SECOND: usize = 256;

/// All that is learned from the training traces.
pub(crate) struct Learnt {
    pub(crate) counts: CallCounts,
    pub(crate) runs: KnownRuns,
    pub(crate) model: SurpriseModel,
    pub(crate) neighbours: Neighbours,
}

impl Learnt {
    /// Nothing if there is too little or too much of it.
    pub(crate) fn from(train: &[Trace]) -> Option<Self> {
        let mut counts = CallCounts::new(CallCounts::DEFAULT_LIMIT);
        let mut runs = KnownRuns::new(KnownRuns::DEFAULT_LIMIT);
        for trace in train {
            let mut trail = Trail::START;
            for number in trace {
                counts.learn(&mut trail, Call::numbered(*number));
            }
            runs.learn(&histogram(trace));
        }
        let (model, neighbours) = (SurpriseModel::new(&counts)?, Neighbours::new(&runs)?);
        Some(Self { counts, runs, model, neighbours })
    }

    /// How far the mix of calls is from the nearest known one.
    pub(crate) fn distance(&self, trace: &[u32]) -> Option<Distance> {
        self.neighbours.distance(&histogram(trace))
    }

    /// Calls that were never learned after the two before them, as the engine knows it.
    pub(crate) fn novel(&self, trace: &[u32]) -> usize {
        let mut trail = Trail::START;
        let novel = |number: &&u32| {
            let call = Call::numbered(**number);
            let novel = self.model.is_novel(trail, call);
            trail.push(call);
            novel
        };
        trace.iter().filter(novel).count()
    }

    /// The mean surprise without table, levels or cap: what the reduction costs is the difference to it.
    pub(crate) fn full(&self, trace: &[u32]) -> Option<u32> {
        let mut trail = Trail::START;
        let mut sum = 0_u64;
        for number in trace {
            let call = Call::numbered(*number);
            sum += u64::from(self.model.surprise(trail, call).raw());
            trail.push(call);
        }
        u32::try_from(sum.checked_div(trace.len() as u64)?).ok()
    }
}

/// A table as the kernel side holds it.
pub(crate) struct Table {
    head: SurpriseHead,
    buckets: Vec<SurpriseBucket>,
    /// What became of the calls after three others.
    pub(crate) packed: Packed,
    /// What became of the calls after two others, which only explain.
    pub(crate) packed_two: Packed,
}

impl Table {
    /// A table of so many KiB, at most 64; a power of two.
    pub(crate) fn new(model: &SurpriseModel, kib: u32, seed: u64) -> Self {
        let n_buckets = (kib * 64).next_power_of_two().min(BUCKETS_MAX);
        let mut miss = [0; SYSCALLS as usize];
        for (number, level) in (0..SYSCALLS).zip(&mut miss) {
            *level = model.miss(Call::numbered(number)).get();
        }
        let head = SurpriseHead { seed, bucket_mask: n_buckets - 1, reserved: 0, miss };
        let mut buckets = vec![SurpriseBucket::default(); n_buckets as usize];
        let learned = model.learned().into_iter().map(|entry| {
            let [first, second, third, call] = entry.gram.calls();
            (context(&[first, second, third]), number(call), entry.level.get())
        });
        let packed = pack(&head, &mut buckets, learned);
        // After the others: these only explain.
        let after_two = model.learned_after_two().into_iter().map(|[second, third, call]| {
            (two_calls(context(&[Call::NONE, second, third])), number(call), 0)
        });
        let packed_two = pack(&head, &mut buckets, after_two);
        Self { head, buckets, packed, packed_two }
    }

    /// What the kernel side hands over of a thread, a second at a time.
    pub(crate) fn observe(&self, trace: &[u32]) -> Vec<ThreadCalls> {
        self.observe_in(trace, SECOND).0
    }

    /// How often it looks into the table for that.
    pub(crate) fn look_ups(&self, trace: &[u32]) -> usize {
        self.observe_in(trace, SECOND).1
    }

    /// With so many calls a second; and the number of look-ups.
    pub(super) fn observe_in(&self, trace: &[u32], second: usize) -> (Vec<ThreadCalls>, usize) {
        let look_ups = Cell::new(0);
        let mut thread = ThreadCalls { context: NO_CALLS, ..ThreadCalls::default() };
        let bucket = |index: u32| {
            look_ups.set(look_ups.get() + 1);
            self.buckets.get(index as usize)
        };
        let observe = |calls: &[u32]| {
            thread = ThreadCalls { context: thread.context, ..ThreadCalls::default() };
            for call in calls {
                let seen = thread.observe(&self.head, *call, bucket);
                debug_assert!(seen.is_some(), "the mask is that of the buckets");
            }
            thread
        };
        let seconds = trace.chunks(second).map(observe).collect();
        (seconds, look_ups.get())
    }

    /// The level that the table gives to the last call, whatever came before all of them.
    #[cfg(test)]
    pub(crate) fn level(&self, calls: [Call; 4]) -> u8 {
        let [first, second, third, call] = calls;
        let mut thread =
            ThreadCalls { context: context(&[first, second, third]), ..ThreadCalls::default() };
        thread
            .observe(&self.head, number(call), |index| self.buckets.get(index as usize))
            .unwrap()
            .level
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.buckets.as_slice()) + size_of_val(&self.head)
    }
}

/// What user space makes of the seconds of one thread.
pub(crate) fn mean(seconds: &[ThreadCalls]) -> Option<MeanLevel> {
    let mut sums = ThreadSums::default();
    for second in seconds {
        sums.add(second.calls, second.level_sum);
    }
    sums.mean()
}

pub(crate) fn histogram(trace: &[u32]) -> Histogram {
    let mut histogram = Histogram::default();
    for number in trace {
        histogram.add(Call::numbered(*number), 1);
    }
    histogram
}

/// A thread's first calls have fewer before them.
fn context(calls: &[Call]) -> u32 {
    let numbers = calls.iter().filter_map(|call| call.number());
    numbers.fold(NO_CALLS, context_after)
}

fn number(call: Call) -> u32 {
    call.number().unwrap_or(SYSCALLS)
}
