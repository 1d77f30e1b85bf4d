//! One kernel side for all tests of this program, and sandboxes that it watches.
//!
//! Loading takes seconds in an emulated guest, so it happens once; that tests run side by side under it is a test of
//! its own, of the separation between sandboxes. Each collection waits until the kernel's counters balance and every
//! submitted record has been read, so conservation is asserted by every test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use picket::probe::{
    HookCounts, Losses, NetworkGuard, Probe, Rings, Settings, Slots, Tier, TierReport,
    canary::Proof,
};
use picket::supervisor::{CgroupRoot, Sandbox};
use picket::{clock, decode, session};
use picket_abi::{Counts, Traffic};
use picket_engine::{ContainmentPlan, Fact, Mode, OnExpiry, Policy, SandboxId};
use picket_tests::{PATIENCE, picket_program, require_root, unique};
use serde_json::Value;

use super::actor::Actor;
use super::seen::Seen;

/// More than libtest runs at once.
const SANDBOXES: u32 = 64;

/// A kernel side that is loaded, proven and read.
pub(crate) struct Eye {
    probe: Mutex<Probe>,
    inbox: Mutex<Inbox>,
    slots: Arc<Slots>,
    losses: Arc<Losses>,
    root: CgroupRoot,
    pub(crate) tier: TierReport,
    pub(crate) proof: Proof,
}

/// The rings and what was read from them for each sandbox.
struct Inbox {
    rings: Rings,
    mail: BTreeMap<SandboxId, Vec<decode::Decoded>>,
}

/// The kernel side that all tests share.
pub(crate) fn eye() -> &'static Eye {
    // It stays for the life of this program: the kernel detaches everything at its end.
    static SHARED: LazyLock<Result<Eye, String>> = LazyLock::new(Eye::open);
    SHARED.as_ref().unwrap_or_else(|reason| panic!("no kernel side: {reason}"))
}

impl Eye {
    /// Loads a kernel side and proves it by the self-test.
    pub(crate) fn open() -> Result<Self, String> {
        Self::open_with(Settings { max_sandboxes: SANDBOXES, refusals: true })
    }

    pub(crate) fn open_with(settings: Settings) -> Result<Self, String> {
        require_root("it loads kernel programs");
        let text = |error: &dyn std::error::Error| error.to_string();
        let root = CgroupRoot::find().map_err(|error| text(&error))?;
        let mut probe = Probe::load(settings).map_err(|error| text(&error))?;
        let mut rings = probe.take_rings().ok_or("the rings are gone")?;
        let program = picket_program();
        // As a session does it, which does not lend its rings.
        let proof = session::prove(&mut probe, &mut rings, &root, &program).map(|(proof, _)| proof);
        Ok(Self {
            slots: Arc::clone(probe.slots()),
            losses: Arc::clone(probe.losses()),
            tier: probe.tier().clone(),
            probe: Mutex::new(probe),
            inbox: Mutex::new(Inbox { rings, mail: BTreeMap::new() }),
            root,
            proof: proof.map_err(|error| text(&error))?,
        })
    }

    pub(crate) fn probe(&self) -> MutexGuard<'_, Probe> {
        // A test that failed with the lock in its hand has changed nothing that others rely on.
        self.probe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Starts watching a new sandbox, in which nobody is.
    pub(crate) fn watch(&'static self, policy: &Policy) -> Watched {
        self.watch_in(policy, mount_namespace("self"))
    }

    /// As [`Eye::watch`], for a sandbox that lives in another mount namespace.
    pub(crate) fn watch_in(&'static self, policy: &Policy, namespace: u32) -> Watched {
        let sandbox = self.sandbox();
        let id = self.slots.watch(sandbox.id(), policy, namespace, clock::now()).unwrap();
        self.follow(sandbox, id)
    }

    /// As [`Eye::watch`], as long as only the launcher acts in it.
    pub(crate) fn prepare(&'static self, policy: &Policy) -> Watched {
        let sandbox = self.sandbox();
        let id = self.slots.prepare(sandbox.id(), policy, 0, clock::now()).unwrap();
        self.follow(sandbox, id)
    }

    /// A cgroup beside the others, watched by nobody.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::create(&self.root, &unique("kernel-test")).unwrap();
        sandbox.thaw().unwrap();
        sandbox
    }

    /// A sandbox that is watched under this id. Somebody may be in it already, as long as he is frozen.
    pub(crate) fn follow(&'static self, sandbox: Sandbox, id: SandboxId) -> Watched {
        let directory = File::open(sandbox.path()).unwrap();
        let network = self.probe().guard_network(directory).unwrap();
        // Nobody acts yet, so this is where the sandbox's share of the slot's counters begins.
        let before = self.counts(id);
        Watched { eye: self, sandbox, id, before, network: Some(network) }
    }

    fn counts(&self, id: SandboxId) -> Vec<HookCounts> {
        self.losses.of_sandbox(id).unwrap()
    }

    /// What has come for `id` so far.
    fn mail(&self, id: SandboxId) -> Vec<decode::Decoded> {
        self.read().mail.get(&id).cloned().unwrap_or_default()
    }

    /// As [`Eye::mail`], and it is there no more.
    fn take_mail(&self, id: SandboxId) -> Vec<decode::Decoded> {
        self.read().mail.remove(&id).unwrap_or_default()
    }

    /// Reads the rings for everybody.
    fn read(&self) -> MutexGuard<'_, Inbox> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let Inbox { rings, mail } = &mut *inbox;
        let mut undecodable = Vec::new();
        rings.drain(usize::MAX, |bytes| match decode::record(bytes) {
            Ok(decoded) => mail.entry(decoded.sandbox).or_default().push(decoded),
            Err(error) => undecodable.push(error),
        });
        assert!(undecodable.is_empty(), "records of our own probes: {undecodable:?}");
        inbox
    }
}

