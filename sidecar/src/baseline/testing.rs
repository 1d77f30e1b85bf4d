//! Baselines for tests.

use picket_engine::{
    baseline::{Acceptance, Baseline, Family, Fault, Mark, Run, RunId},
    learned::{Lane, PluginTime, Scores, Surprise},
};
use proptest::prelude::*;

use super::{Entry, Identity, Package};

pub(super) fn identity(plugin: &str) -> Identity {
    let digest = format!("sha256:{}", "0".repeat(64));
    Identity::parse([plugin, &digest, &digest, "edge"]).unwrap()
}

/// Any run, of any size that a number can have and any text.
pub(super) fn any_run() -> impl Strategy<Value = Run> {
    let family = prop::sample::select(Family::ALL);
    let deeds = prop::collection::vec((family, any::<String>(), 1_u32..), 0..6);
    let fault = prop::option::weighted(0.2, (prop::sample::select(Fault::ALL), 1_u64..));
    let full = prop::option::weighted(0.2, prop::sample::select(Family::ALL));
    let place = (any::<u64>(), any::<u64>(), any::<bool>(), any::<u64>());
    (deeds, fault, full, place).prop_map(|(deeds, fault, full, (began, lasted, started, facts))| {
        let mut run = Run::new(began, PluginTime::from_millis(lasted), started, facts);
        deeds.iter().for_each(|(family, template, times)| run.count(*family, template, *times));
        fault.iter().for_each(|(fault, times)| run.fail(*fault, *times));
        full.iter().for_each(|family| run.fill(*family));
        run
    })
}

fn any_acceptance() -> impl Strategy<Value = Acceptance> {
    let family = prop::sample::select(Family::ALL);
    (any::<u64>(), family, any::<String>(), any::<String>(), any::<String>()).prop_map(
        |(at, family, template, by, reason)| Acceptance { at, family, template, by, reason },
    )
}

/// Any baseline of a few runs.
pub(super) fn any_baseline(of: Identity) -> impl Strategy<Value = Baseline> {
    let runs = prop::collection::vec((any::<[u8; 16]>(), any_run()), 0..4);
    let accepted = prop::collection::vec(any_acceptance(), 0..3);
    (runs, accepted, any::<bool>()).prop_map(move |(runs, accepted, sampled)| {
        let mut baseline = Baseline::new(of.subject());
        runs.iter().for_each(|(id, run)| baseline.learn(RunId(*id), run));
        accepted.into_iter().for_each(|one| baseline.accept(one));
        if sampled {
            baseline.set_sampled();
        }
        baseline
    })
}

/// Any baselines of two plugins.
pub(super) fn any_package() -> impl Strategy<Value = Package> {
    let of = |plugin| prop::option::of(any_baseline(identity(plugin)));
    (of("weather"), of("mail")).prop_map(|(weather, mail)| {
        let mut package = Package::new();
        for (plugin, baseline) in [("weather", weather), ("mail", mail)] {
            let entry = baseline.map(|baseline| Entry { identity: identity(plugin), baseline });
            entry.into_iter().for_each(|entry| package.add(entry));
        }
        package
    })
}

pub(super) const DAY: u64 = 86_400;

pub(super) fn id(number: u16) -> RunId {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(number.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    RunId(bytes)
}

/// A minute of a plugin that does what it always does.
pub(super) fn run_at(began: u64) -> Run {
    let mut run = Run::new(began, PluginTime::from_millis(60_000), true, 1);
    run.count(Family::Exec, "/opt/plugin", 1);
    run
}

/// Two runs a day for a fortnight: known well enough.
pub(super) fn known_for_a_fortnight() -> Baseline {
    let mut baseline = Baseline::new(identity("weather").subject());
    for half in 0..30_u16 {
        baseline.learn(id(half), &run_at(u64::from(half) * DAY / 2));
    }
    baseline
}

/// A run that was scored with so many bits of novelty.
pub(super) fn mark(began: u64, bits: u32) -> Mark {
    let scores = Scores::default().with(Lane::Novelty, Surprise::from_bits(bits));
    Mark::of(&run_at(began), scores)
}
