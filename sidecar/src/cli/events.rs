//! `picket events`: what a running daemon sees and decides, while it happens.

use std::io;

use clap::Args;
use serde_json::Value;

use super::{
    Output, exit,
    narrate::{self, DIM, GREEN, PLAIN, RED, YELLOW},
    reach::{self, ReachError},
    words,
};
use crate::{api, clock};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    daemon: reach::Daemon,
    /// Only what this plugin's sandboxes do; may be given more than once.
    #[arg(short, long, value_name = "NAME")]
    plugin: Vec<String>,
    /// Only this sandbox (such as 0.2); may be given more than once.
    #[arg(short, long, value_name = "SANDBOX")]
    sandbox: Vec<String>,
    /// Only events of this kind, such as finding, exec, open, network, contain; may be given more than once.
    #[arg(short, long, value_name = "EVENT")]
    event: Vec<String>,
    /// Only what is about this capability, such as files or network; may be given more than once.
    #[arg(short, long, value_name = "CAPABILITY")]
    capability: Vec<String>,
    /// How events are written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

pub(super) fn run(arguments: Arguments) -> exit::Exit {
    reach::block_on(async {
        let path = path(&arguments);
        let output = arguments.output;
        let client = arguments.daemon.client();
        tokio::select! {
            told = follow(&client, &path, output) => told,
            // Whoever has seen enough ends it this way; every other signal does what it always does.
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}

/// What to ask for: the daemon filters, so that what nobody wants to see is not even sent.
fn path(arguments: &Arguments) -> String {
    let Arguments { plugin, sandbox, event, capability, .. } = arguments;
    let named =
        [("plugin", plugin), ("sandbox", sandbox), ("event", event), ("capability", capability)];
    let pairs: Vec<String> = named
        .iter()
        .flat_map(|(name, values)| {
            values.iter().map(move |value| format!("{name}={}", api::encode(value)))
        })
        .collect();
    format!("/v1/events?{}", pairs.join("&"))
}

async fn follow(client: &api::Client, path: &str, output: Output) -> Result<(), ReachError> {
    let mut lines = client.follow(path).await?;
    let colour = narrate::is_coloured(&io::stdout());
    let teller = Teller { since: clock::now().as_nanos(), colour };
    while let Some(text) = lines.next().await? {
        let event: Value = serde_json::from_str(&text)
            .map_err(|error| ReachError::Other(format!("the daemon sent no JSON: {error}")))?;
        match output {
            Output::Json => reach::line(&text)?,
            Output::Human => {
                if let Some(line) = teller.sentence(&event) {
                    reach::line(&line)?;
                }
            }
        }
        if word(&event, "event") == Some("end") {
            return Err(ReachError::Other("the daemon has ended".to_owned()));
        }
    }
    Err(ReachError::Other(
        "the daemon broke the connection off; is it still there? `picket status` says".to_owned(),
    ))
}

/// Tells events in sentences.
struct Teller {
    /// When listening began, in nanoseconds since boot.
    since: u64,
    colour: bool,
}

impl Teller {
    /// `None` for what only programs want to know.
    fn sentence(&self, event: &Value) -> Option<String> {
        let kind = word(event, "event")?;
        let said = match kind {
            "end" => return None,
            "following" => {
                let hint =
                    "listening, Ctrl-C ends it; with `--event finding` only departures are told";
                return Some(self.paint(DIM, hint));
            }
            "missed" => {
                let missed =
                    format!("{} events were not heard: they came too fast", field(event, "count"));
                return Some(self.paint(YELLOW, &missed));
            }
            "finding" => self.finding(event),
            _ => self.other(kind, event),
        };
        Some(format!("{} {} {said}", self.time(event), who(event)))
    }

    fn finding(&self, event: &Value) -> String {
        let reason = field(event, "reason").replace('_', " ");
        let verdict = format!("{}: {reason}", field(event, "capability"));
        format!(
            "{}\n{MARGIN}{}\n{MARGIN}verdict: {} → {}",
            field(event, "deed"),
            self.paint(DIM, &field(event, "declared")),
            self.paint(RED, &verdict),
            field(event, "action")
        )
    }

    fn other(&self, kind: &str, event: &Value) -> String {
        let one = |name| field(event, name);
        match kind {
            "watched" => {
                let found = match word(event, "arrival") {
                    Some("running") => "found at work",
                    Some("empty") => "found empty",
                    _ => "not started yet",
                };
                self.paint(GREEN, &format!("is watched, mode {}, {found}", one("mode")))
            }
            "unwatched" => "is no longer watched".to_owned(),
            "policy" => format!("is judged by another policy now, mode {}", one("mode")),
            "started" => "was let go".to_owned(),
            "exited" => format!("its entry point ended with wait status {}", one("wait_status")),
            "unattended" => {
                self.paint(RED, "nobody judged it for a while, and its launcher froze it")
            }
            "launcher_lost" => self.paint(RED, "its launcher is gone"),
            "loss" => self.paint(RED, &format!("{} of its events were lost", one("lost"))),
            "tampered" => {
                self.paint(RED, &format!("the kernel side was tampered with: {}", one("tampering")))
            }
            "incident_opened" => format!("incident {} opened", one("incident")),
            "incident_closed" => format!("incident {} closed: {}", one("incident"), one("why")),
            "contain" => self.paint(YELLOW, &format!("to {}: {}", one("step"), cause(event))),
            "would_contain" => {
                self.paint(YELLOW, &format!("shadow mode: would {}: {}", one("step"), cause(event)))
            }
            "receipt" => match (word(event, "step"), word(event, "outcome")) {
                (Some("freeze"), Some("done")) => self.paint(YELLOW, "FROZEN, says the kernel"),
                (Some("kill"), Some("done")) => self.paint(YELLOW, "KILLED, says the kernel"),
                _ => self.paint(RED, &format!("{} failed", one("step"))),
            },
            "narrowed" => format!("less is allowed now: {}", one("why").replace('_', " ")),
            // A fact.
            _ => format!("{}  {}", one("deed"), self.paint(DIM, &format!("pid {}", one("pid")))),
        }
    }

    /// Seconds since listening began; what happened before has a minus.
    fn time(&self, event: &Value) -> String {
        let Some(at) = ["time_ns", "offence_ns"].iter().find_map(|name| event.get(name)?.as_u64())
        else {
            return format!("{:>10}", "");
        };
        let (sign, nanos) = match at.checked_sub(self.since) {
            Some(after) => ("", after),
            None => ("-", self.since - at),
        };
        let millis = nanos / 1_000_000;
        format!("{:>10}", format!("{sign}{}.{:03}", millis / 1000, millis % 1000))
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }
}

/// Further lines of an event stand below its first one's words.
const MARGIN: &str = "                        ";

fn who(event: &Value) -> String {
    let name = word(event, "plugin").or_else(|| word(event, "sandbox")).unwrap_or("picket");
    format!("{:<12}", format!("[{}]", words::text(name.as_bytes())))
}

fn cause(event: &Value) -> String {
    match word(event, "trigger") {
        Some("finding") => {
            format!("{}, {}", field(event, "capability"), field(event, "reason").replace('_', " "))
        }
        _ => field(event, "trigger").replace('_', " "),
    }
}

/// A field as text that is safe to print.
fn field(event: &Value, name: &str) -> String {
    match event.get(name) {
        Some(Value::String(text)) => words::text(text.as_bytes()),
        None | Some(Value::Null) => "?".to_owned(),
        Some(other) => words::text(other.to_string().as_bytes()),
    }
}

fn word<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    event.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(event: &Value) -> String {
        let teller = Teller { since: 5_000_000_000, colour: false };
        teller.sentence(event).unwrap()
    }

    #[test]
    fn events_are_told_in_sentences() {
        let about = |mut event: Value| {
            event["plugin"] = "weather".into();
            event["sandbox"] = "0.1".into();
            event
        };
        let events = [
            json!({ "event": "following" }),
            about(json!({ "event": "watched", "time_ns": 4_999_000_000_u64, "mode": "enforce",
                "arrival": "running" })),
            about(json!({ "event": "open", "time_ns": 5_012_000_000_u64, "pid": 7,
                "deed": "opened for reading /etc/hostname" })),
            about(json!({ "event": "finding", "time_ns": 65_012_000_000_u64, "pid": 7,
                "deed": "opened for reading /etc/shadow", "declared": "nothing of the kind is declared",
                "capability": "files", "reason": "undeclared_path", "action": "freeze" })),
            about(json!({ "event": "contain", "offence_ns": 65_012_000_000_u64, "step": "freeze",
                "trigger": "finding", "capability": "files", "reason": "undeclared_path" })),
            about(json!({ "event": "receipt", "time_ns": 65_013_000_000_u64, "step": "freeze",
                "outcome": "done" })),
            about(json!({ "event": "narrowed", "why": "policy_replaced" })),
            json!({ "event": "missed", "count": 12 }),
        ];
        insta::assert_snapshot!(events.iter().map(told).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn what_a_daemon_sends_cannot_move_the_cursor() {
        let event = json!({ "event": "open", "plugin": "\u{1b}[2J", "pid": 7,
            "deed": "opened \u{9b}2J\u{202e}" });
        let line = told(&event);
        assert!(!line.chars().any(words::is_unsafe_to_print), "{line}");
    }

    #[test]
    fn what_is_asked_for_is_filtered_by_the_daemon() {
        let arguments = Arguments {
            daemon: reach::Daemon::default(),
            plugin: vec!["a b".to_owned(), "c".to_owned()],
            sandbox: Vec::new(),
            event: vec!["finding".to_owned()],
            capability: Vec::new(),
            output: Output::Json,
        };
        assert_eq!(path(&arguments), "/v1/events?plugin=a%20b&plugin=c&event=finding");
    }
}
