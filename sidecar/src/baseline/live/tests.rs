//! What the thread makes of inputs, without a kernel: they are told here, one after the other.

mod judged;

use picket_engine::{
    Arrival, Fact, IncidentId, Input, KernelTime, MemoryUse, Order, Outcome, Policy, Process, Step,
    baseline::{Anomaly, Family, Run},
    learned::PluginTime,
};

use super::*;
use crate::{
    baseline::{Entry, Store, testing::identity},
    document::Digest,
    export::{Metrics, SeriesBudget},
    watch::{Passed, Source, open_tap},
};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
const ONE: SandboxId = SandboxId { slot: 1, generation: 1 };
const TWO: SandboxId = SandboxId { slot: 2, generation: 1 };

/// One that learns, and what feeds it.
struct Class {
    directory: tempfile::TempDir,
    metrics: Metrics,
    shared: Arc<Shared>,
    source: Source,
    tap: Tap,
    worker: Worker,
    accused: Box<dyn Fn() -> Vec<(SandboxId, Anomaly)>>,
}

impl Class {
    fn new() -> Self {
        Self::of(16, tempfile::tempdir().unwrap())
    }

    /// With a queue of this many, and the store in this directory.
    fn of(queue: usize, directory: tempfile::TempDir) -> Self {
        let metrics = Metrics::for_tests(SeriesBudget::DEFAULT);
        let (source, tap) = open_tap(queue);
        let store = directory.path().join("b.db");
        let shared = Arc::new(Shared { store, state: Mutex::default() });
        let (accuser, accused) = Accuser::for_tests();
        let counted = BaselineMetrics::register(&metrics);
        let worker = Worker::new(Arc::clone(&shared), accuser, counted).unwrap();
        let accused = Box::new(accused);
        Self { directory, metrics, shared, source, tap, worker, accused }
    }

    /// As the daemon's end of a thread has it.
    fn assign(&self, sandbox: SandboxId, pupil: Option<Pupil>) {
        self.shared.assign(sandbox, pupil);
    }

    fn learned(self, sandbox: SandboxId) -> Self {
        self.assign(sandbox, Some(weather()));
        self
    }

    /// Passes the engine, and waits.
    fn pass(&self, input: Input) {
        assert!(self.source.pass(|| Passed::Input(input)));
    }

    /// Passes the engine, and is heard.
    fn tell(&mut self, inputs: impl IntoIterator<Item = Input>) {
        for input in inputs {
            self.pass(input);
            assert!(self.worker.listen(&mut self.tap));
        }
    }

    fn due(&self) -> BTreeSet<SandboxId> {
        std::mem::take(&mut self.shared.lock().due)
    }

    /// The loop has ended.
    fn end(self) -> Ended {
        let Self { directory, metrics, shared, source, tap, worker, .. } = self;
        drop(source);
        worker.run(tap);
        let store = Store::open(&directory.path().join("b.db"));
        let entries = store.map_or_else(|_| Vec::new(), |store| store.list().unwrap());
        Ended { directory, entries, shared, text: metrics.text() }
    }
}

/// What came of it.
struct Ended {
    directory: tempfile::TempDir,
    entries: Vec<Entry>,
    shared: Arc<Shared>,
    text: String,
}

impl Ended {
    #[track_caller]
    fn assert_counted(&self, outcome: &str, count: usize) {
        let series =
            format!("picket_baseline_runs_total{{outcome=\"{outcome}\",plugin=\"weather\"");
        assert!(counts(&self.text, &series, count), "{series} is not {count} in {}", self.text);
    }

    fn runs(&self) -> Vec<&Run> {
        self.entries.iter().flat_map(|entry| entry.baseline.runs().map(|(_, run)| run)).collect()
    }

