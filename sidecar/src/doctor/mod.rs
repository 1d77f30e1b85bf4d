//! Whether this node can run Picket, and what Picket can observe and enforce on it.
//!
//! Looking and judging are apart. [`Facts`] is plain data, mostly the kernel's own text, and [`Facts::collect`] the thin
//! layer that reads it; [`examine`] turns facts into [`Check`]s, so hosts that nobody has at hand are tested as data.
//! What can be tried is not believed from a list: [`try_out`] loads the kernel side and runs the self-test. What could
//! not be looked at is a state of its own and counts neither as fine nor as a problem.

mod collect;
mod facts;
mod host;
mod kernel;
mod matrix;
mod process;
mod proof;
mod techniques;
#[cfg(test)]
pub(crate) mod tests;

pub use facts::{Facts, Namespaces, Reading, Residents, Trial, Types};
pub use matrix::{Ability, Answer, Row, matrix};
pub use proof::{expected_tier, try_out};
pub use techniques::{Claim, Sight, TECHNIQUES, Technique};

/// What a check came to. Ordered by how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Picket cannot work like this.
    Problem,
    /// Picket works, with a limit.
    Warning,
    /// Could not be looked at.
    Unknown,
    /// As it should be.
    Fine,
}

impl Status {
    /// As it is shown and written to JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Fine => "ok",
        }
    }
}

/// How to do something about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What to do.
    pub say: String,
    /// What to copy for it: a command or a setting.
    pub copy: Option<String>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable name, for machines.
    pub id: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What it came to.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it, unless it is fine.
    pub remedy: Option<Remedy>,
}

impl Check {
    fn new(id: &'static str, title: &'static str, why: &'static str) -> Self {
        Self { id, title, status: Status::Fine, found: String::new(), why, remedy: None }
    }

    fn fine(self, found: impl Into<String>) -> Self {
        Self { found: found.into(), ..self }
    }

    fn unknown(self, found: impl Into<String>) -> Self {
        Self { status: Status::Unknown, found: found.into(), ..self }
    }

    fn warning(self, found: impl Into<String>) -> Self {
        Self { status: Status::Warning, found: found.into(), ..self }
    }

    fn problem(self, found: impl Into<String>) -> Self {
        Self { status: Status::Problem, found: found.into(), ..self }
    }

    fn remedy(self, say: impl Into<String>) -> Self {
        Self { remedy: Some(Remedy { say: say.into(), copy: None }), ..self }
    }

    fn copy(self, say: impl Into<String>, copy: impl Into<String>) -> Self {
        Self { remedy: Some(Remedy { say: say.into(), copy: Some(copy.into()) }), ..self }
    }
}

/// What all checks together come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is fine.
    Fine,
    /// Picket works, with limits.
    Limits,
    /// Picket cannot work here.
    Unfit,
}

impl Verdict {
    /// Of these checks.
    #[must_use]
    pub fn of(checks: &[Check]) -> Self {
        match checks.iter().map(|check| check.status).min() {
            Some(Status::Problem) => Self::Unfit,
            Some(Status::Warning) => Self::Limits,
            _ => Self::Fine,
        }
    }

    /// As it is written to JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Limits => "limits",
            Self::Unfit => "unfit",
        }
    }
}

/// Judges what was found. What weighs most comes first; among equals the order is fixed.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![
        proof::tier(facts),
        kernel::release(facts),
        kernel::architecture(facts),
        kernel::types(facts),
        kernel::lockdown(facts),
        kernel::compiler(facts),
        kernel::unprivileged(facts),
        kernel::tracefs(facts),
        host::cgroups(facts),
        host::user_namespace(facts),
        host::pid_namespace(facts),
        host::cgroup_namespace(facts),
        host::time_namespace(facts),
        host::residents(facts),
        process::privileges(facts),
        process::seccomp(facts),
        process::strict(facts),
        process::real_time(facts),
        process::memory(facts),
        // After what may be the cause of its failure.
        proof::self_test(facts),
        process::not_needed(),
    ];
    // Stable: the order above is kept among equals.
    checks.sort_by_key(|check| check.status);
    checks
}
