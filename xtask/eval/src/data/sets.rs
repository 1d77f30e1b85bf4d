//! The two data sets: their files, their columns, and which traces are for what.

use std::path::Path;

use super::experiment::{Attack, Experiment, Order, Trace};
use super::random::Random;
use super::table::{self, TableError};

/// How often the jobs of lpr are dealt anew.
const SHUFFLES: usize = 5;

const ADFA: [&str; 10] = [
    "trace",
    "label",
    "attack_type",
    "attack_instance",
    "temporal_part",
    "copies",
    "identical_to_training",
    "identical_to_some_normal",
    "length",
    "sequence",
];
const LPR: [&str; 6] = ["job", "utc_seconds_local_clock", "host", "part", "length", "sequence"];
const LPR_ATTACKS: [&str; 4] = ["trace", "copies", "length", "sequence"];

/// ADFA-LD: all of one host, attacks of six types.
pub(crate) struct Adfa {
    train: Vec<Trace>,
    calib: Vec<Dated>,
    test: Vec<Dated>,
    attacks: Vec<Attack>,
}

/// A normal trace of ADFA-LD, and whether its number lies in the earlier half.
#[derive(Clone)]
struct Dated {
    trace: Trace,
    early: bool,
}

enum AdfaRow {
    Normal(Dated),
    Attack(Attack),
}

impl Adfa {
    pub(crate) fn read(top: &Path) -> Result<Self, TableError> {
        let (train, no_attacks) = adfa(&top.join("adfa-ld/train.tsv.gz"), &["normal"])?;
        debug_assert!(no_attacks.is_empty(), "the label was checked");
        let train = train.into_iter().map(|dated| dated.trace).collect();
        let (calib, _) = adfa(&top.join("adfa-ld/calib.tsv.gz"), &["normal"])?;
        let (test, attacks) = adfa(&top.join("adfa-ld/test_public.tsv.gz"), &["normal", "attack"])?;
        Ok(Self { train, calib, test, attacks })
    }

    /// As the data set is split, and with thresholds from earlier traces only.
    pub(crate) fn experiments(&self) -> Vec<Experiment> {
        let traces = |all: &[Dated], keep: &dyn Fn(bool) -> bool| -> Vec<Trace> {
            let kept = all.iter().filter(|dated| keep(dated.early));
            kept.map(|dated| dated.trace.clone()).collect()
        };
        let experiment = |order: Order, calib: Vec<Trace>, test: Vec<Trace>| Experiment {
            set: "ADFA-LD",
            order,
            train: self.train.clone(),
            calib,
            test,
            attacks: self.attacks.clone(),
        };
        let split =
            experiment(Order::Split, traces(&self.calib, &|_| true), traces(&self.test, &|_| true));
        let early = |early: bool| early;
        let time = experiment(
            Order::Time,
            traces(&self.calib, &early),
            traces(&self.test, &|early| !early),
        );
        vec![split, time]
    }
}

fn adfa(path: &Path, labels: &[&str]) -> Result<(Vec<Dated>, Vec<Attack>), TableError> {
    let rows = table::read(path, &ADFA, |row| {
        let label = row.one_of(1, labels)?;
        let part = row.one_of(4, &["train", "calib", "public", "held"])?;
        let copies: u32 = row.number(5)?;
        let calls = row.calls(9, 8)?;
        Ok(if label == "attack" {
            let kind = row.text(2).to_owned();
            AdfaRow::Attack(Attack { name: row.text(0).to_owned(), kind, copies, calls })
        } else {
            AdfaRow::Normal(Dated { trace: calls, early: part == "calib" })
        })
    })?;
    let (mut normal, mut attacks) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            AdfaRow::Normal(dated) => normal.push(dated),
            AdfaRow::Attack(attack) => attacks.push(attack),
        }
    }
    Ok((normal, attacks))
}

/// MIT "live lpr": print jobs of one program on many hosts.
pub(crate) struct Lpr {
    train: Vec<Trace>,
    calib: Vec<Trace>,
    test: Vec<Trace>,
    attacks: Vec<Attack>,
}

impl Lpr {
    pub(crate) fn read(top: &Path) -> Result<Self, TableError> {
        let known = lpr(&top.join("mit-lpr/normal_train_calib.tsv.gz"), &["train", "calib"])?;
        let test = lpr(&top.join("mit-lpr/normal_test_public.tsv.gz"), &["public"])?;
        let attacks =
            table::read(&top.join("mit-lpr/attack_public.tsv.gz"), &LPR_ATTACKS, |row| {
                let (name, kind) = (row.text(0).to_owned(), "lprcp".to_owned());
                Ok(Attack { name, kind, copies: row.number(1)?, calls: row.calls(3, 2)? })
            })?;
        let of = |part: &str| -> Vec<Trace> {
            known.iter().filter(|job| job.part == part).map(|job| job.calls.clone()).collect()
        };
        let test = test.into_iter().map(|job| job.calls).collect();
        Ok(Self { train: of("train"), calib: of("calib"), test, attacks })
    }

    /// In order of time, and dealt anew several times.
    pub(crate) fn experiments(&self, random: &mut Random) -> Vec<Experiment> {
        let in_order = Experiment {
            set: "MIT lpr",
            order: Order::Time,
            train: self.train.clone(),
            calib: self.calib.clone(),
            test: self.test.clone(),
            attacks: self.attacks.clone(),
        };
        let mut experiments = vec![in_order.clone()];
        for number in 1..=SHUFFLES {
            let mut all = [self.train.clone(), self.calib.clone(), self.test.clone()].concat();
            random.shuffle(&mut all);
            let test = all.split_off(self.train.len() + self.calib.len());
            let calib = all.split_off(self.train.len());
            let order = Order::Shuffled(number);
            experiments.push(Experiment { order, train: all, calib, test, ..in_order.clone() });
        }
        experiments
    }
}

struct Job {
    part: String,
    calls: Trace,
}

fn lpr(path: &Path, parts: &[&str]) -> Result<Vec<Job>, TableError> {
    let mut jobs = table::read(path, &LPR, |row| {
        let seconds: u64 = row.number(1)?;
        Ok((seconds, Job { part: row.one_of(3, parts)?.to_owned(), calls: row.calls(5, 4)? }))
    })?;
    // Stable: jobs of one second stay as they were.
    jobs.sort_by_key(|(seconds, _)| *seconds);
    Ok(jobs.into_iter().map(|(_, job)| job).collect())
}
