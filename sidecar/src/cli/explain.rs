//! `picket explain`: says of every finding and every containment step of a trace why it came to it, in sentences.

mod account;
mod causes;
#[cfg(test)]
mod tests;
mod texts;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use picket_engine::SandboxId;
use serde_json::json;

use super::{
    Output, exit,
    replay::{self, Failure},
    tell::Teller,
    words,
};
use crate::trace::{Reader, Sameness};
use account::{Account, Accounts};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The trace.
    #[arg(value_name = "FILE")]
    trace: PathBuf,
    /// How the explanations are written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Only this sandbox, as reports and `picket status` call it (such as 0.2).
    #[arg(long, value_name = "SANDBOX", value_parser = sandbox)]
    sandbox: Option<SandboxId>,
    /// Only the finding of this number, and the steps that it was needed for. Numbers count over the whole trace.
    #[arg(long, value_name = "NUMBER", conflicts_with = "contained", value_parser = clap::value_parser!(u64).range(1..))]
    finding: Option<u64>,
    /// Only containment steps, and the findings that they followed at once.
    #[arg(long)]
    contained: bool,
    /// Uses a trace that breaks off as far as it goes.
    #[arg(long)]
    incomplete: bool,
}

fn sandbox(text: &str) -> Result<SandboxId, &'static str> {
    let numbers = text.split_once('.').and_then(|(slot, generation)| {
        Some(SandboxId { slot: slot.parse().ok()?, generation: generation.parse().ok()? })
    });
    numbers.ok_or("a sandbox is two numbers with a point between them")
}

impl Arguments {
    fn wants(&self, account: &Account) -> bool {
        self.sandbox.is_none_or(|sandbox| sandbox == account.sandbox())
            && self.finding.is_none_or(|number| account.concerns(number))
            && (!self.contained || account.is_of_containment())
    }

    /// What was asked for and is not in the trace.
    fn absent(&self, accounts: &Accounts, told: u64) -> Option<String> {
        let path = self.trace.display();
        if let Some(sandbox) = self.sandbox.filter(|sandbox| !accounts.has_seen(*sandbox)) {
            return Some(format!("{path}: there is no sandbox {sandbox} in it"));
        }
        let number = self.finding.filter(|_| told == 0)?;
        let of = self.sandbox.map_or_else(String::new, |it| format!(" of sandbox {it}"));
        let all = words::count(accounts.findings(), "finding");
        Some(format!("{path}: there is no finding {number}{of} in it; it has {all}"))
    }
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    match explain(arguments) {
        Ok(Sameness::Different) => exit::FAILURE,
        Ok(Sameness::Same | Sameness::Missed(_) | Sameness::Incomplete) => exit::SUCCESS,
        Err(error) => {
            words::error(&error);
            exit::FAILURE
        }
    }
}

fn explain(arguments: &Arguments) -> Result<Sameness, String> {
    let mut reader = open(&arguments.trace, arguments.incomplete)?;
    let redacted = reader.header().redacted;
    let mut teller = Teller::new(arguments.output, reader.header());
    let mut accounts = Accounts::new(redacted);
    let (mut inputs, mut told) = (0_u64, 0_u64);
    let complaint = |error: std::io::Error| Failure::Output(error).to_string();
    for input in reader.by_ref() {
        let input = input.map_err(|error| error.to_string())?;
        inputs += 1;
        teller.hear(&input);
        for account in accounts.hear(input).iter().filter(|account| arguments.wants(account)) {
            told += 1;
            texts::tell(&mut teller, account).map_err(complaint)?;
        }
    }
    if let Some(absent) = arguments.absent(&accounts, told) {
        return Err(absent);
    }
    let sameness = accounts.compare(reader.end());
    let (compared, word) = replay::compared(sameness);
    let text = format!(
        "{}: {}, {}; {compared}{}",
        words::count(inputs, "input"),
        words::count(accounts.findings(), "finding"),
        words::count(accounts.steps(), "containment step"),
        if redacted {
            "; the trace is redacted: most names in it are not the real ones"
        } else {
            ""
        },
    );
    let value = json!({ "event": "explained", "inputs": inputs, "findings": accounts.findings(),
        "steps": accounts.steps(), "compared": word, "redacted": redacted });
    teller.remark(&text, &value).and_then(|()| teller.out.flush()).map_err(complaint)?;
    Ok(sameness)
}

fn open(path: &Path, incomplete: bool) -> Result<Reader, String> {
    let reader = Reader::open(path).map_err(|error| error.to_string())?;
    Ok(reader.incomplete(incomplete))
}
