//! A kernel side that cannot be loaded whole is not there in part.

use std::fs;

use picket::probe::{Probe, Settings};
use picket_tests::require_root;
use serde_json::{Value, json};

use super::actor::Actor;

/// Descriptors of programs, maps and links that this process holds. Nothing of Picket is pinned, so what no process
/// holds is not in the kernel.
fn held() -> usize {
    let described = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let texts = described.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let kernels =
        |text: &String| ["prog_id:", "map_id:", "link_id:"].iter().any(|name| text.contains(*name));
    texts.filter(kernels).count()
}

#[expect(unsafe_code, reason = "setrlimit(2) has no safe wrapper in std")]
fn allow_descriptors(limit: u64) {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: 4_096 };
    // SAFETY: a structure that the kernel reads.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

#[test]
fn a_load_that_fails_half_way_leaves_no_program_map_or_link_behind() {
    require_root("it loads kernel programs");
    // A process of its own, which runs out of descriptors later each time: at the maps, the programs, the links.
    let told = Actor::start(|| {
        let mut refusals = Vec::new();
        for limit in (10..400).step_by(9) {
            allow_descriptors(limit);
            let outcome = Probe::load(Settings { max_sandboxes: 2, refusals: true });
            allow_descriptors(4_000);
            match outcome {
                Ok(probe) => {
                    assert!(10 < held(), "nothing is loaded");
                    drop(probe);
                    assert_eq!(held(), 0, "after a load with {limit} descriptors");
                    return json!(refusals);
                }
                Err(error) => {
                    assert_eq!(held(), 0, "after a refusal with {limit} descriptors: {error}");
                    refusals.push(error.to_string());
                }
            }
        }
        Value::Null
    })
    .act();
    let refusals = told.as_array().expect("enough descriptors at last");
    let is_among = |what: &str| refusals.iter().any(|said| said.as_str().unwrap().contains(what));
    assert!(is_among("maps") && is_among("refuses the program"), "{refusals:#?}");
}
