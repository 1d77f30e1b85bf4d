//! Loads and attaches the kernel programs; finds the tier by loading, never by reading a list.

use std::{collections::BTreeMap, env, fs, io, os::fd::AsFd, path::PathBuf, sync::Arc};

use aya::{
    Btf as LoaderBtf, Ebpf, EbpfError, EbpfLoader, include_bytes_aligned,
    programs::{Program, ProgramFd, links::FdLink},
};
use picket_abi::RULE_BANKS;
use zerocopy::IntoBytes;

use super::{
    btf::{Btf, BtfError},
    complaint::refused,
    links::{Links, NetworkGuard, SocketHook, kept},
    losses::Losses,
    lsm::LsmHooks,
    memory, offsets, refusals,
    rings::Rings,
    slots::{SlotError, Slots},
    tier::{Tier, TierReport},
    tracefs, traffic,
    uring::{self, RING_HOOKS},
};

/// The committed object. `cargo xtask ebpf` rebuilds it.
static OBJECT: &[u8] = include_bytes_aligned!("../../../ebpf/picket.bpf.o");

/// Names another object file, for testing a rebuilt one.
const OBJECT_VARIABLE: &str = "PICKET_BPF_OBJECT";

/// BTF tracepoints, needed in both tiers.
const TRACEPOINTS: [&str; 9] = [
    "cgroup_mkdir",
    "cgroup_rmdir",
    "cgroup_attach_task",
    "sched_process_fork",
    "sched_process_exec",
    "sched_process_exit",
    "signal_generate",
    "inet_sock_set_state",
    "sys_enter",
];

/// Exits of the open family and of mmap, needed in the trace tier.
const CALL_EXITS: [&str; 6] = [
    "sys_exit_open",
    "sys_exit_openat",
    "sys_exit_openat2",
    "sys_exit_creat",
    "sys_exit_open_by_handle_at",
    "sys_exit_mmap",
];

/// Socket hooks, attached to each sandbox's cgroup.
const SOCKET_HOOKS: [(&str, SocketHook); 9] = [
    ("connect4", SocketHook::Connect4),
    ("connect6", SocketHook::Connect6),
    ("sendmsg4", SocketHook::Sendmsg4),
    ("sendmsg6", SocketHook::Sendmsg6),
    ("bind4", SocketHook::Bind4),
    ("bind6", SocketHook::Bind6),
    ("sock_create", SocketHook::Created),
    ("packet_ingress", SocketHook::Ingress),
    ("packet_egress", SocketHook::Egress),
];

/// Cgroups of all sandboxes together, at least.
const CGROUPS: u32 = 1_024;

/// Cgroups a sandbox, in the mean: a container's with those of the services in it.
const CGROUPS_EACH: u32 = 16;

/// Sizes of what the kernel keeps.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Sandboxes watched at once.
    pub max_sandboxes: u32,
    /// Whether calls on files that end in `EACCES` are reported: where Landlock refuses them before other hooks see them.
    pub refusals: bool,
}

/// Why the kernel side is not there.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Offsets could not be resolved.
    #[error("the running kernel's type information: {0}")]
    Btf(#[from] BtfError),
    /// The loader's own reading of it failed.
    #[error("the loader cannot read the kernel's type information: {0}")]
    LoaderBtf(#[from] aya::BtfError),
    /// Another object was asked for and is not there.
    #[error("{OBJECT_VARIABLE}={path}: {source}")]
    Object {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another object was asked for and is none.
    #[error("{OBJECT_VARIABLE}={path} is no object with Picket's kernel programs: {source}", path = path.display())]
    NoObject {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<EbpfError>,
    },
    /// The object or one of its maps was refused.
    #[error(
        "the kernel refuses Picket's maps: {source} (needs root or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)"
    )]
    Maps {
        /// What the kernel said.
        source: Box<EbpfError>,
    },
    /// A program was refused.
    #[error("the kernel refuses the program {program}: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What the kernel or the verifier said.
        reason: String,
    },
    /// The object lacks something: built from other sources.
    #[error("the kernel object has no {what}: rebuild it with `cargo xtask ebpf`")]
    Missing {
        /// Map or program.
        what: &'static str,
    },
    /// tracefs is needed and cannot be mounted.
    #[error(
        "tracefs is not at /sys/kernel/tracing and cannot be mounted there: {0}; without it the trace tier cannot see opens"
    )]
    Tracefs(io::Error),
    /// No descriptor is left.
    #[error("a program's descriptor cannot be duplicated: {source}")]
    Descriptor {
        /// Why.
        source: io::Error,
    },
    /// Rings.
    #[error(transparent)]
    Ring(#[from] super::rings::RingError),
    /// Slots.
    #[error(transparent)]
    Slots(#[from] SlotError),
}

/// A loaded program as the kernel describes it.
#[derive(Clone, Debug)]
pub struct ProgramReport {
    /// Name of the hook's function.
    pub name: String,
    /// Instructions the verifier walked.
    pub verified_instructions: u32,
}

/// The kernel side, loaded and attached. Dropping it detaches everything.
#[derive(Debug)]
pub struct Probe {
    ebpf: Ebpf,
    tier: TierReport,
    lsm: LsmHooks,
    /// Whether the trace tier sees opens by io_uring.
    sees_rings: bool,
    sees_refusals: bool,
    slots: Arc<Slots>,
    rings: Option<Rings>,
    losses: Arc<Losses>,
    links: Arc<Links>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        // Others look at the links; they hold none.
        self.links.release_all();
    }
}

