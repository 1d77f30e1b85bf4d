//! `picket replay`: hands a trace to a fresh engine and tells what it says.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use picket_engine::Effect;
use serde_json::json;

use super::{Output, exit, tell::Teller, words};
use crate::trace::{self, Reader, Replay, Sameness, TraceError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The trace.
    #[arg(value_name = "FILE")]
    trace: PathBuf,
    /// How findings and containment are written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Writes everything the engine says instead, one JSON object a line: its SHA-256 is the trace's `effects_sha256`.
    #[arg(long)]
    effects: bool,
    /// Uses a trace that breaks off as far as it goes.
    #[arg(long)]
    incomplete: bool,
    /// Writes a trace to this file that can be shared and is judged the same: paths, arguments and addresses that no
    /// declared rule spells are replaced.
    #[arg(long, value_name = "OUT", conflicts_with = "effects")]
    redact: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    if let Some(to) = &arguments.redact {
        return redact(arguments, to);
    }
    match replay(arguments) {
        Ok(Sameness::Different) => exit::FAILURE,
        Ok(Sameness::Same | Sameness::Missed(_) | Sameness::Incomplete) => exit::SUCCESS,
        Err(error) => {
            words::error(&error.to_string());
            exit::FAILURE
        }
    }
}

/// Why a replay did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

fn replay(arguments: &Arguments) -> Result<Sameness, Failure> {
    let mut reader = Reader::open(&arguments.trace)?.incomplete(arguments.incomplete);
    let mut teller = Teller::new(arguments.output, reader.header());
    let mut replay = Replay::default();
    let (mut inputs, mut findings, mut steps) = (0_u64, 0_u64, 0_u64);
    for input in reader.by_ref() {
        let input = input?;
        inputs += 1;
        teller.hear(&input);
        for effect in replay.tell(input) {
            match effect {
                Effect::Finding(_) => findings += 1,
                Effect::Contain(_) | Effect::WouldContain(_) => steps += 1,
                _ => {}
            }
            if arguments.effects {
                writeln!(teller.out, "{}", trace::rendering(effect))?;
            } else {
                teller.effect(effect)?;
            }
        }
    }
    let sameness = replay.compare(reader.end());
    let (compared, word) = compared(sameness);
    let text = format!(
        "{} replayed: {}, {}; {compared}",
        words::count(inputs, "input"),
        words::count(findings, "finding"),
        words::count(steps, "containment step"),
    );
    if arguments.effects {
        // Standard output holds the effects and nothing else.
        words::error(&text);
    } else {
        let value = json!({ "event": "replayed", "inputs": inputs, "findings": findings, "steps": steps,
            "compared": word });
        teller.remark(&text, &value)?;
    }
    teller.out.flush()?;
    Ok(sameness)
}

/// How what was decided compares with the recording, in a sentence and in a word.
pub(super) fn compared(sameness: Sameness) -> (String, &'static str) {
    match sameness {
        Sameness::Same => ("the same decisions as when it was recorded".to_owned(), "same"),
        Sameness::Different => {
            ("OTHER decisions than when it was recorded".to_owned(), "different")
        }
        Sameness::Missed(n) => (
            format!(
                "not exact, and not compared: while it was recorded {n} inputs or effects were missed"
            ),
            "missed",
        ),
        Sameness::Incomplete => {
            ("it breaks off, so there is nothing to compare".to_owned(), "incomplete")
        }
    }
}

fn redact(arguments: &Arguments, to: &Path) -> exit::Exit {
    let redacted = match trace::redact(&arguments.trace, to, arguments.incomplete) {
        Ok(redacted) => redacted,
        Err(error) => {
            words::error(&error.to_string());
            return exit::FAILURE;
        }
    };
    let inputs = words::count(redacted.inputs, "input");
    let kept = match redacted.kept {
        0 => String::new(),
        kept => format!(
            "; {} had to stay as they were to be judged the same: look at the file before you share it",
            words::count(kept, "word")
        ),
    };
    let text = format!("{inputs} redacted into {}, with the same decisions{kept}", to.display());
    let value = json!({ "event": "redacted", "inputs": redacted.inputs, "kept": redacted.kept });
    let printed = match arguments.output {
        Output::Human => writeln!(io::stdout(), "picket: {text}"),
        Output::Json => writeln!(io::stdout(), "{value}"),
    };
    if printed.is_err() { exit::FAILURE } else { exit::SUCCESS }
}
