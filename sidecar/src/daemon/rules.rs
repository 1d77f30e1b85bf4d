//! The configuration in force, with the policy that each of its rules comes to on this machine.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use picket_engine::{KernelTime, Mode, Pattern, Policy};

use crate::{
    clock,
    config::{Config, Meant, Rule},
    manifest::{Manifest, Names, Occasion, ResolveContext},
    probe::Slots,
};

/// Wall and kernel clock may part by so much before grants are reckoned anew. Less is the noise of reading them one
/// after the other, and must not make a policy another one.
const DRIFT: Duration = Duration::from_secs(1);

/// A policy, or why there is none.
pub(super) type Resolution = Result<Policy, String>;

/// See the module. Invariant: one resolution a rule, in the order of the rules.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) config: Arc<Config>,
    pub(super) resolutions: Vec<Resolution>,
}

impl Rules {
    /// The policy of a rule; `mode` is what somebody asked for this sandbox.
    pub(super) fn policy(&self, rule: usize, mode: Option<Mode>) -> Resolution {
        let (Some(resolution), Some(declared)) =
            (self.resolutions.get(rule), self.config.sandboxes.get(rule))
        else {
            return Err("no rule means it any more".to_owned());
        };
        let mut policy = resolution.clone()?;
        policy.mode = mode.or(declared.mode).unwrap_or(policy.mode);
        Ok(policy)
    }

    /// How far a rule goes without anybody's asking.
    pub(super) fn mode(&self, rule: usize) -> Option<Mode> {
        let declared = self.config.sandboxes.get(rule)?;
        Some(declared.mode.unwrap_or_else(|| declared.manifest.mode()))
    }

    pub(super) fn rule(&self, rule: usize) -> Option<&Rule> {
        self.config.sandboxes.get(rule)
    }

    pub(super) fn patterns(&self) -> Arc<[Pattern]> {
        let patterns = self.config.sandboxes.iter().filter_map(|rule| match &rule.meant {
            Meant::Cgroup(pattern) => Some(pattern.clone()),
            Meant::Container(_) => None,
        });
        patterns.collect()
    }

    pub(super) fn has_unresolved(&self) -> bool {
        self.resolutions.iter().any(Result::is_err)
    }

    /// Takes newer resolutions; one that failed leaves the former policy in force. Answers why they failed.
    pub(super) fn renew(&mut self, newer: Vec<Resolution>) -> Vec<String> {
        let mut failures = Vec::new();
        for (former, newer) in self.resolutions.iter_mut().zip(newer) {
            match newer {
                Err(why) if former.is_ok() => failures.push(why),
                newer => *former = newer,
            }
        }
        failures.dedup();
        failures
    }
}

/// Makes policies of manifests. What names meant is kept across configurations.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolver {
    names: Arc<Names>,
    clocks: Arc<Mutex<Option<(SystemTime, KernelTime)>>>,
}

impl Resolver {
    /// Asks the system's resolver, which may take as long as that takes. `former`: the resolutions in force.
    pub(super) fn resolve(&self, config: &Config, former: &[Resolution]) -> Vec<Resolution> {
        let mut done: Vec<(&Arc<Manifest>, bool, Resolution)> = Vec::new();
        let mut resolutions = Vec::new();
        for (index, rule) in config.sandboxes.iter().enumerate() {
            // A container has another root than this process.
            let elsewhere = matches!(rule.meant, Meant::Container(_));
            let known = done.iter().find(|(manifest, other, _)| {
                *other == elsewhere && Arc::ptr_eq(manifest, &rule.manifest)
            });
            let resolution = match known {
                Some((_, _, resolution)) => resolution.clone(),
                None => {
                    let in_force = former.get(index).is_some_and(Result::is_ok);
                    let occasion = if in_force { Occasion::Refresh } else { Occasion::Start };
                    let resolution = self.one(&rule.manifest, occasion, elsewhere);
                    done.push((&rule.manifest, elsewhere, resolution.clone()));
                    resolution
                }
            };
            resolutions.push(resolution);
        }
        resolutions
    }

    fn one(&self, manifest: &Manifest, occasion: Occasion, elsewhere: bool) -> Resolution {
        let (wall, boot) = self.clocks();
        let names = &self.names;
        let context = ResolveContext { entry: None, wall, boot, occasion, elsewhere, names };
        let resolved = manifest.resolve(&context).map_err(|error| error.to_string())?;
        Slots::check(&resolved.policy, boot).map_err(|error| error.to_string())?;
        Ok(resolved.policy)
    }

    /// Both clocks, a constant distance apart as long as that is true.
    pub(super) fn clocks(&self) -> (SystemTime, KernelTime) {
        let (wall, boot) = (SystemTime::now(), clock::now());
        let mut known = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((wall_then, boot_then)) = *known {
            let reckoned = wall_then + boot.duration_since(boot_then);
            let drift = match wall.duration_since(reckoned) {
                Ok(ahead) => ahead,
                Err(behind) => behind.duration(),
            };
            if drift < DRIFT {
                return (reckoned, boot);
            }
        }
        *known = Some((wall, boot));
        (wall, boot)
    }
}
