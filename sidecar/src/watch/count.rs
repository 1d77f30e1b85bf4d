//! Reads the counters each second: tells the engine what a sandbox lost, the metrics what was counted, and both when
//! what was counted does not add up ([`super::balance`] argues when it does not).

use std::collections::BTreeMap;

use aya::maps::MapError;
use picket_abi::{Counts, hook};
use picket_engine::{Input, KernelTime, SandboxId, Tampering};

use super::balance::{Balance, Equation, Moment, Standing};
use crate::{
    decode,
    export::{Metrics, Records, SandboxSeries},
    probe::{Losses, N_HOOKS, Rings},
};

/// Readings until two are equal. A busy hook is looked at again a second later.
const TRIES: usize = 8;

/// What was counted, by slot.
pub(super) struct Ledger {
    slots: BTreeMap<u32, Page>,
    series: BTreeMap<SandboxId, SandboxSeries>,
    /// For a sandbox that is gone, or was never named.
    nobody: SandboxSeries,
    /// Most bytes that waited in each ring since the last count.
    backlog: [(&'static str, usize); 2],
}

/// One slot.
#[derive(Default)]
struct Page {
    /// Whose records are booked in [`Line::records`].
    generation: u32,
    lines: [Line; N_HOOKS],
}

/// One hook in one slot.
#[derive(Default)]
struct Line {
    /// The kernel's counters as last read.
    counts: Counts,
    balance: Balance,
    /// Records scored or shed for everybody who was ever in the slot.
    accounted: u64,
    /// The same for the sandbox in it.
    records: Records,
}

impl Ledger {
    /// Starts where the reader stands: what the self-test has read was its own.
    pub(super) fn new(rings: &Rings, metrics: &Metrics) -> Self {
        for (ring, bytes) in rings.backlog() {
            metrics.backlog(ring, bytes);
        }
        let slots = rings.slots().map(|slot| (slot, Page::starting(rings, slot))).collect();
        let (series, nobody) = (BTreeMap::new(), metrics.nobody());
        Self { slots, series, nobody, backlog: rings.backlog() }
    }

    /// Who a sandbox is, or is from now on.
    pub(super) fn name(&mut self, sandbox: SandboxId, mut series: SandboxSeries) {
        if let Some(mut former) = self.series.remove(&sandbox) {
            series.take_over(&mut former);
        }
        self.series.insert(sandbox, series);
    }

    /// Where a sandbox is counted.
    pub(super) fn series(&mut self, sandbox: SandboxId) -> &mut SandboxSeries {
        self.series.get_mut(&sandbox).unwrap_or(&mut self.nobody)
    }

    /// To be called before the rings are drained: how much had to wait.
    pub(super) fn weigh(&mut self, rings: &Rings) {
        for ((_, most), (_, now)) in self.backlog.iter_mut().zip(rings.backlog()) {
            *most = now.max(*most);
        }
    }

    /// A record goes to the engine. `known`: to a sandbox that is judged; what is left of a former one is shed there.
    pub(super) fn judged(&mut self, sandbox: SandboxId, hook: u16, known: bool) {
        self.book(sandbox, hook, |records| {
            *if known { &mut records.scored } else { &mut records.shed } += 1;
        });
    }

    /// A record was of no use.
    pub(super) fn shed(&mut self, bytes: &[u8]) {
        if let Some(origin) = decode::origin(bytes) {
            self.book(origin.sandbox, origin.hook, |records| records.shed += 1);
        }
    }

    fn book(&mut self, sandbox: SandboxId, hook: u16, count: impl FnOnce(&mut Records)) {
        let Some(page) = self.slots.get_mut(&sandbox.slot) else { return };
        page.turn_to(sandbox.generation);
        let Some(line) = page.lines.get_mut(usize::from(hook)) else { return };
        line.accounted += 1;
        if page.generation == sandbox.generation {
            line.records.consumed += 1;
            count(&mut line.records);
        }
    }

    /// A sandbox has ended: its series go.
    pub(super) fn close(&mut self, sandbox: SandboxId) {
        self.series.remove(&sandbox);
    }

    /// Reads the counters of sandboxes, each with how much loss the engine has been told of. `last`: they end.
    pub(super) fn count<'a>(
        &mut self,
        sandboxes: impl Iterator<Item = (SandboxId, &'a mut u64)>,
        last: bool,
        at: KernelTime,
        from: &Sources<'_>,
    ) -> Vec<Input> {
        let mut inputs = Vec::new();
        let mut standing = Vec::new();
        for (sandbox, told) in sandboxes {
            let Some(lost) = self.count_one(sandbox, last, from, &mut standing) else { continue };
            let new = lost.saturating_sub(*told);
            *told = (*told).max(lost);
            if 0 < new {
                inputs.push(Input::Loss { sandbox, lost: new, at });
            }
        }
        inputs.extend(standing.iter().filter_map(|(sandbox, standing)| {
            // What the reader's own books lack is nobody's doing but ours.
            let certain = standing.certain && standing.equation != Equation::Consumed;
            let (sandbox, tampering) = (Some(*sandbox), Tampering::MapChanged);
            (standing.new && certain).then_some(Input::Tampered { sandbox, tampering, at })
        }));
        // Of all sandboxes or not at all: one that ends knows nothing of the others.
        if !last {
            for equation in Equation::ALL {
                let of = standing.iter().filter(|(_, standing)| standing.equation == equation);
                let worst = of.map(|(_, standing)| standing.difference.unsigned_abs()).max();
                from.metrics.imbalance(equation, worst.unwrap_or(0));
            }
            self.count_node(from);
        }
        inputs
    }

    /// Reads the counters of one sandbox; answers how much it has lost so far.
    fn count_one(
        &mut self,
        sandbox: SandboxId,
        last: bool,
        from: &Sources<'_>,
        standing: &mut Vec<(SandboxId, Standing)>,
    ) -> Option<u64> {
        let Self { slots, series, .. } = self;
        let page = slots.get_mut(&sandbox.slot)?;
        page.turn_to(sandbox.generation);
        let series = series.entry(sandbox).or_insert_with(|| from.metrics.nobody());
        let empty = from.rings.are_empty();
        let mut lost = 0;
        let moments = match page.read(sandbox.slot, empty, from) {
            Ok(moments) => moments,
            Err(error) => {
                tracing::error!(%error, %sandbox, "reading the kernel's counters");
                return Some(lost);
            }
        };
        let lines = page.lines.iter_mut().zip(moments).zip(hook::NAMES).zip(0..);
        for (((line, moment), name), hook) in lines {
            let own = from.losses.since_taken(sandbox.slot, hook, &line.counts);
            lost += own.dropped + own.error;
            series.tell(hook, &own, line.records);
            let Some(moment) = moment else { continue };
            for found in line.balance.look(&moment, last) {
                if found.new {
                    from.metrics.violation(found.equation);
                    tracing::error!(
                        %sandbox, hook = name, equation = found.equation.as_str(), difference = found.difference,
                        certain = found.certain, ?moment, "what was counted does not add up"
                    );
                }
                standing.push((sandbox, found));
            }
        }
        Some(lost)
    }

    /// Tells what belongs to no sandbox.
    fn count_node(&mut self, from: &Sources<'_>) {
        for (ring, bytes) in std::mem::replace(&mut self.backlog, from.rings.backlog()) {
            from.metrics.backlog(ring, bytes);
        }
        match from.losses.by_reason() {
            Ok(reasons) => from.metrics.lost(&reasons),
            Err(error) => tracing::error!(%error, "reading the kernel's loss counters"),
        }
    }
}

/// Where numbers come from, and where they go.
pub(super) struct Sources<'a> {
    pub(super) losses: &'a Losses,
    pub(super) rings: &'a Rings,
    pub(super) metrics: &'a Metrics,
}

impl Page {
    fn starting(rings: &Rings, slot: u32) -> Self {
        let mut page = Self::default();
        for (line, hook) in page.lines.iter_mut().zip(0..) {
            line.accounted = rings.consumed(slot, hook);
        }
        page
    }

