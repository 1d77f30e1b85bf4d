//! How often each level of each lane is exceeded at most, in each state, while nobody attacks.

use alloc::vec;
use alloc::vec::Vec;

use super::binomial::{Probability, upper_bound};
use super::block::{Block, LANES, Lane, N_LEVELS};
use super::bytes::{BytesError, Reader, Writer, digest};
use super::track::{N_STATES, State, Track};
use super::{PluginTime, Scale};

const N_CELLS: usize = LANES * N_LEVELS * N_STATES;

/// The risk that any bound of a certificate is too low, shared out evenly: 1 in 20 over all lanes, levels
/// and states.
const RISK: u64 = 20 * N_CELLS as u64;

const KIND: [u8; 4] = *b"PKcf";

/// Whose behaviour it is: a digest over plugin, artifact, manifest and deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject(pub [u8; 32]);

/// One level of one lane in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) exceeds: Probability,
    /// Not observed but declared; see [`Tally::bound`].
    pub(super) assumed: bool,
}

/// What a plugin was seen to exceed, and how often it may therefore be expected to.
///
/// Belongs to one build in one deployment: what another one does is not covered. About 4.3 KiB in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    subject: Subject,
    scale: Scale,
    calibrated: PluginTime,
    bounds: Vec<Bound>,
    fingerprint: u64,
}

impl Certificate {
    /// How many bounds there are: of each level of each lane in each state.
    pub const BOUNDS: usize = N_CELLS;

    /// Counts blocks, in the order in which they happened, and certifies each level.
    pub(super) fn of(subject: Subject, scale: Scale, blocks: &[Block]) -> Self {
        let mut tally = Tally::new(scale);
        blocks.iter().for_each(|block| tally.count(block));
        let bounds = (0..N_CELLS).map(|cell| tally.bound(cell)).collect();
        let calibrated = blocks
            .iter()
            .fold(PluginTime::default(), |time, block| time.saturating_add(block.elapsed));
        Self::sealed(Self { subject, scale, calibrated, bounds, fingerprint: 0 })
    }

    fn sealed(self) -> Self {
        let fingerprint = digest(&self.to_bytes());
        Self { fingerprint, ..self }
    }

    /// Whose it is.
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// The scale that the dry run chose.
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// The plugin-time of its calibration.
    pub const fn calibrated(&self) -> PluginTime {
        self.calibrated
    }

    /// Levels, over all lanes, whose repetition was never seen: there, one in two is assumed, not certified.
    pub fn n_assumed(&self) -> usize {
        self.bounds.iter().filter(|bound| bound.assumed).count()
    }

    /// As if nothing had been declared.
    #[cfg(test)]
    pub(super) fn without_assumptions(mut self) -> Self {
        for bound in self.bounds.iter_mut().filter(|bound| bound.assumed) {
            *bound = Bound { exceeds: Probability::ONE, assumed: false };
        }
        self.sealed()
    }

    /// Changes when any bound does.
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(super) fn bound(&self, lane: Lane, level: usize, state: State) -> Bound {
        let unknown = Bound { exceeds: Probability::ONE, assumed: false };
        self.bounds.get(cell(lane, level, state)).copied().unwrap_or(unknown)
    }

    /// Bytes of memory, heap included.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + size_of_val(self.bounds.as_slice())
    }

    /// For the store: what [`Certificate::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new(KIND);
        out.bytes(&self.subject.0);
        out.u16(self.scale.blocks());
        out.u64(self.calibrated.as_millis());
        for bound in &self.bounds {
            out.u32(bound.exceeds.stored());
            out.u8(u8::from(bound.assumed));
        }
        out.sealed()
    }

    /// A certificate from the store.
    ///
    /// # Errors
    /// Bytes that are damaged, of another version, or no certificate at all.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BytesError> {
        let mut input = Reader::open(KIND, bytes)?;
        let subject = Subject(input.array()?);
        let scale = Scale::of_blocks(input.u16()?).ok_or(BytesError::Impossible)?;
        let calibrated = PluginTime::from_millis(input.u64()?);
        let mut bounds = Vec::with_capacity(N_CELLS);
        for _ in 0..N_CELLS {
            let exceeds = Probability::from_stored(input.u32()?);
            bounds.push(Bound { exceeds, assumed: input.flag()? });
        }
        input.end()?;
        Ok(Self::sealed(Self { subject, scale, calibrated, bounds, fingerprint: 0 }))
    }
}

fn cell(lane: Lane, level: usize, state: State) -> usize {
    (lane as usize * N_LEVELS + level) * N_STATES + state.index()
}

/// Blocks and exceedances by lane, level and state.
#[derive(Debug)]
struct Tally {
    track: Track,
    counts: Vec<Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    blocks: u32,
    exceeded: u32,
}

impl Tally {
    fn new(scale: Scale) -> Self {
        Self { track: Track::new(scale), counts: vec![Count::default(); N_CELLS] }
    }

    /// A block that is not whole at the end of the calibration is not counted: it could have exceeded more.
    fn count(&mut self, block: &Block) {
        self.track.begin(block);
        self.track.raise_all(&block.scores);
        if !self.track.is_full() {
            return;
        }
        for lane in Lane::ALL {
            let exceeded = usize::from(self.track.exceeded(*lane));
            for (level, state) in self.track.states(*lane).enumerate() {
                if let Some(count) = self.counts.get_mut(cell(*lane, level, state)) {
                    count.blocks = count.blocks.saturating_add(1);
                    count.exceeded = count.exceeded.saturating_add(u32::from(level < exceeded));
                }
            }
        }
        self.track.close();
    }

    /// No state borrows from another. One assumption is made, and marked: where a level was never seen to
    /// be exceeded soon after it was, it happens in no more than every second block. Without it nothing
    /// would ever speak against a plugin that was quiet while it was calibrated. A single repetition
    /// contradicts the assumption, and what was seen counts instead.
    fn bound(&self, cell: usize) -> Bound {
        let Count { blocks, exceeded } = self.counts.get(cell).copied().unwrap_or_default();
        let exceeds = upper_bound(blocks, exceeded, RISK);
        let assumed =
            State::is_recent(cell % N_STATES) && exceeded == 0 && Probability::HALF < exceeds;
        Bound { exceeds: if assumed { Probability::HALF } else { exceeds }, assumed }
    }
}
