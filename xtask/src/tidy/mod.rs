//! What no lint can see: the shape of the repository and the promises its files make to each other.
//!
//! Each check looks at the whole tree and names every place that breaks its rule. Runs as the first
//! suite and as a plain test, so that `cargo test` finds an untidy file too.

mod documents;
mod engine;
mod hooks;
mod layout;
mod rust;
#[cfg(test)]
mod tests;
mod tree;

use std::process::ExitCode;

use crate::places;
use crate::shell::{Failure, Outcome};
use tree::Tree;

/// What a check has to say.
#[derive(Debug, Default)]
struct Report {
    /// Rules that are broken.
    broken: Vec<String>,
    /// Worth a look, not worth a failure.
    doubtful: Vec<String>,
}

impl Report {
    /// A broken rule: where, which, and the way out.
    fn broken(&mut self, place: &str, line: usize, what: &str) {
        self.broken.push(format!("{place}:{line}: {what}"));
    }
}

type Check = fn(&Tree, &mut Report);

const CHECKS: [Check; 11] = [
    layout::top_level,
    layout::machine_paths,
    rust::sizes,
    rust::headers,
    rust::words,
    rust::vouchers,
    rust::issue_numbers,
    engine::dependencies,
    engine::purity,
    hooks::headers,
    documents::links,
];

pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    if let Some(argument) = arguments.first() {
        return Err(Failure::new(format!("tidy takes no argument `{argument}`")));
    }
    check()?;
    println!("tidy");
    Ok(ExitCode::SUCCESS)
}

/// Checks the whole repository; prints doubts, fails with the list of what is broken.
pub(crate) fn check() -> Outcome {
    let tree = Tree::read(&places::repository())?;
    let mut report = Report::default();
    for check in CHECKS {
        check(&tree, &mut report);
    }
    for doubt in &report.doubtful {
        println!("note: {doubt}");
    }
    if report.broken.is_empty() {
        return Ok(());
    }
    let list = report.broken.join("\n  ");
    Err(Failure::new(format!("{} untidy places:\n  {list}", report.broken.len())))
}