    /// The deeds of each run.
    fn deeds(&self) -> Vec<Vec<&str>> {
        let of = |run: &&Run| run.began();
        let mut runs = self.runs();
        runs.sort_by_key(of);
        runs.iter().map(|run| run.of(Family::Deed).map(|(text, _)| text).collect()).collect()
    }

    fn events(&self) -> Vec<&'static str> {
        self.shared.lock().news.iter().map(|(event, _)| *event).collect()
    }
}

/// Whether the scrape says this of the series that begins so.
fn counts(text: &str, series: &str, count: usize) -> bool {
    let end = format!("}} {count}");
    text.lines().any(|line| line.starts_with(series) && line.ends_with(&end))
}

fn weather() -> Pupil {
    let (identity, plugin) = (identity("weather"), OperatorWord::new("weather"));
    Pupil { identity, plugin, continuous: false, budgets: Budgets::default() }
}

const fn at(nanos: u64) -> KernelTime {
    KernelTime::from_nanos(nanos)
}

fn register(sandbox: SandboxId, nanos: u64) -> Input {
    let arrival = Arrival::Running { processes: Vec::new() };
    Input::Register { sandbox, policy: Policy::nothing_declared(), arrival, at: at(nanos) }
}

fn memory(sandbox: SandboxId, nanos: u64, how: MemoryUse) -> Input {
    let order = Order { time: at(nanos), cpu: 0, sequence: 0 };
    let process = Process { tgid: 7, tid: 7, start: at(0) };
    Input::Event { sandbox, order, process, fact: Fact::Memory { how } }
}

fn reminded(sandbox: SandboxId, nanos: u64) -> Input {
    Input::Policy { sandbox, policy: Policy::nothing_declared(), at: at(nanos) }
}

fn tick(nanos: u64) -> Input {
    Input::Tick { at: at(nanos) }
}

fn unregister(sandbox: SandboxId, nanos: u64) -> Input {
    Input::Unregister { sandbox, at: at(nanos) }
}

/// A whole run in which memory was mapped.
fn whole(sandbox: SandboxId, from: u64) -> Vec<Input> {
    vec![
        register(sandbox, from),
        memory(sandbox, from + 1, MemoryUse::Mapped),
        tick(from + SECOND),
        unregister(sandbox, from + 2 * SECOND),
    ]
}

#[test]
fn a_run_that_ends_is_stored_under_whose_it_is() {
    let mut class = Class::new().learned(ONE);
    class.tell(whole(ONE, 0));
    let ended = class.end();
    ended.assert_counted("learned", 1);
    assert_eq!(ended.deeds(), [["memory mapped"]]);
    assert_eq!(ended.runs()[0].lasted(), PluginTime::from_millis(2_000));
    assert_eq!(ended.entries[0].identity, identity("weather"));
    let state = ended.shared.lock();
    let progress = state.progress.get(&identity("weather")).unwrap();
    assert_eq!((progress.usable, progress.unusable, progress.is_ready()), (1, 0, false));
    assert!(state.assigned.is_empty(), "of a sandbox that has ended nothing stays");
}

#[test]
fn sandboxes_of_one_plugin_at_once_and_one_after_the_other_are_runs_of_one_baseline() {
    let mut class = Class::new().learned(ONE).learned(TWO);
    class.tell([register(ONE, 0), register(TWO, 0), unregister(ONE, 1), unregister(TWO, 1)]);
    let again = SandboxId { generation: 2, ..ONE };
    class.assign(again, Some(weather()));
    class.tell(whole(again, 2));
    let ended = class.end();
    assert_eq!((ended.entries.len(), ended.runs().len()), (1, 3));
}

#[test]
fn what_ends_with_picket_is_stored_as_what_was_seen_of_it() {
    let mut class = Class::new().learned(ONE);
    class.tell([register(ONE, 0), memory(ONE, 1, MemoryUse::Mapped)]);
    assert_eq!(class.end().deeds(), [["memory mapped"]]);
}

