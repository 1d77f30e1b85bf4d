//! Finds the cgroups that are meant, on a thread of its own: at once, then as they come and go.

use std::{
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::AsRawFd,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use picket_engine::{KernelTime, Pattern};
use tokio::sync::mpsc as news;

use super::{
    kubelet::Kubelet,
    tree::{Change, Scope, Tree},
};
use crate::{clock, poll};

/// A safety net for what was not told: the whole tree is walked again this often.
const RESCAN: Duration = Duration::from_secs(10);

/// What may wait for the daemon; the thread waits when it is full.
const WAITING: usize = 1_024;

/// What discovery has to say. Paths are from the cgroup2 mount on.
#[derive(Debug)]
pub(super) enum Discovery {
    /// A cgroup that is meant is there.
    Appeared {
        path: PathBuf,
        /// When the kernel told; `None` when it was found by a walk.
        told: Option<KernelTime>,
    },
    /// It is not, or is not meant any more.
    Gone { path: PathBuf },
    /// The kubelet has written names that were not there.
    Named,
    /// Everything that was there has been said.
    Walked {
        /// How often other patterns had been asked for by then.
        asked: u64,
    },
}

/// The thread, from outside. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Discoverer {
    patterns: mpsc::Sender<Arc<[Pattern]>>,
    wake: PipeWriter,
    asked: u64,
}

impl Discoverer {
    pub(super) fn start(
        scope: Scope,
        kubelet: Option<Kubelet>,
    ) -> io::Result<(Self, news::Receiver<Discovery>)> {
        let (patterns, inbox) = mpsc::channel();
        let (woken, wake) = io::pipe()?;
        let (outbox, receiver) = news::channel(WAITING);
        let tree = Tree::new(scope)?;
        let finder = Finder { tree, kubelet, inbox, woken, outbox, asked: 0 };
        thread::Builder::new().name("picket-discover".to_owned()).spawn(move || {
            if let Err(error) = finder.run() {
                tracing::error!(%error, "discovery ended: new cgroups are not found any more");
            }
        })?;
        Ok((Self { patterns, wake, asked: 0 }, receiver))
    }

    /// Looks for other patterns; done when [`Discovery::Walked`] has the number that this answers.
    pub(super) fn look_for(&mut self, patterns: Arc<[Pattern]>) -> u64 {
        self.asked += 1;
        // A thread that has ended says nothing more; the daemon has noticed by its silence.
        if self.patterns.send(patterns).is_ok() {
            drop(self.wake.write_all(b"."));
        }
        self.asked
    }
}

struct Finder {
    tree: Tree,
    kubelet: Option<Kubelet>,
    inbox: mpsc::Receiver<Arc<[Pattern]>>,
    woken: PipeReader,
    outbox: news::Sender<Discovery>,
    asked: u64,
}

/// The daemon listens no more.
struct Over;

impl Finder {
    fn run(mut self) -> io::Result<()> {
        let mut walked = self.walk();
        let mut next = Instant::now() + RESCAN;
        while walked.is_ok() {
            let within = next.saturating_duration_since(Instant::now());
            // The kernel passes over a descriptor that is negative.
            let names = self.kubelet.as_ref().map_or(-1, Kubelet::descriptor);
            let descriptors = [self.tree.inotify().descriptor(), self.woken.as_raw_fd(), names];
            let mut entries = descriptors.map(|fd| poll::entry(fd, libc::POLLIN));
            poll::poll(&mut entries, within)?;
            let [_, woken, _] = entries;
            if woken.revents != 0 && !self.obey()? {
                return Ok(());
            }
            if let Some(kubelet) = &mut self.kubelet
                && kubelet.follow()?
                && self.say(Discovery::Named).is_err()
            {
                return Ok(());
            }
            let told = clock::now();
            let events = self.tree.inotify().read()?;
            let changes = self.tree.follow(events);
            let due = next <= Instant::now() || woken.revents != 0;
            walked = match changes {
                Some(changes) => self.tell(changes, Some(told)),
                None => self.walk(),
            };
            if due && walked.is_ok() {
                walked = self.walk();
                next = Instant::now() + RESCAN;
            }
        }
        Ok(())
    }

    /// Takes other patterns; false when nobody will ask again.
    fn obey(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 64];
        if self.woken.read(&mut bytes)? == 0 {
            return Ok(false);
        }
        while let Ok(patterns) = self.inbox.try_recv() {
            self.tree.look_for(patterns);
            self.asked += 1;
        }
        Ok(true)
    }

    fn walk(&mut self) -> Result<(), Over> {
        if self.kubelet.as_mut().is_some_and(Kubelet::walk) {
            self.say(Discovery::Named)?;
        }
        let changes = self.tree.walk();
        self.tell(changes, None)?;
        self.say(Discovery::Walked { asked: self.asked })
    }

    fn tell(&self, changes: Vec<Change>, told: Option<KernelTime>) -> Result<(), Over> {
        changes.into_iter().try_for_each(|change| {
            self.say(match change {
                Change::Appeared(path) => Discovery::Appeared { path, told },
                Change::Gone(path) => Discovery::Gone { path },
            })
        })
    }

    fn say(&self, news: Discovery) -> Result<(), Over> {
        self.outbox.blocking_send(news).map_err(|_| Over)
    }
}
