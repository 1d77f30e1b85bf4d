//! Another configuration takes the place of the one in force, wholly or not at all.
//!
//! Read, judge and resolve all of it elsewhere; then compare. A sandbox that stays keeps its slot, and its policy
//! unless it is another one, so that there is no moment without judgement. Whatever is wrong leaves the former
//! configuration in force.

use std::{collections::BTreeSet, mem, path::PathBuf, sync::Arc};

use tokio::{
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
};

use super::{
    Audience, Daemon, Looked, Reloaded, RequestError, alerting,
    containers::{self, Meaning},
    learning, plural,
    rules::{Resolution, Rules},
    sandboxes::Sandboxes,
};
use crate::{
    config::{self, Config},
    export::{ReloadOutcome, Subject},
    kubernetes::Workload,
};

type Reply = oneshot::Sender<Result<Reloaded, RequestError>>;

/// What was read.
pub(super) type Read = Result<(Config, Vec<Resolution>), Unread>;

/// Why nothing was read.
#[derive(Debug)]
pub(super) struct Unread {
    reason: String,
    /// A change to one of these may be the correction.
    files: BTreeSet<PathBuf>,
}

/// Where the reloads are.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    /// Why the newest configuration is not the one in force.
    pub(super) refused: Option<String>,
    /// The files are being read.
    pub(super) reading: Option<JoinHandle<Read>>,
    /// Applied, and discovery is looking for what is new.
    settling: Option<Settling>,
    /// Who waits for the one that is under way.
    callers: Vec<Reply>,
    /// One more is wanted as soon as this one is over, by these.
    next: Option<Vec<Reply>>,
}

#[derive(Debug)]
struct Settling {
    asked: u64,
    so_far: Reloaded,
}

impl Reloads {
    /// A sandbox was found; under a new configuration because of it.
    pub(super) fn added(&mut self) {
        if let Some(settling) = &mut self.settling {
            settling.so_far.added += 1;
        }
    }
}

