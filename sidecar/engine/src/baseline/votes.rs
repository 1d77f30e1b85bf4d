//! What a frozen baseline makes of one block: lanes [`Danger`](Lane::Danger) and [`Novelty`](Lane::Novelty), and why.
//!
//! Each [`Voice`] speaks once for a block, with the most surprising deed that it heard; a lane is the sum of its voices.
//! Not the sum of all deeds, because deeds of one kind come together: one program that nobody saw before opens twenty
//! files that nobody saw before, and a long block has a rare one of everything. Not the largest alone either, because
//! a baseline of `R` runs knows nothing that is worth more than about `log2(R)` bits: new in one way, which happens,
//! would be the same as new in every way. What was learned and is rare has one voice for all of it: a turn that one run in
//! seven takes has its own program, its own calls and its own files, and is no rarer for that.
//!
//! New danger has [`NEW_DANGER`] more than its rarity. How rarely a plugin did something says nothing of what it would be for:
//! by rarity alone the first `unshare` of 285 runs was worth as much as a new file, and not enough to be evidence at all.
//!
//! # Invariants
//!
//! * A lane never falls while its block is open, and hearing a deed again, or in another order, changes nothing.
//! * Nothing grows with what is heard: whoever does everything cannot fill a block until it is silent.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::counts::Known;
use super::reduce::is_of_danger_set;
use super::{Counts, Family, Fault, Run};
use crate::learned::{Lane, Scores, Surprise};
use crate::sequence::Bits;

/// What new danger has besides its rarity: declared, not measured. One honest run in 2^16 begins with something of the
/// danger set that its build never did before. A certificate holds whatever it is: it counts how often levels are exceeded.
const NEW_DANGER: Bits = Bits::from_raw(16 << 16);

closed_enum! {
    /// What has a vote in a block. Families that tell of the same act share one, and so does all that was learned.
    pub enum Voice {
        /// A new system call of the danger set, made or refused.
        DangerousCall = "dangerous_call",
        /// Reaching out in other new ways: sockets of other kinds, executable memory, namespaces, other processes.
        Deed = "deed",
        /// Danger that was learned, and is rare.
        RareDanger = "rare_danger",
        /// A new program.
        Program = "program",
        /// A new network.
        Network = "network",
        /// Any other new system call.
        Call = "call",
        /// A new file, or its directory.
        File = "file",
        /// Anything else that was refused and never was.
        Refusal = "refusal",
        /// Anything else that was learned, and is rare.
        Rare = "rare",
    }
}

impl Voice {
    /// Who speaks of this, which so many learned runs showed. Nobody for call contexts, which are the sequence lane's.
    fn of(family: Family, template: &str, runs: u64) -> Option<Self> {
        let new = Self::of_new(family, template)?;
        Some(match new.lane() {
            _ if runs == 0 => new,
            Lane::Danger => Self::RareDanger,
            _ => Self::Rare,
        })
    }

    fn of_new(family: Family, template: &str) -> Option<Self> {
        Some(match family {
            Family::Syscall | Family::Errno if is_of_danger_set(family, template) => {
                Self::DangerousCall
            }
            Family::Deed => Self::Deed,
            Family::Exec => Self::Program,
            Family::Destination => Self::Network,
            Family::Syscall => Self::Call,
            Family::Directory | Family::Path => Self::File,
            Family::Errno => Self::Refusal,
            Family::Context => return None,
        })
    }

    /// The lane that it is added to.
    pub const fn lane(self) -> Lane {
        match self {
            Self::DangerousCall | Self::Deed | Self::RareDanger => Lane::Danger,
            Self::Program
            | Self::Network
            | Self::Call
            | Self::File
            | Self::Refusal
            | Self::Rare => Lane::Novelty,
        }
    }
}

/// A deed that was surprising.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// How much. First, so that the most surprising is the first.
    bits: Reverse<Bits>,
    /// What kind of deed.
    pub family: Family,
    /// Which.
    pub template: String,
    /// How many of the learned runs showed it; 0: it is new.
    pub runs: u64,
}

impl Item {
    /// A deed that was so surprising.
    pub const fn new(bits: Bits, family: Family, template: String, runs: u64) -> Self {
        Self { bits: Reverse(bits), family, template, runs }
    }

    /// How surprising it was: more than nothing. Of new danger with what that has besides its rarity.
    pub const fn bits(&self) -> Bits {
        self.bits.0
    }
}

