//! Alerting rules, each with a case in which it fires and one in which it does not.
//!
//! Loss, coverage and outputs belong to an instance, deeds to a plugin. Thresholds are either zero, because zero is the
//! normal state, or a named constant here.

mod conduct;
mod health;
mod sight;

/// How soon somebody has to look.
#[derive(Clone, Copy)]
pub(crate) enum Severity {
    /// Now: something is contained, or Picket does not see or act as it should.
    Critical,
    /// Today.
    Warning,
    /// When there is time.
    Info,
}

impl Severity {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One rule.
pub(crate) struct Alert {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    pub(crate) expr: String,
    /// How long it must be true; `0m` for what is past as soon as it is counted.
    pub(crate) lasting: &'static str,
    /// One sentence without values of labels, so that it is the same for all that fire.
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) fires: Case,
    /// Labels of the alert that fires, beside its severity.
    pub(crate) labels: &'static str,
    pub(crate) quiet: Case,
}

/// Series at one-minute intervals in promtool's notation, `@` for the labels of one Picket, and when they are judged.
pub(crate) struct Case {
    pub(crate) series: &'static [(&'static str, &'static str)],
    pub(crate) at: &'static str,
}

/// All of them, the most urgent kinds first.
pub(crate) fn all() -> Vec<Alert> {
    let mut all = conduct::alerts();
    all.extend(sight::alerts());
    all.extend(health::alerts());
    all
}
