//! What learned behaviour finds, and how often it is wrong: six kinds of plugins, recorded on this kernel while they
//! behave and while they misbehave, harmlessly.
//!
//! A third of the calm recordings is learned, a third calibrates and a third is what comes after, each drawn at random as
//! twenty runs a day: weeks cannot be waited for. What is judged is real, when it happened is not; so this shows nothing of
//! load cycles ([the simulation](../../../../docs/detection.md) does). Judged by the engine of the daemon and its replay.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod draw;
mod judged;
mod kinds;
mod misdeeds;
mod recorded;

use std::error::Error;

use draw::Draw;
use judged::{Declared, Known};
use kinds::{KINDS, Kind};
use misdeeds::{Misdeed, of};
use recorded::{Place, Traces};

/// Calm recordings of each third.
const THIRD: u32 = 12;
/// Recordings of each misdeed.
const MISDEED: u32 = 3;
/// Baselines of a kind, each drawn and certified anew.
const BASELINES: u64 = 20;
/// Days of calm runs that each of them judges.
const DAYS: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let seed = match std::env::args().nth(1) {
        Some(seed) => seed.parse().map_err(|_| format!("{seed}: the seed is a number"))?,
        None => 1,
    };
    println!("seed {seed}; one false containment in {} plugin-days\n", judged::BUDGET_DAYS);
    println!("| plugin | misdeed | by what is declared | by what was learned |\n|---|---|---|---|");
    let mut calm = Vec::new();
    let (mut found, mut all) = (0, 0);
    for kind in &KINDS {
        let mut draw = Draw::new(seed);
        let mut place = Place::new(kind)?;
        let traces = Traces::record(&mut place, THIRD)?;
        let known = Known::draw(&traces, &mut draw)?;
        for misdeed in of(kind.name) {
            let (told, is_found) = answer(&mut place, &known, misdeed, &mut draw)?;
            println!("| {} | {} | {told} |", kind.name, misdeed.name);
            all += 1;
            found += u32::from(is_found);
        }
        calm.push(false_alarms(kind, &traces, &mut draw)?);
    }
    println!("\n{found} of {all} found\n");
    println!("| plugin | baselines | refused | contained for nothing | for 1,000 plugin-days |");
    println!("|---|---|---|---|---|");
    calm.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// What became of a misdeed, as two cells of the table, and whether it was found.
fn answer(
    place: &mut Place<'_>,
    known: &Known,
    misdeed: &Misdeed,
    draw: &mut Draw,
) -> Result<(String, bool), Box<dyn Error>> {
    let turns = 0..MISDEED;
    let traces: Result<Vec<_>, _> = turns.map(|turn| place.record(turn, Some(misdeed))).collect();
    let traces = traces?;
    let declared = judged::declared(traces.first().ok_or("nothing was recorded")?)?;
    let learned = known.attacked(&traces, draw)?;
    let by_declaration = match &declared {
        None => "nothing to say".to_owned(),
        Some(Declared { reason, events, after }) => {
            format!("{reason}, event {events}, {:.1} ms", after.as_secs_f64() * 1e3)
        }
    };
    let by_learning = match &learned.contained {
        None => format!("missed ({})", learned.scores),
        Some(it) => format!(
            "{}, run {}, event {}, {:.1} ms ({})",
            it.lane,
            it.run,
            it.events,
            it.after.as_secs_f64() * 1e3,
            learned.scores
        ),
    };
    let is_found = declared.is_some() || learned.contained.is_some();
    Ok((format!("{by_declaration} | {by_learning}"), is_found))
}

/// How often calm runs are contained, as a line of the table.
fn false_alarms(kind: &Kind, traces: &Traces, draw: &mut Draw) -> Result<String, Box<dyn Error>> {
    let (mut refused, mut contained) = (0_u64, 0_u64);
    for _ in 0..BASELINES {
        match Known::draw(traces, draw) {
            Ok(known) => contained += known.calm(DAYS, draw)?,
            Err(_) => refused += 1,
        }
    }
    let days = (BASELINES - refused) * DAYS;
    let (low, high) = judged::poisson(contained);
    let rate = |count: f64| count * 1e3 / days as f64;
    Ok(format!(
        "| {} | {BASELINES} | {refused} | {contained} in {days} days | {:.2} [{:.2}, {:.2}] |",
        kind.name,
        rate(contained as f64),
        rate(low),
        rate(high),
    ))
}
