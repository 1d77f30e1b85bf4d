//! The configuration as it is written: the YAML's shape, every value with its place.

use serde::Deserialize;

use crate::document::{At, Kind, Text, given};

/// How complaints speak of a configuration.
pub(super) const CONFIGURATION: Kind = Kind {
    name: "configuration",
    one: "a configuration",
    start_with: START_WITH,
    deepest: "no key of a configuration lies deeper than three levels",
    only_one: "one file holds one configuration: remove what follows",
    shorter: "replace rules for single cgroups by patterns such as /plugins/*",
    missing,
};

const START_WITH: &str =
    "a configuration starts with `version: 1` and `sandboxes: [{ cgroup: …, manifest: … }]`";

fn missing(field: &str) -> &'static str {
    match field {
        "version" => "write `version: 1`",
        "endpoint" => "name the collector, such as `endpoint: http://127.0.0.1:4318`",
        "cgroup" => "name the cgroups, from the cgroup2 mount on, such as `cgroup: /plugins/*`",
        "manifests" => {
            "name the directory of the manifests, such as `manifests: /etc/picket/manifests`"
        }
        "manifest" => "name the manifest's file, such as `manifest: manifests/plugin.yaml`",
        "targets" => {
            "name who is told: `targets: [{ name: oncall, type: alertmanager, url: \"http://127.0.0.1:9093\" }]`"
        }
        "learn" => {
            "name the plugins whose runs you trust: `learn: [{ plugin: weather, artifact: \"sha256:…\" }]`"
        }
        "plugin" => "write the plugin's name, as its manifest says it",
        "artifact" => {
            "write `artifact: sha256:` and the digits that `sha256sum FILE` says of the build"
        }
        "name" => "give it a name, such as `name: oncall`: metrics and `picket alerts` call it so",
        "type" => "write `type: alertmanager` or `type: webhook`",
        "url" => "say where it is, such as `url: \"http://127.0.0.1:9093\"`",
        _ => "add it",
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) version: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) node: Option<Text>,
    #[serde(default)]
    pub(super) metrics: Metrics,
    #[serde(default)]
    pub(super) api: Api,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default, deserialize_with = "given")]
    pub(super) otlp: Option<Otlp>,
    pub(super) alerts: Option<Alerts>,
    #[serde(default, deserialize_with = "given")]
    pub(super) baselines: Option<Baselines>,
    #[serde(default, deserialize_with = "given")]
    pub(super) kubernetes: Option<Kubernetes>,
    #[serde(default, deserialize_with = "given")]
    pub(super) sandboxes: Option<At<Vec<Sandbox>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    #[serde(default, deserialize_with = "given")]
    pub(super) listen: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) series: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Api {
    #[serde(default, deserialize_with = "given")]
    pub(super) socket: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) group: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    #[serde(default, deserialize_with = "given")]
    pub(super) sandboxes: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Otlp {
    pub(super) endpoint: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) protocol: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) headers_file: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) ca_file: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) interval: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sandbox {
    pub(super) cgroup: Text,
    pub(super) manifest: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) mode: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) setup: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alerts {
    #[serde(default, deserialize_with = "given")]
    pub(super) outbox: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) give_up_after: Option<Text>,
    pub(super) targets: At<Vec<AlertTarget>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertTarget {
    pub(super) name: Text,
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) url: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) secret_file: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) bearer_file: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) ca_file: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) rate: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Baselines {
    #[serde(default, deserialize_with = "given")]
    pub(super) store: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) deployment: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) budgets: Option<Budgets>,
    pub(super) learn: At<Vec<Learned>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Budgets {
    #[serde(default, deserialize_with = "given")]
    pub(super) alert: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) contain: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Learned {
    pub(super) plugin: Text,
    pub(super) artifact: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) continuous: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kubernetes {
    pub(super) manifests: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) logs: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) scope: Option<Text>,
}
