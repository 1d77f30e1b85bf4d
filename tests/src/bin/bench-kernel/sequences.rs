//! What it adds that the kernel side sums how unexpected each call is: nothing loaded, Picket without a table, Picket with
//! one, nothing loaded, in turn.

use std::fmt::Write;

use picket::probe::table_of;
use picket_engine::sequence::{Call, CallCounts, SurpriseModel, Trail};
use serde_json::{Value, json};

use crate::rounds::PATIENCE;
use crate::rows::Row;
use crate::stage::{self, Reports, Stage};
use crate::statistics::{Nanos, median};
use crate::worker::Worker;
use crate::{Figures, Outcome};

/// The row, where it acts, and what may be added with a table.
const MEASURED: [(Row, &str, Option<i32>); 4] = [
    (Row::Getppid, "inside", Some(48)),
    (Row::Getppid, "OUT", Some(34)),
    (Row::OpenClose, "inside", Some(188)),
    (Row::OpenClose, "OUT", None),
];

/// What the worker calls all the time has been learned: of these calls each finds itself in the table.
fn model() -> Outcome<SurpriseModel> {
    let mut counts = CallCounts::new(CallCounts::DEFAULT_LIMIT);
    let mut trail = Trail::START;
    let rows = [[libc::SYS_getppid; 2], [libc::SYS_openat, libc::SYS_close]];
    for number in rows.iter().flat_map(|row| row.iter().cycle().take(1_000)) {
        counts.learn(&mut trail, Call::numbered(u32::try_from(*number)?));
    }
    SurpriseModel::new(&counts).ok_or_else(|| "nothing was learned".into())
}

/// The two processes that act.
struct Workers {
    inside: Worker,
    outside: Worker,
}

impl Workers {
    fn measure(&mut self) -> Outcome<[Nanos; MEASURED.len()]> {
        let mut times = [0.0; MEASURED.len()];
        for (time, (row, place, _)) in times.iter_mut().zip(MEASURED) {
            let worker = if place == "inside" { &mut self.inside } else { &mut self.outside };
            *time = worker.measure(row)?.cpu;
        }
        Ok(times)
    }
}

/// One operation in one place: what each round said.
#[derive(Default)]
struct Line {
    /// How far apart the two times without Picket were.
    noise: Vec<Nanos>,
    /// What is added without a table.
    without: Vec<Nanos>,
    /// What is added with one.
    with: Vec<Nanos>,
    /// How much longer the whole takes with a table than without.
    ratio: Vec<f64>,
}

impl Line {
    fn add(&mut self, [before, without, with, after]: [Nanos; 4]) {
        let nothing = f64::midpoint(before, after);
        self.noise.push((before - after).abs());
        self.without.push(without - nothing);
        self.with.push(with - nothing);
        self.ratio.push(with / without);
    }
}

pub(crate) fn run(rounds: usize) -> Outcome<Figures> {
    let mut workers = Workers { inside: Worker::start(0)?, outside: Worker::start(0)? };
    let sandbox = stage::sandbox()?;
    workers.inside.enter(sandbox.path())?;
    let table = table_of(&model()?, 1);
    let mut lines: [Line; MEASURED.len()] = Default::default();
    let (mut kept, mut thrown) = (0, 0);
    while kept < rounds {
        if rounds * PATIENCE <= thrown {
            return Err("others load and unload programs all the time".into());
        }
        let others = stage::others();
        let before = workers.measure()?;
        let mut stage = Stage::load()?;
        let id = stage.watch(&sandbox, Reports::First)?;
        let without = workers.measure()?;
        stage.probe.slots().load_table(id, &table)?;
        let with = workers.measure()?;
        stage::leave(stage, others);
        let after = workers.measure()?;
        if stage::others() != others {
            thrown += 1;
            continue;
        }
        kept += 1;
        let times = before.into_iter().zip(without).zip(with).zip(after);
        for (line, (((before, without), with), after)) in lines.iter_mut().zip(times) {
            line.add([before, without, with, after]);
        }
    }
    let mut text = format!(
        "added CPU time of an operation where calls are summed by a table, ns; medians of {rounds} rounds\n\
         {:<42} {:<8} {:>7} {:>9} {:>9} {:>6}  {:>9}\n",
        "operation", "where", "noise", "no table", "a table", "ratio", "to reach"
    );
    let mut told = Vec::new();
    for ((row, place, target), line) in MEASURED.into_iter().zip(lines) {
        let (noise, without) = (median(line.noise), median(line.without));
        let (with, ratio) = (median(line.with), median(line.ratio));
        let reach = match target {
            Some(limit) if with <= Nanos::from(limit) => format!("{limit} yes"),
            Some(limit) => format!("{limit} NO"),
            None => "-".to_owned(),
        };
        writeln!(
            text,
            "{:<42} {place:<8} {noise:>7.1} {without:>+9.1} {with:>+9.1} {ratio:>6.3}  {reach:>9}",
            row.name()
        )?;
        told.push(json!({
            "operation": row.name(), "where": place, "noise_ns": noise, "without_table_ns": without,
            "with_table_ns": with, "ratio": ratio, "to_reach_ns": target,
        }));
    }
    Ok(Figures { text, json: Value::from(told) })
}
