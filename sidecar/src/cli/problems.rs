//! Complaints about files, as `config check` and `manifest lint` print them: on standard output, because they are what
//! was asked for.

use std::io::{self, Write};

use serde_json::json;

use super::Output;
use crate::document::{DocumentError, Report};

/// Prints an error about a file.
pub(super) fn refused(error: &DocumentError, output: Output) -> io::Result<()> {
    match (error, output) {
        (DocumentError::Invalid { report: problems }, _) => report(problems, output),
        (_, Output::Human) => paragraph(&error.to_string()),
        (DocumentError::Unreadable { path, cause }, Output::Json) => line(&json!({
            "severity": "error",
            "kind": null,
            "file": path.to_string_lossy(),
            "line": null,
            "column": null,
            "message": format!("cannot be read: {cause}"),
            "hint": "name a file that is there and may be read",
        })),
    }
}

/// Prints all that is to be said about a file.
pub(super) fn report(report: &Report, output: Output) -> io::Result<()> {
    if output == Output::Human {
        return paragraph(&report.to_string());
    }
    report.problems().iter().try_for_each(|problem| {
        line(&json!({
            "severity": if problem.warning().is_some() { "warning" } else { "error" },
            "kind": problem.warning(),
            "file": report.file(),
            "line": problem.position().line(),
            "column": problem.position().column(),
            "message": problem.message(),
            "hint": problem.hint(),
        }))
    })
}

fn paragraph(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}\n")
}

fn line(value: &serde_json::Value) -> io::Result<()> {
    writeln!(io::stdout(), "{value}")
}
