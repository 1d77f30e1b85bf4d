//! What the filter of `confinement: strict` adds to calls that it allows: the same process before and after it has one.

use std::collections::BTreeMap;
use std::fmt::Write;

use picket_engine::{SyscallAbi, is_dangerous};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
use serde_json::{Value, json};

use crate::rows::{Row, Target};
use crate::stage::{self, Reports, Stage};
use crate::statistics::{Nanos, median};
use crate::worker::Worker;
use crate::{Figures, Outcome};

const MEASURED: [Row; 2] = [Row::Getppid, Row::Read];

/// Calls that the hand-made set has, but for those of the danger set.
const CALLS: u32 = 335;

const INSIDE: Target = Target { reach: 8, stretch: 5 };
/// Whoever has no filter must not notice that others have.
const OUT: Target = Target { reach: 0, stretch: 0 };

/// Puts this process under a filter as a manifest's would be, for ever.
pub(crate) fn confine() -> Outcome {
    let calls = (0..CALLS).filter(|call| !is_dangerous(*call, SyscallAbi::Native));
    let rules: BTreeMap<i64, _> = calls.map(|call| (i64::from(call), Vec::new())).collect();
    let (refused, allowed) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(rules, refused, allowed, TargetArch::x86_64)?;
    Ok(apply_filter(&BpfProgram::try_from(filter)?)?)
}

/// Three processes: one that gets a filter, one beside it in the sandbox that gets none, one outside.
struct Three<'a>([&'a mut Worker; 3]);

impl Three<'_> {
    fn measure(&mut self) -> Outcome<Vec<[Nanos; 3]>> {
        let mut times = Vec::new();
        for row in MEASURED {
            let [confined, beside, outside] = &mut self.0;
            times.push([
                confined.measure(row)?.cpu,
                beside.measure(row)?.cpu,
                outside.measure(row)?.cpu,
            ]);
        }
        Ok(times)
    }
}

pub(crate) fn run(rounds: usize) -> Outcome<Figures> {
    // All of them before there are threads: a filter stays, so each round has a process of its own.
    let mut confined = (0..rounds).map(|_| Worker::start(0)).collect::<Outcome<Vec<_>>>()?;
    let (mut beside, mut outside) = (Worker::start(0)?, Worker::start(0)?);
    let sandbox = stage::sandbox()?;
    beside.enter(sandbox.path())?;
    let mut stage = Stage::load()?;
    stage.watch(&sandbox, Reports::First)?;
    let mut added = vec![[const { Vec::new() }; 3]; MEASURED.len()];
    for worker in &mut confined {
        worker.enter(sandbox.path())?;
        let before = Three([worker, &mut beside, &mut outside]).measure()?;
        worker.confine()?;
        let after = Three([worker, &mut beside, &mut outside]).measure()?;
        for (row, (before, after)) in added.iter_mut().zip(before.iter().zip(&after)) {
            for (place, (before, after)) in row.iter_mut().zip(before.iter().zip(after)) {
                place.push(after - before);
            }
        }
    }
    let mut text = format!(
        "CPU time that a seccomp filter adds under Picket, ns; medians of {rounds} rounds\n\
         {:<42} {:<8} {:>7} {:>8}  {:>9} {:>9}\n",
        "operation", "where", "noise", "added", "to reach", "stretch"
    );
    let mut told = Vec::new();
    for (row, [confined, beside, outside]) in MEASURED.into_iter().zip(added) {
        let noise = median(beside.into_iter().map(Nanos::abs).collect());
        for (place, added, target) in [("inside", confined, INSIDE), ("OUT", outside, OUT)] {
            let added = median(added);
            let met = |limit: i32| {
                let limit_or_noise = Nanos::from(limit).max(if limit == 0 { noise } else { 0.0 });
                format!("{limit} {}", if added <= limit_or_noise { "yes" } else { "NO" })
            };
            let (reach, stretch) = (met(target.reach), met(target.stretch));
            writeln!(
                text,
                "{:<42} {place:<8} {noise:>7.1} {added:>+8.1}  {reach:>9} {stretch:>9}",
                row.name()
            )?;
            told.push(json!({
                "operation": row.name(), "where": place, "noise_ns": noise, "added_ns": added,
                "to_reach_ns": target.reach, "stretch_ns": target.stretch,
            }));
        }
    }
    Ok(Figures { text, json: Value::from(told) })
}
