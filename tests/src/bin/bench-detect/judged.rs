//! What the engine makes of recordings: by what is declared, and by what was learned.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use picket::baseline::{lesson, score};
use picket::trace::{Reader, Replay};
use picket_engine::baseline::{
    Baseline, Counts, Key, Mark, Observer, Ongoing, Votes, blocks, cadence, gate,
};
use picket_engine::learned::{
    Act, Budget, Cadence, Certificate, Detector, Lane, PluginTime, Rung, Scores, Severity, Subject,
    certify,
};
use picket_engine::{Effect, Input, Mode, SandboxId};
use picket_tests::runs::{moved, run_id};

use super::draw::Draw;
use super::recorded::Traces;

/// One false containment in so many days.
pub(crate) const BUDGET_DAYS: u64 = 30;
const PER_DAY: u64 = 20;
const LEARNED_DAYS: u64 = 15;
const CALIBRATED_DAYS: u64 = 60;
/// Calm days before the first misdeed.
const QUIET_DAYS: u64 = 10;
/// Days after which whoever goes on is taken to be missed.
const PATIENCE_DAYS: u64 = 60;
const DAY: u64 = 86_400;
const SUBJECT: Subject = Subject([7; 32]);
/// When the first run was made: long ago, at midnight.
const FIRST: u64 = 1_000 * DAY;

/// A departure from the manifest.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) reason: &'static str,
    /// Events until it was found.
    pub(crate) events: u64,
    /// Since the plugin's start.
    pub(crate) after: Duration,
}

/// What learned evidence made of a misdeed that every run repeats.
#[derive(Debug)]
pub(crate) struct Learned {
    /// Of the first recording.
    pub(crate) scores: String,
    pub(crate) contained: Option<Contained>,
}

/// When it was contained.
#[derive(Debug)]
pub(crate) struct Contained {
    pub(crate) lane: &'static str,
    /// In which run, the first being 1.
    pub(crate) run: u64,
    /// Events of that run until then.
    pub(crate) events: u64,
    /// Since the start of that run.
    pub(crate) after: Duration,
}

/// A baseline, frozen and certified.
#[derive(Debug)]
pub(crate) struct Known {
    counts: Counts,
    certificate: Certificate,
    calm: Vec<Scores>,
}

/// The first departure from what is declared.
pub(crate) fn declared(trace: &Path) -> Result<Option<Declared>, Box<dyn Error>> {
    let mut replay = Replay::default();
    let mut since = Since::default();
    for input in Reader::open(trace)? {
        let input = input?;
        since.hear(&input);
        for effect in replay.tell(input) {
            if let Effect::Finding(finding) = effect {
                let (events, after) = (since.events, since.after());
                return Ok(Some(Declared { reason: finding.reason.as_str(), events, after }));
            }
        }
    }
    Ok(None)
}

impl Known {
    /// Drawn, learned, calibrated and certified. Fails where a gate is not passed, with its conditions.
    pub(crate) fn draw(traces: &Traces, draw: &mut Draw) -> Result<Self, Box<dyn Error>> {
        let mut runs = Vec::new();
        for trace in &traces.learned {
            runs.extend(lesson(trace)?.runs.into_iter().map(|(_, run)| run));
        }
        let mut baseline = Baseline::new(SUBJECT);
        for number in 0..LEARNED_DAYS * PER_DAY {
            let run = draw.of(&runs).ok_or("nothing was learned")?;
            baseline.learn(run_id(number), &moved(run, at(number)));
        }
        let missing: Vec<String> = gate(&baseline, cadence(&baseline))
            .iter()
            .filter(|check| !check.is_met())
            .map(|check| format!("{check:?}"))
            .collect();
        if !missing.is_empty() {
            return Err(format!("not known well enough: {}", missing.join(", ")).into());
        }
        let counts = Counts::of(&baseline, Key::new([9; 16]));
        let calibrated = scored(&traces.calibrated, &counts)?;
        let calm = scored(&traces.after, &counts)?;
        let first = LEARNED_DAYS * PER_DAY;
        let marks = (first..first + CALIBRATED_DAYS * PER_DAY)
            .filter_map(|number| Some(mark(number, *draw.of(&calibrated)?)));
        let calibration: Vec<_> = blocks(marks, None).into_iter().map(|(_, block)| block).collect();
        let cadence = Cadence::Runs { per_day: u32::try_from(PER_DAY)? };
        let certificate = certify(SUBJECT, cadence, &calibration)
            .map_err(|missing| format!("not certified: {missing:?}"))?;
        Ok(Self { counts, certificate, calm })
    }

    fn detector(&self, mode: Mode) -> Result<Detector, Box<dyn Error>> {
        let budget = Budget::one_per_days(BUDGET_DAYS).map_err(|error| error.to_string())?;
        let rung = Rung { severity: Severity::Contain, budget };
        Ok(Detector::new(self.certificate.clone(), &[rung], mode))
    }

    /// How often so many days of calm runs are contained; released each time.
    pub(crate) fn calm(&self, days: u64, draw: &mut Draw) -> Result<u64, Box<dyn Error>> {
        let mut detector = self.detector(Mode::Shadow)?;
        let marks = (first_judged()..first_judged() + days * PER_DAY)
            .filter_map(|number| Some(mark(number, *draw.of(&self.calm)?)));
        let judged = blocks(marks, Some(at(first_judged() - 1)));
        Ok(judged.iter().filter(|(_, block)| detector.observe(block).is_some()).count() as u64)
    }

