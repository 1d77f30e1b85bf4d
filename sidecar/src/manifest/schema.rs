//! The manifest as it is written: the YAML's shape, every value with its place.
//!
//! All scalars are text here. What they mean is decided in `check`, which can then report every
//! wrong value of a file at once; serde would stop at the first. Nothing has a `Default` that is
//! not spelled out in `check`.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::document::{At, Kind, Text, given};

/// How complaints speak of a manifest.
pub(super) const MANIFEST: Kind = Kind {
    name: "manifest",
    one: "a manifest",
    start_with: START_WITH,
    deepest: "no key of a manifest lies deeper than five levels",
    only_one: "one file holds one manifest: remove what follows",
    shorter: "replace lists of single files by patterns such as /data/**",
    missing,
};

const START_WITH: &str =
    "a manifest starts with `version: 1` and `plugin: { name: …, version: … }`";

fn missing(field: &str) -> &'static str {
    match field {
        "version" => "write `version: 1` for the manifest, `version: 1.4.2` for a plugin",
        "plugin" => START_WITH,
        "name" => "name the plugin, such as `name: thumbnailer`",
        "path" => "name the file, such as `path: /usr/bin/cat`",
        "to" => "name the destination, such as `to: 10.0.0.0/8` or `to: api.example.com`",
        "address" => "name the address to listen on, such as `address: 127.0.0.1`",
        "port" => "write a port (8080), a range (8000-8099) or any",
        _ => "add it",
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) version: Text,
    pub(super) plugin: Plugin,
    #[serde(default, deserialize_with = "given")]
    pub(super) mode: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) confinement: Option<Text>,
    #[serde(default)]
    pub(super) exec: Vec<At<Exec>>,
    #[serde(default)]
    pub(super) files: Files,
    #[serde(default)]
    pub(super) network: Network,
    #[serde(default)]
    pub(super) syscalls: Syscalls,
    #[serde(default)]
    pub(super) memory: Memory,
    #[serde(default)]
    pub(super) capabilities: Vec<Text>,
    #[serde(default)]
    pub(super) processes: Processes,
    #[serde(default, deserialize_with = "given")]
    pub(super) descriptors: Option<At<Vec<Text>>>,
    #[serde(default)]
    pub(super) resources: Resources,
    #[serde(default)]
    pub(super) reports: Vec<Text>,
    #[serde(default)]
    pub(super) actions: Actions,
    #[serde(default)]
    pub(super) containment: Containment,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plugin {
    pub(super) name: Text,
    pub(super) version: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) digest: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exec {
    pub(super) path: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) interpreter: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) argv: Option<Vec<Text>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) expires: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    #[serde(default, deserialize_with = "given")]
    pub(super) runtime: Option<At<bool>>,
    #[serde(default)]
    pub(super) read: Vec<At<Grant>>,
    #[serde(default)]
    pub(super) write: Vec<At<Grant>>,
    #[serde(default)]
    pub(super) execute: Vec<At<Grant>>,
    #[serde(default)]
    pub(super) protect: Vec<Text>,
}

/// A path, alone or with an end.
#[derive(Debug)]
pub(super) enum Grant {
    Plain(String),
    Detailed(Detailed),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Detailed {
    pub(super) path: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) expires: Option<Text>,
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GrantVisitor;

        impl<'de> Visitor<'de> for GrantVisitor {
            type Value = Grant;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or { path: …, expires: … }")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Grant, E> {
                Ok(Grant::Plain(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Grant, A::Error> {
                Detailed::deserialize(MapAccessDeserializer::new(map)).map(Grant::Detailed)
            }
        }

        // Not `untagged`: that would buffer the value and lose its place.
        deserializer.deserialize_any(GrantVisitor)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    #[serde(default)]
    pub(super) connect: Vec<At<Connect>>,
    #[serde(default)]
    pub(super) listen: Vec<At<Listen>>,
    #[serde(default)]
    pub(super) sockets: Vec<Text>,
    #[serde(default)]
    pub(super) unix: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connect {
    pub(super) to: Text,
    pub(super) port: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) protocol: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) expires: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) address: Text,
    pub(super) port: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) protocol: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) expires: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Syscalls {
    #[serde(default, deserialize_with = "given")]
    pub(super) runtime: Option<At<bool>>,
    #[serde(default)]
    pub(super) allow: Vec<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) foreign_abi: Option<At<bool>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    #[serde(default, deserialize_with = "given")]
    pub(super) executable: Option<At<bool>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Processes {
    #[serde(default, deserialize_with = "given")]
    pub(super) max: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resources {
    #[serde(default, deserialize_with = "given")]
    pub(super) memory: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) cpu: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) pids: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Actions {
    #[serde(default, deserialize_with = "given")]
    pub(super) exec: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) files: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) network: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) listen: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) syscalls: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) danger: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) processes: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) escape: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) telemetry: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) denied: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) denied_repeatedly: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Containment {
    #[serde(default, deserialize_with = "given")]
    pub(super) hold: Option<Text>,
    #[serde(default, deserialize_with = "given")]
    pub(super) on_expiry: Option<Text>,
}
