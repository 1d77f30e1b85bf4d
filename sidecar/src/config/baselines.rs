//! Whose runs are learned from, and where baselines are kept.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{Rule, schema, show};
use crate::{
    baseline::{Budgets, Deployment, budget, written},
    document::{Digest, Faults, Fix, Once, Text, hints, json_schema as shape, quoted},
    export::OperatorWord,
};
use serde_json::{Value, json};

/// Where baselines are kept unless the configuration says otherwise: as `picket baseline` has it.
pub(super) const STORE: &str = "/var/lib/picket/baselines.db";
/// What the deployment is called unless the configuration says otherwise: as `picket baseline` has it.
pub(super) const DEPLOYMENT: &str = "default";
/// Each has series of its own.
pub(super) const MAX_LEARNED: usize = 256;
const NAME: &str = "[A-Za-z0-9._/-]{1,63}";

/// Whose runs are learned from, and where baselines are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baselines {
    /// The store's file.
    pub store: PathBuf,
    /// Where the plugins run, in a name of the operator's.
    pub deployment: Deployment,
    /// How often what was learned may act for nothing.
    pub budgets: Budgets,
    /// The plugins whose runs are trusted; names are unique.
    pub learn: Vec<Learned>,
}

/// A plugin whose runs are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Its name in its manifest.
    pub plugin: OperatorWord,
    /// The build that runs. Said, not verified.
    pub artifact: Digest,
    /// It runs all the time.
    pub continuous: bool,
}

impl Baselines {
    /// What is said of a plugin, if its runs are trusted.
    #[must_use]
    pub fn learned(&self, plugin: &str) -> Option<&Learned> {
        self.learn.iter().find(|one| one.plugin.as_str() == plugin)
    }
}

/// Judges the section; `rules` are those that were good, and `all_good` whether they are all.
pub(super) fn check(
    written: &schema::Baselines,
    rules: &[Rule],
    all_good: bool,
    faults: &mut Faults,
) -> Option<Baselines> {
    let store = match &written.store {
        Some(text) => faults.take(text.position, store(&text.value)),
        None => Some(PathBuf::from(STORE)),
    };
    let deployment = match &written.deployment {
        Some(text) => faults.take(text.position, deployment(&text.value)),
        None => deployment(DEPLOYMENT).ok(),
    };
    let budgets = budgets(written.budgets.as_ref(), faults);
    let listed = &written.learn;
    if listed.value.is_empty() || MAX_LEARNED < listed.value.len() {
        faults.add(
            listed.position,
            format!("{} plugins are named", listed.value.len()),
            format!("name 1 to {MAX_LEARNED} whose runs you trust, or leave `baselines` out"),
        );
    }
    let known = || rules.iter().map(|rule| rule.manifest.plugin_name());
    let mut names = Once::new();
    let mut learn = Vec::new();
    for entry in &listed.value {
        let (name, position) = (&entry.plugin.value, entry.plugin.position);
        names.declare(name.clone(), &format!("a plugin `{name}`"), position, faults);
        if all_good && !known().any(|plugin| plugin == name) {
            let hint = hints::closest(name, known());
            faults.add(position, format!("no manifest is of a plugin `{name}`"), hint);
        }
        let artifact = faults.take(entry.artifact.position, artifact(&entry.artifact.value));
        let words = [("true", true), ("false", false)];
        let continuous = faults.word("true or false", entry.continuous.as_ref(), &words, false);
        learn.extend(artifact.map(|artifact| Learned {
            plugin: OperatorWord::new(name),
            artifact,
            continuous,
        }));
    }
    Some(Baselines { store: store?, deployment: deployment?, budgets: budgets?, learn })
}

/// What is not written has no budget, and is not done.
fn budgets(written: Option<&schema::Budgets>, faults: &mut Faults) -> Option<Budgets> {
    let mut one = |text: Option<&Text>| match text {
        None => Some(None),
        Some(text) => {
            let budget = budget(&text.value);
            let budget =
                budget.map_err(|fix| Fix::new(format!("`{}` is no budget", text.value), fix));
            faults.take(text.position, budget).map(Some)
        }
    };
    let Some(written) = written else { return Some(Budgets::default()) };
    let (alert, contain) = (one(written.alert.as_ref()), one(written.contain.as_ref()));
    Some(Budgets { alert: alert?, contain: contain? })
}