#[test]
fn nothing_is_kept_of_a_sandbox_that_is_nobodys() {
    let mut class = Class::new();
    class.assign(ONE, None);
    class.tell(whole(ONE, 0));
    let ended = class.end();
    assert!(ended.entries.is_empty() && ended.shared.lock().assigned.is_empty());
}

#[test]
fn what_found_the_queue_full_makes_every_run_of_that_time_useless_and_no_later_one() {
    let later = SandboxId { slot: 3, generation: 1 };
    let mut class =
        Class::of(2, tempfile::tempdir().unwrap()).learned(ONE).learned(TWO).learned(later);
    // All of it waits when the first is heard: where the gap is must not depend on who reads when.
    for input in [register(ONE, 0), register(TWO, 0), memory(ONE, 1, MemoryUse::Mapped)] {
        class.pass(input);
    }
    for _ in 0..2 {
        assert!(class.worker.listen(&mut class.tap));
    }
    assert_eq!(class.shared.lock().missed, 0);
    class.tell([unregister(ONE, 2)]);
    assert_eq!(class.shared.lock().missed, 1);
    class.tell([unregister(TWO, 2)]);
    class.tell(whole(later, 3));
    let ended = class.end();
    ended.assert_counted("unusable", 2);
    ended.assert_counted("learned", 1);
    assert!(counts(&ended.text, "picket_baseline_inputs_missed_total{", 1));
    assert_eq!(ended.events(), ["not_learned"]);
}

#[test]
fn whose_end_was_not_heard_is_forgotten_when_its_slot_is_anothers() {
    let mut class = Class::new().learned(ONE);
    class.tell([register(ONE, 0)]);
    let next = SandboxId { generation: 5, ..ONE };
    class.assign(next, Some(weather()));
    class.tell(whole(next, HOUR / 2));
    assert!(class.shared.lock().assigned.is_empty());
    let ended = class.end();
    ended.assert_counted("unusable", 1);
    ended.assert_counted("learned", 1);
}

#[test]
fn a_run_that_goes_on_for_an_hour_is_cut_where_the_kernel_side_forgets() {
    let mut class = Class::new().learned(ONE);
    class.tell([register(ONE, 0), memory(ONE, 1, MemoryUse::Mapped), tick(HOUR - 1)]);
    assert_eq!(class.due(), BTreeSet::new());
    class.tell([tick(HOUR), tick(HOUR + SECOND)]);
    assert_eq!(class.due(), BTreeSet::from([ONE]));
    class.tell([tick(HOUR + 2 * SECOND)]);
    assert_eq!(class.due(), BTreeSet::new(), "once a minute is enough");
    class.tell([
        reminded(ONE, HOUR + 3 * SECOND),
        memory(ONE, HOUR + 4 * SECOND, MemoryUse::Attached),
    ]);
    let ended = class.end();
    assert_eq!(ended.deeds(), [["memory mapped"], ["memory attached"]]);
    ended.assert_counted("learned", 2);
}

#[test]
fn a_policy_of_another_cause_cuts_no_run() {
    let mut class = Class::new().learned(ONE);
    class.tell([register(ONE, 0), tick(SECOND), reminded(ONE, 2 * SECOND), unregister(ONE, HOUR)]);
    assert_eq!(class.end().runs().len(), 1);
}

#[test]
fn what_was_contained_is_not_cut_and_teaches_nothing_however_long_it_stays() {
    let mut class = Class::new().learned(ONE);
    let receipt = Input::Receipt {
        sandbox: ONE,
        incident: IncidentId(1),
        step: Step::Freeze,
        outcome: Outcome::Done,
        at: at(1),
    };
    class.tell([register(ONE, 0), receipt, tick(3 * HOUR)]);
    assert_eq!(class.due(), BTreeSet::new());
    class.end().assert_counted("unusable", 1);
}

