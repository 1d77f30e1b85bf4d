//! One plugin's life in a session: start behind the gate, refresh, end.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use picket_engine::{Arrival, FileId, Notice as EngineNotice, OnExpiry, Policy, SandboxId};

use super::{Session, SessionError};
use crate::{
    clock,
    export::Subject,
    manifest::{Manifest, Names, Occasion, ResolveContext, ResolveError},
    probe::{LoadError, NetworkGuard, SlotError},
    supervisor::{
        CapabilitySet, Confinement, Deadlines, DescriptorError, Exit, LAUNCHER_ARGUMENT,
        LaunchSpec, LauncherProgram, Notice, PassedDescriptor, Ready, Running, Sandbox,
        SandboxError, StartError, StrictError, Wall, start_gated, strict_support,
    },
};

/// What to run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The entry point's file.
    pub program: PathBuf,
    /// Its arguments, the name first.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub working_directory: PathBuf,
    /// What takes the place of standard input, output and error; those of Picket when `None`.
    pub standard: Option<[Arc<OwnedFd>; 3]>,
}

/// Why a plugin was not started, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The manifest does not hold on this host.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A declared descriptor is not there.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The sandbox could not be made.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Kernel side or system.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Kernel side.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel cannot hold the new rules.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// The plugin is to be confined, and this kernel cannot.
    #[error(transparent)]
    Strict(#[from] StrictError),
    /// The gate did not open.
    #[error(transparent)]
    Start(#[from] StartError<SlotError>),
}

/// A plugin that runs.
#[derive(Debug)]
pub struct Plugin {
    id: SandboxId,
    name: String,
    running: Running,
    policy: Policy,
    program: PathBuf,
    names: Arc<Names>,
    network: NetworkGuard,
}

impl Plugin {
    /// Which sandbox.
    #[must_use]
    pub fn id(&self) -> SandboxId {
        self.id
    }

    /// The name in its manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its entry point's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Its cgroup, for people.
    #[must_use]
    pub fn cgroup(&self) -> &Path {
        self.running.sandbox().path()
    }

    /// Readable when [`Plugin::next_notice`] has something to say.
    ///
    /// # Errors
    /// The descriptor cannot be duplicated.
    pub fn notices(&self) -> io::Result<OwnedFd> {
        self.running.fd().try_clone_to_owned()
    }

    /// Looks names up again. What comes back asks the system's resolver when it is called, which may take as long as
    /// that takes: to be called where nobody waits, and its answer put in force with [`Session::renew`].
    ///
    /// # Errors
    /// Of what comes back: a name has no address any more, or the manifest holds no longer on this host.
    pub fn refresh(
        &self,
        manifest: &Arc<Manifest>,
    ) -> impl FnOnce() -> Result<Policy, ResolveError> + Send + 'static {
        let (program, names) = (self.program.clone(), Arc::clone(&self.names));
        let manifest = Arc::clone(manifest);
        move || Ok(manifest.resolve(&context(&program, Occasion::Refresh, &names))?.policy)
    }

    /// Whether a freeze lasts until a person decides.
    #[must_use]
    pub fn is_held_when_frozen(&self) -> bool {
        self.policy.containment.on_expiry == OnExpiry::Hold
    }

    /// Kills everything in the sandbox: a decision of the user or of the system, not of the engine.
    ///
    /// # Errors
    /// Its cgroup cannot be written.
    pub fn kill(&self) -> Result<(), SandboxError> {
        self.running.sandbox().kill()
    }
}

impl Session {
    /// Starts a plugin: sandbox, launcher, gate, registration, thaw.
    ///
    /// # Errors
    /// [`PluginError`]; no instruction of the plugin has run then, and nothing of it stays.
    pub fn start(&mut self, manifest: &Manifest, launch: Launch) -> Result<Plugin, PluginError> {
        let names = Arc::new(Names::default());
        let resolved = manifest.resolve(&context(&launch.program, Occasion::Start, &names))?;
        let entry = resolved.entry.expect("a resolution with an entry point answers with it");
        if matches!(manifest.confinement(), Confinement::Strict(_)) {
            strict_support()?;
        }
        let inherited = inherited(manifest, &launch)?;
        let policy = Policy { entry: Some(entry.file), inherited, ..resolved.policy };
        // Never a wall whose refusals nobody sees.
        let walled = manifest.has_wall() && self.probe.sees_refusals();
        let wall = walled.then(|| manifest.wall(&policy, &entry.path));
        let spec = self.spec(manifest, &launch, &entry.path, wall)?;
        let sandbox = Sandbox::create(&self.root, manifest.plugin_name())?;
        let controls = sandbox.containment();
        let network = self.probe.guard_network(Self::open_cgroup(sandbox.path())?)?;

        let mut registered = None;
        let started = start_gated(sandbox, &spec, |frozen| {
            let id = self.probe.slots().prepare(
                frozen.cgroup_id,
                &policy,
                frozen.mount_namespace,
                clock::now(),
            )?;
            registered = Some(id);
            let subject = Subject::new(manifest, None);
            self.outlets.introduce(id, Arc::clone(&subject));
            self.watch.name(id, &subject);
            self.watch.register(id, policy.clone(), Arrival::Gated, controls);
            if let Some(attempts) = &frozen.attempts {
                self.watch.attend(id, attempts.clone());
            }
            self.watch.notice(id, EngineNotice::Started);
            Ok(Ready { nonce: frozen.nonce })
        });
        match (started, registered) {
            (Ok(running), Some(id)) => {
                self.sampler.add(id, running.sandbox().meter());
                let name = manifest.plugin_name().to_owned();
                let program = launch.program;
                Ok(Plugin { id, name, running, policy, program, names, network })
            }
            (Ok(_), None) => unreachable!("a plugin only starts after its preparation"),
            (Err(error), registered) => {
                if let Some(id) = registered {
                    self.watch.unregister(id);
                }
                self.probe.release_network(network);
                Err(error.into())
            }
        }
    }

