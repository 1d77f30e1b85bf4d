//! What another manifest would have said of recorded runs.

use picket_engine::{Effect, Engine, Finding, Input, KernelTime, Mode, Policy, Settings};

use super::{Manifest, Names, Occasion, ResolveContext, ResolveError, Resolved};

/// All findings of a run apart, and none forgotten.
const SETTINGS: Settings = Settings { findings_kept: usize::MAX, ..Settings::STANDARD };

/// The judgement of a manifest about recorded runs.
#[derive(Debug)]
pub(super) struct Judged {
    /// Facts it was told.
    pub(super) facts: u64,
    /// What departs from it, each thing once a run.
    pub(super) findings: Vec<Finding>,
}

/// Judges recorded runs by a manifest as it holds on this machine.
pub(super) fn judge(manifest: &Manifest, runs: &[&[Input]]) -> Result<Judged, ResolveError> {
    let policy = Policy { mode: Mode::Observe, ..resolved(manifest, began(runs))?.policy };
    let mut judged = Judged { facts: 0, findings: Vec::new() };
    for inputs in runs {
        run(&policy, inputs, &mut judged);
    }
    Ok(judged)
}

/// The manifest on this machine, its clock set to the time of the runs. Entry point and digest are not looked at.
pub(super) fn resolved(manifest: &Manifest, boot: KernelTime) -> Result<Resolved, ResolveError> {
    let names = Names::default();
    manifest.resolve(&ResolveContext {
        entry: None,
        wall: std::time::SystemTime::now(),
        boot,
        occasion: Occasion::Refresh,
        elsewhere: false,
        names: &names,
    })
}

/// When the first sandbox of the runs was registered.
fn began(runs: &[&[Input]]) -> KernelTime {
    let registered = runs.iter().flat_map(|inputs| inputs.iter()).filter_map(|input| match input {
        Input::Register { at, .. } => Some(*at),
        _ => None,
    });
    registered.min().unwrap_or(KernelTime::BOOT)
}

/// Only what the plugin did is told: what was decided about it then has no place in this judgement.
fn run(policy: &Policy, inputs: &[Input], judged: &mut Judged) {
    let mut engine = Engine::new(SETTINGS);
    let mut effects = Vec::new();
    for input in inputs {
        match input {
            Input::Register { sandbox, policy: then, arrival, at } => {
                let policy = Policy { inherited: then.inherited.clone(), ..policy.clone() };
                let (sandbox, arrival, at) = (*sandbox, arrival.clone(), *at);
                engine.handle(Input::Register { sandbox, policy, arrival, at }, &mut effects);
            }
            Input::Event { sandbox, .. } if engine.state(*sandbox).is_some() => {
                judged.facts = judged.facts.saturating_add(1);
                engine.handle(input.clone(), &mut effects);
            }
            // Others may have the slot next.
            Input::Unregister { .. } => engine.handle(input.clone(), &mut effects),
            _ => {}
        }
        judged.findings.extend(effects.drain(..).filter_map(|effect| match effect {
            Effect::Finding(finding) => Some(finding),
            _ => None,
        }));
    }
}
