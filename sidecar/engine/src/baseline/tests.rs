mod blocks;
mod laws;
mod learned;
mod meant;
mod reduced;
mod scored;
mod votes;

use alloc::string::String;
use std::format;

use super::*;
use crate::learned::{PluginTime, Subject};

const SUBJECT: Subject = Subject([7; 32]);
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn id(number: u16) -> RunId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    RunId(bytes)
}

fn nothing() -> Baseline {
    Baseline::new(SUBJECT)
}

/// An hour of a plugin that was started at this second, with these deeds.
fn run(began: u64, deeds: &[(Family, &str, u32)]) -> Run {
    let mut run = Run::new(began, PluginTime::from_millis(HOUR * 1000), true, deeds.len() as u64);
    deeds.iter().for_each(|(family, template, times)| run.count(*family, template, *times));
    run
}

/// So many kinds of a family.
fn kinds(family: Family, range: core::ops::Range<usize>) -> Run {
    let mut run = run(0, &[]);
    range.for_each(|number| run.count(family, &format!("{number}"), 1));
    run
}

fn accepted(family: Family, template: &str, at: u64) -> Acceptance {
    let text = String::from;
    Acceptance { at, family, template: text(template), by: text("root"), reason: text("known") }
}