impl<A: Audience> Daemon<'_, A> {
    /// Reads the configuration again. `None`: because a file has changed.
    pub(super) fn reload(&mut self, caller: Option<Reply>) {
        if self.reloads.reading.is_some() || self.reloads.settling.is_some() {
            self.reloads.next.get_or_insert_default().extend(caller);
            return;
        }
        self.reloads.callers.extend(caller);
        self.notifier.reloading();
        let (path, resolver) = (self.rules.config.path.clone(), self.resolver.clone());
        self.reloads.reading = Some(spawn_blocking(move || match config::load(&path) {
            Ok(config) => {
                let resolutions = resolver.resolve(&config, &[]);
                let files = || config.files().map(std::path::Path::to_owned).collect();
                match resolutions.iter().find_map(|one| one.as_ref().err()) {
                    Some(reason) => Err(Unread { reason: reason.clone(), files: files() }),
                    None => Ok((config, resolutions)),
                }
            }
            Err(error) => Err(Unread {
                reason: error.to_string(),
                files: error.files().map(std::path::Path::to_owned).collect(),
            }),
        }));
    }

    /// What was read is put in force, or not.
    pub(super) fn take_read(&mut self, read: Looked<Read>) {
        let panicked = |error: tokio::task::JoinError| Unread {
            reason: error.to_string(),
            files: BTreeSet::new(),
        };
        match read.map_err(panicked).and_then(|read| read) {
            Err(unread) => self.refuse(unread),
            Ok((config, resolutions)) => {
                self.files.follow(config.files().map(std::path::Path::to_owned).collect());
                // A file was touched and says the same.
                let unasked = self.reloads.callers.is_empty() && self.reloads.refused.is_none();
                if unasked && is_same(&config, &self.rules.config) {
                    self.over();
                } else {
                    self.apply(config, resolutions);
                }
            }
        }
    }

    fn refuse(&mut self, unread: Unread) {
        let Unread { reason, mut files } = unread;
        self.say_refused(&reason);
        self.metrics.reloaded(ReloadOutcome::Refused);
        self.reloads.refused = Some(reason.clone());
        files.extend(self.rules.config.files().map(std::path::Path::to_owned));
        self.files.follow(files);
        for caller in mem::take(&mut self.reloads.callers) {
            drop(caller.send(Err(RequestError::Refused(reason.clone()))));
        }
        self.over();
    }

    /// A signal and the watch on the directories tell of the same edit: what is wrong with it is said once.
    fn say_refused(&mut self, reason: &str) {
        if self.reloads.refused.as_deref() != Some(reason) {
            let text = format!(
                "the new configuration is refused, the former one stays in force:\n{reason}"
            );
            self.audience.remark("config_refused", &text);
        } else if !self.reloads.callers.is_empty() {
            let text = "the new configuration is still refused for the reason given before, the former one stays in force";
            self.audience.remark("config_refused", text);
        }
    }

    fn apply(&mut self, mut config: Config, resolutions: Vec<Resolution>) {
        let fixed = keep_what_needs_a_restart(&mut config, &self.rules.config);
        if !fixed.is_empty() {
            let text = format!("changed and needs a restart of Picket: {}", fixed.join(", "));
            tracing::warn!(keys = fixed.join(", "), "changed and needs a restart");
            self.audience.remark("restart_needed", &text);
        }
        // Also when they are the same: a target that said 410 is asked again.
        if let (Some(alerts), Some(now)) = (&self.alerts, &config.alerts) {
            alerts.replace(now);
        }
        for warning in &config.warnings {
            self.audience.remark("warning", &warning.to_string());
        }
        let former = mem::replace(&mut self.rules, Rules { config: Arc::new(config), resolutions });
        let mut so_far = Reloaded::default();
        let mut meant_no_more = Vec::new();
        let Sandboxes { watched: all, containers, .. } = &mut self.sandboxes;
        for (id, watched) in all {
            // A container keeps its names while it lives, also when the kubelet has removed its log.
            let meant = match containers.meaning(&self.rules.config, &watched.path) {
                Meaning::Rule(index, workload) => Some((index, workload)),
                _ => watched.workload.as_ref().and_then(|known| {
                    let Workload { namespace, pod, container, .. } = known;
                    containers::bound(&self.rules.config, namespace, pod, container)
                        .map(|(index, workload)| (index, Some(workload)))
                }),
            };
            let Some((index, workload)) = meant else {
                meant_no_more.push(watched.path.clone());
                continue;
            };
            let Some(rule) = self.rules.rule(index) else { continue };
            watched.workload = workload;
            let before = former.rule(watched.rule).map(|rule| rule.manifest.digest());
            if before != Some(rule.manifest.digest())
                && let Some(places) = &watched.places
            {
                let (wall, boot) = self.resolver.clocks();
                watched.places = Some(rule.manifest.in_same_container(places, wall, boot));
            }
            // What somebody asked for lasts until the configuration says something else than it did.
            if former.mode(watched.rule) != self.rules.mode(index) {
                watched.mode = None;
            }
            let place = watched.workload.as_ref().map(Workload::place);
            let subject = Subject::new(&rule.manifest, place);
            if watched.named != subject {
                self.audience.name(*id, subject.plugin.as_str());
                self.session.rename(*id, &subject);
                watched.named = subject;
            }
            watched.rule = index;
        }
        for path in &meant_no_more {
            self.leave(path);
            so_far.removed += 1;
        }
        let another_manifest = self.reassign();
        so_far.changed = self.rejudge();
        self.remind(&another_manifest);
        let undecided = self.sandboxes.containers.undecided();
        let containers: Vec<_> = undecided.into_iter().chain(meant_no_more).collect();
        let names = self.sandboxes.status(&self.session, &self.rules).into_iter();
        self.names.send_replace(Arc::new(names.map(|one| (one.sandbox, one.plugin)).collect()));
        self.reloads.refused = None;
        self.metrics.reloaded(ReloadOutcome::Applied);
        let asked = self.discoverer.look_for(self.rules.patterns());
        self.reloads.settling = Some(Settling { asked, so_far });
        // Discovery tells of cgroups that begin to match. A container matches whatever is bound to it.
        for path in containers {
            self.enter(&path, None);
        }
    }

    /// Puts the policies in force as they are now; answers for how many that was another one.
    pub(super) fn rejudge(&mut self) -> usize {
        let mut changed = 0;
        for (id, watched) in &mut self.sandboxes.watched {
            let Ok(policy) = watched.policy(&self.rules, watched.mode) else {
                continue;
            };
            if policy == *watched.joined.policy() {
                continue;
            }
            match self.session.rejudge(&mut watched.joined, &policy) {
                Ok(()) => changed += 1,
                Err(error) => {
                    let text = format!("keeps its former policy: {error}");
                    self.audience.note(*id, "refresh_failed", &text);
                }
            }
        }
        changed
    }

    /// The tree was walked for the patterns of the `asked`-th configuration since the start.
    pub(super) fn conclude(&mut self, asked: u64) {
        let Some(Settling { so_far, .. }) =
            self.reloads.settling.take_if(|settling| settling.asked <= asked)
        else {
            return;
        };
        let Reloaded { added, removed, changed } = so_far;
        let text = format!(
            "the configuration was read again: {added} added, {removed} removed, {changed} judged otherwise; watching {}",
            plural(self.sandboxes.watched.len())
        );
        self.audience.remark("reloaded", &text);
        for caller in mem::take(&mut self.reloads.callers) {
            drop(caller.send(Ok(so_far.clone())));
        }
        self.over();
    }

    /// The reload is over; another may have been asked for meanwhile.
    fn over(&mut self) {
        self.notifier.ready(&format!("watching {}", plural(self.sandboxes.watched.len())));
        if let Some(callers) = self.reloads.next.take() {
            self.reloads.callers = callers;
            self.reload(None);
        }
    }
}

