//! The thread of the alerts: hears, writes down, sends, and hears what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use picket_engine::SandboxId;
use prometheus::IntCounter;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{
    OUTPUT, Order, Parts, Places,
    answer::{Answer, back_off},
    client::{Body, Request},
    desk::Desk,
    former,
    incident::{Book, COUNTS, Statement},
    outbox::{Outbox, TargetState},
    times::{dice, millis, tick, whole_millis},
};
use crate::{
    config::AlertTarget,
    export::{AlertMetrics, Fate, Metrics, OperatorWord, Outgoing, registry::key},
};

/// At least so often it is looked what is due, also for what `picket alerts` has changed.
const BEAT: Duration = Duration::from_secs(1);
/// Cgroups are looked for so often. Missed twice, one is gone: the word of it may still be on its way.
const LOOK: Duration = Duration::from_secs(5);
/// Messages taken from the queue at once.
const BATCH: usize = 256;
/// When Picket ends, what waits is tried for so long.
const LAST_TRY: Duration = Duration::from_secs(2);

/// What a request was about.
#[derive(Debug)]
struct Done {
    target: OperatorWord,
    /// `None`: alerts that still fire, which are told again anyway.
    message: Option<(i64, u32)>,
    answer: Answer,
}

pub(super) struct Work {
    outbox: Outbox,
    book: Book,
    desks: Vec<Desk>,
    under_way: JoinSet<Done>,
    messages: mpsc::Receiver<Arc<Outgoing>>,
    orders: mpsc::Receiver<Order>,
    places: Places,
    mount: PathBuf,
    give_up_after: Duration,
    instance: u64,
    folded: IntCounter,
    metrics: Arc<Metrics>,
    counted: AlertMetrics,
    missing: BTreeSet<u64>,
    looked: Instant,
    ticked: Instant,
    summaries: u64,
}

impl Work {
    pub(super) fn new(
        parts: Parts,
        counted: AlertMetrics,
        places: Places,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        let Parts { outbox, config, origin, messages, metrics, mount } = parts;
        let now = Instant::now();
        let mut work = Self {
            outbox,
            book: Book::new(&origin),
            desks: Vec::new(),
            under_way: JoinSet::new(),
            messages,
            orders,
            places,
            mount,
            give_up_after: config.give_up_after,
            instance: origin.instance,
            folded: metrics.exported(OUTPUT, Fate::Sent),
            metrics,
            counted,
            missing: BTreeSet::new(),
            looked: now,
            ticked: now,
            summaries: 0,
        };
        for (statement, same_boot) in work.outbox.open_incidents() {
            let name = statement.incident.clone();
            work.book.adopt(statement, now);
            if !same_boot {
                work.book.lose(&name, SystemTime::now(), now);
            }
        }
        work.employ(config.targets, config.give_up_after);
        work
    }

