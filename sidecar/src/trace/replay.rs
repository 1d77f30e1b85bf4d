//! Feeds a trace to an engine that knows nothing, and compares what it says with what was said.

use picket_engine::{Effect, Engine, Input, Settings};
use sha2::{Digest as _, Sha256};

use super::{End, format::bytes::to_hex, writer};

/// An engine that hears a trace.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    effects: Vec<Effect>,
    n_effects: u64,
    digest: Sha256,
}

/// How what was said compares with what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// The same effects, byte for byte.
    Same,
    /// Other effects: another Picket decides differently, or the trace is not what it says.
    Different,
    /// So much was missed while recording that nothing can be said.
    Missed(u64),
    /// The trace breaks off, so there is nothing to compare with.
    Incomplete,
}

impl Default for Replay {
    fn default() -> Self {
        Self::new(Settings::STANDARD)
    }
}

impl Replay {
    /// An engine that knows no sandbox yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let engine = Engine::new(settings);
        Self { engine, effects: Vec::new(), n_effects: 0, digest: Sha256::new() }
    }

    /// Hands one input over; answers what follows from it.
    pub fn tell(&mut self, input: Input) -> &[Effect] {
        self.effects.clear();
        self.engine.handle(input, &mut self.effects);
        for effect in &self.effects {
            self.n_effects += 1;
            writer::update(&mut self.digest, effect);
        }
        &self.effects
    }

    /// Compares everything said so far with what was recorded.
    #[must_use]
    pub fn compare(&self, end: Option<&End>) -> Sameness {
        match end {
            None => Sameness::Incomplete,
            Some(End { missed: missed @ 1.., .. }) => Sameness::Missed(*missed),
            Some(end) => {
                let digest = to_hex(&self.digest.clone().finalize());
                let same = end.effects == self.n_effects && end.effects_sha256 == digest;
                if same { Sameness::Same } else { Sameness::Different }
            }
        }
    }
}