fn store(text: &str) -> Result<PathBuf, Fix> {
    if text.starts_with('/') && !text.ends_with('/') {
        return Ok(PathBuf::from(text));
    }
    Err(Fix::new(
        format!("`{text}` is no absolute path of a file"),
        format!("write a path such as {STORE}; Picket makes the file, and its directory"),
    ))
}

fn deployment(text: &str) -> Result<Deployment, Fix> {
    Deployment::parse(text)
        .map_err(|error| Fix::new(error.to_string(), "such as `deployment: production`"))
}

fn artifact(text: &str) -> Result<Digest, Fix> {
    Digest::parse(text).map_err(|fix| {
        Fix::new(
            fix.message,
            "write `sha256:` and the digits that `sha256sum FILE` says of the build",
        )
    })
}

/// As `picket config show` prints it.
pub(super) fn show(f: &mut fmt::Formatter<'_>, baselines: Option<&Baselines>) -> fmt::Result {
    let Some(Baselines { store, deployment, budgets, learn }) = baselines else {
        return writeln!(f, "# baselines: none, nothing is learned");
    };
    let is_default = store == Path::new(STORE);
    writeln!(f, "baselines:\n  store: {}{}", show::path(store), show::default(is_default))?;
    let is_default = deployment.as_str() == DEPLOYMENT;
    let deployment = quoted(deployment.as_str());
    writeln!(f, "  deployment: {deployment}{}", show::default(is_default))?;
    let rungs = [("alert", budgets.alert), ("contain", budgets.contain)];
    if rungs.iter().any(|(_, budget)| budget.is_some()) {
        writeln!(f, "  budgets:")?;
    } else {
        writeln!(f, "  # budgets: none, nothing that was learned acts")?;
    }
    for (name, budget) in rungs {
        if let Some(budget) = budget {
            writeln!(f, "    {name}: {}", quoted(&written(budget)))?;
        }
    }
    writeln!(f, "  learn:")?;
    learn.iter().try_for_each(|one| {
        let Learned { plugin, artifact, continuous } = one;
        writeln!(f, "    - plugin: {}", quoted(plugin.as_str()))?;
        writeln!(f, "      artifact: {}", quoted(&artifact.to_string()))?;
        writeln!(f, "      continuous: {continuous}{}", show::default(!continuous))
    })
}

pub(super) fn json_schema() -> Value {
    let mut continuous = shape::boolean("It runs all the time: days of watching count, not runs.");
    continuous = shape::with(continuous, "default", json!(false));
    let learned = shape::object(
        "A plugin whose runs are trusted.",
        [
            ("plugin!", shape::text("Its name, as its manifest says it.", NAME)),
            ("artifact!", shape::digest("The build that runs.")),
            ("continuous", continuous),
        ],
    );
    let mut learn = shape::list("Plugins whose runs are trusted and learned from.", &learned);
    learn = shape::with(learn, "minItems", json!(1));
    learn = shape::with(learn, "maxItems", json!(MAX_LEARNED));
    let store = shape::with(
        shape::text("File in which baselines are kept, absolute.", "/.*[^/]"),
        "default",
        json!(STORE),
    );
    let deployment = shape::with(
        shape::text("Where the plugins run: other load or other data is another one.", NAME),
        "default",
        json!(DEPLOYMENT),
    );
    const BUDGET: &str = "1 per [1-9][0-9]{0,6} plugin-days?";
    let of = |what: &str| {
        shape::text(
            &format!("At most one false {what} in so many plugin-days. None without it."),
            BUDGET,
        )
    };
    let budgets = shape::object(
        "How often what was learned may act for nothing. Nothing acts without it.",
        [("alert", of("alert")), ("contain", of("freeze"))],
    );
    shape::object(
        "What plugins do while nobody attacks them is learned. Nothing is without it.",
        [("store", store), ("deployment", deployment), ("budgets", budgets), ("learn!", learn)],
    )
}
