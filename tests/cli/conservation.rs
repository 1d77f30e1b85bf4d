//! The equations of loss on the scrape of a running Picket: they hold after a flood, and a counter that somebody has
//! changed does not go unnoticed.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

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

/// More than the 1 200 records of opens for which the ring has room.
const OPENS: u64 = 1_800;

#[test]
fn after_a_flood_that_runs_the_ring_over_the_scraped_numbers_balance() {
    let plugin = Plugin::new().declares("files: { read: [\"DIRECTORY/out/*\"] }");
    fs::create_dir(plugin.path("out")).unwrap();
    (0..OPENS).for_each(|number| drop(plugin.write(&format!("out/{number}"), "")));
    let script = format!(
        "echo here; until [ -e go ]; do :; done; i=0; while [ $i -lt {OPENS} ]; do : < out/$i; \
         i=$((i+1)); done; echo done; exec sleep 99"
    );
    let (run, address) = start(&plugin, &[], &script, "");
    run.await_output("here");
    // Nobody reads the rings while it goes on: a moment, after which the guard would freeze the plugin.
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
    assert!(OPENS <= kernel[&("open".to_owned(), "fired".to_owned())], "{kernel:?}");
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

/// Calls of one round of `dd`: each byte is read and written. What it calls besides is not a thousandth of that.
const ROUND: u64 = 2_000_000;

/// How long the flood goes on, in seconds, and how many calls there are of it in each at least, on average.
const MINUTE: u64 = 60;
const A_SECOND: u64 = 1_000_000;

#[test]
fn a_million_events_a_second_for_a_minute_balance_to_the_last_one() {
    let plugin =
        Plugin::new().may_run("path: /bin/dd").declares("files: { write: [\"DIRECTORY/*\"] }");
    let round = format!("dd if=/dev/zero of=/dev/null bs=1 count={} 2>err$1", ROUND / 2);
    let rounds = format!(
        "n=0; until [ -e stop ]; do {round} || exit 1; n=$((n+1)); done; echo $n >rounds$1"
    );
    let script = format!(
        "echo here; until [ -e go ]; do :; done; set -- 1; ( {rounds} ) & set -- 2; ( {rounds} ); wait; \
         echo done; exec sleep 99"
    );
    let (run, address) = start(&plugin, &[], &script, "");
    run.await_output("here");
    // What runs beside this test is not to wait for it.
    let shell = fs::read_to_string(run.cgroup().join("cgroup.procs")).unwrap();
    let mut renice = Command::new("renice");
    renice.args(["-n", "19", "-p"]).arg(shell.trim());
    assert!(renice.status().unwrap().success());
    plugin.write("go", "");

    let begun = Instant::now();
    let mut scraped = 0_u32;
    let calls = ("syscall".to_owned(), "fired".to_owned());
    let mut fired = 0;
    while fired < MINUTE * A_SECOND || begun.elapsed().as_secs() < MINUTE {
        assert!(begun.elapsed().as_secs() < 10 * MINUTE, "{fired} calls are no flood");
        thread::park_timeout(Duration::from_secs(1));
        let (_, scrape) = get(address, "/metrics");
        assert!(sum(&scrape, "picket_conservation_violations_total") < f64::EPSILON, "{scrape}");
        fired = counted(&scrape, "picket_kernel_events_total", plugin.name())[&calls];
        scraped += 1;
    }
    plugin.write("stop", "");
    run.await_output("done");

    let rounds = ["rounds1", "rounds2"].map(|name| fs::read_to_string(plugin.path(name)).unwrap());
    let rounds: u64 = rounds.iter().map(|text| text.trim().parse::<u64>().unwrap()).sum();
    let (kernel, records, scrape) = wait_for("balance after the flood", || {
        let (_, scrape) = get(address, "/metrics");
        let kernel = counted(&scrape, "picket_kernel_events_total", plugin.name());
        let records = counted(&scrape, "picket_records_total", plugin.name());
        let is_all = rounds * ROUND <= kernel.get(&calls).copied()?;
        (is_all && balances(&kernel, &records)).then_some((kernel, records, scrape))
    });
    let beyond = kernel[&calls] - rounds * ROUND;
    assert!(beyond < rounds * ROUND / 1_000, "{beyond} calls that nobody made");
    for (outcome, count) in kernel.iter().chain(&records) {
        let is_loss = ["dropped", "error", "shed"].contains(&outcome.1.as_str());
        assert!(!is_loss || *count == 0, "{outcome:?} {count}");
    }
    assert!(sum(&scrape, "picket_conservation_imbalance") < f64::EPSILON, "{scrape}");
    assert!(sum(&scrape, "picket_conservation_violations_total") < f64::EPSILON, "{scrape}");
    assert!(10 < scraped);
    run.signal(SIGINT);
    run.end().assert_honest(130);
}

/// What a slot has on one CPU.
type Values = [u8; size_of::<SlotCounts>()];

/// The counters of a running Picket, as anybody with the privilege can open them.
fn counters_of(run: &Run) -> PerCpuArray<MapData, Values> {
    PerCpuArray::try_from(Map::PerCpuArray(meddle::map(run.pid(), "COUNTS"))).unwrap()
}

/// Starts a plugin that rests, changes one of its exec counters on the first CPU, and waits for the violation.
fn with_changed(change: fn(&mut Counts)) -> (Run, SocketAddr) {
    let plugin = Plugin::new();
    let (run, address) = start(&plugin, &[], "exec sleep 99", "");
    run.await_report("running");
    let mut counters = counters_of(&run);
    let mut values = at_rest(&counters);
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

/// The first slot's counters once nothing fires in it any more: what fires between reading and writing them would be
/// another change.
fn at_rest(counters: &PerCpuArray<MapData, Values>) -> Vec<Values> {
    const EQUAL_LOOKS: u32 = 500;
    let (mut before, mut looks) = (Vec::new(), 0_u32);
    wait_for("rest", || {
        let now = counters.get(&0, 0).unwrap().to_vec();
        looks = if now == before { looks + 1 } else { 0 };
        before = now;
        (EQUAL_LOOKS <= looks).then(|| before.clone())
    })
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
