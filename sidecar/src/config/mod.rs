//! What `picket run` watches and how: the daemon's configuration, and every manifest that it names.
//!
//! [`load`] reads all of the files and judges them together, so that one run shows all there is to correct. Nothing of
//! the configuration is in force before all of it is good: these files decide what is frozen in production.
//!
//! # Invariants
//!
//! * A rule that can match nothing is an error: somebody believes in it.
//! * What a manifest asks for and the daemon cannot give is said: as an error where a plugin would be trusted for it
//!   (`plugin.digest`), as a warning otherwise.
//! * Files that others may write are refused.

mod alerts;
mod baselines;
mod check;
mod error;
mod group;
mod json_schema;
mod kubernetes;
mod manifests;
mod otlp;
mod schema;
mod secret;
mod show;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use picket_engine::{Mode, Pattern};

use crate::{
    document::{self, Digest, DocumentError, Position, Report},
    export::{OperatorWord, Origin, SeriesBudget, otlp::Written},
    kubernetes::{Binding, workloads},
    manifest::Manifest,
};
pub use alerts::{AlertTarget, Alerts, TargetKind};
pub use baselines::{Baselines, Learned};
pub use error::ConfigError;
pub use json_schema::json_schema;
use schema::{CONFIGURATION, Document};
pub use secret::Secret;

/// A configuration that passed every check, with every manifest it names.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its file, absolute.
    pub path: PathBuf,
    /// Digest of its own bytes; each manifest has its own.
    pub digest: Digest,
    /// What the node is called in all that leaves it; `None`: as [`Origin::default_node`] has it.
    pub node: Option<OperatorWord>,
    /// Where metrics are served; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// How many series plugins and sandboxes may have.
    pub series: SeriesBudget,
    /// How the daemon is asked.
    pub api: Api,
    /// Sandboxes watched at once.
    pub max_sandboxes: u32,
    /// Where telemetry is sent, as far as the file says it.
    pub otlp: Option<Written>,
    /// Who is told of incidents; `None`: nobody.
    pub alerts: Option<Alerts>,
    /// Whose runs are learned from; `None`: nobody's.
    pub baselines: Option<Baselines>,
    /// Where containers get their names and manifests from; `None`: this is no node of Kubernetes.
    pub kubernetes: Option<Kubernetes>,
    /// What is watched: cgroups in the order of the file, then containers in that of their manifests' names.
    pub sandboxes: Vec<Rule>,
    /// What is good enough to start with, but not what its author may think; one report a file.
    pub warnings: Vec<Report>,
}

/// How the daemon is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The Unix socket.
    pub socket: PathBuf,
    /// The group that may use it beside root.
    pub group: Option<u32>,
}

/// Where containers get their names and manifests from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubernetes {
    /// The directory of manifests, absolute; each is called after what it is meant for ([`Binding`]).
    pub manifests: PathBuf,
    /// The kubelet's directory of logs.
    pub logs: PathBuf,
    /// Whose containers.
    pub scope: Scope,
}

/// Whose containers are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of this node's.
    Node,
    /// Those of the pod that Picket itself runs in.
    Pod,
}

impl Scope {
    /// As the configuration has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Pod => "pod",
        }
    }
}

/// Whom a rule means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// Cgroups, from the cgroup2 mount on.
    Cgroup(Pattern),
    /// Containers of Kubernetes.
    Container(Binding),
}

/// Sandboxes, and the manifest they are judged by.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which.
    pub meant: Meant,
    /// What they may do; shared by the rules that name the same file.
    pub manifest: Arc<Manifest>,
    /// The manifest's file, absolute.
    pub manifest_path: PathBuf,
    /// How far the daemon may go; `None`: as far as the manifest says.
    pub mode: Option<Mode>,
    /// How long a cgroup that is found empty may be set up before it is judged without an exec.
    pub setup: Duration,
    /// Where `cgroup`, or the directory of manifests, stands in the configuration.
    pub position: Position,
}

