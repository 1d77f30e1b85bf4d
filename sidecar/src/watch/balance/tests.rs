//! A hook that runs on many processors while somebody looks, in every order of steps.

use proptest::prelude::*;

use super::*;

/// One step of the world.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A run begins.
    Fire,
    /// The run with this number goes on: to its outcome, or into the ring and then to its outcome.
    GoOn { run: usize, submits: bool },
    /// The reader takes a record.
    Read,
    /// Somebody looks.
    Look,
}

/// A run under way.
#[derive(Clone, Copy, Debug)]
struct Run {
    submitted: bool,
    looks: u8,
}

#[derive(Debug, Default)]
struct World {
    moment: Moment,
    ring: u64,
    runs: Vec<Run>,
    balance: Balance,
}

impl World {
    fn go(&mut self, step: Step) -> Vec<Standing> {
        match step {
            Step::Fire => {
                self.moment.counts.fired += 1;
                self.runs.push(Run { submitted: false, looks: 0 });
            }
            Step::GoOn { run, submits } => self.go_on(run, submits),
            Step::Read => {
                let read = self.ring.min(1);
                self.ring -= read;
                self.moment.consumed += read;
                self.moment.accounted += read;
            }
            Step::Look => return self.look(),
        }
        Vec::new()
    }

    fn go_on(&mut self, run: usize, submits: bool) {
        let Some(under_way) = self.runs.get_mut(run) else { return };
        if under_way.submitted {
            self.moment.counts.submitted += 1;
        } else if submits {
            under_way.submitted = true;
            self.ring += 1;
            return;
        } else {
            self.moment.counts.aggregated += 1;
        }
        self.runs.remove(run);
    }

    /// A run may be under way at two looks, as no real one is, and not at a third.
    fn look(&mut self) -> Vec<Standing> {
        while let Some(old) = self.runs.iter().position(|run| 2 <= run.looks) {
            self.go_on(old, false);
        }
        self.runs.iter_mut().for_each(|run| run.looks += 1);
        self.moment.rings_empty = self.ring == 0;
        self.balance.look(&self.moment, false).collect()
    }

    /// Every run ends, every record is read.
    fn rest(&mut self) {
        while !self.runs.is_empty() {
            self.go_on(0, false);
        }
        while 0 < self.ring {
            self.go(Step::Read);
        }
    }

    /// What stands at the third look at a world at rest.
    fn stands(&mut self) -> Vec<Standing> {
        self.rest();
        (0..3).map(|_| self.look()).last().unwrap()
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Fire),
        6 => (0..4_usize, any::<bool>()).prop_map(|(run, submits)| Step::GoOn { run, submits }),
        3 => Just(Step::Read),
        2 => Just(Step::Look),
    ]
}

proptest! {
    #[test]
    fn no_order_of_runs_reads_and_looks_is_called_a_violation(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::default();
        for step in steps {
            let standing = world.go(step);
            prop_assert!(standing.is_empty(), "{standing:?} in {world:?}");
        }
        prop_assert_eq!(world.stands(), Vec::new());
    }

    #[test]
    fn no_order_of_runs_reads_and_looks_hides_what_does_not_add_up_once_the_hook_rests(
        before in prop::collection::vec(step(), 0..100),
        which in 0..6_usize,
        by in 1..5_u64,
        after in prop::collection::vec(step(), 0..100),
    ) {
        let mut world = World::default();
        for step in before {
            world.go(step);
        }
        let Moment { counts, consumed, accounted, .. } = &mut world.moment;
        let (wrong, equation, certain) = match which {
            0 => (&mut counts.fired, Equation::Fired, false),
            1 => (&mut counts.filtered, Equation::Fired, true),
            2 => (&mut counts.error, Equation::Fired, true),
            // Also one outcome too many: what was submitted is both.
            3 => (&mut counts.submitted, Equation::Submitted, true),
            4 => (consumed, Equation::Submitted, true),
            _ => (accounted, Equation::Consumed, true),
        };
        *wrong += by;
        for step in after {
            world.go(step);
        }
        let standing = world.stands();
        let found = standing.iter().find(|standing| standing.equation == equation);
        prop_assert!(found.is_some_and(|found| found.certain == certain), "{standing:?}");
        prop_assert_eq!(found.unwrap().difference.unsigned_abs(), by);
    }
}

/// What stands at each of several looks at the same moment: equation, difference, certain, new.
fn looks(moment: Moment, times: usize) -> Vec<Vec<(Equation, i64, bool, bool)>> {
    let mut balance = Balance::default();
    let mut look = || {
        let standing = balance.look(&moment, false);
        standing.map(|one| (one.equation, one.difference, one.certain, one.new)).collect()
    };
    (0..times).map(|_| look()).collect()
}

#[test]
fn a_difference_stands_at_the_third_look_and_is_new_once() {
    let counts = Counts { fired: 7, filtered: 5, ..Counts::default() };
    let found = looks(Moment { counts, rings_empty: true, ..Moment::default() }, 4);
    let new = |new| vec![(Equation::Fired, 2, false, new)];
    assert_eq!(found, [vec![], vec![], new(true), new(false)]);
}

#[test]
fn while_a_hook_fires_its_runs_under_way_are_no_violation() {
    let mut balance = Balance::default();
    for fired in 10..1_000 {
        let counts = Counts { fired, aggregated: fired - 2, ..Counts::default() };
        let moment = Moment { counts, rings_empty: true, ..Moment::default() };
        assert_eq!(balance.look(&moment, false).count(), 0);
    }
}

#[test]
fn more_outcomes_than_firings_are_certain_however_busy_the_hook() {
    let mut balance = Balance::default();
    let look = |fired| {
        let counts = Counts { fired, aggregated: fired + 1, ..Counts::default() };
        Moment { counts, rings_empty: true, ..Moment::default() }
    };
    let found: Vec<_> = (10..14).map(|fired| balance.look(&look(fired), false).count()).collect();
    assert_eq!(found, [0, 0, 1, 1]);
}

#[test]
fn while_the_rings_hold_something_unread_records_are_expected() {
    let counts = Counts { fired: 9, submitted: 9, ..Counts::default() };
    let moment = Moment { counts, rings_empty: false, consumed: 4, accounted: 4 };
    assert_eq!(looks(moment, 5).concat(), []);
    let found = looks(Moment { rings_empty: true, ..moment }, 3);
    assert_eq!(found[2], [(Equation::Submitted, 5, true, true)]);
}

#[test]
fn at_the_end_of_a_sandbox_only_what_is_certain_counts_at_once() {
    let mut balance = Balance::default();
    let counts = Counts { fired: 9, aggregated: 8, ..Counts::default() };
    let moment = Moment { counts, rings_empty: true, ..Moment::default() };
    assert_eq!(balance.look(&moment, true).count(), 0);
    let vanished = Moment { accounted: 1, consumed: 0, ..moment };
    let found: Vec<_> = balance.look(&vanished, true).map(|one| one.equation).collect();
    assert_eq!(found, [Equation::Consumed]);
}
