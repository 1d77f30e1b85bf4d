//! Does the detector keep its bound, and what does that cost in time?
//!
//! Simulated plugins go through the engine's own calibration, certification and detector; there is no second
//! implementation. Published with the result is what breaks the bound, and what guard caught it, if one did.

mod arguments;
mod outcome;
mod plugin;
mod random;
mod statistics;
mod table;
mod trial;

use std::fs;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use arguments::Arguments;
use outcome::Outcome;
use serde_json::json;
use trial::Budgets;

/// What follows `--simulate`.
pub(crate) fn main(words: &[String]) -> ExitCode {
    let arguments = match arguments::parse(words.iter().cloned()) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}\n\n{}", arguments::HELP);
            return ExitCode::from(64);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\n{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let budgets = Budgets::new().map_err(|why| why.to_string())?;
    let start = Instant::now();
    let outcomes = simulate(arguments, &budgets);
    println!("{}", table::shown(&outcomes, &budgets));
    println!("took {:.0} s", start.elapsed().as_secs_f64());
    if let Some(path) = &arguments.json {
        let result = json!({
            "blocks": arguments.blocks,
            "certificates": arguments.certificates,
            "seed": arguments.seed,
            "regimes": outcomes.iter().map(|one| one.json(&budgets)).collect::<Vec<_>>(),
        });
        let text = format!("{result:#}\n");
        fs::write(path, text).map_err(|why| format!("writing {}: {why}", path.display()))?;
        println!("wrote {}", path.display());
    }
    table::acceptable(&outcomes)
}

/// In the order of the regimes, however many are at work at a time.
fn simulate(arguments: &Arguments, budgets: &Budgets) -> Vec<Outcome> {
    let waiting = Mutex::new(arguments.regimes.iter().copied().enumerate());
    let done = Mutex::new(Vec::new());
    // A poisoned lock is a panic of another job, which ends the scope anyway.
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                while let Some((place, regime)) = next() {
                    let Arguments { seed, certificates, blocks, .. } = *arguments;
                    let outcome = outcome::of(regime, seed, certificates, blocks, budgets);
                    eprintln!("{}: {}", regime.name(), outcome.verdict(budgets));
                    if let Ok(mut done) = done.lock() {
                        done.push((place, outcome));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
