//! What is made of the runs of a plugin that is known well enough.

use std::time::{SystemTime, UNIX_EPOCH};

use picket_engine::{
    FileId, Mode, ObservedArgv, ObservedPath,
    learned::{Budget, Lane, Ruling, Severity},
};

use super::*;
use crate::baseline::{
    Calibration, Frozen,
    testing::{DAY, id, known_for_a_fortnight, mark, run_at},
};

const EXEC: u64 = 1;

/// A class whose store knows the plugin well, and has calibrated it with so many runs a day, one every three hours, until
/// now.
fn known(days: u64, budgets: Budgets) -> (Class, Pupil) {
    let class = Class::new();
    let pupil = Pupil { budgets, ..weather() };
    let mut store = Store::make(&class.shared.store).unwrap();
    let baseline = known_for_a_fortnight();
    store.change(&pupil.identity, |known| *known = baseline.clone()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let first = now - days * DAY;
    store
        .calibrate(&pupil.identity, false, |baseline, known| {
            let mut calibration = Calibration::new(baseline);
            for number in 0..days * 8 {
                let at = first + number * DAY / 8;
                let run = u16::try_from(number).unwrap() + 1_000;
                calibration.take(baseline, id(run), &run_at(at), mark(at, 0));
            }
            // As if it had been made when its last run was over, and not when this test runs.
            drop(calibration.certify(pupil.identity.subject(), baseline, now - 2));
            *known = Some(calibration);
        })
        .unwrap();
    class.assign(ONE, Some(pupil.clone()));
    (class, pupil)
}

fn budgets(alert: Option<u64>, contain: Option<u64>) -> Budgets {
    let of = |days: Option<u64>| days.map(|days| Budget::one_per_days(days).unwrap());
    Budgets { alert: of(alert), contain: of(contain) }
}

fn exec(sandbox: SandboxId, nanos: u64, path: &str) -> Input {
    let order = Order { time: at(nanos), cpu: 0, sequence: 0 };
    let process = Process { tgid: 7, tid: 7, start: at(0) };
    let fact = Fact::Exec {
        path: ObservedPath::Resolved(path.into()),
        file: FileId { device: 1, inode: EXEC },
        links: 1,
        script: None,
        argv: ObservedArgv { bytes: path.into(), complete: true },
    };
    Input::Event { sandbox, order, process, fact }
}

/// A run whose start is seen: the plugin and these programs.
fn run(class: &mut Class, pupil: &Pupil, mode: Mode, programs: &[&str]) {
    let now = begin(class, pupil, mode, programs);
    class.tell([unregister(ONE, now + SECOND)]);
}

/// As [`run`], and it goes on. Answers when it began.
fn begin(class: &mut Class, pupil: &Pupil, mode: Mode, programs: &[&str]) -> u64 {
    let now = crate::clock::now().as_nanos();
    let policy = Policy { mode, ..Policy::nothing_declared() };
    let (sandbox, arrival) = (ONE, Arrival::Gated);
    class.assign(ONE, Some(pupil.clone()));
    class.tell([Input::Register { sandbox, policy, arrival, at: at(now) }]);
    class.tell([exec(ONE, now + 1, "/opt/plugin")]);
    for path in programs {
        class.tell([exec(ONE, now + 2, path), memory(ONE, now + 2, MemoryUse::Attached)]);
    }
    now
}

fn shown(class: &Class) -> Progress {
    class.shared.lock().progress.get(&weather().identity).cloned().unwrap()
}

#[test]
fn an_attack_in_each_run_alerts_and_then_contains_with_the_deeds_that_say_so() {
    let (mut class, pupil) = known(60, budgets(Some(20), Some(30)));
    let mut alerted = false;
    for number in 0..400 {
        run(&mut class, &pupil, Mode::Enforce, &["/tmp/novel", "/opt/plugin"]);
        // Runs of a test follow each other within milliseconds: the evidence is told that a day went by.
        class.a_day_goes_by();
        let told = (class.accused)();
        alerted |= told.iter().any(|(_, anomaly)| anomaly.severity == Severity::Alert);
        if told.iter().any(|(_, anomaly)| anomaly.severity == Severity::Contain) {
            let (sandbox, anomaly) = told.last().unwrap();
            assert_eq!(*sandbox, ONE);
            assert!(anomaly.budget.time() <= anomaly.evidence, "{anomaly:?}");
            let families: Vec<_> = anomaly.items.iter().map(|it| it.family).collect();
            assert_eq!((anomaly.lane, families.as_slice()), (Lane::Danger, &[Family::Deed][..]));
            let frozen = Frozen::of(&known_for_a_fortnight());
            assert_eq!(anomaly.baseline, frozen.digest());
            let evidence = shown(&class).evidence.unwrap();
            assert_eq!(evidence.standing, Standing::Suspended);
            assert!(alerted && 0 < number, "one run is not enough");
            return;
        }
    }
    panic!("nothing was contained: {:?}", shown(&class));
}

#[test]
fn usual_runs_never_amount_to_anything() {
    let (mut class, pupil) = known(60, budgets(Some(20), Some(30)));
    for _ in 0..60 {
        run(&mut class, &pupil, Mode::Enforce, &[]);
        class.a_day_goes_by();
    }
    assert_eq!((class.accused)(), []);
    let shown = shown(&class);
    assert_eq!(shown.stage, Stage::Certified);
    assert_eq!(shown.evidence.unwrap().standing, Standing::Active);
}

#[test]
fn what_picket_finds_at_work_is_not_judged() {
    let (mut class, _) = known(60, budgets(Some(20), Some(30)));
    let now = crate::clock::now().as_nanos();
    class.tell([register(ONE, now)]);
    class.tell([exec(ONE, now + 2, "/tmp/novel"), unregister(ONE, now + SECOND)]);
    assert_eq!(class.evidence(), None);
}

#[test]
fn runs_calibrate_until_there_is_a_certificate_and_none_is_learned_any_more() {
    let (mut class, pupil) = known(27, budgets(None, Some(30)));
    run(&mut class, &pupil, Mode::Enforce, &[]);
    assert_eq!(shown(&class).stage, Stage::Calibrating);
    let marks = class.calibration().marks().count();
    assert_eq!(marks, 27 * 8 + 1);
    // The 28th day.
    class.a_calibration_day_goes_by();
    run(&mut class, &pupil, Mode::Enforce, &[]);
    assert_eq!(shown(&class).stage, Stage::Certified);
    assert!(class.calibration().certified().is_some());
    let events: Vec<_> = class.shared.lock().news.iter().map(|(event, _)| *event).collect();
    assert!(events.contains(&"baseline_certified"), "{events:?}");
    let ended = class.end();
    assert_eq!(ended.runs().len(), known_for_a_fortnight().runs().count());
}

#[test]
fn evidence_survives_a_restart_and_a_ruling_is_heard_by_the_next_run() {
    let (mut class, pupil) = known(60, budgets(None, Some(30)));
    while (class.accused)().is_empty() {
        run(&mut class, &pupil, Mode::Enforce, &["/tmp/novel"]);
        class.a_day_goes_by();
    }
    let kept = class.evidence().unwrap();
    assert_eq!(kept.standing, Standing::Suspended);
    // Another Picket on the same store.
    let Class { directory, .. } = class;
    let mut class = Class::of(16, directory);
    run(&mut class, &pupil, Mode::Enforce, &["/tmp/novel"]);
    assert_eq!(class.evidence().unwrap().standing, Standing::Suspended);
    assert_eq!((class.accused)(), []);
    let mut store = Store::open(&class.shared.store).unwrap();
    store.rule(&pupil.identity, 1, Ruling::Deserved, ("me", "an attack")).unwrap();
    run(&mut class, &pupil, Mode::Enforce, &[]);
    let kept = class.evidence().unwrap();
    assert_eq!((kept.standing, kept.ruled), (Standing::Active, 1));
    store.rule(&pupil.identity, 2, Ruling::Benign, ("me", "was nothing")).unwrap();
    run(&mut class, &pupil, Mode::Enforce, &[]);
    assert_eq!(class.evidence().unwrap().standing, Standing::Disabled);
}

#[test]
fn a_ruling_is_heard_within_a_second_while_the_frozen_run_is_held() {
    let (mut class, pupil) = known(60, budgets(None, Some(30)));
    let began = loop {
        let began = begin(&mut class, &pupil, Mode::Enforce, &["/tmp/novel"]);
        if !(class.accused)().is_empty() {
            break began;
        }
        class.tell([unregister(ONE, began + SECOND)]);
        class.a_day_goes_by();
    };
    // The first tick stores what there is; the next time that happens is a minute later.
    class.tell([tick(began + SECOND)]);
    let mut store = Store::open(&class.shared.store).unwrap();
    store.rule(&pupil.identity, 1, Ruling::Deserved, ("me", "an attack")).unwrap();
    class.tell([tick(began + 2 * SECOND)]);
    assert_eq!(shown(&class).evidence.unwrap().standing, Standing::Active);
    assert_eq!(class.evidence().unwrap().standing, Standing::Active);
    // Nobody waits for another one, which may take a minute.
    store.rule(&pupil.identity, 2, Ruling::Benign, ("me", "was nothing after all")).unwrap();
    class.tell([tick(began + 3 * SECOND)]);
    assert_eq!(class.evidence().unwrap().standing, Standing::Active);
    class.tell([tick(began + 63 * SECOND)]);
    assert_eq!(class.evidence().unwrap().standing, Standing::Disabled);
}

#[test]
fn other_budgets_begin_anew_and_say_so() {
    let (mut class, pupil) = known(60, budgets(None, Some(30)));
    run(&mut class, &pupil, Mode::Enforce, &["/tmp/novel"]);
    let other = Pupil { budgets: budgets(None, Some(31)), ..pupil };
    run(&mut class, &other, Mode::Enforce, &[]);
    let news = std::mem::take(&mut class.shared.lock().news);
    assert!(
        news.iter().any(|(event, text)| *event == "evidence_anew" && text.contains("budgets")),
        "{news:?}"
    );
}

#[test]
fn without_a_budget_nothing_is_made_evidence_of() {
    let (mut class, pupil) = known(60, Budgets::default());
    run(&mut class, &pupil, Mode::Enforce, &["/tmp/novel"]);
    assert_eq!(class.evidence(), None);
    assert_eq!(shown(&class).evidence.unwrap().rungs, []);
}

impl Class {
    fn evidence(&self) -> Option<crate::baseline::KeptEvidence> {
        Store::open(&self.shared.store).unwrap().evidence(&weather().identity).unwrap()
    }

    fn calibration(&self) -> Calibration {
        Store::open(&self.shared.store).unwrap().calibration(&weather().identity).unwrap().unwrap()
    }

    /// Puts the beginning of the block before a day back, in the store.
    fn a_day_goes_by(&self) {
        let mut store = Store::open(&self.shared.store).unwrap();
        let identity = weather().identity;
        if let Some(mut kept) = store.evidence(&identity).unwrap() {
            kept.before = kept.before.map(|at| at - DAY);
            store.keep_evidence(&identity, &kept).unwrap();
        }
    }

    /// Puts all runs that calibrate a day and an hour back, in the store.
    fn a_calibration_day_goes_by(&self) {
        let store = rusqlite::Connection::open(&self.shared.store).unwrap();
        store.execute("UPDATE calibrated_runs SET began = began - 90000", []).unwrap();
    }
}
