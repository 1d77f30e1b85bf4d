//! What it costs to make evidence of an event: from the engine's input to the detector, as the daemon's thread does it.
//!
//! The plugin is made up: 300 runs of 45 calls, 30 files and a few programs and networks, certified over 60 days. Each
//! event is timed by itself; what timing nothing takes is said beside it and not taken off.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::time::{Duration, Instant};

use picket_engine::baseline::{
    Baseline, Counts, Family, Key, Mark, Observer, Ongoing, Run, Votes, blocks,
};
use picket_engine::learned::{
    Block, Budget, Cadence, Detector, Lane, PluginTime, Rung, Scores, Severity, Subject, Surprise,
    certify,
};
use picket_engine::{
    AccessSet, Arguments, Arrival, Fact, FileId, Input, KernelTime, Mode, ObservedArgv,
    ObservedPath, Order, Policy, Process, SandboxId, SyscallAbi,
};
use picket_tests::runs::run_id;

const EVENTS: u64 = 200_000;
const RUNS: u64 = 300;
const DAY: u64 = 86_400;
const SUBJECT: Subject = Subject([7; 32]);
const SANDBOX: SandboxId = SandboxId { slot: 0, generation: 1 };

fn main() -> Result<(), Box<dyn Error>> {
    let counts = Counts::of(&learned(), Key::new([9; 16]));
    let detector = Detector::new(certificate()?, &rungs()?, Mode::Shadow);
    let (known, state) = (counts.memory(), detector.memory());
    println!("memory of a plugin: {known} bytes of counts, {state} of certificate and evidence");
    let nothing = timed(0..EVENTS, |_| ());
    println!("{:<34}{}", "timing nothing", shown(nothing));
    let kinds: [(&str, Deed); 4] = [
        ("a usual call", |number| call(number % 45)),
        ("a usual file", |number| open(format!("/srv/data/file-{}", number % 30))),
        ("a new file in a usual directory", |number| open(format!("/srv/data/other-{number}"))),
        ("a new directory", |number| open(format!("/srv/{number}/x"))),
    ];
    for (name, fact) in kinds {
        let mut live = Live::new(&counts, detector.clone());
        let times =
            timed((0..EVENTS).map(|number| event(number, fact(number))), |input| live.hear(&input));
        println!("{name:<34}{}  {} acts", shown(times), live.acts);
    }
    Ok(())
}

/// What the event of this number is.
type Deed = fn(u64) -> Fact;

/// The way of an event, as the thread that learns has it.
struct Live<'a> {
    counts: &'a Counts,
    observer: Observer,
    votes: Votes,
    ongoing: Ongoing,
    acts: u64,
}

impl<'a> Live<'a> {
    fn new(counts: &'a Counts, detector: Detector) -> Self {
        let mut observer = Observer::new(KernelTime::BOOT, 0);
        let (policy, arrival, at) = (Policy::nothing_declared(), Arrival::Gated, KernelTime::BOOT);
        observer.hear(&Input::Register { sandbox: SANDBOX, policy, arrival, at });
        let argv = ObservedArgv { bytes: b"plugin\0".to_vec(), complete: true };
        let path = ObservedPath::Resolved(b"/opt/plugin".to_vec());
        let file = FileId { device: 1, inode: 1 };
        observer.hear(&event(0, Fact::Exec { path, file, links: 1, script: None, argv }));
        let mut ongoing = Ongoing::new(detector, Some(61 * DAY));
        ongoing.begin(SANDBOX, 62 * DAY);
        Self { counts, observer, votes: Votes::default(), ongoing, acts: 0 }
    }

    fn hear(&mut self, input: &Input) {
        let mut deeds = Vec::new();
        self.observer
            .hear_deeds(input, |family, template| deeds.push((family, template.to_owned())));
        for (family, template) in &deeds {
            self.votes.hear(self.counts, *family, template);
        }
        if let Some((run, ..)) = self.observer.running_in(SANDBOX) {
            self.acts += u64::from(self.ongoing.score(&self.votes.scores(run)).is_some());
        }
    }
}

/// Each by itself, in order of duration.
fn timed<T>(inputs: impl Iterator<Item = T>, mut act: impl FnMut(T)) -> Vec<Duration> {
    let time = |input| {
        let begun = Instant::now();
        act(input);
        begun.elapsed()
    };
    let mut times: Vec<Duration> = inputs.map(time).collect();
    times.sort_unstable();
    times
}

fn shown(times: Vec<Duration>) -> String {
    let at = |share: usize| times.get(times.len() * share / 1000).map_or(0, Duration::as_nanos);
    format!("p50 {:>6} ns  p99 {:>6} ns  p99.9 {:>6} ns", at(500), at(990), at(999))
}

fn event(number: u64, fact: Fact) -> Input {
    let order = Order { time: KernelTime::from_nanos(number * 1_000), cpu: 0, sequence: 0 };
    let process = Process { tgid: 7, tid: 7, start: KernelTime::BOOT };
    Input::Event { sandbox: SANDBOX, order, process, fact }
}

fn call(number: u64) -> Fact {
    let number = u32::try_from(number).unwrap_or_default();
    Fact::Syscall { number, abi: SyscallAbi::Native, arguments: Arguments::NONE }
}

fn open(path: String) -> Fact {
    let path = ObservedPath::Resolved(path.into_bytes());
    Fact::Open { path, file: FileId { device: 1, inode: 2 }, links: 1, access: AccessSet::READ }
}

/// Learned by the observer that scores, so that it knows them by the same templates.
fn learned() -> Baseline {
    let mut observer = Observer::new(KernelTime::BOOT, 0);
    let (policy, arrival) =
        (Policy::nothing_declared(), Arrival::Running { processes: Vec::new() });
    observer.hear(&Input::Register { sandbox: SANDBOX, policy, arrival, at: KernelTime::BOOT });
    (0..45).for_each(|number| observer.hear(&event(number, call(number))));
    (0..30).for_each(|file| observer.hear(&event(file, open(format!("/srv/data/file-{file}")))));
    let observed = observer.finish();
    let mut baseline = Baseline::new(SUBJECT);
    for number in 0..RUNS {
        let mut run = Run::new(number * DAY / 8, PluginTime::from_millis(1_000), true, 75);
        for seen in &observed {
            seen.run
                .counts()
                .for_each(|(family, template, times)| run.count(family, template, times));
        }
        (0..3).for_each(|program| run.count(Family::Exec, &format!("/usr/bin/p{program}"), 1));
        baseline.learn(run_id(number), &run);
    }
    baseline
}

/// Sixty days of 20 calm runs each.
fn certificate() -> Result<picket_engine::learned::Certificate, String> {
    let mark = |number: u64| {
        let bits = if number.is_multiple_of(97) { 3 } else { 0 };
        let scores = Scores::default().with(Lane::Novelty, Surprise::from_bits(bits));
        let began = number * DAY / 20;
        Mark { began, lasted: PluginTime::from_millis(1_000), started: true, scores }
    };
    let blocks: Vec<Block> =
        blocks((0..1_200).map(mark), None).into_iter().map(|(_, block)| block).collect();
    certify(SUBJECT, Cadence::Runs { per_day: 20 }, &blocks)
        .map_err(|missing| format!("{missing:?}"))
}

fn rungs() -> Result<[Rung; 2], String> {
    let of = |severity, days| {
        let budget = Budget::one_per_days(days).map_err(|error| error.to_string())?;
        Ok(Rung { severity, budget })
    };
    let both: Result<_, String> = of(Severity::Alert, 7);
    Ok([both?, of(Severity::Contain, 300)?])
}
