//! The equations of loss on the scrape of a running Picket: they hold after a flood, and a counter that somebody has
//! changed does not go unnoticed.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use aya::maps::{Map, MapData, PerCpuArray, PerCpuValues};
use libc::{SIGCONT, SIGINT, SIGSTOP};
use picket_abi::{Counts, HOOKS, SlotCounts, hook};
use picket_tests::{meddle, wait_for};
use serde_json::Value;

use super::plugin::Plugin;
use super::run::Run;
use super::scrape::{get, start, sum, value};

/// Value by hook and outcome.
type Counted = BTreeMap<(String, String), u64>;

/// The series of a family that belong to this plugin.
fn counted(scrape: &str, family: &str, plugin: &str) -> Counted {
    let (prefix, plugin) = (format!("{family}{{"), format!("plugin=\"{plugin}\""));
    let of = |line: &str, label: &str| {
        let rest = line.split_once(&format!("{label}=\""))?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    scrape
        .lines()
        .filter(|line| line.starts_with(&prefix) && line.contains(&plugin))
        .map(|line| {
            let count = line.rsplit(' ').next().unwrap().parse().unwrap();
            ((of(line, "hook").unwrap(), of(line, "outcome").unwrap()), count)
        })
        .collect()
}

/// Whether every equation holds for every hook.
fn balances(kernel: &Counted, records: &Counted) -> bool {
    hook::NAMES.into_iter().all(|hook| {
        let of = |counted: &Counted, outcome: &str| counted[&(hook.to_owned(), outcome.to_owned())];
        let others = ["filtered", "aggregated", "submitted", "dropped", "error"];
        of(kernel, "fired") == others.map(|outcome| of(kernel, outcome)).iter().sum::<u64>()
            && of(kernel, "submitted") == of(records, "consumed")
            && of(records, "consumed") == of(records, "scored") + of(records, "shed")
    })
}

#[test]
fn after_a_flood_that_runs_the_ring_over_the_scraped_numbers_balance() {
    let plugin = Plugin::new().declares("files: { write: [\"DIRECTORY/out/*\"] }");
    fs::create_dir(plugin.path("out")).unwrap();
    let script = "echo here; until [ -e go ]; do :; done; i=0; while [ $i -lt 3000 ]; do : > out/$i; \
                  i=$((i+1)); done; echo done; exec sleep 99";
    let (run, address) = start(&plugin, &[], script, "");
    run.await_output("here");
    // Nobody reads the rings while it goes on.
    run.signal(SIGSTOP);
    plugin.write("go", "");
    run.await_output("done");
    run.signal(SIGCONT);
    let (kernel, records, scrape) = wait_for("balance after the flood", || {
        let (_, scrape) = get(address, "/metrics");
        let kernel = counted(&scrape, "picket_kernel_events_total", plugin.name());
        let records = counted(&scrape, "picket_records_total", plugin.name());
        let dropped = kernel.get(&("open".to_owned(), "dropped".to_owned())).copied();
        (0 < dropped? && balances(&kernel, &records)).then_some((kernel, records, scrape))
    });
    let hooks = hook::NAMES.len();
    assert_eq!((kernel.len(), records.len()), (6 * hooks, 3 * hooks));
    assert!(3_000 <= kernel[&("open".to_owned(), "fired".to_owned())], "{kernel:?}");
    assert!(records.iter().all(|((_, outcome), count)| outcome != "shed" || *count == 0));
    assert!(sum(&scrape, "picket_conservation_imbalance") < f64::EPSILON, "{scrape}");
    assert!(sum(&scrape, "picket_conservation_violations_total") < f64::EPSILON, "{scrape}");
    run.await_report("finding");
    run.signal(SIGINT);
    let ended = run.end();
    assert_eq!(ended.code, 130);
    let reasons: Vec<_> = ended.of("finding").iter().map(|one| one["reason"].clone()).collect();
    assert!(reasons.iter().all(|reason| reason == "events_lost"), "{reasons:?}");
}

/// The counters of a running Picket, as anybody with the privilege can open them.
fn counters_of(run: &Run) -> PerCpuArray<MapData, [u8; size_of::<SlotCounts>()]> {
    PerCpuArray::try_from(Map::PerCpuArray(meddle::map(run.pid(), "COUNTS"))).unwrap()
}

/// Starts a plugin that rests, changes one of its exec counters on the first CPU, and waits for the violation.
fn with_changed(change: fn(&mut Counts)) -> (Run, SocketAddr) {
    let plugin = Plugin::new();
    let (run, address) = start(&plugin, &[], "exec sleep 99", "");
    run.await_report("running");
    let mut counters = counters_of(&run);
    let mut values: Vec<_> = counters.get(&0, 0).unwrap().to_vec();
    // Behind what was seen of each hook.
    let start = usize::try_from(HOOKS).unwrap() * size_of::<u64>()
        + usize::from(hook::EXEC) * size_of::<Counts>();
    let place = &mut values[0][start..start + size_of::<Counts>()];
    let mut counts = counts_of(place);
    change(&mut counts);
    place.copy_from_slice(&bytes_of(&counts));
    counters.set(0, PerCpuValues::try_from(values).unwrap(), 0).unwrap();
    wait_for("a violation", || {
        let (_, scrape) = get(address, "/metrics");
        let violations = "picket_conservation_violations_total{equation=\"fired\"}";
        let worst = "picket_conservation_imbalance{equation=\"fired\"}";
        (value(&scrape, violations) == Some(1.0) && value(&scrape, worst) == Some(1.0))
            .then_some(())
    });
    (run, address)
}

fn counts_of(bytes: &[u8]) -> Counts {
    let mut words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
    let mut next = || words.next().unwrap();
    Counts {
        fired: next(),
        filtered: next(),
        aggregated: next(),
        submitted: next(),
        dropped: next(),
        error: next(),
    }
}

fn bytes_of(counts: &Counts) -> [u8; size_of::<Counts>()] {
    let Counts { fired, filtered, aggregated, submitted, dropped, error } = *counts;
    let words = [fired, filtered, aggregated, submitted, dropped, error];
    words.map(u64::to_ne_bytes).concat().try_into().unwrap()
}

fn reasons(run: &Run) -> Vec<Value> {
    let reports = run.reports();
    let findings = reports.iter().filter(|report| report["event"] == "finding");
    findings.map(|finding| finding["reason"].clone()).collect()
}

#[test]
fn an_outcome_without_a_firing_is_a_violation_and_tampering() {
    let (run, _) = with_changed(|counts| counts.filtered += 1);
    run.await_report("finding");
    assert_eq!(reasons(&run), ["kernel_side_tampered"]);
    run.signal(SIGINT);
    assert_eq!(run.end().code, 130);
}

#[test]
fn a_firing_without_an_outcome_is_a_violation_and_nobodys_guilt() {
    let (run, _) = with_changed(|counts| counts.fired += 1);
    assert_eq!(reasons(&run), Vec::<Value>::new());
    run.signal(SIGINT);
    run.end().assert_honest(130);
}