    /// Puts in force what [`Plugin::refresh`] found.
    ///
    /// # Errors
    /// The rules do not fit; the former ones stay in force.
    pub fn renew(&self, plugin: &mut Plugin, found: Policy) -> Result<(), PluginError> {
        // What the plugin was started with stays what it was.
        let inherited = plugin.policy.inherited.clone();
        let policy = Policy { entry: plugin.policy.entry, inherited, ..found };
        if policy == plugin.policy {
            return Ok(());
        }
        self.probe.slots().replace(plugin.id, &policy, clock::now())?;
        self.watch.replace(plugin.id, policy.clone());
        plugin.policy = policy;
        Ok(())
    }

    /// The next thing the launcher has to say, passed on to the engine.
    pub fn next_notice(&self, plugin: &mut Plugin) -> Option<Notice> {
        let notice = plugin.running.next_notice()?;
        self.watch.notice(
            plugin.id,
            match notice {
                Notice::Exited(exit) => EngineNotice::Exited { code: wait_status(exit) },
                Notice::Unattended => EngineNotice::Unattended,
                Notice::LauncherLost => EngineNotice::LauncherLost,
            },
        );
        Some(notice)
    }

    /// Ends a plugin and everything in its sandbox.
    ///
    /// # Errors
    /// Something of it could not be removed; the next Picket sweeps it.
    pub fn end(&mut self, plugin: Plugin) -> Result<(), PluginError> {
        let Plugin { id, running, network, .. } = plugin;
        // While its counters are there.
        self.sampler.remove(id);
        running.end();
        self.watch.unregister(id);
        self.probe.release_network(network);
        Ok(())
    }

    fn spec(
        &self,
        manifest: &Manifest,
        launch: &Launch,
        entry: &Path,
        wall: Option<Wall>,
    ) -> Result<LaunchSpec, PluginError> {
        let descriptors = descriptors(manifest, launch)?;
        Ok(LaunchSpec {
            launcher: LauncherProgram {
                path: self.program.clone(),
                arguments: vec![LAUNCHER_ARGUMENT.into()],
            },
            program: entry.to_owned(),
            arguments: launch.arguments.clone(),
            environment: launch.environment.clone(),
            working_directory: launch.working_directory.clone(),
            descriptors,
            capabilities: CapabilitySet::from_bits(manifest.capabilities()),
            confinement: manifest.confinement(),
            wall,
            deadlines: Deadlines::STANDARD,
        })
    }
}

fn descriptors(manifest: &Manifest, launch: &Launch) -> Result<Vec<PassedDescriptor>, PluginError> {
    manifest
        .entry_descriptors()
        .map(|number| {
            let replaced = standard(launch, number)?;
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            Ok(match replaced {
                Some(file) => PassedDescriptor::new(number, file)?,
                None => PassedDescriptor::inherited(number)?,
            })
        })
        .collect()
}

/// A duplicate of what takes the place of this descriptor, if something does.
fn standard(launch: &Launch, number: u32) -> Result<Option<OwnedFd>, SessionError> {
    let index = usize::try_from(number).expect("32 bits fit");
    let file = launch.standard.as_ref().and_then(|standard| standard.get(index));
    let step = "duplicating a descriptor for the plugin";
    file.map(|file| file.try_clone())
        .transpose()
        .map_err(|source| SessionError::System { step, source })
}

/// The pipes, terminals and the like among the plugin's descriptors. Not regular files: opened again by their name,
/// those may give more than the descriptor did.
fn inherited(manifest: &Manifest, launch: &Launch) -> Result<BTreeSet<FileId>, PluginError> {
    let mut files = BTreeSet::new();
    for number in manifest.entry_descriptors() {
        let path = match standard(launch, number)? {
            Some(file) => fs::metadata(format!("/proc/self/fd/{}", file.as_raw_fd())),
            None => fs::metadata(format!("/proc/self/fd/{number}")),
        };
        let metadata = path.map_err(|source| SessionError::System {
            step: "looking at a descriptor for the plugin",
            source,
        })?;
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_char_device() || kind.is_socket() {
            files.insert(FileId { device: kernel_device(metadata.dev()), inode: metadata.ino() });
        }
    }
    Ok(files)
}

/// The kernel's own encoding of a device number.
fn kernel_device(device: u64) -> u64 {
    u64::from(rustix::fs::major(device)) << 20 | u64::from(rustix::fs::minor(device))
}

fn context<'a>(entry: &'a Path, occasion: Occasion, names: &'a Names) -> ResolveContext<'a> {
    let entry = Some(entry);
    ResolveContext {
        entry,
        names,
        wall: SystemTime::now(),
        boot: clock::now(),
        occasion,
        elsewhere: false,
    }
}

/// As `wait` encodes it.
fn wait_status(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => (code & 0xff) << 8,
        Exit::Signal(signal) => signal & 0x7f,
    }
}