/// Reads the configuration at `path` and every manifest it names.
///
/// # Errors
///
/// When one of the files cannot be read, is not what it should be, or is writable by others; all of it at once.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let mut files = vec![absolute(path)];
    let mut manifests = manifests::Manifests::new(path);
    let read =
        document::bytes(&CONFIGURATION, path).and_then(|bytes| judge(path, &bytes, &mut manifests));
    files.extend(manifests.files().map(absolute));
    read.map_err(|own| {
        let documents = std::iter::once(own).chain(manifests.into_refused()).collect();
        ConfigError::new(documents, files)
    })
}

fn judge(
    path: &Path,
    bytes: &[u8],
    manifests: &mut manifests::Manifests,
) -> Result<Config, DocumentError> {
    let name = path.display().to_string();
    let (source, document) = document::read::<Document>(&CONFIGURATION, &name, bytes)?;
    match check::check(path, document, manifests) {
        Err(faults) => Err(DocumentError::from_faults(&source, faults)),
        Ok(checked) => {
            let own = (!checked.warnings.is_empty()).then(|| source.report(checked.warnings));
            Ok(Config {
                path: absolute(path),
                digest: Digest::of(bytes),
                node: checked.node,
                metrics: checked.metrics,
                series: checked.series,
                api: checked.api,
                max_sandboxes: checked.max_sandboxes,
                otlp: checked.otlp,
                alerts: checked.alerts,
                baselines: checked.baselines,
                kubernetes: checked.kubernetes,
                sandboxes: checked.sandboxes,
                warnings: own.into_iter().chain(manifests.warnings()).collect(),
            })
        }
    }
}

/// Without a look at the file system; as it is where there is no working directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl Config {
    /// What the node is called in all that leaves it.
    pub fn node(&self) -> OperatorWord {
        self.node.clone().unwrap_or_else(Origin::default_node)
    }

    /// The first rule that means the cgroup, and its place in [`Config::sandboxes`].
    pub fn rule_for(&self, cgroup: &[u8]) -> Option<(usize, &Rule)> {
        self.sandboxes.iter().enumerate().find(
            |(_, rule)| matches!(&rule.meant, Meant::Cgroup(pattern) if pattern.matches(cgroup)),
        )
    }

    /// The place in [`Config::sandboxes`] of the manifest bound to a container, and what it is bound to: of several,
    /// the one whose workload has the longest name.
    pub fn rule_for_container(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Option<(usize, &Binding)> {
        workloads(pod).into_iter().find_map(|workload| {
            self.bindings().find(|(_, binding)| {
                (&*binding.namespace, &*binding.workload, &*binding.container)
                    == (namespace, workload, container)
            })
        })
    }

    /// Whether a manifest is bound to some container of the pod.
    pub fn binds_pod(&self, namespace: &str, pod: &str) -> bool {
        let candidates = workloads(pod);
        self.bindings().any(|(_, binding)| {
            binding.namespace == namespace && candidates.contains(&&*binding.workload)
        })
    }

    /// Every binding with the place of its rule.
    pub fn bindings(&self) -> impl Iterator<Item = (usize, &Binding)> {
        self.sandboxes.iter().enumerate().filter_map(|(index, rule)| match &rule.meant {
            Meant::Container(binding) => Some((index, binding)),
            Meant::Cgroup(_) => None,
        })
    }

    /// Every file the configuration was made of, absolute, itself first; a manifest as often as it is named. The
    /// directory of manifests is among them: what is new there counts, too.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let manifests = self.sandboxes.iter().map(|rule| rule.manifest_path.as_path());
        let targets = self.alerts.iter().flat_map(|alerts| &alerts.targets);
        let secrets = targets.flat_map(AlertTarget::files);
        let directory = self.kubernetes.as_ref().map(|kubernetes| kubernetes.manifests.as_path());
        std::iter::once(self.path.as_path()).chain(manifests).chain(directory).chain(secrets)
    }
}

#[cfg(test)]
mod tests;
