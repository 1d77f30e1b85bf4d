//! The configuration as it is in force: every value written out, as YAML that gives the same configuration again.

use std::{fmt, path::Path, time::Duration};

use super::{
    AlertTarget, Alerts, Config, Kubernetes, Meant, Rule, TargetKind, alerts, check, kubernetes,
};
use crate::{document::quoted, export::SeriesBudget};

/// Configuration, each default marked as one.
#[derive(Debug)]
pub struct Effective<'a>(&'a Config);

impl Config {
    /// What is in force, to be printed.
    pub fn effective(&self) -> Effective<'_> {
        Effective(self)
    }
}

impl fmt::Display for Effective<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        writeln!(f, "# {}, {}", quoted(&config.path.to_string_lossy()), config.digest)?;
        writeln!(f, "version: 1")?;
        match &config.node {
            Some(node) => writeln!(f, "node: {}", quoted(node.as_str()))?,
            None => writeln!(f, "# node: $NODE_NAME, or else the host's name")?,
        }
        let metrics = config.metrics.map_or("off".to_owned(), |address| address.to_string());
        writeln!(
            f,
            "metrics:\n  listen: {}{}",
            quoted(&metrics),
            default(metrics == check::METRICS)
        )?;
        let series = config.series;
        writeln!(f, "  series: {}{}", series.get(), default(series == SeriesBudget::DEFAULT))?;
        let socket = &config.api.socket;
        writeln!(
            f,
            "api:\n  socket: {}{}",
            path(socket),
            default(socket == Path::new(check::SOCKET))
        )?;
        match config.api.group {
            Some(group) => writeln!(f, "  group: {group}")?,
            None => writeln!(f, "  # group: none, only root may use the socket")?,
        }
        let most = config.max_sandboxes;
        writeln!(f, "limits:\n  sandboxes: {most}{}", default(most == check::SANDBOXES))?;
        super::otlp::show(f, config.otlp.as_ref())?;
        if let Some(alerts) = &config.alerts {
            show_alerts(f, alerts)?;
        }
        super::baselines::show(f, config.baselines.as_ref())?;
        if let Some(kubernetes) = &config.kubernetes {
            show_kubernetes(f, kubernetes, &config.sandboxes)?;
        }
        let by_cgroup = |rule: &Rule| matches!(rule.meant, Meant::Cgroup(_));
        if config.sandboxes.iter().any(by_cgroup) {
            writeln!(f, "sandboxes:")?;
        }
        config.sandboxes.iter().try_for_each(|rule| match &rule.meant {
            Meant::Cgroup(pattern) => show_rule(f, &pattern.to_string(), rule),
            Meant::Container(_) => Ok(()),
        })
    }
}

fn show_kubernetes(
    f: &mut fmt::Formatter<'_>,
    kubernetes: &Kubernetes,
    rules: &[Rule],
) -> fmt::Result {
    let Kubernetes { manifests, logs, scope } = kubernetes;
    writeln!(f, "kubernetes:\n  manifests: {}", path(manifests))?;
    for rule in rules {
        if let Meant::Container(binding) = &rule.meant {
            writeln!(f, "    # {binding}: {}, {}", plugin(rule), rule.manifest.mode())?;
        }
    }
    writeln!(f, "  logs: {}{}", path(logs), default(logs == Path::new(kubernetes::LOGS)))?;
    writeln!(f, "  scope: {}{}", scope.as_str(), default(*scope == kubernetes::SCOPE))
}

/// Name, version and digest.
fn plugin(rule: &Rule) -> String {
    let manifest = &rule.manifest;
    format!("{} {}, {}", manifest.plugin_name(), manifest.plugin_version(), manifest.digest())
}

fn show_rule(f: &mut fmt::Formatter<'_>, cgroup: &str, rule: &Rule) -> fmt::Result {
    writeln!(f, "  - cgroup: {}", quoted(cgroup))?;
    let (manifest, name) = (&rule.manifest, path(&rule.manifest_path));
    writeln!(f, "    # {}", plugin(rule))?;
    writeln!(f, "    manifest: {name}")?;
    match rule.mode {
        Some(mode) => writeln!(f, "    mode: {mode}")?,
        None => writeln!(f, "    # mode: {}, as the manifest says", manifest.mode())?,
    }
    writeln!(f, "    setup: {}{}", duration(rule.setup), default(rule.setup == check::SETUP))
}

/// Files of secrets are named, and what is in them is not shown.
fn show_alerts(f: &mut fmt::Formatter<'_>, alerts: &Alerts) -> fmt::Result {
    let (outbox, patience) = (&alerts.outbox, alerts.give_up_after);
    writeln!(
        f,
        "alerts:\n  outbox: {}{}",
        path(outbox),
        default(outbox == Path::new(alerts::OUTBOX))
    )?;
    writeln!(
        f,
        "  give_up_after: {}{}",
        duration(patience),
        default(patience == alerts::GIVE_UP_AFTER)
    )?;
    writeln!(f, "  targets:")?;
    alerts.targets.iter().try_for_each(|target| show_target(f, target))
}

fn show_target(f: &mut fmt::Formatter<'_>, target: &AlertTarget) -> fmt::Result {
    writeln!(f, "    - name: {}", quoted(target.name.as_str()))?;
    writeln!(f, "      type: {}", target.kind.as_str())?;
    writeln!(f, "      url: {}", quoted(&target.written_url))?;
    if let TargetKind::Webhook { secrets, rate } = &target.kind {
        writeln!(f, "      secret_file: {}", path(secrets.path()))?;
        writeln!(f, "      rate: {rate}{}", default(*rate == alerts::RATE))?;
    }
    if let Some(bearer) = &target.bearer {
        writeln!(f, "      bearer_file: {}", path(bearer.path()))?;
    }
    match &target.ca_file {
        Some(ca) => writeln!(f, "      ca_file: {}", path(&ca.path)),
        None => Ok(()),
    }
}

pub(super) fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

pub(super) fn default(is: bool) -> &'static str {
    if is { " # default" } else { "" }
}

/// In the largest unit that loses nothing.
pub(super) fn duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}
