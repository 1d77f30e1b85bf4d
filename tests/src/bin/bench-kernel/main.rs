//! What the kernel side costs those who are watched, and those who are not.
//!
//! `bench-kernel [PART...] [--rounds N] [--only WORD] [--output json]`, all parts by default, `--only` rows with this word:
//! `rows` (added CPU time of system calls, inside a sandbox and outside of all), `sandboxes` (the same with 1, 64 and 4,000 of them),
//! `events` (what is added where every event is reported),
//! `sequences` (what is added where calls are summed by a table of what was learned),
//! `seccomp` (what a filter of system calls adds to that),
//! `saturation` (two producers at full speed: what is observed, and whether all of it is accounted for),
//! `memory` (what the kernel keeps for each sandbox); `peers`, only when asked for (the same beside bpftrace and strace, which
//! `cargo xtask bench peers` installs).
//!
//! The protocol: nothing loaded, an empty program, Picket, nothing loaded, in turn; the smallest of three samples inside a round, the median over
//! the rounds; CPU time of the process that acts. The noise of a row is the difference between the two times without Picket.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod floor;
mod memory;
mod peers;
mod rounds;
mod rows;
mod saturation;
mod seccomp;
mod sequences;
mod stage;
mod statistics;
mod worker;

use std::env;
use std::error::Error;

use serde_json::{Map, Value};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What can be asked for; what is done unasked is all but the last.
const PARTS: [&str; 8] =
    ["rows", "sandboxes", "events", "sequences", "seccomp", "saturation", "memory", "peers"];

/// Rounds of a row: the protocol wants at least five.
const ROUNDS: usize = 9;

fn main() -> Outcome {
    let wanted = Wanted::parse(env::args().skip(1))?;
    let mut told = Map::new();
    for part in &wanted.parts {
        let figures = match part.as_str() {
            "rows" => rounds::rows(wanted.rounds, &wanted.only)?,
            "sandboxes" => rounds::sandboxes(wanted.rounds)?,
            "events" => rounds::events(wanted.rounds)?,
            "sequences" => sequences::run(wanted.rounds)?,
            "seccomp" => seccomp::run(wanted.rounds)?,
            "saturation" => saturation::run()?,
            "peers" => peers::run(wanted.rounds)?,
            _ => memory::run()?,
        };
        if !wanted.json {
            println!("{}\n", figures.text);
        }
        told.insert(part.clone(), figures.json);
    }
    if wanted.json {
        println!("{:#}", Value::Object(told));
    }
    Ok(())
}

/// What a part has to tell.
struct Figures {
    text: String,
    json: Value,
}

struct Wanted {
    parts: Vec<String>,
    rounds: usize,
    only: String,
    json: bool,
}

impl Wanted {
    fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut wanted =
            Self { parts: Vec::new(), rounds: ROUNDS, only: String::new(), json: false };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--rounds" => {
                    let number = words.next().ok_or("--rounds wants a number")?;
                    wanted.rounds = number.parse()?;
                }
                "--only" => wanted.only = words.next().ok_or("--only wants a word")?,
                "--output" => match words.next().as_deref() {
                    Some("json") => wanted.json = true,
                    Some("text") => wanted.json = false,
                    _ => return Err("--output wants text or json".into()),
                },
                part if PARTS.contains(&part) => wanted.parts.push(word),
                _ => return Err(format!("{word}: parts are {}", PARTS.join(", ")).into()),
            }
        }
        if wanted.rounds == 0 {
            return Err("--rounds wants at least 1".into());
        }
        if wanted.parts.is_empty() {
            let [unasked @ .., _] = PARTS;
            wanted.parts = unasked.map(str::to_owned).into();
        }
        Ok(wanted)
    }
}
