//! Starts a launcher and lets it make the frozen child.

use std::ffi::{CString, NulError, OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::confine::{Listener, Wall, Ways};
use super::instance::{Instance, Launcher};
use super::paths;
use super::sandbox::{Sandbox, SandboxError};
use super::spec::{Confinement, LaunchSpec, LauncherProgram, PassedDescriptor};
use super::sys::{self, channel, process};
use super::wire::{Instructions, Report};

/// Why there is no frozen child.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A text cannot be given to the kernel.
    #[error("the {what} of {program} holds a NUL byte, which no program can be given")]
    NulByte {
        /// What to start.
        program: PathBuf,
        /// Which text.
        what: &'static str,
    },
    /// The program's path depends on where it is looked up.
    #[error("the program {program} must be named by an absolute path")]
    NotAbsolute {
        /// What to start.
        program: PathBuf,
    },
    /// Two descriptors have the same number, or there are too many.
    #[error("the declared descriptors cannot be passed on: {why}")]
    Descriptors {
        /// What is wrong with them.
        why: &'static str,
    },
    /// The launcher cannot be started.
    #[error("starting the launcher {program}: {source}")]
    Spawn {
        /// The launcher.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The launcher cannot be talked to.
    #[error("talking with the launcher: {source}")]
    Talk {
        /// What the kernel said.
        source: io::Error,
    },
    /// The launcher failed at one of its steps.
    #[error("the launcher failed at {step}: {source}")]
    Step {
        /// Which step.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The launcher ended without a word.
    #[error("the launcher ended before it made the child; is {program} this build of Picket?")]
    Lost {
        /// The launcher.
        program: PathBuf,
    },
    /// The launcher took too long.
    #[error("the launcher did not make the child within {waited:?}")]
    TooLate {
        /// How long it was waited for.
        waited: Duration,
    },
}

/// A child that is in its sandbox, frozen, and has executed nothing. Dropping it kills it.
#[derive(Debug)]
pub struct FrozenChild(pub(super) Instance);

impl FrozenChild {
    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.0.child
    }

    /// The process number of its launcher.
    pub fn launcher_pid(&self) -> u32 {
        self.0.launcher.pid()
    }

    /// Its sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }
}

/// Starts a launcher for `sandbox` and waits for the frozen child.
pub fn launch(sandbox: Sandbox, spec: &LaunchSpec) -> Result<FrozenChild, LaunchError> {
    let deadline = Instant::now() + spec.deadlines.launch;
    let talk = |source| LaunchError::Talk { source };
    let instructions = instructions(&sandbox, spec)?.encode();
    let mut file = sys::memory_file().map_err(talk)?;
    file.write_all(&instructions).map_err(talk)?;
    let directory = sandbox.open_directory()?;
    let picket = process::pidfd(std::process::id()).map_err(talk)?;
    let (status, childs_status) = io::pipe().map_err(talk)?;

    let launcher = spawn(&spec.launcher)?;
    let [freeze, kill, events] = sandbox.controls().descriptors();
    let own: [BorrowedFd<'_>; super::launcher::OWN_DESCRIPTORS] = [
        file.as_fd(),
        picket.as_fd(),
        sandbox.lock(),
        freeze,
        kill,
        events,
        sandbox.pulse().descriptor(),
        directory.as_fd(),
        childs_status.as_fd(),
    ];
    let declared = spec.descriptors.iter().map(PassedDescriptor::file);
    let descriptors: Vec<BorrowedFd<'_>> = own.into_iter().chain(declared).collect();
    let sent = channel::send(launcher.control(), b"launch", &descriptors);
    // Ours would keep the pipe from closing at the child's exec.
    drop(childs_status);
    sent.map_err(|source| match source.kind() {
        // It ended before it could be told anything.
        io::ErrorKind::BrokenPipe => LaunchError::Lost { program: spec.launcher.path.clone() },
        _ => talk(source),
    })?;
    let (child, child_handle, listener) = await_child(&launcher, spec, deadline)?;
    let status = status.into();
    Ok(FrozenChild(Instance { launcher, sandbox, child, child_handle, status, listener }))
}

/// A fresh process with the control socket as descriptor 0, and nothing else of ours.
fn spawn(program: &LauncherProgram) -> Result<Launcher, LaunchError> {
    let failed = |source| LaunchError::Spawn { program: program.path.clone(), source };
    let (control, launchers_end) = channel::pair().map_err(failed)?;
    let mut command = Command::new(&program.path);
    command
        .arg0("picket")
        .args(&program.arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(launchers_end))
        // The plugin's own are sent along: a launcher that held them open would keep whoever
        // reads the plugin's output waiting.
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    process::inherit_only_standard_descriptors(&mut command);
    let process = command.spawn().map_err(failed)?;
    // The command still holds the launcher's end, and its death must close the socket.
    drop(command);
    Launcher::new(process, control).map_err(failed)
}

fn await_child(
    launcher: &Launcher,
    spec: &LaunchSpec,
    deadline: Instant,
) -> Result<(u32, OwnedFd, Option<Listener>), LaunchError> {
    let lost = || LaunchError::Lost { program: spec.launcher.path.clone() };
    match launcher.await_report(deadline) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(LaunchError::TooLate { waited: spec.deadlines.launch })
        }
        Err(source) => Err(LaunchError::Talk { source }),
        Ok(Some((Report::Cloned { .. }, descriptors))) => {
            let mut descriptors = descriptors.into_iter();
            let handle = descriptors.next().ok_or_else(lost)?;
            let listener = descriptors.next().map(Listener::new);
            if listener.is_some() != matches!(spec.confinement, Confinement::Strict(_)) {
                return Err(lost());
            }
            // By the handle, because the launcher may number processes differently.
            let pid = pid_of(&handle).map_err(|source| LaunchError::Talk { source })?;
            Ok((pid, handle, listener))
        }
        Ok(Some((Report::Failed { step, errno }, _))) => {
            let source = io::Error::from_raw_os_error(errno);
            Err(LaunchError::Step { step: step.as_str(), source })
        }
        Ok(_) => Err(lost()),
    }
}

