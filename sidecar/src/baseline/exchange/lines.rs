//! The lines of an exported file, in types of their own: renaming a type of the engine does not change the format.
//!
//! Every field is required and none is ignored, so a reader either understands a line as it was meant or refuses it. A
//! change to what is here is a new [`VERSION`].

use std::collections::{BTreeMap, BTreeSet};

use picket_engine::{
    baseline::{Acceptance, Family, Fault, Run, RunId},
    learned::PluginTime,
};
use serde::{Deserialize, Serialize};

use crate::{
    baseline::Identity,
    trace::{from_hex, to_hex},
};

/// The format of this Picket.
pub const VERSION: u32 = 1;

/// How every export begins, in any format.
pub(super) const MAGIC: &[u8] = b"{\"picket_baselines\":";

const WARNING: &str =
    "holds programs, paths and networks of the plugins: share it as you would share those";

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) picket_baselines: u32,
    warning: String,
    pub(super) picket: String,
}

/// Only what has to be known before anything else may be believed.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) picket_baselines: u32,
    #[serde(default)]
    pub(super) picket: String,
}

/// A line after the first.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    Baseline {
        plugin: String,
        artifact: String,
        manifest: String,
        deployment: String,
        sampled: bool,
    },
    Run(RunLine),
    Accepted {
        at: u64,
        family: String,
        template: String,
        by: String,
        reason: String,
    },
    End {
        lines: u64,
        sha256: String,
    },
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct RunLine {
    id: String,
    began: u64,
    lasted_ms: u64,
    started: bool,
    facts: u64,
    faults: BTreeMap<String, u64>,
    full: BTreeSet<String>,
    counts: BTreeMap<String, BTreeMap<String, u32>>,
}

impl Line {
    pub(super) fn header() -> Header {
        Header {
            picket_baselines: VERSION,
            warning: WARNING.to_owned(),
            picket: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    pub(super) fn baseline(identity: &Identity, sampled: bool) -> Self {
        Self::Baseline {
            plugin: identity.plugin.clone(),
            artifact: identity.artifact.to_string(),
            manifest: identity.manifest.to_string(),
            deployment: identity.deployment.to_string(),
            sampled,
        }
    }

    pub(super) fn accepted(one: &Acceptance) -> Self {
        Self::Accepted {
            at: one.at,
            family: one.family.as_str().to_owned(),
            template: one.template.clone(),
            by: one.by.clone(),
            reason: one.reason.clone(),
        }
    }

    pub(super) fn end(lines: u64, digest: &[u8]) -> Self {
        Self::End { lines, sha256: to_hex(digest) }
    }
}

/// A run as it is written.
pub(super) fn line_of(id: RunId, run: &Run) -> Line {
    Line::Run(RunLine::of(id, run))
}

impl RunLine {
    fn of(id: RunId, run: &Run) -> Self {
        let mut counts: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for (family, template, times) in run.counts() {
            let of = counts.entry(family.as_str().to_owned()).or_default();
            of.insert(template.to_owned(), times);
        }
        Self {
            id: to_hex(&id.0),
            began: run.began(),
            lasted_ms: run.lasted().as_millis(),
            started: run.started(),
            facts: run.facts(),
            faults: run.faults().iter().map(|(fault, n)| (fault.as_str().to_owned(), *n)).collect(),
            full: run.full().iter().map(|family| family.as_str().to_owned()).collect(),
            counts,
        }
    }

    /// The run, when it is one that could have been written.
    pub(super) fn run(&self) -> Result<(RunId, Run), String> {
        let bytes = from_hex(&self.id).and_then(|bytes| bytes.try_into().ok());
        let id = RunId(bytes.ok_or("the identity of a run has 32 hexadecimal digits")?);
        let lasted = PluginTime::from_millis(self.lasted_ms);
        let mut run = Run::new(self.began, lasted, self.started, self.facts);
        for (name, templates) in &self.counts {
            let family = family(name)?;
            templates.iter().for_each(|(template, times)| run.count(family, template, *times));
        }
        for name in &self.full {
            run.fill(family(name)?);
        }
        for (name, times) in &self.faults {
            let fault = Fault::named(name).ok_or_else(|| format!("there is no fault `{name}`"))?;
            run.fail(fault, *times);
        }
        if Self::of(id, &run) == *self {
            return Ok((id, run));
        }
        Err("no run can be so: more kinds than a family has, counts of 0 or of a full family, or deeds of a run that \
             teaches nothing"
            .to_owned())
    }
}

pub(super) fn family(name: &str) -> Result<Family, String> {
    Family::named(name).ok_or_else(|| format!("there is no family `{name}`"))
}
