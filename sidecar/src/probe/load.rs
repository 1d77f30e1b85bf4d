//! Loads and attaches the kernel programs; finds the tier by loading, never by reading a list.

mod complaint;

use std::{collections::BTreeMap, env, fs, io, os::fd::AsFd, path::PathBuf, sync::Arc};

use aya::{
    Btf as LoaderBtf, Ebpf, EbpfError, EbpfLoader, include_bytes_aligned,
    maps::Array,
    programs::{
        CgroupAttachMode, CgroupSockAddr, Lsm, Program, ProgramError,
        cgroup_sock_addr::CgroupSockAddrLinkId,
    },
};
use complaint::{reason, refused};
use picket_abi::{HOOKS, RULE_BANKS};
use zerocopy::IntoBytes;

use super::{
    btf::{Btf, BtfError},
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
const TRACEPOINTS: [&str; 8] = [
    "cgroup_mkdir",
    "cgroup_rmdir",
    "cgroup_attach_task",
    "sched_process_fork",
    "sched_process_exec",
    "sched_process_exit",
    "signal_generate",
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
const SOCKET_HOOKS: [&str; 6] = ["connect4", "connect6", "sendmsg4", "sendmsg6", "bind4", "bind6"];

/// LSM hooks, needed in the lsm tier. Whether the first can be loaded says whether there is that tier.
pub(super) const LSM_HOOKS: [&str; 16] = [
    "file_open",
    "file_receive",
    "path_chmod",
    "path_chown",
    "path_link",
    "path_mkdir",
    "path_mknod",
    "path_rename",
    "path_rmdir",
    "path_symlink",
    "path_truncate",
    "path_unlink",
    "ptrace_access_check",
    "task_kill",
    "unix_may_send",
    "unix_stream_connect",
];

/// Opens by io_uring, in the trace tier of kernels that have the first.
pub(super) const RING_HOOKS: [&str; 2] = ["io_uring_submit_req", "io_uring_complete"];

/// The map that holds Picket's own number.
const PICKET: &str = "PICKET";

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

/// The socket hooks of one sandbox.
#[derive(Debug)]
#[must_use = "give it back when the sandbox ends"]
pub struct NetworkGuard {
    links: Vec<(&'static str, CgroupSockAddrLinkId)>,
}

/// The kernel side, loaded and attached. Dropping it detaches everything.
#[derive(Debug)]
pub struct Probe {
    ebpf: Ebpf,
    tier: TierReport,
    /// Whether the trace tier sees opens by io_uring.
    sees_rings: bool,
    slots: Arc<Slots>,
    rings: Option<Rings>,
    losses: Arc<Losses>,
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

        let mut sees_rings = false;
        let tier = match attach_lsm(&mut ebpf, &loader_btf)? {
            Ok(()) => TierReport { tier: Tier::Lsm, because: None },
            Err(because) => {
                attach_open_exits(&mut ebpf, &losses)?;
                sees_rings = attach_rings(&mut ebpf)?;
                TierReport { tier: Tier::Trace, because: Some(because) }
            }
        };
        for name in TRACEPOINTS {
            attach_tracepoint(&mut ebpf, name, &loader_btf)?;
        }
        for name in SOCKET_HOOKS {
            socket_hook(&mut ebpf, name)?.load().map_err(|error| refused(name, &error))?;
        }
        drop(loader_btf);
        memory::trim();
        Ok(Self { ebpf, tier, sees_rings, slots, rings: Some(rings), losses })
    }

    /// What this kernel lets us see.
    #[must_use]
    pub fn tier(&self) -> &TierReport {
        &self.tier
    }

    /// Gives the LSM programs up for the trace tier: they are attached and do not run.
    ///
    /// # Errors
    /// The trace tier cannot be attached either.
    pub fn fall_back_to_trace(&mut self, because: String) -> Result<(), LoadError> {
        detach_lsm(&mut self.ebpf)?;
        attach_open_exits(&mut self.ebpf, &self.losses)?;
        self.sees_rings = attach_rings(&mut self.ebpf)?;
        self.tier = TierReport { tier: Tier::Trace, because: Some(because) };
        Ok(())
    }

    /// Whether opens by io_uring are seen: by the object in the lsm tier, by the result in the trace tier of newer kernels.
    #[must_use]
    pub fn sees_opens_by_ring(&self) -> bool {
        self.sees_rings || self.tier.tier == Tier::Lsm
    }

    /// Tells the hooks which process is Picket itself, as the initial pid namespace counts.
    ///
    /// # Errors
    /// The object has no such map, or the kernel refuses.
    pub fn introduce(&mut self, own: u32) -> Result<(), LoadError> {
        let map = self.ebpf.map_mut(PICKET).ok_or(LoadError::Missing { what: PICKET })?;
        Array::try_from(map)
            .and_then(|mut map| map.set(0, own, 0))
            .map_err(|source| SlotError::Map { map: PICKET, source }.into())
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

    /// Attaches the socket hooks to a sandbox's top cgroup; its descendants inherit them.
    ///
    /// # Errors
    /// The kernel refuses, for instance because the cgroup is gone, or because somebody has attached a program to the
    /// same hook there, or above, that tolerates no other. Nothing stays attached then.
    pub fn guard_network(&mut self, cgroup: impl AsFd) -> Result<NetworkGuard, LoadError> {
        let mut links = Vec::new();
        for name in SOCKET_HOOKS {
            // Links always allow several programs a hook, others' beside ours; `AllowMultiple` is refused with them.
            let attached = socket_hook(&mut self.ebpf, name)?
                .attach(cgroup.as_fd(), CgroupAttachMode::Single)
                .map_err(|error| refused(name, &error));
            match attached {
                Ok(link) => links.push((name, link)),
                Err(error) => {
                    self.release_network(NetworkGuard { links })?;
                    return Err(error);
                }
            }
        }
        Ok(NetworkGuard { links })
    }

    /// Detaches the socket hooks of a sandbox that has ended.
    ///
    /// # Errors
    /// The object has no such program.
    pub fn release_network(&mut self, guard: NetworkGuard) -> Result<(), LoadError> {
        for (name, link) in guard.links {
            socket_hook(&mut self.ebpf, name)?
                .detach(link)
                .map_err(|error| refused(name, &error))?;
        }
        Ok(())
    }

    /// Names of the programs that are attached for everybody or, the socket hooks, to each sandbox.
    #[must_use]
    pub fn attached(&self) -> Vec<&'static str> {
        let opens: &[&'static str] = match self.tier.tier {
            Tier::Lsm => &LSM_HOOKS,
            Tier::Trace => &OPEN_EXITS,
        };
        let rings: &[&'static str] = if self.sees_rings { &RING_HOOKS } else { &[] };
        [opens, rings, &TRACEPOINTS, &SOCKET_HOOKS].concat()
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

/// Attaches the LSM programs, or says what the kernel answered to the first. A kernel that takes the first and refuses
/// another would leave the tier with a hole that nobody knows of: that is an error.
fn attach_lsm(ebpf: &mut Ebpf, btf: &LoaderBtf) -> Result<Result<(), String>, LoadError> {
    for name in LSM_HOOKS {
        let program = lsm(ebpf, name)?;
        let Err(error) = program.load(name, btf).and_then(|()| program.attach().map(drop)) else {
            continue;
        };
        detach_lsm(ebpf)?;
        if name == LSM_HOOKS[0] {
            return Ok(Err(format!("the kernel refuses LSM programs: {}", reason(&error))));
        }
        return Err(refused(name, &error));
    }
    Ok(Ok(()))
}

fn lsm<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Lsm, LoadError> {
    match ebpf.program_mut(name) {
        Some(Program::Lsm(program)) => Ok(program),
        _ => Err(LoadError::Missing { what: name }),
    }
}

/// Programs that load and cannot be attached, or are and do not run, must not stay half there.
fn detach_lsm(ebpf: &mut Ebpf) -> Result<(), LoadError> {
    for name in LSM_HOOKS {
        match lsm(ebpf, name)?.unload() {
            // Never loaded.
            Ok(()) | Err(ProgramError::NotLoaded) => {}
            Err(error) => tracing::debug!(%error, name, "unloading an LSM program"),
        }
    }
    Ok(())
}

/// Attaches the exit tracepoints of the open family.
fn attach_open_exits(ebpf: &mut Ebpf, losses: &Losses) -> Result<(), LoadError> {
    tracefs::within(|| OPEN_EXITS.into_iter().try_for_each(|name| attach_exit(ebpf, name, losses)))
        .map_err(LoadError::Tracefs)?
}

/// Attaches the hooks of io_uring. False where the kernel does not have them.
fn attach_rings(ebpf: &mut Ebpf) -> Result<bool, LoadError> {
    for name in RING_HOOKS {
        let Some(Program::RawTracePoint(program)) = ebpf.program_mut(name) else {
            return Err(LoadError::Missing { what: name });
        };
        match program.load().and_then(|()| program.attach(name).map(drop)) {
            Ok(()) => {}
            Err(ProgramError::SyscallError(error))
                if name == RING_HOOKS[0] && error.io_error.kind() == io::ErrorKind::NotFound =>
            {
                program.unload().map_err(|error| refused(name, &error))?;
                return Ok(false);
            }
            Err(error) => return Err(refused(name, &error)),
        }
    }
    Ok(true)
}

fn attach_exit(ebpf: &mut Ebpf, name: &'static str, losses: &Losses) -> Result<(), LoadError> {
    let Some(Program::TracePoint(program)) = ebpf.program_mut(name) else {
        return Err(LoadError::Missing { what: name });
    };
    program
        .load()
        .and_then(|()| program.attach("syscalls", name).map(drop))
        .map_err(|error| refused(name, &error))?;
    let descriptor = program.fd().map_err(|error| refused(name, &error))?;
    let descriptor = descriptor.as_fd().try_clone_to_owned();
    losses.watch_skips(descriptor.map_err(|source| LoadError::Descriptor { source })?);
    Ok(())
}

fn attach_tracepoint(
    ebpf: &mut Ebpf,
    name: &'static str,
    btf: &LoaderBtf,
) -> Result<(), LoadError> {
    let Some(Program::BtfTracePoint(program)) = ebpf.program_mut(name) else {
        return Err(LoadError::Missing { what: name });
    };
    program
        .load(name, btf)
        .and_then(|()| program.attach().map(drop))
        .map_err(|error| refused(name, &error))
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
