//! Prometheus' rules and Grafana's dashboard. What they ask for is looked up in the registry, so that they cannot ask
//! for what the code does not export.

mod alerts;
mod overview;
mod query;
mod recording;
mod rules;
mod yaml;

use crate::{Made, registry::Registry};
use query::Names;

/// All files below `dashboards/` that are made; an error names the panel or rule.
pub(crate) fn made(registry: &Registry) -> Result<Vec<Made>, String> {
    let mut names = Names::of(registry);
    let mut made = rules::made(&mut names)?;
    made.push(overview::made(&names)?);
    Ok(made)
}

#[cfg(test)]
mod lint;
#[cfg(test)]
mod tests;
