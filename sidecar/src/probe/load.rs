//! Loads and attaches the kernel programs; finds the tier by loading, never by reading a list.

use std::{collections::BTreeMap, env, fs, io, os::fd::AsFd, path::PathBuf, sync::Arc};

use aya::{
    Btf as LoaderBtf, Ebpf, EbpfError, EbpfLoader, include_bytes_aligned,
    programs::{
        CgroupSockAddr, Lsm, Program, ProgramError,
        links::{FdLink, LinkError},
    },
};
use picket_abi::{HOOKS, RULE_BANKS};
use zerocopy::IntoBytes;

use super::{
    btf::{Btf, BtfError},
    links::{Links, NetworkGuard, SocketHook},
    losses::Losses,
    memory, offsets,
    rings::Rings,
    slots::{SlotError, Slots},
    tier::{Tier, TierReport},
    tracefs,
};

/// The committed object. `cargo xtask ebpf` rebuilds it.
static OBJECT: &[u8] = include_bytes_aligned!("../../../ebpf/picket.bpf.o");

/// Names another object file, for testing a rebuilt one.
const OBJECT_VARIABLE: &str = "PICKET_BPF_OBJECT";

/// BTF tracepoints, needed in both tiers.
const TRACEPOINTS: [&str; 7] = [
    "cgroup_mkdir",
    "cgroup_rmdir",
    "cgroup_attach_task",
    "sched_process_fork",
    "sched_process_exec",
    "sched_process_exit",
    "sys_enter",
];

/// Exits of the open family, needed in the trace tier.
const OPEN_EXITS: [&str; 5] = [
    "sys_exit_open",
    "sys_exit_openat",
    "sys_exit_openat2",
    "sys_exit_creat",
    "sys_exit_open_by_handle_at",
];

/// Socket hooks, attached to each sandbox's cgroup.
const SOCKET_HOOKS: [(&str, SocketHook); 6] = [
    ("connect4", SocketHook::Connect4),
    ("connect6", SocketHook::Connect6),
    ("sendmsg4", SocketHook::Sendmsg4),
    ("sendmsg6", SocketHook::Sendmsg6),
    ("bind4", SocketHook::Bind4),
    ("bind6", SocketHook::Bind6),
];

const LSM_OPEN: &str = "file_open";

/// Cgroups of all sandboxes together, at least.
const CGROUPS: u32 = 1_024;

/// Cgroups a sandbox, in the mean: a container's with those of the services in it.
const CGROUPS_EACH: u32 = 16;

