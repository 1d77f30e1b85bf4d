//! `picket alerts`: the outbox from outside, and whether a target takes what it is sent.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Output, exit, reach, words};
use crate::{
    alerts::{Desk, Letter, OpenIncident, TargetRow, try_target},
    config::{self, AlertTarget, Alerts},
    document::hints,
    export::Origin,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Which outbox, and how it is spoken of.
#[derive(Debug, Args)]
struct Which {
    /// The daemon's configuration: it says where the outbox is.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// How the answer is written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists targets with what waits for them, and incidents that are not over.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Lists messages that were given up.
    Dead {
        #[command(flatten)]
        which: Which,
    },
    /// Has messages that were given up tried again.
    Replay {
        #[command(flatten)]
        which: Which,
        /// Number of one message, as `dead` lists it.
        #[arg(required_unless_present = "all")]
        number: Option<i64>,
        /// All of them.
        #[arg(long, conflicts_with = "number")]
        all: bool,
    },
    /// Sends a target a message that says it is a test, and says what came of it.
    Test {
        #[command(flatten)]
        which: Which,
        /// Name of the target.
        target: String,
    },
}

/// Why there is nothing to show.
enum Refusal {
    Configuration(String),
    Other(String),
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let done = match &arguments.command {
        Command::List { which } => list(which),
        Command::Dead { which } => dead(which),
        Command::Replay { which, number, .. } => replay(which, *number),
        Command::Test { which, target } => test(which, target),
    };
    match done {
        Ok(code) => code,
        Err(Refusal::Configuration(message)) => {
            words::error(&message);
            exit::CONFIGURATION
        }
        Err(Refusal::Other(message)) => {
            words::error(&message);
            exit::FAILURE
        }
    }
}

fn alerts(path: &Path) -> Result<Alerts, Refusal> {
    let config = config::load(path).map_err(|error| Refusal::Configuration(error.to_string()))?;
    config.alerts.ok_or_else(|| {
        Refusal::Configuration(format!(
            "{} has no section `alerts`: nobody is told of incidents",
            path.display()
        ))
    })
}

fn desk(which: &Which) -> Result<Desk, Refusal> {
    Desk::open(&alerts(&which.config)?.outbox).map_err(|error| Refusal::Other(error.to_string()))
}

fn read<T>(rows: Result<T, impl std::fmt::Display>) -> Result<T, Refusal> {
    rows.map_err(|error| Refusal::Other(format!("reading the outbox: {error}")))
}

fn list(which: &Which) -> Result<exit::Exit, Refusal> {
    let alerts = alerts(&which.config)?;
    let desk = Desk::open(&alerts.outbox).map_err(|error| Refusal::Other(error.to_string()))?;
    let (mut targets, incidents) = (read(desk.targets())?, read(desk.open_incidents())?);
    for target in &alerts.targets {
        if targets.iter().all(|row| row.name != target.name.as_str()) {
            targets.push(TargetRow::unused(target.name.as_str()));
        }
    }
    for target in &targets {
        say(which, &target_json(target), &target_line(target))?;
    }
    for OpenIncident { incident, severity, started_at, summary } in &incidents {
        let object = json!({
            "incident": incident, "severity": severity, "started_at": started_at, "summary": summary,
        });
        say(
            which,
            &object,
            &format!("open since {started_at}, {severity}: {summary} [{incident}]"),
        )?;
    }
    Ok(exit::SUCCESS)
}

fn target_json(target: &TargetRow) -> serde_json::Value {
    let TargetRow { name, state, error, since, pending, dead } = target;
    let since = since.map(time);
    json!({
        "target": name, "state": state, "since": since, "error": error, "pending": pending, "dead": dead,
    })
}

fn target_line(target: &TargetRow) -> String {
    let TargetRow { name, state, error, since, pending, dead } = target;
    let state = state.as_deref().unwrap_or("sent nothing yet");
    let since = since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
    // A server's words may be in it.
    let error = error.as_ref().map(|why| format!(": {}", words::text(why.as_bytes())));
    format!(
        "{name} is {state}{since}{}; {pending} waiting, {dead} given up",
        error.unwrap_or_default()
    )
}

fn dead(which: &Which) -> Result<exit::Exit, Refusal> {
    let letters = read(desk(which)?.dead())?;
    for Letter { number, target, id, written, tries, error, body } in &letters {
        let written = time(*written);
        let message: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let object = json!({
            "number": number, "target": target, "id": id, "written": written, "tries": tries,
            "error": error, "message": message,
        });
        let summary = message.get("summary").and_then(|text| text.as_str()).unwrap_or_default();
        let error = words::text(error.as_bytes());
        let line = format!(
            "{number}: to {target}, of {written}, {error} ({tries} tries): {summary} [{id}]"
        );
        say(which, &object, &line)?;
    }
    if which.output == Output::Human && letters.is_empty() {
        print("no message was given up")?;
    }
    Ok(exit::SUCCESS)
}

fn replay(which: &Which, number: Option<i64>) -> Result<exit::Exit, Refusal> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let count = read(desk(which)?.replay(number, now))?;
    if let (0, Some(number)) = (count, number) {
        return Err(Refusal::Other(format!(
            "no message of number {number} was given up; `picket alerts dead` lists those that were"
        )));
    }
    let count = words::count(u64::try_from(count).unwrap_or(u64::MAX), "message");
    say(which, &json!({ "replayed": count }), &format!("{count} will be tried again"))?;
    Ok(exit::SUCCESS)
}

fn test(which: &Which, name: &str) -> Result<exit::Exit, Refusal> {
    let alerts = alerts(&which.config)?;
    let target = find(&alerts, name)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Refusal::Other(format!("starting the runtime: {error}")))?;
    let trial = runtime.block_on(try_target(target, &Origin::default_node()));
    runtime.shutdown_background();
    let millis = u64::try_from(trial.took.as_millis()).unwrap_or(u64::MAX);
    let object = json!({ "target": name, "taken": trial.refused.is_none(), "error": trial.refused, "took_ms": millis });
    let line = match &trial.refused {
        None => format!("{name} took the test in {millis} ms"),
        Some(why) => {
            format!("{name} did not take the test: {} ({millis} ms)", words::text(why.as_bytes()))
        }
    };
    say(which, &object, &line)?;
    Ok(if trial.refused.is_none() { exit::SUCCESS } else { exit::FAILURE })
}

fn find<'a>(alerts: &'a Alerts, name: &str) -> Result<&'a AlertTarget, Refusal> {
    alerts.targets.iter().find(|target| target.name.as_str() == name).ok_or_else(|| {
        let known = hints::closest(name, alerts.targets.iter().map(|target| target.name.as_str()));
        Refusal::Configuration(format!(
            "no target is called {}; {known}",
            words::text(name.as_bytes())
        ))
    })
}

fn say(which: &Which, object: &serde_json::Value, line: &str) -> Result<(), Refusal> {
    match which.output {
        Output::Json => print(&object.to_string()),
        Output::Human => print(line),
    }
}

fn print(line: &str) -> Result<(), Refusal> {
    reach::line(line).map_err(|error| Refusal::Other(format!("standard output: {error}")))
}

fn time(millis: i64) -> String {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}
