//! A kernel side that comes and goes, and a sandbox for it to watch.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aya::programs::loaded_programs;
use picket::clock;
use picket::export::{Metrics, Origin, SeriesBudget};
use picket::probe::{Probe, Settings};
use picket::supervisor::{CgroupRoot, Sandbox};
use picket::watch::{Report, Watch};
use picket_abi::hook;
use picket_engine::{EndpointRule, Mode, Policy, Protocol, SandboxId, SyscallSet};
use picket_tests::unique;
use tokio::sync::mpsc::Receiver;

use crate::Outcome;

/// Sandboxes that the largest row has.
pub(crate) const SANDBOXES: u32 = 4_000;

/// A cgroup in which a worker is, watched or not.
pub(crate) fn sandbox() -> Outcome<Sandbox> {
    let sandbox = Sandbox::create(&CgroupRoot::find()?, &unique("bench"))?;
    sandbox.thaw()?;
    Ok(sandbox)
}

/// What is measured in is declared, but `ptrace`; destinations by four rules of which the last fits.
pub(crate) fn policy() -> Outcome<Policy> {
    let calls: Vec<u32> = (0..512).filter(|call| i64::from(*call) != libc::SYS_ptrace).collect();
    let rule = |network: &str| -> Outcome<EndpointRule> {
        let network = network.parse()?;
        Ok(EndpointRule { network, ports: 0..=u16::MAX, protocol: Protocol::Any, until: None })
    };
    let networks = ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32", "127.0.0.0/8"];
    let rules: Vec<EndpointRule> = networks.into_iter().map(rule).collect::<Result<_, _>>()?;
    Ok(Policy {
        syscalls: SyscallSet::of(&calls),
        connect: rules.clone(),
        listen: rules,
        max_processes: 64,
        mode: Mode::Enforce,
        ..Policy::nothing_declared()
    })
}

/// What is reported of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reports {
    /// The first of its kind in an epoch, and all of the danger set.
    First,
    /// Everything: nothing is remembered of a sandbox that is still being started.
    Every,
}

/// Picket, loaded, with its loop at work.
pub(crate) struct Stage {
    // Before the probe: the loop must have stopped when the programs are detached.
    _watch: Watch,
    _reports: Receiver<Report>,
    pub(crate) probe: Probe,
    sandboxes: u32,
    policy: Policy,
}

impl Stage {
    pub(crate) fn load() -> Outcome<Self> {
        let mut probe = Probe::load(Settings { max_sandboxes: SANDBOXES, refusals: false })?;
        let rings = probe.take_rings().ok_or("the rings are gone")?;
        let (node, tier) = (Origin::default_node(), probe.tier().tier);
        let metrics = Arc::new(Metrics::new(&node, tier, SeriesBudget::DEFAULT));
        let (slots, losses) = (Arc::clone(probe.slots()), Arc::clone(probe.losses()));
        let (watch, reports) = Watch::start(rings, slots, losses, metrics)?;
        Ok(Self { _watch: watch, _reports: reports, probe, sandboxes: 0, policy: policy()? })
    }

    /// Watches the sandbox in which the worker is.
    pub(crate) fn watch(&mut self, sandbox: &Sandbox, reports: Reports) -> Outcome<SandboxId> {
        let namespace = u32::try_from(fs::metadata("/proc/self/ns/mnt")?.ino())?;
        let (slots, cgroup) = (self.probe.slots(), sandbox.id());
        let id = match reports {
            Reports::First => slots.watch(cgroup, &self.policy, namespace, clock::now())?,
            Reports::Every => slots.prepare(cgroup, &self.policy, namespace, clock::now())?,
        };
        self.sandboxes += 1;
        // Stays attached until the programs go.
        let _guard = self.probe.guard_network(File::open(sandbox.path())?)?;
        Ok(id)
    }

    /// The share of its events that the rings had no room for.
    pub(crate) fn dropped(&self, sandbox: SandboxId) -> Outcome<f64> {
        let (mut fired, mut dropped) = (0, 0);
        for hook in [hook::SYSCALL, hook::OPEN, hook::CONNECT] {
            let counts = self.probe.losses().of_slot(sandbox.slot, hook)?;
            fired += counts.submitted + counts.dropped;
            dropped += counts.dropped;
        }
        Ok(if fired == 0 { 0.0 } else { dropped as f64 / fired as f64 })
    }

    /// Watches others beside it, in which nobody is, until there are so many.
    pub(crate) fn crowd(&mut self, beside: &Sandbox, sandboxes: u32) -> Outcome {
        while self.sandboxes < sandboxes {
            // As the kernel numbers cgroups: one after the other, with their files between.
            let cgroup = beside.id() + u64::from(self.sandboxes) * 64;
            self.probe.slots().watch(cgroup, &self.policy, 0, clock::now())?;
            self.sandboxes += 1;
        }
        Ok(())
    }
}

/// Lets go of a stage and waits until the kernel has freed its programs, which it does a moment after they are detached: a
/// short row is over before, and would take them for somebody else's.
pub(crate) fn leave(stage: Stage, others: usize) {
    drop(stage);
    let given_up = Instant::now() + Duration::from_secs(2);
    while others < self::others() && Instant::now() < given_up {
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Programs of others at the entry of system calls: they cost every row something that is not ours.
pub(crate) fn others() -> usize {
    let programs = loaded_programs().filter_map(Result::ok);
    programs.filter(|program| program.name_as_str() == Some("sys_enter")).count()
}