impl Probe {
    /// Loads, attaches, and leaves nothing behind when it fails.
    ///
    /// # Errors
    /// [`LoadError`]: each names the cause and, where there is one, the remedy.
    pub fn load(settings: Settings) -> Result<Self, LoadError> {
        let (offsets, lsm) = {
            let btf = Btf::from_kernel()?;
            (offsets::resolve(&btf)?, LsmHooks::of(&btf))
        };
        let object = object()?;
        let loader_btf = LoaderBtf::from_sys_fs()?;
        let cgroups = CGROUPS.max(settings.max_sandboxes.saturating_mul(CGROUPS_EACH));
        // A place for each: with two ways on two shelves a spill is rare, and costs a look at the table.
        let shelf_bits = cgroups.next_power_of_two().ilog2();
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&loader_btf))
            .override_global("OFFSETS", offsets.as_bytes(), true)
            .override_global(aya_log::LEVEL, &log_level(), false)
            .map_max_entries("SLOTS", settings.max_sandboxes)
            .override_global("SHELF_BITS", &shelf_bits, true)
            .map_max_entries("MEMBERS", cgroups)
            .map_max_entries("SHELVES", 2 << shelf_bits)
            .map_max_entries("SEEN_SYSCALLS", settings.max_sandboxes)
            .map_max_entries("NET_RULES", settings.max_sandboxes * RULE_BANKS)
            .map_max_entries("COUNTS", settings.max_sandboxes)
            .map_max_entries(traffic::MAP, settings.max_sandboxes)
            .override_global("SECOND", &ticks_a_second(), true)
            // What threads called is kept with the tasks, by a kind of map that Aya has no type for and nobody here reads.
            .allow_unsupported_maps()
            .load(&object)
            .map_err(not_loaded)?;
        let rings = Rings::take(&mut ebpf, settings.max_sandboxes)?;
        let losses = Arc::new(Losses::take(&mut ebpf)?);
        let slots = Slots::take(&mut ebpf, settings.max_sandboxes, Arc::clone(&losses))?;
        let slots = Arc::new(slots);
        let links = Arc::new(Links::default());

        let mut sees_rings = false;
        let tier = match lsm.attach(&mut ebpf, &loader_btf, &links)? {
            Ok(()) => TierReport { tier: Tier::Lsm, because: None },
            Err(because) => {
                attach_call_exits(&mut ebpf, &losses, &links)?;
                sees_rings = uring::attach(&mut ebpf, &links)?;
                TierReport { tier: Tier::Trace, because: Some(because) }
            }
        };
        slots.seen_by(tier.tier);
        if settings.refusals {
            refusals::attach(&mut ebpf, &losses, &links)?;
        }
        for name in TRACEPOINTS {
            attach_tracepoint(&mut ebpf, name, &loader_btf, &links)?;
        }
        for (name, _) in SOCKET_HOOKS {
            load_socket_hook(&mut ebpf, name)?;
        }
        drop(loader_btf);
        memory::trim();
        let (rings, sees_refusals) = (Some(rings), settings.refusals);
        Ok(Self { ebpf, tier, lsm, sees_rings, sees_refusals, slots, rings, losses, links })
    }

    /// What this kernel lets us see.
    #[must_use]
    pub fn tier(&self) -> &TierReport {
        &self.tier
    }

    /// Hooks of this tier that the running kernel does not have; not needed, and missed.
    #[must_use]
    pub fn lacking(&self) -> &[&'static str] {
        match self.tier.tier {
            Tier::Lsm => self.lsm.lacking(),
            Tier::Trace => &[],
        }
    }

    /// Gives the LSM programs up for the trace tier: they are attached and do not run.
    ///
    /// # Errors
    /// The trace tier cannot be attached either.
    pub fn fall_back_to_trace(&mut self, because: String) -> Result<(), LoadError> {
        self.lsm.detach(&mut self.ebpf, &self.links)?;
        attach_call_exits(&mut self.ebpf, &self.losses, &self.links)?;
        self.sees_rings = uring::attach(&mut self.ebpf, &self.links)?;
        self.slots.seen_by(Tier::Trace);
        self.tier = TierReport { tier: Tier::Trace, because: Some(because) };
        Ok(())
    }

    /// Whether opens by io_uring are seen: by the object in the lsm tier, by the result in the trace tier of newer kernels.
    #[must_use]
    pub fn sees_opens_by_ring(&self) -> bool {
        self.sees_rings || self.tier.tier == Tier::Lsm
    }

    /// Whether calls on files that end in `EACCES` are reported.
    #[must_use]
    pub fn sees_refusals(&self) -> bool {
        self.sees_refusals
    }

    /// Tells the hooks which process is Picket itself, as the initial pid namespace counts.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn introduce(&self, own: u32) -> Result<(), LoadError> {
        Ok(self.slots.introduce(own)?)
    }

    /// Which cgroups belong to which sandbox.
    #[must_use]
    pub fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// The counters.
    #[must_use]
    pub fn losses(&self) -> &Arc<Losses> {
        &self.losses
    }

    /// The rings; there is one reader, so they are handed out once.
    pub fn take_rings(&mut self) -> Option<Rings> {
        self.rings.take()
    }

    /// The kernel programs' own log, for load-time and impossible paths.
    ///
    /// # Errors
    /// The log map could not be opened.
    pub fn logger(&mut self) -> Result<aya_log::EbpfLogger<&'static dyn log::Log>, aya_log::Error> {
        aya_log::EbpfLogger::init(&mut self.ebpf)
    }

    /// What is attached, to be looked at again.
    #[must_use]
    pub fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// Attaches the socket hooks to a sandbox's top cgroup; its descendants inherit them.
    ///
    /// # Errors
    /// The kernel refuses, for instance because the cgroup is gone, or because somebody has attached a program to the
    /// same hook there, or above, that tolerates no other. Nothing stays attached then.
    pub fn guard_network(&self, cgroup: impl AsFd) -> Result<NetworkGuard, LoadError> {
        let mut programs = Vec::new();
        for (name, kind) in SOCKET_HOOKS {
            programs.push((name, socket_hook(&self.ebpf, name)?, kind));
        }
        let programs = programs.iter().map(|(name, program, kind)| (*name, program.as_fd(), *kind));
        self.links.attach(programs, cgroup.as_fd()).map_err(|(program, error)| LoadError::Program {
            program,
            reason: format!("bpf_link_create: {error}"),
        })
    }

    /// Detaches the socket hooks of a sandbox that has ended.
    pub fn release_network(&self, guard: NetworkGuard) {
        self.links.release(guard);
    }

    /// Names of the programs that are attached for everybody or, the socket hooks, to each sandbox.
    #[must_use]
    pub fn attached(&self) -> Vec<&'static str> {
        let of_tier = match self.tier.tier {
            Tier::Lsm => self.lsm.attached(),
            Tier::Trace => CALL_EXITS.to_vec(),
        };
        let rings: &[&'static str] = if self.sees_rings { &RING_HOOKS } else { &[] };
        let refusals: &[&'static str] = if self.sees_refusals { &[refusals::HOOK] } else { &[] };
        [&of_tier, rings, refusals, TRACEPOINTS.as_slice(), &SOCKET_HOOKS.map(|(name, _)| name)]
            .concat()
    }

    /// Every loaded program, by name.
    #[must_use]
    pub fn programs(&self) -> Vec<ProgramReport> {
        let by_name: BTreeMap<&str, &Program> = self.ebpf.programs().collect();
        by_name
            .into_iter()
            .filter_map(|(name, program)| {
                let info = program.info().ok()?;
                Some(ProgramReport {
                    name: name.to_owned(),
                    verified_instructions: info.verified_instruction_count().unwrap_or(0),
                })
            })
            .collect()
    }
}