    /// What becomes of a plugin whose every run misbehaves, after some calm days.
    pub(crate) fn attacked(
        &self,
        traces: &[PathBuf],
        draw: &mut Draw,
    ) -> Result<Learned, Box<dyn Error>> {
        let mut bad = Vec::new();
        for trace in traces {
            for scores in scored(std::slice::from_ref(trace), &self.counts)? {
                bad.push((trace, scores));
            }
        }
        let shown = bad.first().map(|(_, scores)| shown(scores)).unwrap_or_default();
        let mut ongoing = Ongoing::new(self.detector(Mode::Enforce)?, Some(at(first_judged() - 1)));
        let attack = first_judged() + QUIET_DAYS * PER_DAY;
        for number in first_judged()..attack {
            let scores = draw.of(&self.calm).ok_or("nothing comes after")?;
            if one(&mut ongoing, number, scores).is_some() {
                return Err("a calm run was contained".into());
            }
        }
        for number in attack..attack + PATIENCE_DAYS * PER_DAY {
            let (trace, scores) = draw.of(&bad).ok_or("no run was recorded")?;
            let before = ongoing.clone();
            if let Some(act) = one(&mut ongoing, number, scores) {
                let (events, after) = self.moment(trace, before, number)?;
                let lane = act.lane.as_str();
                let contained = Some(Contained { lane, run: number - attack + 1, events, after });
                return Ok(Learned { scores: shown, contained });
            }
        }
        Ok(Learned { scores: shown, contained: None })
    }

    /// Where in its run the evidence became enough.
    fn moment(
        &self,
        trace: &Path,
        mut ongoing: Ongoing,
        number: u64,
    ) -> Result<(u64, Duration), Box<dyn Error>> {
        let reader = Reader::open(trace)?;
        let clock = reader.header().clock;
        let mut observer = Observer::new(clock.boot(), clock.unix_seconds());
        let (mut votes, mut since) = (Votes::default(), Since::default());
        let mut begun = false;
        for input in reader {
            let input = input?;
            since.hear(&input);
            observer
                .hear_deeds(&input, |family, template| votes.hear(&self.counts, family, template));
            let Some(sandbox) = since.sandbox else { continue };
            let Some((run, ..)) = observer.running_in(sandbox) else { continue };
            if !std::mem::replace(&mut begun, true) {
                ongoing.begin(sandbox, at(number));
            }
            if ongoing.score(&votes.scores(run)).is_some() {
                return Ok((since.events, since.after()));
            }
        }
        Err("the run that was contained is not when heard again".into())
    }
}

/// Where a recording is.
#[derive(Debug, Default)]
struct Since {
    sandbox: Option<SandboxId>,
    events: u64,
    first: Option<Duration>,
    last: Duration,
}

impl Since {
    fn hear(&mut self, input: &Input) {
        if let Input::Event { sandbox, order, fact, .. } = input {
            let time = Duration::from_nanos(order.time.as_nanos());
            // What comes before belongs to whoever starts the plugin.
            if self.first.is_none() && !matches!(fact, picket_engine::Fact::Exec { .. }) {
                return;
            }
            self.first.get_or_insert(time);
            (self.sandbox, self.last) = (Some(*sandbox), time);
            self.events += 1;
        }
    }

    fn after(&self) -> Duration {
        self.last.saturating_sub(self.first.unwrap_or(self.last))
    }
}

/// A whole run, by what it scores in the end.
fn one(ongoing: &mut Ongoing, number: u64, scores: &Scores) -> Option<Act> {
    let sandbox = SandboxId { slot: 0, generation: 1 };
    let began = at(number);
    let first = ongoing.begin(sandbox, began);
    let act = first.or_else(|| ongoing.score(scores));
    ongoing.end(sandbox, began + 1);
    act
}

fn scored(traces: &[PathBuf], counts: &Counts) -> Result<Vec<Scores>, Box<dyn Error>> {
    let mut all = Vec::new();
    for trace in traces {
        all.extend(score(trace, counts.clone())?.runs.iter().map(|(_, scored)| scored.scores()));
    }
    Ok(all)
}

/// The lanes that say anything, in bits.
fn shown(scores: &Scores) -> String {
    let lanes =
        Lane::ALL.iter().map(|lane| (lane, f64::from(scores.of(*lane).sixteenths()) / 16.0));
    let loud: Vec<String> = lanes
        .filter(|(_, bits)| 0.0 < *bits)
        .map(|(lane, bits)| format!("{} {bits:.1}", lane.as_str()))
        .collect();
    if loud.is_empty() { "0 bits".to_owned() } else { loud.join(", ") }
}

const fn first_judged() -> u64 {
    (LEARNED_DAYS + CALIBRATED_DAYS) * PER_DAY
}

const fn at(number: u64) -> u64 {
    FIRST + number * DAY / PER_DAY
}

fn mark(number: u64, scores: Scores) -> Mark {
    Mark { began: at(number), lasted: PluginTime::from_millis(1_000), started: true, scores }
}

/// The exact 95 % interval of a Poisson count (Garwood, 1936), by bisection.
pub(crate) fn poisson(count: u64) -> (f64, f64) {
    let at_most = |mean: f64, count: u64| {
        let terms = (1..=count).scan(1.0, |term, number| {
            *term *= mean / number as f64;
            Some(*term)
        });
        (-mean).exp() * (1.0 + terms.sum::<f64>())
    };
    let solve = |exceeds: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0.0, 2.0 * count as f64 + 20.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if exceeds(middle) { high = middle } else { low = middle }
        }
        low
    };
    let low = match count.checked_sub(1) {
        None => 0.0,
        Some(fewer) => solve(&|mean| 0.025 < 1.0 - at_most(mean, fewer)),
    };
    (low, solve(&|mean| at_most(mean, count) < 0.025))
}
