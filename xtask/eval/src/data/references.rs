//! What the figures are compared with: STIDE (Forrest and others, 1996) and a Witten–Bell model of order 12, both over
//! whole traces and with nothing left out.

use std::collections::{HashMap, HashSet};

use super::experiment::Trace;

/// STIDE with windows of six calls.
pub(crate) struct Stide(HashSet<[u32; Self::WINDOW]>);

impl Stide {
    const WINDOW: usize = 6;

    pub(crate) fn learn(train: &[Trace]) -> Self {
        Self(train.iter().flat_map(|trace| windows(trace)).collect())
    }

    /// The share of windows that were never learned; 0 of a trace that has none.
    pub(crate) fn score(&self, trace: &[u32]) -> f64 {
        let (mut all, mut unknown) = (0_u32, 0_u32);
        for window in windows(trace) {
            all += 1;
            unknown += u32::from(!self.0.contains(&window));
        }
        f64::from(unknown) / f64::from(all.max(1))
    }
}

fn windows(trace: &[u32]) -> impl Iterator<Item = [u32; Stide::WINDOW]> {
    trace.windows(Stide::WINDOW).filter_map(|window| window.try_into().ok())
}

/// Interpolated Witten–Bell estimates over contexts of up to twelve calls, in floating point.
pub(crate) struct WittenBell {
    /// By order and calls: how often.
    grams: Vec<HashMap<u64, f64>>,
    /// By order and calls of the context: how often, and how many kinds followed.
    contexts: Vec<HashMap<u64, (f64, f64)>>,
}

impl WittenBell {
    const ORDER: usize = 12;
    const KINDS: f64 = 513.0;

    pub(crate) fn learn(train: &[Trace]) -> Self {
        let mut model = Self {
            grams: vec![HashMap::new(); Self::ORDER + 1],
            contexts: vec![HashMap::new(); Self::ORDER + 1],
        };
        for trace in train {
            for (before, call) in steps(trace) {
                let by_order = model.grams.iter_mut().zip(&mut model.contexts);
                for (context, (grams, contexts)) in hashes(before).zip(by_order) {
                    let count = grams.entry(extended(context, call)).or_insert(0.0);
                    let seen = contexts.entry(context).or_insert((0.0, 0.0));
                    seen.0 += 1.0;
                    if *count < 0.5 {
                        seen.1 += 1.0;
                    }
                    *count += 1.0;
                }
            }
        }
        model
    }

    /// The mean surprise of a call in bits; 0 of an empty trace.
    pub(crate) fn score(&self, trace: &[u32]) -> f64 {
        let sum: f64 = steps(trace).map(|(before, call)| self.surprise(before, call)).sum();
        sum / (trace.len().max(1) as f64)
    }

    fn surprise(&self, before: &[u32], call: u32) -> f64 {
        let mut probability = 1.0 / Self::KINDS;
        let by_order = self.grams.iter().zip(&self.contexts);
        for (context, (grams, contexts)) in hashes(before).zip(by_order) {
            let Some((seen, kinds)) = contexts.get(&context) else { break };
            let count = grams.get(&extended(context, call)).copied().unwrap_or(0.0);
            probability = (count + kinds * probability) / (seen + kinds);
        }
        -probability.log2()
    }
}

/// Each call with at most twelve before it.
fn steps(trace: &[u32]) -> impl Iterator<Item = (&[u32], u32)> {
    trace.iter().enumerate().map(|(at, call)| {
        let from = at.saturating_sub(WittenBell::ORDER);
        (trace.get(from..at).unwrap_or_default(), *call)
    })
}

/// A number for each context: none, the last call, the last two … 64 bits, so two contexts hardly ever share one.
fn hashes(before: &[u32]) -> impl Iterator<Item = u64> {
    let mut context = 0x9E37_79B9_7F4A_7C15;
    let longer = before.iter().rev().map(move |call| {
        context = extended(context, *call);
        context
    });
    std::iter::once(0x9E37_79B9_7F4A_7C15).chain(longer)
}

fn extended(context: u64, call: u32) -> u64 {
    let mixed = (context ^ u64::from(call)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed ^ (mixed >> 32)
}