/// A watched sandbox. Dropping it ends whoever is in it.
pub(crate) struct Watched {
    eye: &'static Eye,
    pub(crate) sandbox: Sandbox,
    pub(crate) id: SandboxId,
    before: Vec<HookCounts>,
    network: Option<NetworkGuard>,
}

/// A sandbox with nothing declared and nothing refused.
pub(crate) fn watched() -> Watched {
    eye().watch(&nothing_declared())
}

impl Watched {
    pub(crate) fn path(&self) -> &Path {
        self.sandbox.path()
    }

    /// Lets a process of ours enter the sandbox and do something, and answers what Picket saw.
    pub(crate) fn act(&self, act: impl FnOnce()) -> Seen {
        self.tell(|| {
            act();
            Value::Null
        })
        .1
    }

    /// As [`Watched::act`], for an act that has something to tell.
    pub(crate) fn tell(&self, act: impl FnOnce() -> Value) -> (Value, Seen) {
        let mut actor = Actor::start(act);
        self.admit(&actor);
        let told = actor.act();
        (told, self.seen())
    }

    pub(crate) fn admit(&self, actor: &Actor) {
        fs::write(self.path().join("cgroup.procs"), actor.pid().to_string()).unwrap();
    }

    /// Everything that was seen of the sandbox so far, once the counters are at rest.
    pub(crate) fn seen(&self) -> Seen {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = loop {
            let counts = self.counts();
            let seen = Seen { records: self.eye.mail(self.id), counts };
            if seen.is_at_rest() {
                break seen;
            }
            let n_read = seen.records.len();
            assert!(Instant::now() < deadline, "no rest: {n_read} read, {:#?}", seen.counts);
            thread::park_timeout(Duration::from_millis(1));
        };
        seen.records.sort_by_key(|record| record.order);
        seen
    }

    /// Forgets what was seen so far, as if the watch began now. For when nobody is in it any more.
    pub(crate) fn forget(&mut self) {
        self.seen();
        self.eye.take_mail(self.id);
        self.before = self.eye.counts(self.id);
    }

    /// What its sockets have received and sent.
    pub(crate) fn traffic(&self) -> Traffic {
        self.eye.losses.traffic(self.id.slot).unwrap()
    }

    /// Reads the rings, keeps nothing, and answers how many of the sandbox's records were such.
    pub(crate) fn skim(&self, is_such: impl Fn(&Fact) -> bool) -> u32 {
        let records = self.eye.take_mail(self.id);
        let n_such = records.iter().filter(|record| is_such(&record.fact)).count();
        u32::try_from(n_such).unwrap()
    }

    /// The sandbox's own counters by hook.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, Counts> {
        let now = self.eye.counts(self.id);
        now.iter().zip(&self.before).map(|(now, then)| (now.hook, difference(now, then))).collect()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(network) = self.network.take() {
            self.eye.probe().release_network(network);
        }
        drop(self.eye.slots.unwatch(self.id));
    }
}

fn difference(now: &HookCounts, then: &HookCounts) -> Counts {
    Counts {
        fired: now.counts.fired - then.counts.fired,
        filtered: now.counts.filtered - then.counts.filtered,
        aggregated: now.counts.aggregated - then.counts.aggregated,
        submitted: now.counts.submitted - then.counts.submitted,
        dropped: now.counts.dropped - then.counts.dropped,
        error: now.counts.error - then.counts.error,
    }
}

/// Whether the kernel side sees objects (`lsm`) or what the calls return (`trace`).
pub(crate) fn sees_objects() -> bool {
    eye().tier.tier == Tier::Lsm
}

/// Whether opens by io_uring are seen: not in the tier `trace` of older kernels.
pub(crate) fn sees_rings() -> bool {
    eye().probe().sees_opens_by_ring()
}

/// Whether the processors are made by a program, as in the guests: what takes seconds elsewhere takes minutes there.
pub(crate) fn on_emulated_processors() -> bool {
    fs::read_to_string("/proc/cpuinfo").unwrap().contains("QEMU TCG")
}

/// What a tier does not see is no accident: the documentation says so in these words.
#[track_caller]
pub(crate) fn says_it_is_not_seen(words: &str) {
    const KERNELS: &str = include_str!("../../docs/kernels.md");
    let text = KERNELS.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, unseen) = text.split_once("## What is not seen").unwrap();
    assert!(unseen.contains(words), "docs/kernels.md does not say: {words}");
}

/// Default deny, only watched: nothing is refused in the kernel.
pub(crate) fn nothing_declared() -> Policy {
    Policy {
        max_processes: 16,
        containment: ContainmentPlan { hold: Duration::from_secs(1), on_expiry: OnExpiry::Kill },
        mode: Mode::Observe,
        ..Policy::nothing_declared()
    }
}

/// Inode number of a process's mount namespace.
pub(crate) fn mount_namespace(process: &str) -> u32 {
    let number = fs::metadata(format!("/proc/{process}/ns/mnt")).unwrap().ino();
    u32::try_from(number).unwrap()
}
