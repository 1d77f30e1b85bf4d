//! Rounds: nothing loaded, an empty program, Picket, nothing loaded; and the table of their medians.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::floor::Floor;
use crate::rows::{Row, Target};
use crate::stage::{self, Reports, SANDBOXES, Stage};
use crate::statistics::{Nanos, median};
use crate::worker::Worker;
use crate::{Figures, Outcome};

/// Rounds that may be thrown away because others loaded or unloaded programs meanwhile, for each that counts.
pub(crate) const PATIENCE: usize = 10;

/// One operation in one place: what each round said.
#[derive(Default)]
struct Line {
    without: Vec<Nanos>,
    /// How far apart the two times without Picket were.
    noise: Vec<Nanos>,
    /// What an empty program adds.
    floor: Vec<Nanos>,
    /// What Picket adds.
    added: Vec<Nanos>,
}

/// One round's times of an operation in one place.
struct Times {
    before: Nanos,
    floor: Nanos,
    with: Nanos,
    after: Nanos,
}

impl Line {
    fn add(&mut self, times: &Times) {
        let without = f64::midpoint(times.before, times.after);
        self.without.push(without);
        self.noise.push((times.before - times.after).abs());
        self.floor.push(times.floor - without);
        self.added.push(times.with - without);
    }
}

/// The two processes that act.
struct Workers {
    inside: Worker,
    outside: Worker,
}

impl Workers {
    fn measure(&mut self, rows: &[Row]) -> Outcome<Vec<Nanos>> {
        let mut times = Vec::new();
        for row in rows {
            times.push(self.inside.measure(*row)?.cpu);
            times.push(self.outside.measure(*row)?.cpu);
        }
        Ok(times)
    }
}

/// Every row whose name has the word in it, inside of a sandbox and outside of all.
pub(crate) fn rows(rounds: usize, only: &str) -> Outcome<Figures> {
    let rows: Vec<Row> = Row::ALL.into_iter().filter(|row| row.name().contains(only)).collect();
    let Alternated { lines, others, .. } = alternate(rounds, &rows, &[1], Reports::First)?;
    let mut text = format!(
        "added CPU time of an operation, ns; medians of {rounds} rounds; {others}\n\
         {:<42} {:<8} {:>8} {:>7} {:>8} {:>8}  {:>9} {:>9}\n",
        "operation", "where", "without", "noise", "empty", "picket", "to reach", "stretch"
    );
    let mut told = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        let row = *rows.get(index / 2).ok_or("no such row")?;
        let (place, target) = if index % 2 == 0 {
            ("inside", row.target_inside())
        } else {
            ("OUT", row.target_outside())
        };
        let (without, noise) = (median(line.without), median(line.noise));
        let (floor, added) = (median(line.floor), median(line.added));
        let met = |limit: fn(Target) -> i32| match target.map(limit) {
            Some(limit) if added <= Nanos::from(limit) => format!("{limit} yes"),
            Some(limit) => format!("{limit} NO"),
            None => "-".to_owned(),
        };
        let (reach, stretch) = (met(|target| target.reach), met(|target| target.stretch));
        writeln!(
            text,
            "{:<42} {place:<8} {without:>8.0} {noise:>7.1} {floor:>+8.1} {added:>+8.1}  {reach:>9} {stretch:>9}",
            row.name()
        )?;
        told.push(json!({
            "operation": row.name(), "where": place, "without_ns": without, "noise_ns": noise, "empty_ns": floor,
            "added_ns": added, "to_reach_ns": target.map(|target| target.reach), "stretch_ns": target.map(|target| target.stretch),
        }));
    }
    Ok(Figures { text, json: Value::from(told) })
}

/// The same with ever more sandboxes.
pub(crate) fn sandboxes(rounds: usize) -> Outcome<Figures> {
    const WATCHED: [u32; 3] = [1, 64, SANDBOXES];
    const MEASURED: [Row; 3] = [Row::Getppid, Row::OpenClose, Row::Connect];
    let Alternated { lines, others, .. } = alternate(rounds, &MEASURED, &WATCHED, Reports::First)?;
    let mut text = format!(
        "added CPU time by number of sandboxes, ns; medians of {rounds} rounds; {others}\n\
         {:<42} {:<8} {:>7} {:>9} {:>9} {:>9}\n",
        "operation", "where", "noise", "1", "64", "4,000"
    );
    let mut told = Vec::new();
    let each = MEASURED.len() * 2;
    for (index, _) in lines.iter().enumerate().take(each) {
        let row = *MEASURED.get(index / 2).ok_or("no such row")?;
        let place = if index % 2 == 0 { "inside" } else { "OUT" };
        let lines: Vec<&Line> = lines.iter().skip(index).step_by(each).collect();
        let noise = median(lines.iter().flat_map(|line| line.noise.clone()).collect());
        write!(text, "{:<42} {place:<8} {noise:>7.1}", row.name())?;
        for (line, watched) in lines.iter().zip(WATCHED) {
            let added = median(line.added.clone());
            write!(text, " {added:>+9.1}")?;
            told.push(json!({
                "operation": row.name(), "where": place, "sandboxes": watched, "noise_ns": noise, "added_ns": added,
            }));
        }
        text.push('\n');
    }
    Ok(Figures { text, json: Value::from(told) })
}