/// The votes of one block so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    /// By voice, the most surprising first. Never empty.
    heard: BTreeMap<Voice, BTreeSet<Item>>,
    silent: BTreeSet<Family>,
}

/// Why a lane is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// The highest level that it exceeds.
    pub above: Surprise,
    /// The fewest deeds that exceed it together, the most surprising first: one of a voice.
    pub items: Vec<&'a Item>,
}

impl Votes {
    /// Deeds of a voice that are kept to be told. Only the first of them counts.
    pub const KEPT: usize = 8;

    /// Hears of a deed, by its template.
    pub fn hear(&mut self, counts: &Counts, family: Family, template: &str) {
        let Known { runs, surprise } = counts.known(family, template);
        let Some(voice) = Voice::of(family, template, runs) else {
            return;
        };
        if !counts.votes(family) {
            self.silent.insert(family);
        }
        let Some(bits) = surprise.filter(|it| *it != Bits::default()) else {
            return;
        };
        let is_new_danger = matches!(voice, Voice::DangerousCall | Voice::Deed);
        let bits = Reverse(if is_new_danger { bits + NEW_DANGER } else { bits });
        let heard = self.heard.entry(voice).or_default();
        let is_later = |kept: &Item| {
            (kept.bits, kept.family, kept.template.as_str()) <= (bits, family, template)
        };
        if Self::KEPT <= heard.len() && heard.last().is_some_and(is_later) {
            return;
        }
        let template = String::from(template);
        heard.insert(Item { bits, family, template, runs });
        if Self::KEPT < heard.len() {
            heard.pop_last();
        }
    }

    /// The block's scores, with what was not seen of it. Sequence, rate and lifecycle say nothing: no recording holds
    /// enough for them.
    pub fn scores(&self, run: &Run) -> Scores {
        let lane = |lane| (lane, sum(self.speaking(lane).map(Item::bits)));
        [lane(Lane::Danger), lane(Lane::Novelty), (Lane::Loss, unseen(run))]
            .into_iter()
            .fold(Scores::default(), |scores, (lane, score)| scores.with(lane, score))
    }

    /// Why a lane exceeds the highest level that it does; `None` when it exceeds none, and of lanes without items.
    pub fn why(&self, lane: Lane) -> Option<Reason<'_>> {
        let mut first: Vec<&Item> = self.speaking(lane).collect();
        first.sort();
        let above = sum(first.iter().map(|item| item.bits())).above()?;
        let reaches = |taken: &usize| above < sum(first.iter().take(*taken).map(|it| it.bits()));
        let enough = (1..=first.len()).find(reaches)?;
        first.truncate(enough);
        Some(Reason { above, items: first })
    }

    /// What was surprising in a lane, the most surprising first: of each voice as much as is kept.
    pub fn items(&self, lane: Lane) -> Vec<&Item> {
        let of = self.heard.iter().filter(|(voice, _)| voice.lane() == lane);
        let mut items: Vec<&Item> = of.flat_map(|(_, heard)| heard).collect();
        items.sort();
        items
    }

    /// Families of which something happened and that have no vote.
    pub const fn silent(&self) -> &BTreeSet<Family> {
        &self.silent
    }

    /// What each voice of a lane says.
    fn speaking(&self, lane: Lane) -> impl Iterator<Item = &Item> {
        let of = self.heard.iter().filter(move |(voice, _)| voice.lane() == lane);
        of.filter_map(|(_, heard)| heard.first())
    }
}

/// Rounded down, once.
fn sum(bits: impl Iterator<Item = Bits>) -> Surprise {
    let raw = bits.fold(0_u32, |sum, bits| sum.saturating_add(bits.raw()));
    Surprise::from_sixteenths(raw >> 12)
}

/// What Picket did not see of a run: two bits for one event, one more for each doubling; above every level when the kernel
/// side was tampered with, because then nobody knows how much it was.
fn unseen(run: &Run) -> Surprise {
    let of = |fault| run.faults().get(&fault).copied().unwrap_or_default();
    if 0 < of(Fault::Tampered) {
        return Surprise::from_bits(64);
    }
    let events = of(Fault::Lost).saturating_add(of(Fault::Gaps));
    events.checked_ilog2().map_or(Surprise::NONE, |doublings| Surprise::from_bits(doublings + 2))
}
