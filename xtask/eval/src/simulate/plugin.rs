//! Simulated plugins: how their blocks score while nobody attacks them.
//!
//! Blocks of ten seconds, six lanes. Novelty, sequence and rate are noisy, starts happen about once a day, the
//! danger set is never touched and nothing is lost. Every plugin of a regime has parameters of its own. What the
//! regimes break, each in its way, is that a block is like those before it.

use picket_engine::learned::{Block, Lane, Scale, Scores, Subject, Surprise};

use crate::simulate::random::Random;

/// Blocks of ten seconds in an hour, a day, a week.
const HOUR: f64 = 360.0;
const DAY: f64 = 24.0 * HOUR;
const WEEK: f64 = 7.0 * DAY;

/// How a plugin departs from independent blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Regime {
    /// It does not.
    Iid,
    /// All lanes say the same.
    DependentLanes,
    /// Louder from 8 to 20 o'clock.
    DayNight,
    /// One loud hour a week.
    WeeklyJob,
    /// A loud half hour every 5 to 20 days.
    RareEpisodes,
    /// An autoregressive score, half forgotten after 3 to 30 minutes.
    Autoregressive,
    /// Hours in which loud blocks are common, too scattered to be told from the block before.
    HiddenBusyMode,
    /// As busy, but for days.
    SlowMode,
    /// Loud bursts, of lengths without a mean worth the name.
    ParetoBursts,
    /// A little louder each week, from the calibration on.
    Drift,
    /// Certified in one deployment, judged in another.
    UnseenDeployment,
}

impl Regime {
    pub(crate) const ALL: [Self; 11] = [
        Self::Iid,
        Self::DependentLanes,
        Self::DayNight,
        Self::WeeklyJob,
        Self::RareEpisodes,
        Self::Autoregressive,
        Self::HiddenBusyMode,
        Self::SlowMode,
        Self::ParetoBursts,
        Self::Drift,
        Self::UnseenDeployment,
    ];

    /// Whether a calibration can miss what the plugin does at other times, by bad luck alone.
    pub(crate) const fn is_loud_at_times(self) -> bool {
        matches!(
            self,
            Self::RareEpisodes | Self::HiddenBusyMode | Self::SlowMode | Self::ParetoBursts
        )
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Iid => "iid",
            Self::DependentLanes => "dependent lanes",
            Self::DayNight => "day/night",
            Self::WeeklyJob => "weekly job",
            Self::RareEpisodes => "rare episodes",
            Self::Autoregressive => "AR(1)",
            Self::HiddenBusyMode => "hidden busy mode",
            Self::SlowMode => "slow mode",
            Self::ParetoBursts => "Pareto bursts",
            Self::Drift => "drift",
            Self::UnseenDeployment => "unseen deployment",
        }
    }
}

/// One plugin at work.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    regime: Regime,
    number: u64,
    deployment: u64,
    random: Random,
    habits: Habits,
    /// Blocks since Monday, 0 o'clock.
    clock: f64,
    /// Blocks since the beginning.
    age: f64,
    /// Blocks until the present mode, episode or burst ends.
    left: f64,
    loud: bool,
    /// How often it became loud.
    loud_times: u32,
    latent: f64,
}

/// What stays as it is.
#[derive(Clone, Copy, Debug)]
struct Habits {
    /// How often each noisy lane scores at all.
    active: [f64; 3],
    /// Its bits, as a multiple of what they should be.
    scale: [f64; 3],
    /// What loud means, in bits, and how often in a loud time.
    louder: f64,
    often: f64,
    /// Mean lengths of calm and loud times, in blocks.
    calm: f64,
    busy: f64,
    /// Of the AR(1).
    memory: f64,
    /// When the weekly job begins.
    weekly: f64,
    /// Growth of the scale in a week.
    drift: f64,
}

const NOISY: [Lane; 3] = [Lane::Novelty, Lane::Sequence, Lane::Rate];

impl Habits {
    fn draw(random: &mut Random, regime: Regime) -> Self {
        let active = std::array::from_fn(|_| random.between(0.02, 0.5));
        let scale = std::array::from_fn(|_| random.between(0.6, 1.4));
        let (calm, busy, often) = match regime {
            Regime::RareEpisodes => (random.between(5.0, 20.0) * DAY, 0.5 * HOUR, 0.8),
            Regime::HiddenBusyMode => {
                (random.between(1.0, 6.0) * DAY, random.between(3.0, 9.0) * HOUR, 0.05)
            }
            Regime::SlowMode => {
                (random.between(4.0, 10.0) * DAY, random.between(2.0, 5.0) * DAY, 0.05)
            }
            Regime::ParetoBursts => (random.between(0.5, 3.0) * DAY, 6.0, 0.8),
            _ => (f64::INFINITY, 0.0, 0.8),
        };
        Self {
            active,
            scale,
            louder: random.between(8.0, 14.0),
            often,
            calm,
            busy,
            memory: 0.5_f64.powf(1.0 / random.between(18.0, 180.0)),
            weekly: random.between(0.0, WEEK - HOUR),
            drift: random.between(0.1, 0.3),
        }
    }
}

impl Plugin {
    pub(crate) fn new(regime: Regime, seed: u64, number: u64) -> Self {
        let mut random = Random::new(seed, number << 8 | regime as u64);
        let habits = Habits::draw(&mut random, regime);
        let clock = random.between(0.0, WEEK).floor();
        let left = habits.calm * random.surprise();
        let latent = random.normal();
        Self {
            regime,
            number,
            deployment: 0,
            random,
            habits,
            clock,
            age: 0.0,
            left,
            loud: false,
            loud_times: 0,
            latent,
        }
    }