/// What is added where every event is reported, as others do it, and not only the first of its kind. What the ring had no
/// room for costs less than what it had, so its share is told.
pub(crate) fn events(rounds: usize) -> Outcome<Figures> {
    const MEASURED: [(Row, i32, i32); 2] = [(Row::Getppid, 80, 65), (Row::OpenClose, 220, 183)];
    let rows = MEASURED.map(|(row, ..)| row);
    let Alternated { lines, others, dropped } = alternate(rounds, &rows, &[1], Reports::Every)?;
    let mut text = format!(
        "added CPU time of an operation in a sandbox where every event is reported, ns; medians of {rounds} rounds; {others}\n\
         {:<42} {:>8} {:>7} {:>8} {:>8}  {:>9} {:>9}\n",
        "operation", "without", "noise", "empty", "picket", "to reach", "stretch"
    );
    let mut told = Vec::new();
    for (line, (row, reach, stretch)) in lines.into_iter().step_by(2).zip(MEASURED) {
        let (without, noise) = (median(line.without), median(line.noise));
        let (floor, added) = (median(line.floor), median(line.added));
        let met = |limit: i32| {
            format!("{limit} {}", if added <= Nanos::from(limit) { "yes" } else { "NO" })
        };
        writeln!(
            text,
            "{:<42} {without:>8.0} {noise:>7.1} {floor:>+8.1} {added:>+8.1}  {:>9} {:>9}",
            row.name(),
            met(reach),
            met(stretch)
        )?;
        told.push(json!({
            "operation": row.name(), "without_ns": without, "noise_ns": noise, "empty_ns": floor, "added_ns": added,
            "to_reach_ns": reach, "stretch_ns": stretch,
        }));
    }
    write!(text, "of all events the rings had no room for {:.1} %", dropped * 100.0)?;
    Ok(Figures { text, json: json!({ "operations": told, "dropped_share": dropped }) })
}

/// What the rounds said.
struct Alternated {
    /// One for each number of sandboxes, row and place.
    lines: Vec<Line>,
    /// What is to be said about others on the host.
    others: String,
    /// Share of the sandbox's events that the rings had no room for: the median.
    dropped: f64,
}

fn alternate(
    rounds: usize,
    rows: &[Row],
    watched: &[u32],
    reports: Reports,
) -> Outcome<Alternated> {
    let mut workers = Workers { inside: Worker::start(0)?, outside: Worker::start(0)? };
    let sandbox = stage::sandbox()?;
    workers.inside.enter(sandbox.path())?;
    let mut lines: Vec<Line> = Vec::new();
    lines.resize_with(watched.len() * rows.len() * 2, Line::default);
    let (mut kept, mut thrown, mut strangers) = (0, 0, 0);
    let mut dropped = Vec::new();
    while kept < rounds && thrown < rounds * PATIENCE {
        let others = stage::others();
        let before = workers.measure(rows)?;
        let empty = Floor::attach()?;
        let floor = workers.measure(rows)?;
        drop(empty);
        let mut stage = Stage::load()?;
        let id = stage.watch(&sandbox, reports)?;
        let mut with = Vec::new();
        for sandboxes in watched {
            stage.crowd(&sandbox, *sandboxes)?;
            with.extend(workers.measure(rows)?);
        }
        let of_events = stage.dropped(id)?;
        let undisturbed = stage::others() == others + 1;
        stage::leave(stage, others);
        let after = workers.measure(rows)?;
        if !undisturbed || stage::others() != others {
            thrown += 1;
            continue;
        }
        kept += 1;
        strangers = strangers.max(others);
        dropped.push(of_events);
        let without = before.iter().zip(&floor).zip(&after).cycle();
        for ((line, with), ((before, floor), after)) in lines.iter_mut().zip(with).zip(without) {
            line.add(&Times { before: *before, floor: *floor, with, after: *after });
        }
    }
    if kept < rounds {
        return Err(format!(
            "others load and unload programs: {kept} rounds of {rounds} undisturbed"
        )
        .into());
    }
    let others = match strangers {
        0 => "nobody else at the entry of system calls".to_owned(),
        n => format!("{n} programs of others at the entry of system calls, in both times"),
    };
    Ok(Alternated { lines, others, dropped: median(dropped) })
}