fn object() -> Result<Vec<u8>, LoadError> {
    match env::var_os(OBJECT_VARIABLE).map(PathBuf::from) {
        Some(path) => fs::read(&path).map_err(|source| LoadError::Object { path, source }),
        None => Ok(OBJECT.to_vec()),
    }
}

fn not_loaded(source: EbpfError) -> LoadError {
    let source = Box::new(source);
    match env::var_os(OBJECT_VARIABLE).map(PathBuf::from) {
        Some(path) if matches!(*source, EbpfError::ParseError(_)) => {
            LoadError::NoObject { path, source }
        }
        _ => LoadError::Maps { source },
    }
}

/// How often the kernel's clock ticks: `CONFIG_HZ`, which is the resolution of the coarse clocks.
fn ticks_a_second() -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let tick = rustix::time::clock_getres(rustix::time::ClockId::MonotonicCoarse).tv_nsec;
    SECOND / u64::try_from(tick).unwrap_or_default().max(1)
}

/// Warnings and errors only, and only what `log` would print: at 0 the verifier drops the code.
fn log_level() -> u8 {
    let level = log::max_level().min(log::LevelFilter::Warn) as usize;
    u8::try_from(level).expect("log has six levels")
}

/// Attaches the exit tracepoints of single calls.
fn attach_call_exits(ebpf: &mut Ebpf, losses: &Losses, links: &Links) -> Result<(), LoadError> {
    let attach = |name| attach_exit(ebpf, name, losses, links);
    tracefs::within(|| CALL_EXITS.into_iter().try_for_each(attach)).map_err(LoadError::Tracefs)?
}

