//! What is full is refused or counted; what is there already is watched on.

use picket::clock;
use picket::probe::{Probe, Settings};

use super::harness::nothing_declared;

#[test]
fn f9_a_sandbox_that_finds_no_slot_is_refused_by_name_until_another_one_ends() {
    picket_tests::require_root("it loads kernel programs");
    let probe = Probe::load(Settings { max_sandboxes: 2, refusals: true }).unwrap();
    // No kernel has made so many cgroups.
    let watch =
        |cgroup: u64| probe.slots().watch((1 << 60) + cgroup, &nothing_declared(), 0, clock::now());
    let (first, second) = (watch(1).unwrap(), watch(2).unwrap());
    assert_ne!(first.slot, second.slot);
    let refusal = watch(3).unwrap_err().to_string();
    assert_eq!(refusal, "all 2 sandbox slots of this Picket are taken");
    assert!(probe.slots().unwatch(first).is_ok());
    let third = watch(3).unwrap();
    assert_eq!(third.slot, first.slot);
    assert_ne!(third.generation, first.generation);
}