    pub(super) async fn run(mut self) {
        let farewell = loop {
            self.step();
            let due = self.book.next().map(|due| due.saturating_duration_since(Instant::now()));
            let wait = due.unwrap_or(BEAT).min(BEAT);
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Targets { targets, give_up_after }) => {
                        self.employ(targets, give_up_after);
                    }
                    Some(Order::End(done)) => break Some(done),
                    None => break None,
                },
                Some(done) = self.under_way.join_next(), if !self.under_way.is_empty() => {
                    self.finish(done);
                }
                Some(message) = self.messages.recv() => self.hear(message),
                () = tokio::time::sleep(wait) => {}
            }
        };
        self.say_farewell(farewell).await;
    }

    /// Writes down what has not settled yet, and sends what can be sent at once.
    async fn say_farewell(mut self, done: Option<oneshot::Sender<()>>) {
        while let Ok(message) = self.messages.try_recv() {
            self.book(&message);
        }
        self.write_down(Instant::now() + COUNTS);
        let last = tokio::time::sleep(LAST_TRY);
        tokio::pin!(last);
        loop {
            self.send();
            if self.under_way.is_empty() {
                break;
            }
            tokio::select! {
                Some(done) = self.under_way.join_next() => self.finish(done),
                () = &mut last => break,
            }
        }
        if let Some(done) = done {
            // Whoever asked may have stopped waiting.
            done.send(()).unwrap_or_default();
        }
    }

    fn step(&mut self) {
        let now = Instant::now();
        self.look(now);
        self.write_down(now);
        self.sum_up(now);
        self.send();
        if now.duration_since(self.ticked) < BEAT {
            return;
        }
        self.ticked = now;
        let oldest = millis(SystemTime::now()).saturating_sub(whole_millis(self.give_up_after));
        for (target, count) in self.outbox.expire(oldest) {
            tracing::error!(target, count, "messages were given up; see `picket alerts dead`");
            self.count_of(&target, |desk| &desk.failed, count);
        }
        self.count();
    }

    fn hear(&mut self, first: Arc<Outgoing>) {
        self.book(&first);
        for _ in 1..BATCH {
            let Ok(message) = self.messages.try_recv() else { return };
            self.book(&message);
        }
    }

    fn book(&mut self, message: &Outgoing) {
        let cgroup = self.cgroup(message.incident.sandbox);
        self.book.hear(message, cgroup, Instant::now());
        self.folded.inc();
    }

    fn cgroup(&self, sandbox: SandboxId) -> u64 {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(&sandbox.slot).filter(|(whose, _)| *whose == sandbox);
        place.map_or(0, |(_, cgroup)| *cgroup)
    }

    /// Ends incidents whose cgroup is gone without a word: those of former runs, and those whose word was lost.
    fn look(&mut self, now: Instant) {
        if now.duration_since(self.looked) < LOOK {
            return;
        }
        self.looked = now;
        let open: BTreeMap<String, u64> =
            self.book.open().map(|(name, cgroup)| (name.to_owned(), cgroup)).collect();
        let wanted: BTreeSet<u64> = open.values().copied().filter(|cgroup| *cgroup != 0).collect();
        if wanted.is_empty() {
            self.missing.clear();
            return;
        }
        let Some(found) = former::present(&self.mount, &wanted) else { return };
        let missing: BTreeSet<u64> = wanted.difference(&found).copied().collect();
        for (name, cgroup) in open {
            if missing.contains(&cgroup) && self.missing.contains(&cgroup) {
                self.book.lose(&name, SystemTime::now(), now);
            }
        }
        self.missing = missing;
    }

    /// Writes down what is to be told by `now`.
    fn write_down(&mut self, now: Instant) {
        for statement in self.book.speak(now, SystemTime::now()) {
            self.record(&statement, now);
        }
    }

    fn record(&mut self, statement: &Statement, now: Instant) {
        let mut told = Vec::new();
        for desk in &mut self.desks {
            desk.queued.inc();
            let admits = desk.limiter.as_mut().is_none_or(|limiter| {
                limiter.admits(&statement.incident, statement.is_resolved, now)
            });
            if admits {
                told.push(desk.target.name.clone());
            } else {
                desk.dropped.inc();
            }
        }
        let told: Vec<&str> = told.iter().map(OperatorWord::as_str).collect();
        for (target, count) in self.outbox.record(statement, &told, millis(SystemTime::now())) {
            tracing::error!(target, count, "the outbox of alerts is full: the oldest had to go");
            self.count_of(&target, |desk| &desk.dropped, count);
        }
    }

    /// Adds to a counter of a target. One that is configured no more has none.
    fn count_of(&self, target: &str, counter: fn(&Desk) -> &IntCounter, count: u64) {
        if let Some(desk) = self.desks.iter().find(|desk| desk.name().as_str() == target) {
            counter(desk).inc_by(count);
        }
    }

    /// Says how many messages were too many.
    fn sum_up(&mut self, now: Instant) {
        for desk in &mut self.desks {
            let Some(count) = desk.limiter.as_mut().and_then(|limiter| limiter.summary(now)) else {
                continue;
            };
            self.summaries += 1;
            let id = format!("{:016x}-suppressed-{}", self.instance, self.summaries);
            let mut fields = self.book.sender().clone();
            fields.closed(key::EVENT, "suppressed");
            fields.number(key::SUPPRESSED, count);
            fields.time(key::SENT_AT, SystemTime::now());
            fields.shown(
                key::SUMMARY,
                format_args!("{count} messages were not sent: too many in a minute"),
            );
            desk.queued.inc();
            self.outbox.remark(desk.target.name.as_str(), &id, &fields, millis(SystemTime::now()));
        }
    }

    /// One request to each target that is free and has something waiting.
    fn send(&mut self) {
        let now = Instant::now();
        for desk in &mut self.desks {
            let Ok(client) = desk.client.clone() else { continue };
            if !desk.is_free(now) {
                continue;
            }
            let target = desk.target.name.clone();
            let (message, request) = match self.outbox.next(target.as_str(), tick()) {
                Some(message) => {
                    let body = Body::Message { json: message.body, former: message.former };
                    (Some((message.number, message.tries)), Request { id: message.id, body })
                }
                None if desk.is_to_be_told_again(now) => {
                    desk.told_again = now;
                    let firing = self.outbox.told(target.as_str());
                    if firing.is_empty() {
                        continue;
                    }
                    (None, Request { id: String::new(), body: Body::Still(firing) })
                }
                None => continue,
            };
            desk.is_busy = true;
            self.under_way.spawn(async move {
                let answer = client.send(request).await;
                Done { target, message, answer }
            });
        }
    }

    fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let Ok(Done { target, message, answer }) = done else { return };
        let outbox = &mut self.outbox;
        let Some(desk) = self.desks.iter_mut().find(|desk| desk.target.name == target) else {
            // Not a target any more: what it took is not sent again.
            if let (Some((number, _)), Answer::Taken) = (message, answer) {
                outbox.taken(number);
            }
            return;
        };
        desk.is_busy = false;
        match &answer {
            // It speaks, whatever it says of this message.
            Answer::Taken | Answer::Never { .. } => desk.failures = 0,
            Answer::Later { after, .. } => {
                desk.failures = desk.failures.saturating_add(1);
                let wait = after.unwrap_or_else(|| back_off(desk.failures, dice()));
                desk.rests_until = Instant::now() + wait;
            }
            Answer::Gone => desk.is_disabled = true,
        }
        if let Some((number, tries)) = message {
            match &answer {
                Answer::Taken => desk.sent.inc_by(outbox.taken(number).into()),
                Answer::Later { why, after } => {
                    let wait = after.unwrap_or_else(|| back_off(tries.saturating_add(1), dice()));
                    outbox.later(number, tick().saturating_add(whole_millis(wait)), why);
                }
                Answer::Never { why } => desk.failed.inc_by(outbox.bury(number, why).into()),
                Answer::Gone => {}
            }
        }
        let (state, error) = match &answer {
            Answer::Taken => (TargetState::Up, None),
            Answer::Later { why, .. } | Answer::Never { why } => {
                (TargetState::Failing, Some(why.as_str()))
            }
            Answer::Gone => (TargetState::Disabled, Some("answered 410")),
        };
        let is_news = desk.state.replace(state) != Some(state);
        self.counted.up(&target, state == TargetState::Up);
        if let Some(error) = error.filter(|_| is_news) {
            tracing::error!(
                target = target.as_str(),
                state = state.as_str(),
                error,
                "a target of alerts does not take them"
            );
        }
        if is_news {
            self.outbox.note(target.as_str(), state, error, millis(SystemTime::now()));
        }
    }

    /// From now on these are the targets; one that was disabled gets another chance.
    fn employ(&mut self, targets: Vec<AlertTarget>, give_up_after: Duration) {
        let now = Instant::now();
        self.give_up_after = give_up_after;
        let former = std::mem::take(&mut self.desks);
        for target in targets {
            let known = former.iter().find(|desk| desk.target.name == target.name);
            let mut desk = Desk::new(target, &self.metrics, now);
            match known {
                // Its request is under way: one at a time.
                Some(known) => desk.is_busy = known.is_busy,
                None => {
                    let (pending, _) = self.outbox.waiting(desk.name().as_str());
                    // From a former run: in, so that it can come out.
                    desk.queued.inc_by(u64::try_from(pending).unwrap_or_default());
                    self.counted.up(desk.name(), true);
                }
            }
            self.desks.push(desk);
        }
        for gone in former {
            if self.desks.iter().all(|desk| desk.name() != gone.name()) {
                self.counted.forget(gone.name());
            }
        }
    }

    fn count(&mut self) {
        self.counted.durable(self.outbox.is_durable());
        for desk in &self.desks {
            let (pending, dead) = self.outbox.waiting(desk.target.name.as_str());
            self.counted.waiting(desk.name(), pending, dead);
        }
    }
}