/// Sizes of what the kernel keeps.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Sandboxes watched at once.
    pub max_sandboxes: u32,
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
        let offsets = offsets::resolve(&Btf::from_kernel()?)?;
        let object = object()?;
        let loader_btf = LoaderBtf::from_sys_fs()?;
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&loader_btf))
            .override_global("OFFSETS", offsets.as_bytes(), true)
            .override_global(aya_log::LEVEL, &log_level(), false)
            .map_max_entries("SLOTS", settings.max_sandboxes)
            .map_max_entries(
                "MEMBERS",
                CGROUPS.max(settings.max_sandboxes.saturating_mul(CGROUPS_EACH)),
            )
            .map_max_entries("SEEN_SYSCALLS", settings.max_sandboxes)
            .map_max_entries("NET_RULES", settings.max_sandboxes * RULE_BANKS)
            .map_max_entries("COUNTS", settings.max_sandboxes * HOOKS)
            .load(&object)
            .map_err(not_loaded)?;
        let rings = Rings::take(&mut ebpf, settings.max_sandboxes)?;
        let losses = Arc::new(Losses::take(&mut ebpf)?);
        let slots = Slots::take(&mut ebpf, settings.max_sandboxes, Arc::clone(&losses))?;
        let slots = Arc::new(slots);
        let links = Arc::new(Links::default());

        let tier = match attach_lsm(&mut ebpf, &loader_btf, &links)? {
            Ok(()) => TierReport { tier: Tier::Lsm, because: None },
            Err(because) => {
                attach_open_exits(&mut ebpf, &losses, &links)?;
                TierReport { tier: Tier::Trace, because: Some(because) }
            }
        };
        for name in TRACEPOINTS {
            attach_tracepoint(&mut ebpf, name, &loader_btf, &links)?;
        }
        for (name, _) in SOCKET_HOOKS {
            socket_hook(&mut ebpf, name)?.load().map_err(|error| refused(name, &error))?;
        }
        drop(loader_btf);
        memory::trim();
        Ok(Self { ebpf, tier, slots, rings: Some(rings), losses, links })
    }

    /// What this kernel lets us see.
    #[must_use]
    pub fn tier(&self) -> &TierReport {
        &self.tier
    }

    /// Gives the LSM program up for the trace tier: it is attached and does not run.
    ///
    /// # Errors
    /// The trace tier cannot be attached either.
    pub fn fall_back_to_trace(&mut self, because: String) -> Result<(), LoadError> {
        self.links.let_go(LSM_OPEN);
        detach_lsm(lsm(&mut self.ebpf)?);
        attach_open_exits(&mut self.ebpf, &self.losses, &self.links)?;
        self.tier = TierReport { tier: Tier::Trace, because: Some(because) };
        Ok(())
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
            let Some(Program::CgroupSockAddr(program)) = self.ebpf.program(name) else {
                return Err(LoadError::Missing { what: name });
            };
            programs.push((name, program.fd().map_err(|error| refused(name, &error))?, kind));
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
        let opens: &[&'static str] = match self.tier.tier {
            Tier::Lsm => &[LSM_OPEN],
            Tier::Trace => &OPEN_EXITS,
        };
        [opens, &TRACEPOINTS, &SOCKET_HOOKS.map(|(name, _)| name)].concat()
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

/// Warnings and errors only, and only what `log` would print: at 0 the verifier drops the code.
fn log_level() -> u8 {
    let level = log::max_level().min(log::LevelFilter::Warn) as usize;
    u8::try_from(level).expect("log has six levels")
}

/// Attaches the LSM program, or says what the kernel answered.
fn attach_lsm(
    ebpf: &mut Ebpf,
    btf: &LoaderBtf,
    links: &Links,
) -> Result<Result<(), String>, LoadError> {
    let program = lsm(ebpf)?;
    let attached = program.load(LSM_OPEN, btf).and_then(|()| program.attach());
    match attached.and_then(|id| program.take_link(id)) {
        Ok(link) => kept(LSM_OPEN, links.keep(LSM_OPEN, link.into())).map(Ok),
        Err(error) => {
            detach_lsm(program);
            Ok(Err(format!("the kernel refuses LSM programs: {}", reason(&error))))
        }
    }
}

/// A link that cannot be looked at cannot be watched.
fn kept(program: &'static str, kept: Result<(), LinkError>) -> Result<(), LoadError> {
    kept.map_err(|error| LoadError::Program { program, reason: error.to_string() })
}

fn lsm(ebpf: &mut Ebpf) -> Result<&mut Lsm, LoadError> {
    match ebpf.program_mut(LSM_OPEN) {
        Some(Program::Lsm(program)) => Ok(program),
        _ => Err(LoadError::Missing { what: LSM_OPEN }),
    }
}

/// A program that loads and cannot be attached, or is and does not run, must not stay half there.
fn detach_lsm(program: &mut Lsm) {
    if let Err(error) = program.unload() {
        tracing::debug!(%error, "unloading the LSM program");
    }
}

/// Attaches the exit tracepoints of the open family.
fn attach_open_exits(ebpf: &mut Ebpf, losses: &Losses, links: &Links) -> Result<(), LoadError> {
    let attach = |name| attach_exit(ebpf, name, losses, links);
    tracefs::within(|| OPEN_EXITS.into_iter().try_for_each(attach)).map_err(LoadError::Tracefs)?
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

fn socket_hook<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut CgroupSockAddr, LoadError> {
    match ebpf.program_mut(name) {
        Some(Program::CgroupSockAddr(program)) => Ok(program),
        _ => Err(LoadError::Missing { what: name }),
    }
}

/// Debian and Ubuntu let nobody but `CAP_SYS_ADMIN` open performance events when this setting is at their default.
const PARANOID: &str = "; kernel.perf_event_paranoid is above 2 and CAP_SYS_ADMIN is missing: set it to 2 \
                        (sysctl kernel.perf_event_paranoid=2), or boot with the BPF LSM, which needs no such event";

fn is_paranoid(error: &aya::sys::SyscallError) -> bool {
    error.call.starts_with("perf_event_open")
        && error.io_error.kind() == io::ErrorKind::PermissionDenied
        && fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")
            .is_ok_and(|setting| setting.trim().parse::<i32>().is_ok_and(|setting| 2 < setting))
}

fn refused(program: &'static str, error: &ProgramError) -> LoadError {
    LoadError::Program { program, reason: reason(error) }
}

/// The kernel's answer in one line; the verifier's last words if it spoke.
fn reason(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let said: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
            // The summary line comes last, the complaint just before it.
            let tail = said.iter().rev().take(4).rev().copied().collect::<Vec<_>>().join(" | ");
            if tail.is_empty() { io_error.to_string() } else { format!("{io_error}: {tail}") }
        }
        ProgramError::SyscallError(error) => {
            let hint = if is_paranoid(error) { PARANOID } else { "" };
            format!("{}: {}{hint}", error.call, error.io_error)
        }
        other => other.to_string(),
    }
}
