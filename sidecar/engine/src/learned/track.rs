//! Where a block stands: which blocks make one of a coarser scale, and the state `z` before it.
//!
//! Calibration and detection use this one type, so that a bound is never asked for in a state that was
//! counted differently.

use super::block::{Block, LANES, Lane, N_LEVELS, Surprise};
use super::bytes::{BytesError, Reader, Writer};
use super::ladder::Scale;
use super::{PluginTime, Scores};

/// How many blocks an exceedance is remembered.
pub(super) const MEMORY: u8 = 8;

/// How many states a level can be in: four quarters of the day, each after an exceedance or not; and
/// the start of the plugin, of which there are too few to divide them further.
pub(super) const N_STATES: usize = 9;
const STARTING: usize = 8;

/// The state of one level of one lane before a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(usize);

impl State {
    pub(super) const fn index(self) -> usize {
        self.0
    }

    /// Whether the state with this index is one soon after an exceedance.
    pub(super) const fn is_recent(index: usize) -> bool {
        index < STARTING && index % 2 == 1
    }
}

/// Follows the blocks of one baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    scale: Scale,
    /// Blocks of the shortest scale in the open block; 0: none is open.
    filled: u16,
    starting: bool,
    quarter: u8,
    /// Since the open block's predecessor began.
    weight: PluginTime,
    /// Since the open block itself began.
    since_open: PluginTime,
    exceeded: [u8; LANES],
    /// Blocks since each level was exceeded; stops above [`MEMORY`].
    since: [[u8; N_LEVELS]; LANES],
}

impl Track {
    pub(super) const fn new(scale: Scale) -> Self {
        Self {
            scale,
            filled: 0,
            starting: false,
            quarter: 0,
            weight: PluginTime::from_millis(0),
            since_open: PluginTime::from_millis(0),
            exceeded: [0; LANES],
            since: [[u8::MAX; N_LEVELS]; LANES],
        }
    }

    pub(super) const fn scale(&self) -> Scale {
        self.scale
    }

    /// A block of the shortest scale begins; opens one of this scale if none is open. Whether
    /// it did.
    pub(super) fn begin(&mut self, block: &Block) -> bool {
        self.since_open = self.since_open.saturating_add(block.elapsed);
        let opens = self.filled == 0;
        if opens {
            self.weight = core::mem::take(&mut self.since_open);
            self.starting = block.starting;
            self.quarter = if self.scale.tells_quarters() { (block.hour % 24) / 6 } else { 0 };
            self.exceeded = [0; LANES];
        }
        self.filled += 1;
        opens
    }

    /// A lane's score of the open block, which can only grow. Whether another level is exceeded now.
    pub(super) fn raise(&mut self, lane: Lane, score: Surprise) -> bool {
        let levels = score.levels();
        match self.exceeded.get_mut(lane as usize) {
            Some(exceeded) if *exceeded < levels => {
                *exceeded = levels;
                true
            }
            _ => false,
        }
    }

    pub(super) fn raise_all(&mut self, scores: &Scores) -> bool {
        Lane::ALL.iter().fold(false, |raised, lane| self.raise(*lane, scores.of(*lane)) | raised)
    }

    /// Whether the open block has all its parts; it is closed before the next begins.
    pub(super) const fn is_full(&self) -> bool {
        self.filled >= self.scale.blocks()
    }

    /// Ends the open block: what it exceeded is the past from here on.
    pub(super) fn close(&mut self) {
        self.filled = 0;
        for (levels, exceeded) in self.since.iter_mut().zip(self.exceeded) {
            for (level, since) in levels.iter_mut().enumerate() {
                *since = if level < usize::from(exceeded) { 1 } else { since.saturating_add(1) };
            }
        }
    }

    /// Plugin-time from the beginning of the block before to the beginning of the open one.
    pub(super) const fn weight(&self) -> PluginTime {
        self.weight
    }

    /// How many levels of this lane the open block has exceeded so far.
    pub(super) fn exceeded(&self, lane: Lane) -> u8 {
        self.exceeded.get(lane as usize).copied().unwrap_or_default()
    }

    /// Whether the open block has exceeded a level of one of these lanes.
    pub(super) fn exceeds_any(&self, lanes: &[Lane]) -> bool {
        lanes.iter().any(|lane| self.exceeded(*lane) > 0)
    }

    /// The state of each level of a lane before the open block.
    ///
    /// The lifecycle lane has no state of its own for starts: it would excuse a plugin that starts all
    /// the time by the very starts that are counted against it.
    pub(super) fn states(&self, lane: Lane) -> impl Iterator<Item = State> + '_ {
        let starting = self.starting && lane != Lane::Lifecycle;
        let levels = self.since.get(lane as usize).into_iter().flatten();
        levels.map(move |since| {
            let recent = usize::from(*since <= MEMORY);
            State(if starting { STARTING } else { usize::from(self.quarter) * 2 + recent })
        })
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.u16(self.scale.blocks());
        out.u16(self.filled);
        out.u8(u8::from(self.starting));
        out.u8(self.quarter);
        out.u64(self.weight.as_millis());
        out.u64(self.since_open.as_millis());
        out.bytes(&self.exceeded);
        self.since.iter().for_each(|levels| out.bytes(levels));
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, BytesError> {
        let scale = Scale::of_blocks(input.u16()?).ok_or(BytesError::Impossible)?;
        let filled = input.u16()?;
        let starting = input.flag()?;
        let quarter = input.u8()?;
        let weight = PluginTime::from_millis(input.u64()?);
        let since_open = PluginTime::from_millis(input.u64()?);
        let mut track = Self { filled, starting, quarter, weight, since_open, ..Self::new(scale) };
        input.fill(&mut track.exceeded)?;
        for levels in &mut track.since {
            input.fill(levels)?;
        }
        let possible = filled <= scale.blocks()
            && quarter < 4
            && track.exceeded.iter().all(|levels| usize::from(*levels) <= N_LEVELS)
            && track.since.iter().flatten().all(|since| *since != 0);
        if possible { Ok(track) } else { Err(BytesError::Impossible) }
    }
}
