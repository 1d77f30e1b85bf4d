//! Runs that were made, as if they had been made at other times: weeks cannot be waited for.

use picket::baseline::{Calibration, Identity, Store};
use picket_engine::baseline::{Mark, Run, RunId};
use picket_engine::learned::{PluginTime, Scores};

const DAY: u64 = 86_400;

/// A run's identity, made of a number.
#[must_use]
pub fn run_id(number: u64) -> RunId {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(number.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    RunId(bytes)
}

/// The same deeds at another time, in seconds since 1970.
#[must_use]
pub fn moved(run: &Run, began: u64) -> Run {
    let mut other = Run::new(began, run.lasted(), true, run.facts());
    run.counts().for_each(|(family, template, times)| other.count(family, template, times));
    other
}

/// Certifies a baseline by calm runs that nobody made, `per_day` of them on each of so many days from this time on. The
/// certificate is made at `made`; all in seconds since 1970.
///
/// # Panics
/// It is not certified.
pub fn calm(store: &mut Store, identity: &Identity, from: u64, days: u64, per_day: u64, made: u64) {
    let lasted = PluginTime::from_millis(1_000);
    let certified = store.calibrate(identity, false, |baseline, known| {
        let mut calibration = Calibration::new(baseline);
        for number in 0..days * per_day {
            let began = from + DAY / 4 + number * DAY / per_day;
            let mark = Mark { began, lasted, started: true, scores: Scores::default() };
            let run = Run::new(began, lasted, true, 1);
            calibration.take(baseline, run_id(1_000_000 + number), &run, mark);
        }
        let made = calibration.certify(identity.subject(), baseline, made);
        *known = Some(calibration);
        made
    });
    certified.expect("a store").expect("a certificate");
}
