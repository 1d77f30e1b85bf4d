//! Learning beside the daemon: started, told whose the sandboxes are, and asked how far it is.

use std::collections::BTreeSet;

use picket_engine::SandboxId;

use super::{Audience, Daemon, DaemonError, sandboxes::Watched};
use crate::{
    baseline::{Identity, Live, LiveStatus, Pupil, QUEUE},
    config::{Baselines, Config},
    export::BaselineMetrics,
    session::Session,
};

/// Learning as the daemon holds it.
#[derive(Debug)]
pub(super) struct Learning {
    live: Live,
    /// Plugins of which it was said that they are not learned.
    said: BTreeSet<String>,
}

/// What there is to say about learning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearningStatus {
    /// What is known.
    pub live: LiveStatus,
    /// Plugins that are watched and not learned.
    pub not_learned: BTreeSet<String>,
}

impl LearningStatus {
    /// The way out for a plugin that is not learned.
    pub const WAY_OUT: &str =
        "no artifact is named for it under `baselines.learn`, and a baseline belongs to a build";
}

/// Starts to learn, if that is wanted. To be called before any sandbox is watched.
pub(super) fn start(config: &Config, session: &Session) -> Result<Option<Learning>, DaemonError> {
    let Some(Baselines { store, .. }) = &config.baselines else { return Ok(None) };
    let metrics = BaselineMetrics::register(session.metrics());
    let watch = session.watch();
    let live = Live::start(store, watch.tap(QUEUE), watch.accuser(), metrics);
    let live = live.map_err(|source| DaemonError::System { step: "starting to learn", source })?;
    Ok(Some(Learning { live, said: BTreeSet::new() }))
}

/// Plugins come and go while Picket runs; the store is the one it was started with.
pub(super) fn keep_what_needs_a_restart(
    config: &mut Config,
    former: &Config,
    kept: &mut Vec<&'static str>,
) {
    match (&mut config.baselines, &former.baselines) {
        (None, None) => {}
        (Some(now), Some(before)) => {
            if now.store != before.store {
                now.store.clone_from(&before.store);
                kept.push("baselines.store");
            }
        }
        (Some(_), None) => {
            config.baselines = None;
            kept.push("baselines");
        }
        // Nothing is learned any more.
        (now @ None, Some(before)) => {
            *now = Some(Baselines { learn: Vec::new(), ..before.clone() });
        }
    }
}

impl Learning {
    /// Waits until what is under way has been stored. To be called when the session has ended.
    pub(super) fn end(self, audience: &mut impl Audience) {
        for (event, text) in self.live.end() {
            audience.remark(event, &text);
        }
    }
}

impl<A: Audience> Daemon<'_, A> {
    /// Says whose runs those of a sandbox that has just been found are.
    pub(super) fn introduce_to_learning(&mut self, id: SandboxId) {
        let (Some(learning), Some(watched)) =
            (&mut self.learning, self.sandboxes.watched.get_mut(&id))
        else {
            return;
        };
        let Some(rule) = self.rules.rule(watched.rule) else { return };
        let plugin = rule.manifest.plugin_name();
        let baselines = self.rules.config.baselines.as_ref();
        let found = baselines.and_then(|found| Some((found, found.learned(plugin)?)));
        let pupil = found.map(|(baselines, learned)| Pupil {
            identity: Identity {
                plugin: plugin.to_owned(),
                artifact: learned.artifact,
                manifest: rule.manifest.digest(),
                deployment: baselines.deployment.clone(),
            },
            plugin: learned.plugin.clone(),
            continuous: learned.continuous,
            budgets: baselines.budgets,
        });
        if pupil.is_none() && learning.said.insert(plugin.to_owned()) {
            let text = format!(
                "{plugin}: nothing is learned of it: {}; add `- {{ plugin: {plugin}, artifact: \"sha256:…\" }}` there if \
                 you trust its runs",
                LearningStatus::WAY_OUT
            );
            self.audience.remark("not_learned", &text);
        }
        watched.pupil.clone_from(&pupil);
        learning.live.assign(id, pupil);
    }

    /// After a reload: answers whose run ends here, because the manifest is another one. What runs keeps its build and its
    /// deployment; what was not learned when it was found is not learned before its next start.
    pub(super) fn reassign(&mut self) -> BTreeSet<SandboxId> {
        let Some(learning) = &mut self.learning else { return BTreeSet::new() };
        learning.said.clear();
        let mut another = BTreeSet::new();
        for (id, watched) in &mut self.sandboxes.watched {
            let Watched { pupil: Some(pupil), rule, .. } = watched else { continue };
            let Some(rule) = self.rules.rule(*rule) else { continue };
            let plugin = rule.manifest.plugin_name();
            let baselines = self.rules.config.baselines.as_ref();
            let found = baselines.and_then(|found| Some((found, found.learned(plugin)?)));
            let next = found.map(|(baselines, learned)| Pupil {
                identity: Identity {
                    plugin: plugin.to_owned(),
                    manifest: rule.manifest.digest(),
                    ..pupil.identity.clone()
                },
                plugin: learned.plugin.clone(),
                continuous: learned.continuous,
                budgets: baselines.budgets,
            });
            if next.as_ref() != Some(&*pupil) {
                if next.as_ref().is_some_and(|next| next.identity != pupil.identity) {
                    another.insert(*id);
                }
                learning.live.assign(*id, next.clone());
                watched.pupil = next;
            }
        }
        another
    }

    /// Has the kernel side forget what it has seen of these sandboxes, so that their runs can be cut.
    pub(super) fn remind(&self, sandboxes: &BTreeSet<SandboxId>) {
        for sandbox in sandboxes {
            self.session.watch().remind(*sandbox);
        }
    }

    pub(super) fn tend_learning(&mut self) {
        let Some(learning) = &self.learning else { return };
        for (event, text) in learning.live.news() {
            self.audience.remark(event, &text);
        }
        let due = learning.live.due();
        self.remind(&due);
    }

    pub(super) fn learning_status(&self) -> Option<LearningStatus> {
        let live = self.learning.as_ref()?.live.status();
        let unlearned = self.sandboxes.watched.values().filter(|watched| watched.pupil.is_none());
        let not_learned = unlearned.filter_map(|watched| {
            Some(self.rules.rule(watched.rule)?.manifest.plugin_name().to_owned())
        });
        Some(LearningStatus { live, not_learned: not_learned.collect() })
    }
}
