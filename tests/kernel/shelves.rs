//! What finds no room at the place that its id gives is watched all the same: the table has all of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use picket::clock;
use picket_abi::{WAYS, shelf};
use picket_engine::SandboxId;
use picket_tests::wait_until;

use super::harness::{eye, nothing_declared, watched};
use super::place::Place;

/// Binary logarithm of the places that a kernel side for up to 64 sandboxes has.
const BITS: u32 = 10;

/// Sandboxes that nobody is in, in the way of a cgroup. Dropping them ends them.
struct Crowd(Vec<SandboxId>);

impl Crowd {
    fn in_the_way_of(cgroup: u64) -> Self {
        // No kernel has made so many cgroups.
        let ids = (1 << 60..).filter(|id| shelf(*id, BITS) == shelf(cgroup, BITS)).take(WAYS);
        let watch = |id| eye().slots().watch(id, &nothing_declared(), 0, clock::now()).unwrap();
        Self(ids.map(watch).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for sandbox in &self.0 {
            drop(eye().slots().unwatch(*sandbox));
        }
    }
}

#[test]
fn a_sandbox_whose_place_is_taken_by_others_is_watched_all_the_same() {
    let place = Place::new();
    let file = place.file("data");
    let home = eye().sandbox();
    let crowd = Crowd::in_the_way_of(home.id());
    let id = eye().slots().watch(home.id(), &nothing_declared(), 0, clock::now()).unwrap();
    let sandbox = eye().follow(home, id);
    let seen = sandbox.act(|| drop(File::open(&file).unwrap()));
    assert!(0 < seen.counts["open"].fired, "{:?}", seen.counts);
    // Nor does it matter that they end before it.
    drop(crowd);
    let seen = sandbox.act(|| drop(File::open(&file).unwrap()));
    assert!(1 < seen.counts["open"].fired, "{:?}", seen.counts);
}

#[test]
fn f14_cgroups_below_a_sandbox_that_share_a_place_all_belong_to_it() {
    let place = Place::new();
    let file = place.file("data");
    let sandbox = watched();
    let mut at_place: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    let crowded = (0..).find_map(|number| {
        let path = sandbox.path().join(format!("below-{number}"));
        fs::create_dir(&path).unwrap();
        let id = fs::metadata(&path).unwrap().ino();
        let there = at_place.entry(shelf(id, BITS)).or_default();
        there.push(path);
        (WAYS < there.len()).then(|| there.clone())
    });
    for below in crowded.unwrap() {
        let before = sandbox.counts()["open"].fired;
        let seen = sandbox.act(|| {
            fs::write(below.join("cgroup.procs"), "0").unwrap();
            drop(File::open(&file).unwrap());
        });
        assert_eq!(seen.departures(), []);
        // The first of the two from above, the second from below.
        assert_eq!(seen.counts["open"].fired - before, 2);
    }
    for path in at_place.values().flatten() {
        wait_until("a cgroup that can be removed", || fs::remove_dir(path).is_ok());
    }
}