    /// It is deployed somewhere else, if that is what its regime is about.
    pub(crate) fn move_on(&mut self) {
        if self.regime == Regime::UnseenDeployment {
            self.deployment += 1;
            self.habits = Habits::draw(&mut self.random, self.regime);
        }
    }

    /// How many loud modes, episodes or bursts it has had.
    pub(crate) fn loud_times(&self) -> u32 {
        self.loud_times
    }

    /// Which plugin in which deployment.
    pub(crate) fn subject(&self) -> Subject {
        let mut subject = [0; 32];
        let words = [self.regime as u64, self.number, self.deployment];
        let bytes = words.into_iter().flat_map(u64::to_le_bytes);
        subject.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        Subject(subject)
    }

    pub(crate) fn next(&mut self) -> Block {
        self.advance();
        let louder = self.louder();
        let growth = match self.regime {
            Regime::Drift => 1.0 + self.habits.drift * self.age / WEEK,
            _ => 1.0,
        };
        let mut scores = Scores::default();
        let shared = (self.regime == Regime::DependentLanes).then(|| self.noise(0));
        for (place, lane) in NOISY.into_iter().enumerate() {
            let noise = match self.regime {
                Regime::Autoregressive => self.correlated(place),
                _ => shared.unwrap_or_else(|| self.noise(place)),
            };
            scores = scores.with(lane, bits(noise * growth + louder));
        }
        let starting = self.random.chance(1.0 / DAY);
        if starting {
            scores = scores.with(Lane::Lifecycle, Surprise::from_bits(4));
        }
        Block { elapsed: Scale::SHORTEST, hour: self.hour(), starting, scores }
    }

    fn noise(&mut self, lane: usize) -> f64 {
        let active = self.habits.active.get(lane).copied().unwrap_or(0.0);
        let scale = self.habits.scale.get(lane).copied().unwrap_or(1.0);
        if self.random.chance(active) { self.random.surprise() * scale } else { 0.0 }
    }

    /// About as many bits as the latent value is rare, and a little noise of the lane's own.
    fn correlated(&mut self, lane: usize) -> f64 {
        let own = 0.2 * self.noise(lane);
        if self.latent > 0.0 { self.latent * self.latent * 0.72 + self.latent + own } else { own }
    }

    fn louder(&mut self) -> f64 {
        let loud = match self.regime {
            Regime::DayNight => return if self.is_day() { 3.0 } else { 0.0 },
            Regime::WeeklyJob => {
                let since = (self.clock - self.habits.weekly).rem_euclid(WEEK);
                since < HOUR
            }
            _ => self.loud,
        };
        let happens = loud && self.random.chance(self.habits.often);
        if happens { self.habits.louder } else { 0.0 }
    }

    fn advance(&mut self) {
        self.clock += 1.0;
        self.age += 1.0;
        self.left -= 1.0;
        let memory = self.habits.memory;
        if self.regime == Regime::Autoregressive {
            self.latent =
                memory * self.latent + (1.0 - memory * memory).sqrt() * self.random.normal();
        }
        if self.left < 0.0 {
            self.loud = !self.loud;
            self.loud_times += u32::from(self.loud);
            let mean = if self.loud { self.habits.busy } else { self.habits.calm };
            self.left = if self.loud && self.regime == Regime::ParetoBursts {
                // Pareto with exponent 1.1: half are over in two minutes, one in a hundred takes hours.
                mean * self.random.unit().powf(-1.0 / 1.1)
            } else {
                // Exponential with this mean.
                mean * self.random.surprise() * std::f64::consts::LN_2
            };
        }
    }

    fn is_day(&self) -> bool {
        (8..20).contains(&self.hour())
    }

    fn hour(&self) -> u8 {
        let hour = self.clock.rem_euclid(DAY) / HOUR;
        (0..24).find(|next| hour < f64::from(*next) + 1.0).unwrap_or(23)
    }
}

fn bits(bits: f64) -> Surprise {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from float saturates, which is what a score does"
    )]
    let sixteenths = (bits * 16.0) as u32;
    Surprise::from_sixteenths(sixteenths)
}

/// What an attacker adds to the blocks of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// 6 bits in the sequence lane of every fourth block.
    Weak,
    /// 12 bits in the sequence lane of every second block.
    Medium,
    /// 40 bits in novelty and sequence of every block.
    Strong,
}

impl Attack {
    pub(crate) const ALL: [Self; 3] = [Self::Weak, Self::Medium, Self::Strong];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Medium => "medium",
            Self::Strong => "strong",
        }
    }

    pub(crate) fn disturb(self, block: Block, random: &mut Random) -> Block {
        let (probability, more, lanes) = match self {
            Self::Weak => (0.25, 6, [Lane::Sequence].as_slice()),
            Self::Medium => (0.5, 12, [Lane::Sequence].as_slice()),
            Self::Strong => (1.0, 40, [Lane::Novelty, Lane::Sequence].as_slice()),
        };
        if !random.chance(probability) {
            return block;
        }
        let scores = lanes.iter().fold(block.scores, |scores, lane| {
            let sum = u32::from(scores.of(*lane).sixteenths()) + more * 16;
            scores.with(*lane, Surprise::from_sixteenths(sum))
        });
        Block { scores, ..block }
    }
}
