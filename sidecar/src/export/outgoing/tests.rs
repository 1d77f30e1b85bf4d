use std::{sync::Arc, time::Duration};

use picket_engine::{
    AccessSet, Arrival, Closure, Effect, Engine, Fact, FileId, IncidentId, Input, KernelTime,
    ObservedArgv, ObservedPath, Order, Policy, Process, SandboxId, Settings,
};
use proptest::prelude::*;

use super::*;
use crate::{
    clock,
    export::{Metrics, SeriesBudget},
    probe::Tier,
    watch::Report,
};

const SANDBOX: SandboxId = SandboxId { slot: 3, generation: 1 };
const FILE: FileId = FileId { device: 1, inode: 2 };

fn word(text: &str) -> OperatorWord {
    OperatorWord::new(text)
}

fn subject() -> Arc<Subject> {
    let (plugin, version, digest) = (word("weather"), word("1.0"), word("0123456789ab"));
    Arc::new(Subject { plugin, version, digest, place: None })
}

fn outlets() -> Outlets {
    let origin = Origin::new(word("node"), Tier::Trace).unwrap();
    let mut outlets = Outlets::new(Arc::new(origin)).unwrap();
    outlets.introduce(SANDBOX, subject());
    outlets
}

/// What the loop reports when this happens in a sandbox in which nothing is declared.
fn reports(fact: Fact) -> Vec<Report> {
    let (policy, at) = (Policy::nothing_declared(), clock::now());
    let arrival = Arrival::Running { processes: vec![7] };
    let process = Process { tgid: 7, tid: 8, start: KernelTime::BOOT };
    let mut engine = Engine::new(Settings::STANDARD);
    let mut effects = Vec::new();
    engine.handle(Input::Register { sandbox: SANDBOX, policy, arrival, at }, &mut effects);
    let order = Order { time: at, cpu: 0, sequence: 1 };
    engine.handle(Input::Event { sandbox: SANDBOX, order, process, fact }, &mut effects);
    let report = |effect| match effect {
        Effect::Finding(finding) => Some(Report::Finding(finding)),
        Effect::Contain(contain) => Some(Report::Deciding { contain, decided: at, dry_run: false }),
        _ => None,
    };
    effects.into_iter().filter_map(report).collect()
}

fn open(path: &str) -> Fact {
    let path = ObservedPath::Resolved(path.into());
    Fact::Open { path, file: FILE, links: 1, access: AccessSet::READ }
}

fn closed(incident: u32) -> Report {
    let (incident, at, why) = (IncidentId(incident), clock::now(), Closure::Quiet);
    Report::Closed { sandbox: SANDBOX, incident, at, why }
}

/// Counters of an output: handed over, and found the queue full.
fn counted(metrics: &Metrics, output: &'static str) -> (u64, u64) {
    (metrics.queued(output).get(), metrics.exported(output, Fate::Dropped).get())
}

#[test]
fn a_departure_is_told_as_finding_and_decision_of_one_incident() {
    let (mut outlets, metrics) = (outlets(), Metrics::for_tests(SeriesBudget::DEFAULT));
    let mut queue = outlets.add("otlp", &metrics);
    reports(open("/etc/shadow")).iter().for_each(|report| outlets.tell(report));
    let [finding, decided] = [queue.try_recv().unwrap(), queue.try_recv().unwrap()];
    let What::Finding { labels, object } = &finding.what else { unreachable!("{finding:?}") };
    assert_eq!(labels.capability.as_str(), "files");
    assert_eq!(object.class().to_string(), "path:etc");
    assert!(matches!(&decided.what, What::Decided(step) if step.because == *labels));
    assert_eq!(finding.incident, decided.incident);
    assert_eq!(counted(&metrics, "otlp"), (2, 0));
}

#[test]
fn every_output_gets_every_message_and_a_full_one_loses_alone() {
    let (mut outlets, metrics) = (outlets(), Metrics::for_tests(SeriesBudget::DEFAULT));
    let mut read = outlets.add("read", &metrics);
    let _unread = outlets.add("unread", &metrics);
    for incident in 0..1_100 {
        outlets.tell(&closed(incident));
        assert!(read.try_recv().is_ok());
    }
    assert_eq!(counted(&metrics, "read"), (1_100, 0));
    assert_eq!(counted(&metrics, "unread"), (1_024, 76));
}

#[test]
fn an_output_that_has_ended_is_a_loss_and_nothing_else() {
    let (mut outlets, metrics) = (outlets(), Metrics::for_tests(SeriesBudget::DEFAULT));
    drop(outlets.add("ended", &metrics));
    outlets.tell(&closed(1));
    assert_eq!(counted(&metrics, "ended"), (0, 1));
}

#[test]
fn of_a_sandbox_that_was_forgotten_nothing_is_told() {
    let (mut outlets, metrics) = (outlets(), Metrics::for_tests(SeriesBudget::DEFAULT));
    let mut queue = outlets.add("otlp", &metrics);
    outlets.tell(&Report::Forgotten { sandbox: SANDBOX });
    outlets.tell(&closed(1));
    assert!(queue.try_recv().is_err());
}

#[test]
fn incidents_of_two_runs_have_two_keys() {
    let keys = [outlets(), outlets()].map(|outlets| IncidentKey {
        instance: outlets.origin().instance,
        sandbox: SANDBOX,
        incident: IncidentId(1),
    });
    assert_ne!(keys[0].to_string(), keys[1].to_string());
}

#[test]
fn a_message_has_the_wall_time_of_its_event() {
    let (mut outlets, metrics) = (outlets(), Metrics::for_tests(SeriesBudget::DEFAULT));
    let mut queue = outlets.add("otlp", &metrics);
    let ago = Duration::from_secs(60);
    let at = KernelTime::from_nanos(clock::now().as_nanos().saturating_sub(60_000_000_000));
    let before = SystemTime::now();
    let why = Closure::Quiet;
    outlets.tell(&Report::Closed { sandbox: SANDBOX, incident: IncidentId(1), at, why });
    let told = queue.try_recv().unwrap().at;
    assert!(before - ago - Duration::from_secs(1) <= told && told <= SystemTime::now() - ago);
}

proptest! {
    #[test]
    fn no_word_of_the_watched_code_is_in_a_message(token in "[a-z]{12,20}") {
        let (mut outlets, metrics) = (outlets(), Metrics::for_tests(SeriesBudget::DEFAULT));
        let mut queue = outlets.add("otlp", &metrics);
        let argv = ObservedArgv { bytes: format!("{token}\0").into(), complete: true };
        let path = ObservedPath::Resolved(format!("/{token}").into());
        let script = Some(format!("/{token}.sh").into());
        let exec = Fact::Exec { path, file: FILE, links: 1, script, argv };
        for fact in [open(&format!("/etc/{token}")), exec] {
            reports(fact).iter().for_each(|report| outlets.tell(report));
            let mut told = 0;
            while let Ok(message) = queue.try_recv() {
                told += 1;
                // `Debug` prints every field of it.
                let all = format!("{message:?}");
                prop_assert!(!all.contains(&token), "{}", all);
            }
            prop_assert!(0 < told);
        }
    }
}