fn attach_exit(
    ebpf: &mut Ebpf,
    name: &'static str,
    losses: &Losses,
    links: &Links,
) -> Result<(), LoadError> {
    let Some(Program::TracePoint(program)) = ebpf.program_mut(name) else {
        return Err(LoadError::Missing { what: name });
    };
    let link = program
        .load()
        .and_then(|()| program.attach("syscalls", name))
        .and_then(|id| program.take_link(id))
        .map_err(|error| refused(name, &error))?;
    kept(name, FdLink::try_from(link).and_then(|link| links.keep(name, link)))?;
    let descriptor = program.fd().map_err(|error| refused(name, &error))?;
    let descriptor = descriptor.as_fd().try_clone_to_owned();
    losses.watch_skips(descriptor.map_err(|source| LoadError::Descriptor { source })?);
    Ok(())
}

fn attach_tracepoint(
    ebpf: &mut Ebpf,
    name: &'static str,
    btf: &LoaderBtf,
    links: &Links,
) -> Result<(), LoadError> {
    let Some(Program::BtfTracePoint(program)) = ebpf.program_mut(name) else {
        return Err(LoadError::Missing { what: name });
    };
    let link = program
        .load(name, btf)
        .and_then(|()| program.attach())
        .and_then(|id| program.take_link(id))
        .map_err(|error| refused(name, &error))?;
    kept(name, links.keep(name, link.into()))
}

fn load_socket_hook(ebpf: &mut Ebpf, name: &'static str) -> Result<(), LoadError> {
    let loaded = match ebpf.program_mut(name) {
        Some(Program::CgroupSockAddr(program)) => program.load(),
        Some(Program::CgroupSock(program)) => program.load(),
        Some(Program::CgroupSkb(program)) => program.load(),
        _ => return Err(LoadError::Missing { what: name }),
    };
    loaded.map_err(|error| refused(name, &error))
}

fn socket_hook<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<&'a ProgramFd, LoadError> {
    let descriptor = match ebpf.program(name) {
        Some(Program::CgroupSockAddr(program)) => program.fd(),
        Some(Program::CgroupSock(program)) => program.fd(),
        Some(Program::CgroupSkb(program)) => program.fd(),
        _ => return Err(LoadError::Missing { what: name }),
    };
    descriptor.map_err(|error| refused(name, &error))
}
