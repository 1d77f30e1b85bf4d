//! One experiment: learn, calibrate, score; every method on the same traces.

use std::collections::BTreeMap;

use picket_engine::sequence::{NormalScore, Ranks, fused};

use super::DataError;
use super::measure::{Figures, Scores, Share, threshold};
use super::production::{self, Learnt, Table};
use super::references::{Stide, WittenBell};

/// The calls of one process, in order.
pub(crate) type Trace = Vec<u32>;

/// The table that production uses, in KiB.
const HEADLINE_KIB: u32 = 64;

/// An attack.
#[derive(Clone)]
pub(crate) struct Attack {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// How often exactly these calls occur in the data set; counted once here.
    pub(crate) copies: u32,
    pub(crate) calls: Trace,
}

/// Which traces were dealt to which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As the data set says, where calibration and test are of the same time.
    Split,
    /// Whatever is tested is later than all of calibration.
    Time,
    /// At random, for the so-manieth time.
    Shuffled(usize),
}

impl Order {
    pub(crate) fn text(self) -> String {
        match self {
            Self::Split => "as split (calibration and test of one time)".to_owned(),
            Self::Time => "in order of time".to_owned(),
            Self::Shuffled(number) => format!("shuffled, deal {number}"),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Experiment {
    pub(crate) set: &'static str,
    pub(crate) order: Order,
    pub(crate) train: Vec<Trace>,
    pub(crate) calib: Vec<Trace>,
    pub(crate) test: Vec<Trace>,
    pub(crate) attacks: Vec<Attack>,
}

/// What an experiment gave; the first method is the headline.
pub(crate) struct Outcome {
    pub(crate) set: &'static str,
    pub(crate) order: Order,
    pub(crate) methods: Vec<Figures>,
    /// By kind of attack: detected by the headline at each nominal rate.
    pub(crate) kinds: BTreeMap<String, Vec<Share>>,
    pub(crate) sizes: Vec<(&'static str, usize)>,
}

impl Outcome {
    pub(crate) fn is_shuffle(&self) -> bool {
        matches!(self.order, Order::Shuffled(_))
    }

    pub(crate) fn slug(&self) -> String {
        let order = match self.order {
            Order::Split => "split".to_owned(),
            Order::Time => "time".to_owned(),
            Order::Shuffled(number) => format!("shuffled-{number}"),
        };
        format!("{}-{order}", self.set.to_lowercase().replace(' ', "-"))
    }
}

/// The same lane on each part.
struct Lane {
    calib: Vec<u32>,
    test: Vec<u32>,
    attacks: Vec<u32>,
}

impl Experiment {
    pub(crate) fn run(&self, seed: u64) -> Result<Outcome, DataError> {
        let learnt = self.learnt()?;
        let tables = [HEADLINE_KIB, 32, 16].map(|kib| Table::new(&learnt.model, kib, seed));
        let [largest, middle, smallest] = &tables;
        let order =
            |table: &Table| self.lane(|trace| Some(production::mean(&table.observe(trace))?.raw()));
        let mix = self.lane(|trace| Some(learnt.distance(trace)?.raw()))?;
        let headline = order(largest)?;
        let full = self.lane(|trace| learnt.full(trace))?;
        let (stide, long) = (Stide::learn(&self.train), WittenBell::learn(&self.train));
        let long = self.scores("Witten-Bell, order 12", |trace| long.score(trace));
        let scores = [
            both("production: 64 KiB table + histogram", &headline, &mix)?,
            both("the same with 32 KiB", &order(middle)?, &mix)?,
            both("the same with 16 KiB", &order(smallest)?, &mix)?,
            alone("surprise alone", &headline),
            alone("histogram alone", &mix),
            both("full sequence, order 3 + histogram", &full, &mix)?,
            both("full sequence, order 12 + histogram", &lane_of(&long), &mix)?,
            self.scores("STIDE, n = 6", |trace| stide.score(trace)),
            long,
        ];
        let methods: Vec<Figures> =
            scores.into_iter().map(|scores| Figures::of(scores, seed)).collect();
        let kinds = methods.first().map(|headline| self.kinds(headline)).unwrap_or_default();
        let sizes = self.sizes(&learnt, &tables);
        Ok(Outcome { set: self.set, order: self.order, methods, kinds, sizes })
    }

    fn learnt(&self) -> Result<Learnt, DataError> {
        let what = || format!("{}: what was learned makes no model", self.set);
        Learnt::from(&self.train).ok_or_else(|| DataError::Empty { what: what() })
    }

    fn lane(&self, score: impl Fn(&[u32]) -> Option<u32>) -> Result<Lane, DataError> {
        let all = |traces: &mut dyn Iterator<Item = &Trace>| -> Result<Vec<u32>, DataError> {
            let scores: Option<Vec<u32>> = traces.map(|trace| score(trace)).collect();
            scores.ok_or_else(|| DataError::Empty { what: format!("{}: an empty trace", self.set) })
        };
        Ok(Lane {
            calib: all(&mut self.calib.iter())?,
            test: all(&mut self.test.iter())?,
            attacks: all(&mut self.attacks.iter().map(|attack| &attack.calls))?,
        })
    }

    fn scores(&self, method: &'static str, score: impl Fn(&[u32]) -> f64) -> Scores {
        let all = |traces: &[Trace]| traces.iter().map(|trace| score(trace)).collect();
        let attacks = self.attacks.iter().map(|attack| score(&attack.calls)).collect();
        Scores { method, calib: all(&self.calib), test: all(&self.test), attacks }
    }

    fn kinds(&self, headline: &Figures) -> BTreeMap<String, Vec<Share>> {
        let mut kinds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (attack, score) in self.attacks.iter().zip(&headline.scores.attacks) {
            kinds.entry(attack.kind.clone()).or_default().push(*score);
        }
        let shares = |scores: Vec<f64>| -> Vec<Share> {
            headline.at.iter().map(|at| Share::above(&scores, at.threshold)).collect()
        };
        kinds.into_iter().map(|(kind, scores)| (kind, shares(scores))).collect()
    }

    fn sizes(&self, learnt: &Learnt, tables: &[Table; 3]) -> Vec<(&'static str, usize)> {
        let [largest, middle, smallest] = tables;
        let lost = |table: &Table| (table.packed.collided + table.packed.no_room) as usize;
        let two = largest.packed_two;
        let lost_two = (two.collided + two.no_room) as usize;
        let benign =
            |count: &dyn Fn(&[u32]) -> usize| self.calib.iter().map(|trace| count(trace)).sum();
        let flagged =
            |trace: &[u32]| largest.observe(trace).iter().map(|second| second.novel as usize).sum();
        vec![
            ("traces to learn from", self.train.len()),
            ("traces of calibration", self.calib.len()),
            ("normal traces to test", self.test.len()),
            ("different attack traces", self.attacks.len()),
            (
                "attack traces, copies counted",
                self.attacks.iter().map(|attack| attack.copies as usize).sum(),
            ),
            ("calls in calibration", benign(&<[u32]>::len)),
            ("look-ups for them", benign(&|trace| largest.look_ups(trace))),
            ("of them novel as a third call in a row", benign(&|trace| learnt.novel(trace))),
            ("flagged as that by the table, for the engine to confirm", benign(&flagged)),
            ("learned calls after three others", learnt.counts.len()),
            ("learned calls after two others", learnt.model.learned_after_two().len()),
            ("learned runs", learnt.runs.len()),
            ("bytes of the learned runs", learnt.neighbours.bytes()),
            ("bytes of the 64 KiB table with its head", largest.bytes()),
            ("learned calls that 64 KiB have no place for", lost(largest)),
            ("learned calls that 32 KiB have no place for", lost(middle)),
            ("learned calls that 16 KiB have no place for", lost(smallest)),
            ("third calls in a row that 64 KiB have no place for", lost_two),
        ]
    }

    /// Runs of fewer calls make no curve.
    const STORY: usize = 1500;

    /// How the headline's score of the strangest attack grows, beside a run of the middle score.
    pub(crate) fn story(&self, seed: u64) -> Result<Story, DataError> {
        let learnt = self.learnt()?;
        let table = Table::new(&learnt.model, HEADLINE_KIB, seed);
        let order = self.lane(|trace| Some(production::mean(&table.observe(trace))?.raw()))?;
        let mix = self.lane(|trace| Some(learnt.distance(trace)?.raw()))?;
        let scores = both("", &order, &mix)?;
        let ranks = (ranks(&order)?, ranks(&mix)?);
        let line = |trace: &[u32]| -> Vec<(f64, f64)> {
            let seconds = table.observe(trace);
            let point = |n: usize| {
                let calls: u32 = seconds.get(..n)?.iter().map(|second| second.calls).sum();
                let so_far = trace.get(..calls as usize)?;
                let order = production::mean(seconds.get(..n)?)?.raw();
                let order = ranks.0.normal_score(order);
                let mix = ranks.1.normal_score(learnt.distance(so_far)?.raw());
                Some((f64::from(calls), in_deviations(fused(Some(order), Some(mix))?)))
            };
            (1..=seconds.len()).filter_map(point).collect()
        };
        let attacks = scores.attacks.iter().zip(&self.attacks);
        let attack = attacks
            .filter(|(_, attack)| Self::STORY < attack.calls.len())
            .max_by(|one, other| one.0.total_cmp(other.0));
        let mut usual: Vec<(f64, &Trace)> = scores.test.iter().copied().zip(&self.test).collect();
        usual.retain(|(_, trace)| Self::STORY < trace.len());
        usual.sort_by(|one, other| one.0.total_cmp(&other.0));
        let usual = usual.get(usual.len() / 2).map(|(_, trace)| line(trace)).unwrap_or_default();
        Ok(Story {
            name: attack.map(|(_, attack)| attack.name.clone()).unwrap_or_default(),
            attack: attack.map(|(_, attack)| line(&attack.calls)).unwrap_or_default(),
            usual,
            threshold: threshold(&scores.calib, 10),
        })
    }
}

/// Scores as calls pass, in standard deviations.
pub(crate) struct Story {
    /// Of the attack.
    pub(crate) name: String,
    pub(crate) attack: Vec<(f64, f64)>,
    pub(crate) usual: Vec<(f64, f64)>,
    /// At a nominal 1 %.
    pub(crate) threshold: Option<f64>,
}

fn ranks(lane: &Lane) -> Result<Ranks, DataError> {
    let what = || DataError::Empty { what: "calibration without a trace".to_owned() };
    Ranks::new(lane.calib.clone()).ok_or_else(what)
}

fn in_deviations(score: NormalScore) -> f64 {
    f64::from(score.raw()) / 1024.0
}

/// Both lanes fused, by their ranks in calibration.
fn both(method: &'static str, order: &Lane, mix: &Lane) -> Result<Scores, DataError> {
    let (of_order, of_mix) = (ranks(order)?, ranks(mix)?);
    let sums = |order: &[u32], mix: &[u32]| -> Vec<f64> {
        let score = |(order, mix): (&u32, &u32)| {
            fused(Some(of_order.normal_score(*order)), Some(of_mix.normal_score(*mix)))
        };
        order.iter().zip(mix).filter_map(score).map(in_deviations).collect()
    };
    Ok(Scores {
        method,
        calib: sums(&order.calib, &mix.calib),
        test: sums(&order.test, &mix.test),
        attacks: sums(&order.attacks, &mix.attacks),
    })
}

fn alone(method: &'static str, lane: &Lane) -> Scores {
    let scores = |lane: &[u32]| lane.iter().map(|score| f64::from(*score)).collect();
    let (calib, test) = (scores(&lane.calib), scores(&lane.test));
    Scores { method, calib, test, attacks: scores(&lane.attacks) }
}

/// Bits with the precision of the engine's, so that they can be ranked by it.
fn lane_of(scores: &Scores) -> Lane {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bits are positive and few; a cast saturates"
    )]
    let lane = |all: &[f64]| all.iter().map(|bits| (bits * 65536.0) as u32).collect();
    Lane { calib: lane(&scores.calib), test: lane(&scores.test), attacks: lane(&scores.attacks) }
}