/// The same bytes everywhere.
fn is_same(one: &Config, other: &Config) -> bool {
    let manifests = |config: &Config| -> Vec<_> {
        let rules = config.sandboxes.iter();
        rules.map(|rule| (rule.meant.clone(), rule.manifest.digest())).collect()
    };
    one.digest == other.digest && manifests(one) == manifests(other) && one.alerts == other.alerts
}

/// Puts the former values back and names them.
fn keep_what_needs_a_restart(config: &mut Config, former: &Config) -> Vec<&'static str> {
    let mut kept = Vec::new();
    if config.node != former.node {
        config.node = former.node.clone();
        kept.push("node");
    }
    if config.series != former.series {
        config.series = former.series;
        kept.push("metrics.series");
    }
    if config.metrics != former.metrics {
        config.metrics = former.metrics;
        kept.push("metrics.listen");
    }
    if config.api != former.api {
        config.api = former.api.clone();
        kept.push("api");
    }
    if config.max_sandboxes != former.max_sandboxes {
        config.max_sandboxes = former.max_sandboxes;
        kept.push("limits.sandboxes");
    }
    if config.otlp != former.otlp {
        config.otlp = former.otlp.clone();
        kept.push("otlp");
    }
    alerting::keep_what_needs_a_restart(config, former, &mut kept);
    learning::keep_what_needs_a_restart(config, former, &mut kept);
    let fixed = |config: &Config| {
        config.kubernetes.as_ref().map(|kubernetes| (kubernetes.logs.clone(), kubernetes.scope))
    };
    if fixed(config) != fixed(former) {
        kept.push("kubernetes");
        match (&mut config.kubernetes, &former.kubernetes) {
            (Some(new), Some(former)) => {
                new.logs = former.logs.clone();
                new.scope = former.scope;
            }
            (new, former) => *new = former.clone(),
        }
    }
    kept
}
