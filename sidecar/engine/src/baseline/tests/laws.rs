//! Joining: in any order, in any grouping, any number of times.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn any_run() -> impl Strategy<Value = Run> {
    let family = prop::sample::select(Family::ALL);
    let deeds = prop::collection::vec((family, "[a-c]{1,2}", 1_u32..4), 0..6);
    let fault = prop::option::weighted(0.2, (prop::sample::select(Fault::ALL), 1_u64..5));
    // A family of which one run alone has too many kinds.
    let full = prop::option::weighted(0.1, prop::sample::select(Family::ALL));
    let place = (0_u64..1000, 0_u64..1000, any::<bool>(), 0_u64..100);
    (deeds, fault, full, place).prop_map(|(deeds, fault, full, (began, lasted, started, facts))| {
        let mut run = Run::new(began, PluginTime::from_millis(lasted), started, facts);
        deeds.iter().for_each(|(family, template, times)| run.count(*family, template, *times));
        fault.iter().for_each(|(fault, times)| run.fail(*fault, *times));
        full.iter().for_each(|family| run.fill(*family));
        run
    })
}

prop_compose! {
    // Few identities, so that many runs are known to several, and known differently.
    fn any_baseline()(
        runs in prop::collection::vec((0_u16..6, any_run()), 0..8),
        notes in prop::collection::vec((prop::sample::select(Family::ALL), "[a-c]", 0_u64..3), 0..4),
        sampled: bool,
    ) -> Baseline {
        let mut baseline = nothing();
        runs.iter().for_each(|(number, run)| baseline.learn(id(*number), run));
        notes.iter().for_each(|(family, text, at)| baseline.accept(accepted(*family, text, *at)));
        if sampled {
            baseline.set_sampled();
        }
        baseline
    }
}

fn joined(one: &Baseline, other: &Baseline) -> Baseline {
    let mut joined = one.clone();
    joined.join(other).unwrap();
    joined
}

proptest! {
    #[test]
    fn joining_is_commutative(a in any_baseline(), b in any_baseline()) {
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
    }

    #[test]
    fn joining_is_associative(a in any_baseline(), b in any_baseline(), c in any_baseline()) {
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
    }

    #[test]
    fn joining_is_idempotent(a in any_baseline(), b in any_baseline()) {
        prop_assert_eq!(joined(&a, &a), a.clone());
        let both = joined(&a, &b);
        prop_assert_eq!(joined(&both, &b), both);
    }

    #[test]
    fn learning_is_joining_with_one_run(a in any_baseline(), run in any_run()) {
        let mut learned = a.clone();
        learned.learn(id(3), &run);
        let mut one = nothing();
        one.learn(id(3), &run);
        prop_assert_eq!(learned, joined(&a, &one));
    }

    #[test]
    fn what_is_known_of_a_run_only_grows(a in any_run(), b in any_run()) {
        let mut both = a.clone();
        both.join(&b);
        prop_assert!(a.began() >= both.began() && a.lasted() <= both.lasted());
        prop_assert!(a.faults().keys().all(|fault| both.faults().contains_key(fault)));
        if both.is_usable() {
            for (family, template, times) in a.counts().filter(|(family, ..)| !both.full().contains(family)) {
                let found = both.of(family).find(|(known, _)| *known == template);
                prop_assert!(found.is_some_and(|(_, most)| times <= most));
            }
        }
    }
}

#[test]
fn the_laws_hold_beyond_the_bounds_too() {
    // Three that fit, of which any two do not.
    let most = u16::try_from(Baseline::MOST_RUNS).unwrap();
    let part = |first: u16| {
        let mut baseline = nothing();
        (first..first + most / 2 + 1).for_each(|number| baseline.learn(id(number), &run(0, &[])));
        (0..MOST_ACCEPTED as u64 / 2 + 1).for_each(|at| {
            baseline.accept(accepted(
                Family::Exec,
                &format!("/{first}"),
                at * 3 + u64::from(first),
            ));
        });
        assert!(!baseline.is_sampled());
        baseline
    };
    let [a, b, c] = [part(0), part(most), part(2 * most)];
    let one = joined(&joined(&a, &b), &c);
    assert_eq!(one, joined(&c, &joined(&b, &a)));
    assert_eq!(one, joined(&one, &b));
    assert!(one.is_sampled());
    let (runs, notes): (Vec<_>, Vec<_>) = (one.runs().collect(), one.accepted().collect());
    assert_eq!((runs.len(), notes.len()), (Baseline::MOST_RUNS, MOST_ACCEPTED));
}

#[test]
fn a_family_that_is_full_only_together_is_full_in_any_order() {
    let most = Family::Exec.limit();
    let of = |number, range| {
        let mut baseline = nothing();
        baseline.learn(id(number), &kinds(Family::Exec, range));
        assert!(!baseline.is_full(Family::Exec));
        baseline
    };
    let parts = [of(1, 0..most), of(2, 0..most), of(3, most..most + 1)];
    let forth = joined(&joined(&parts[0], &parts[1]), &parts[2]);
    assert_eq!(forth, joined(&parts[2], &joined(&parts[1], &parts[0])));
    assert!(forth.is_full(Family::Exec));
}

#[test]
fn another_plugin_is_not_joined_and_nothing_changes() {
    let mut baseline = nothing();
    let mut other = Baseline::new(Subject([8; 32]));
    other.learn(id(1), &run(0, &[]));
    assert_eq!(baseline.join(&other), Err(OtherSubject));
    assert_eq!(baseline, nothing());
}
