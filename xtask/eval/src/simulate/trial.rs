//! One plugin from its calibration to an attack, through the engine's own certification and detector.

use picket_engine::Mode;
use picket_engine::learned::{
    Block, Budget, BudgetError, Cadence, Certificate, Detector, PluginTime, Ruling, Rung, Scale,
    Severity, Standing, certify,
};

use crate::simulate::plugin::{Attack, Plugin, Regime};
use crate::simulate::random::Random;

/// Two weeks of ten seconds.
const CALIBRATION: usize = 14 * 24 * 360;
/// How long an attack is waited for.
const PATIENCE: usize = 2 * 24 * 360;

pub(crate) const N_RUNGS: usize = 4;

/// The budgets that are tried, all at once: each rung has evidence of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budgets(pub(crate) [(&'static str, Rung); N_RUNGS]);

impl Budgets {
    pub(crate) fn new() -> Result<Self, BudgetError> {
        let blocks = |n: u64| PluginTime::from_millis(n * Scale::SHORTEST.as_millis());
        let contain = |budget| Rung { severity: Severity::Contain, budget };
        Ok(Self([
            ("100 blocks", contain(Budget::one_per(blocks(100))?)),
            ("10^4 blocks", contain(Budget::one_per(blocks(10_000))?)),
            ("14 days", contain(Budget::one_per_days(14)?)),
            ("300 days", contain(Budget::one_per_days(300)?)),
        ]))
    }

    fn rungs(&self) -> [Rung; N_RUNGS] {
        self.0.map(|(_, rung)| rung)
    }
}

/// How it went for one plugin.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) scale: Scale,
    /// It was judged in a deployment that the certificate does not belong to.
    pub(crate) elsewhere: bool,
    /// How many loud modes, episodes or bursts its calibration had: without one, a load cycle is not covered.
    pub(crate) loud_times: u32,
    pub(crate) n_assumed: usize,
    /// Plugin-time without an attack.
    pub(crate) benign: PluginTime,
    /// False containments for each rung, had each been released and the certificate kept.
    pub(crate) alarms: [u64; N_RUNGS],
    /// False containments for the rung of 14 days with the rule that releases one only.
    pub(crate) released: u64,
    /// Blocks of ten seconds until each attack was contained, for each rung; `None`: not in two days.
    pub(crate) delays: [[Option<usize>; N_RUNGS]; Attack::ALL.len()],
}

/// Draws a plugin, certifies it, watches it for `n_blocks`, then attacks it. `None`: it was not certified, so it
/// cannot be contained by learned evidence.
pub(crate) fn run(
    regime: Regime,
    seed: u64,
    number: u64,
    n_blocks: u64,
    budgets: &Budgets,
) -> Option<Judged> {
    let mut plugin = Plugin::new(regime, seed, number);
    let calibration: Vec<Block> = std::iter::once(started(plugin.next()))
        .chain(std::iter::repeat_with(|| plugin.next()))
        .take(CALIBRATION)
        .collect();
    let certificate = certify(plugin.subject(), Cadence::Continuous, &calibration).ok()?;
    plugin.move_on();
    Some(judge(&mut plugin, &certificate, n_blocks, budgets, Random::new(seed, !number)))
}

/// A calibration begins with the start of the plugin.
fn started(block: Block) -> Block {
    Block { starting: true, ..block }
}

fn judge(
    plugin: &mut Plugin,
    certificate: &Certificate,
    n_blocks: u64,
    budgets: &Budgets,
    mut random: Random,
) -> Judged {
    let rungs = budgets.rungs();
    let mut detector = Detector::new(certificate.clone(), &rungs, Mode::Shadow);
    let [_, _, fortnight, _] = rungs;
    let mut enforced = Detector::new(certificate.clone(), &[fortnight], Mode::Enforce);
    let mut judged = Judged {
        scale: certificate.scale(),
        elsewhere: certificate.subject() != plugin.subject(),
        loud_times: plugin.loud_times(),
        n_assumed: certificate.n_assumed(),
        benign: PluginTime::default(),
        alarms: [0; N_RUNGS],
        released: 0,
        delays: [[None; N_RUNGS]; Attack::ALL.len()],
    };
    for _ in 0..n_blocks {
        let block = plugin.next();
        judged.benign = judged.benign.saturating_add(block.elapsed);
        if let Some(act) = detector.observe(&block) {
            for (rung, alarms) in judged.alarms.iter_mut().enumerate() {
                *alarms += u64::from(act.reached(rung));
            }
        }
        if enforced.standing() == Standing::Active && enforced.observe(&block).is_some() {
            judged.released += 1;
            enforced.rule(Ruling::Benign);
        }
    }
    for (attack, delays) in Attack::ALL.into_iter().zip(&mut judged.delays) {
        *delays = delay(attack, plugin.clone(), detector.clone(), &mut random);
    }
    judged
}

/// From the state that the benign time left behind, evidence included.
fn delay(
    attack: Attack,
    mut plugin: Plugin,
    mut detector: Detector,
    random: &mut Random,
) -> [Option<usize>; N_RUNGS] {
    let mut delays = [None; N_RUNGS];
    for waited in 1..=PATIENCE {
        let block = attack.disturb(plugin.next(), random);
        let Some(act) = detector.observe(&block) else {
            continue;
        };
        for (rung, delay) in delays.iter_mut().enumerate() {
            if delay.is_none() && act.reached(rung) {
                *delay = Some(waited);
            }
        }
        if delays.iter().all(Option::is_some) {
            break;
        }
    }
    delays
}