fn pid_of(handle: &OwnedFd) -> io::Result<u32> {
    use std::os::fd::AsRawFd;
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd()))?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    // -1 is a process that was reaped, 0 one that this namespace does not number.
    pid.filter(|&pid| pid != 0).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn instructions(sandbox: &Sandbox, spec: &LaunchSpec) -> Result<Instructions, LaunchError> {
    if !spec.program.is_absolute() {
        return Err(LaunchError::NotAbsolute { program: spec.program.clone() });
    }
    let text = |what, text: &OsStr| {
        let nul_byte = |_: NulError| LaunchError::NulByte { program: spec.program.clone(), what };
        paths::to_c(text).map_err(nul_byte)
    };
    let list = |what, list: &mut dyn Iterator<Item = OsString>| {
        list.map(|item| text(what, &item)).collect::<Result<Vec<CString>, _>>()
    };
    let mut variables = spec.environment.iter().map(|(name, value)| {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        variable
    });
    Ok(Instructions {
        program: text("path", spec.program.as_os_str())?,
        arguments: list("arguments", &mut spec.arguments.iter().cloned())?,
        environment: list("environment", &mut variables)?,
        working_directory: text("working directory", spec.working_directory.as_os_str())?,
        sandbox: text("sandbox", sandbox.path().as_os_str())?,
        numbers: numbers(&spec.descriptors)?,
        capabilities: spec.capabilities,
        confinement: spec.confinement,
        wall: spec.wall.as_ref().map(|wall| places(wall, &text)).transpose()?,
        orphan: spec.deadlines.orphan,
    })
}

fn places(
    wall: &Wall,
    text: &dyn Fn(&'static str, &OsStr) -> Result<CString, LaunchError>,
) -> Result<Vec<(CString, Ways)>, LaunchError> {
    let places = wall.rules.iter();
    places.map(|(place, ways)| Ok((text("declared files", place.as_os_str())?, *ways))).collect()
}

fn numbers(descriptors: &[PassedDescriptor]) -> Result<Vec<i32>, LaunchError> {
    let numbers: Vec<i32> = descriptors.iter().map(PassedDescriptor::number).collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < numbers.len() {
        return Err(LaunchError::Descriptors { why: "a number is declared twice" });
    }
    if channel::MAX_DESCRIPTORS < numbers.len() + super::launcher::OWN_DESCRIPTORS {
        return Err(LaunchError::Descriptors { why: "there are more than 244 of them" });
    }
    Ok(numbers)
}
