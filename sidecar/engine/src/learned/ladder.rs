//! How long a block is: the dry run that chooses the scale, and the way from calibration to certificate.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::block::Block;
use super::readiness::{self, Cadence, Missing};
use super::{Budget, Certificate, Detector, PluginTime, Rung, Severity, Subject};
use crate::Mode;

/// How many blocks of the shortest scale are one; its score is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scale(u16);

impl Scale {
    /// The ladder: 10 s, 1, 10 and 60 min of event time; of a plugin that is judged by its runs 1, 6, 60
    /// and 360 runs.
    pub const LADDER: [Self; 4] = [Self(1), Self(6), Self(60), Self(360)];

    /// Event time of the shortest block of a plugin that runs continuously.
    pub const SHORTEST: PluginTime = PluginTime::from_millis(10_000);

    /// Blocks of the shortest scale.
    pub const fn blocks(self) -> u16 {
        self.0
    }

    pub(super) fn of_blocks(blocks: u16) -> Option<Self> {
        Self::LADDER.into_iter().find(|scale| scale.0 == blocks)
    }

    /// Whether quarters of the day are told apart. At an hour's scale each would have 84 blocks in two
    /// weeks: so little that its bounds say nothing, and a strong attack went on for half a day.
    pub(super) const fn tells_quarters(self) -> bool {
        self.0 < 360
    }

    fn coarser(self) -> Option<Self> {
        Self::LADDER.into_iter().find(|scale| self < *scale)
    }
}

/// In blocks of the shortest scale, because those are times or runs.
impl fmt::Display for Scale {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(out, "1 block"),
            more => write!(out, "{more} blocks"),
        }
    }
}

/// What the dry run of one scale showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The scale that was tried.
    pub scale: Scale,
    /// False containments in both halves. None is what a bound that holds looks like.
    pub alarms: u32,
}

/// Certifies a plugin, or says what is missing. `blocks` are the calibration period in the order of time, of
/// the shortest scale, scored with learning off by a baseline that has not seen them.
///
/// # Errors
/// Every condition that is not met. While one is missing, learned evidence may alert but not contain.
pub fn certify(
    subject: Subject,
    cadence: Cadence,
    blocks: &[Block],
) -> Result<Certificate, Vec<Missing>> {
    let missing = readiness::missing(cadence, blocks);
    if !missing.is_empty() {
        return Err(missing);
    }
    let mut trials = Vec::new();
    for scale in Scale::LADDER {
        let trial = rehearse(subject, scale, blocks);
        trials.push(trial);
        if trial.alarms > 0 {
            continue;
        }
        // One step coarser than what went well: a dry run is short, and luck is what it cannot tell apart.
        let Some(coarser) = scale.coarser() else {
            break;
        };
        return Ok(Certificate::of(subject, coarser, blocks));
    }
    Err(vec![Missing::CalmDryRun { trials }])
}

/// The dry run of one scale: each half of the calibration is judged by what the other half certifies, with a
/// budget of one false containment in 0.3 of the whole.
pub fn rehearse(subject: Subject, scale: Scale, blocks: &[Block]) -> Trial {
    let (first, second) = blocks.split_at(blocks.len() / 2);
    let span = readiness::span(blocks);
    let alarms = Budget::one_per(span.share(3, 10)).map_or(u32::MAX, |budget| {
        let alarms = |by: &[Block], on: &[Block]| {
            let rung = Rung { severity: Severity::Contain, budget };
            let certificate = Certificate::of(subject, scale, by);
            let mut detector = Detector::new(certificate, &[rung], Mode::Shadow);
            let acts = on.iter().filter(|block| detector.observe(block).is_some()).count();
            u32::try_from(acts).unwrap_or(u32::MAX)
        };
        alarms(first, second).saturating_add(alarms(second, first))
    });
    Trial { scale, alarms }
}