#[test]
fn another_manifest_ends_the_run_under_the_former_one() {
    let mut class = Class::new().learned(ONE);
    class.tell([register(ONE, 0), memory(ONE, 1, MemoryUse::Mapped)]);
    let mut other = weather();
    other.identity.manifest = Digest::of(b"another");
    class.assign(ONE, Some(other.clone()));
    class.tell([reminded(ONE, 2 * SECOND), memory(ONE, 3 * SECOND, MemoryUse::Attached)]);
    let ended = class.end();
    let of = |identity: &Identity| {
        let entry = ended.entries.iter().find(|entry| entry.identity == *identity).unwrap();
        let kinds = entry.baseline.kinds(Family::Deed);
        kinds.into_keys().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of(&weather().identity), ["memory mapped"]);
    assert_eq!(of(&other.identity), ["memory attached"]);
}

#[test]
fn what_is_trusted_no_longer_teaches_nothing_more() {
    let mut class = Class::new().learned(ONE);
    class.tell([register(ONE, 0), memory(ONE, 1, MemoryUse::Mapped), tick(SECOND)]);
    class.assign(ONE, None);
    class.tell([tick(2 * SECOND), unregister(ONE, 3 * SECOND)]);
    assert!(class.end().entries.is_empty());
}

#[test]
fn a_baseline_that_is_known_well_enough_is_left_alone_and_that_is_said_once() {
    let mut class = Class::new().learned(ONE).learned(TWO);
    // A fortnight of runs that all do the same, but for the last.
    let mut store = Store::make(&class.directory.path().join("b.db")).unwrap();
    let (known, _) = store
        .change(&weather().identity, |baseline| {
            for number in 0..=u8::MAX {
                let began = u64::from(number) * 6_000;
                let mut run = Run::new(began, PluginTime::from_millis(1_000), true, 1);
                run.count(Family::Deed, "memory mapped", 1);
                baseline.learn(picket_engine::baseline::RunId([number; 16]), &run);
            }
        })
        .map(|(_, now)| (now, ()))
        .unwrap();
    class.tell(whole(ONE, 0));
    class.tell([register(TWO, HOUR), memory(TWO, HOUR, MemoryUse::Attached), tick(3 * HOUR)]);
    assert_eq!(class.due(), BTreeSet::new(), "what teaches nothing need not be cut");
    let ended = class.end();
    ended.assert_counted("ready", 2);
    assert_eq!(ended.entries[0].baseline, known);
    assert_eq!(ended.events(), ["baseline_ready"]);
    assert!(counts(&ended.text, "picket_baseline_ready{plugin=\"weather\"", 1), "{}", ended.text);
}

#[test]
fn a_store_that_cannot_be_used_is_said_once_and_runs_wait_until_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("b.db");
    std::fs::create_dir(&path).unwrap();
    let mut class = Class::of(16, directory).learned(ONE);
    class.tell(whole(ONE, 0));
    assert!(class.shared.lock().trouble.is_some());
    class.tell([tick(2 * 60 * SECOND)]);
    assert!(counts(&class.metrics.text(), "picket_baseline_store_usable{", 0));
    std::fs::remove_dir(&path).unwrap();
    class.tell([tick(4 * 60 * SECOND)]);
    assert_eq!(class.shared.lock().trouble, None);
    let ended = class.end();
    assert_eq!(ended.events(), ["not_learned", "learning"]);
    ended.assert_counted("learned", 1);
}

#[test]
fn of_more_runs_than_can_wait_the_oldest_go_and_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("b.db")).unwrap();
    let mut class = Class::of(16, directory);
    for generation in 1..=40 {
        let sandbox = SandboxId { generation, ..ONE };
        class.assign(sandbox, Some(weather()));
        class.tell([register(sandbox, 0), unregister(sandbox, 1)]);
    }
    let ended = class.end();
    assert!(ended.directory.path().join("b.db").is_dir(), "what is there is left alone");
    ended.assert_counted("not_stored", 40);
}