    /// A newer sandbox's records start at zero; those of an older one are no longer anybody's.
    fn turn_to(&mut self, generation: u32) {
        if 0 < generation.wrapping_sub(self.generation).cast_signed() {
            self.generation = generation;
            self.lines.iter_mut().for_each(|line| line.records = Records::default());
        }
    }

    /// Reads the kernel's counters, and answers for each hook with a moment at which they were true if there was one.
    /// `empty`: the rings were, a moment ago and after the last record was read.
    fn read(
        &mut self,
        slot: u32,
        empty: bool,
        from: &Sources<'_>,
    ) -> Result<[Option<Moment>; N_HOOKS], MapError> {
        let mut now = from.losses.all_of_slot(slot)?;
        let mut moments = [const { None }; N_HOOKS];
        self.compare(&now, slot, empty, from, &mut moments);
        for _ in 0..TRIES {
            if moments.iter().all(Option::is_some) {
                break;
            }
            let empty = from.rings.are_empty();
            now = from.losses.all_of_slot(slot)?;
            self.compare(&now, slot, empty, from, &mut moments);
        }
        Ok(moments)
    }

    /// Takes a reading over. Where it is what was read before, that was a moment; one is enough.
    fn compare(
        &mut self,
        now: &[Counts; N_HOOKS],
        slot: u32,
        rings_empty: bool,
        from: &Sources<'_>,
        moments: &mut [Option<Moment>; N_HOOKS],
    ) {
        let lines = self.lines.iter_mut().zip(now).zip(moments).zip(0..);
        for (((line, &counts), moment), hook) in lines {
            if moment.is_some() {
                continue;
            }
            if std::mem::replace(&mut line.counts, counts) == counts {
                let (consumed, accounted) = (from.rings.consumed(slot, hook), line.accounted);
                *moment = Some(Moment { counts, rings_empty, consumed, accounted });
            }
        }
    }
}
