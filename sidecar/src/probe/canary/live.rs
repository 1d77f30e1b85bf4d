//! A canary that lives: a process of ours beside a sandbox of ours, sent in for one act through every hook at a time.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, UdpSocket},
    os::{
        fd::AsRawFd,
        unix::{fs::MetadataExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use picket_abi::hook;
use picket_engine::{Policy, SandboxId};

use super::{
    CanaryError, PATIENCE, READY, RING, Round, Told, WORD, calls,
    expect::{self, Expectations, Sight, Truth},
    objects::{self, Outside},
    unreadable,
};
use crate::{
    clock,
    probe::{Links, Losses, NetworkGuard, Probe, Slots, uring::RING_HOOKS},
    supervisor::{CgroupRoot, Sandbox},
};

const MKDIR: &str = "cgroup_mkdir";
const RMDIR: &str = "cgroup_rmdir";
/// The hook that counts what the canary sends. Nobody sends it anything that the other one would count.
const SENT: &str = "packet_egress";

/// The canary with its sandbox. Dropping it ends both.
#[derive(Debug)]
pub struct Canary {
    slots: Arc<Slots>,
    links: Arc<Links>,
    losses: Arc<Losses>,
    sight: Sight,
    /// Whether the first round opens a file by io_uring.
    sees_rings: bool,
    root: CgroupRoot,
    /// Where it is between two rounds.
    home: PathBuf,
    program: PathBuf,
    sandbox: Sandbox,
    guard: Option<NetworkGuard>,
    id: SandboxId,
    policy: Policy,
    /// Somebody has to be there, or the datagram's answer would be an error on the next send.
    sink: UdpSocket,
    port: u16,
    process: Child,
    truth: Truth,
    /// The round that it acts in, with the sockets that it talks to in the first.
    round: Round,
    outside: Option<Outside>,
    /// Packets it had sent before the round.
    sent: u64,
    /// What the kernel calls Picket, once the hooks have been told.
    own: Option<u32>,
}

impl Canary {
    pub(super) fn enter(
        probe: &Probe,
        root: &CgroupRoot,
        program: &Path,
    ) -> Result<Self, CanaryError> {
        let sandbox = Sandbox::create(root, "self-test")?;
        sandbox.thaw()?;
        let failed = |step| move |source| CanaryError::Process { step, source };
        let sink = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(failed("its socket"))?;
        sink.set_nonblocking(true).map_err(failed("its socket"))?;
        let port = sink.local_addr().map_err(failed("its socket"))?.port();
        let namespace = own_mount_namespace().map_err(failed("reading the mount namespace"))?;
        let directory = fs::File::open(sandbox.path()).map_err(failed("opening its cgroup"))?;
        let home = root.outside();
        let (mut process, truth) = start(program, &home, sandbox.path())?;
        let policy = expect::policy(port);
        let (slots, links) = (Arc::clone(probe.slots()), Arc::clone(probe.links()));
        let taken =
            probe.guard_network(directory).map_err(CanaryError::from).and_then(|guard| match slots
                .watch_aside(sandbox.id(), &policy, namespace, clock::now())
            {
                Ok(id) => Ok((guard, id)),
                Err(error) => {
                    probe.release_network(guard);
                    Err(error.into())
                }
            });
        let (guard, id) = taken.inspect_err(|_| end(&mut process))?;
        Ok(Self {
            slots,
            links,
            losses: Arc::clone(probe.losses()),
            sight: Sight {
                tier: probe.tier().tier,
                lacking: probe.lacking().to_vec(),
                refusals: probe.sees_refusals(),
            },
            sees_rings: probe.attached().contains(&RING_HOOKS[0]),
            root: root.clone(),
            home,
            program: program.to_owned(),
            sandbox,
            guard: Some(guard),
            id,
            policy,
            sink,
            port,
            process,
            truth,
            round: Round::Next,
            outside: None,
            sent: 0,
            own: None,
        })
    }

    /// The hooks have been told what the kernel calls Picket.
    pub(super) fn introduced(&mut self, own: u32) {
        self.own = Some(own);
    }

    /// Which sandbox it acts in.
    #[must_use]
    pub fn id(&self) -> SandboxId {
        self.id
    }

    /// Forgets what it has shown, so that everything is reported again; moves it in and tells it to act.
    ///
    /// # Errors
    /// The kernel side cannot be told, or the process is not there.
    pub(crate) fn begin(&mut self, round: Round) -> Result<(), CanaryError> {
        self.slots.replace(self.id, &self.policy, clock::now())?;
        self.sent = self.sent();
        self.place(self.sandbox.path(), "moving it in")?;
        let (declared, undeclared) = (self.port, self.port ^ 1);
        let mut word = format!("{declared} {undeclared}");
        if round == Round::First {
            let outside = Outside::open().map_err(failed("opening sockets for it"))?;
            let ring = if self.sees_rings { RING } else { "-" };
            let place = self.sandbox.path().display();
            word = format!("{word} {} {ring} {place}", outside.name());
            self.outside = Some(outside);
        }
        word.push('\n');
        self.round = round;
        let input = self.process.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe.into());
        input
            .and_then(|input| input.write_all(word.as_bytes()))
            .map_err(failed("telling it to act"))
    }

    /// What it says it did, once it has; `None` when that takes longer.
    ///
    /// # Errors
    /// The process is gone, or makes no sense.
    pub(crate) fn answer(&mut self, within: Duration) -> Result<Option<Told>, CanaryError> {
        let line = hear(&mut self.process, within).map_err(failed("hearing it"))?;
        line.map(|line| line.parse().map_err(failed("hearing it"))).transpose()
    }

    /// Moves it out, and answers what must have been reported of this round.
    ///
    /// # Errors
    /// It cannot be moved, or the kernel did not refuse what it must.
    pub(crate) fn end_round(&mut self, told: Told) -> Result<Expectations, CanaryError> {
        self.place(&self.home, "moving it out")?;
        // Nobody reads what was sent: the room for it would fill up.
        while self.sink.recv(&mut [0; 8]).is_ok() {}
        let outside = self.outside.take();
        if !told.refused || told.done.socket == calls::Asked::Given {
            return Err(CanaryError::NotRefused);
        }
        let socket = outside.as_ref().map_or("", Outside::name);
        let objects = objects::Expected::new(socket, self.own);
        let (truth, port) = (self.truth.clone(), self.port);
        let mut expected = Expectations::new(truth, told, port, &self.sight, self.round, objects);
        let nest = self.sandbox.path().join("nest");
        fs::create_dir(&nest).map_err(failed("making a cgroup below it"))?;
        let made = fs::metadata(&nest).map(|metadata| metadata.ino());
        let adopted = made.as_ref().is_ok_and(|id| self.is_member(*id));
        fs::remove_dir(&nest).map_err(failed("removing a cgroup below it"))?;
        // A datagram leaves before the call that sends it is over.
        expected.expect_too(SENT, self.sent < self.sent());
        expected.expect_too(MKDIR, adopted);
        expected.expect_too(RMDIR, adopted && made.is_ok_and(|id| !self.is_member(id)));
        Ok(expected)
    }

    /// Whether somebody keeps it from acting, which is not the same as that it has no processor yet.
    pub(crate) fn is_held(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let state = stat.as_ref().ok().and_then(|stat| stat.rsplit_once(") ")?.1.chars().next());
        let frozen = self.sandbox.state().is_ok_and(|state| state.frozen);
        frozen || state.is_none_or(|state| "TtZX".contains(state))
    }

    /// Puts another process in the place of one that is gone.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn replace_process(&mut self) -> Result<(), CanaryError> {
        end(&mut self.process);
        self.sandbox.thaw()?;
        self.home = self.root.outside();
        (self.process, self.truth) = start(&self.program, &self.home, self.sandbox.path())?;
        Ok(())
    }

    /// Packets it has sent; 0 where the count cannot be read, which is then missed.
    fn sent(&self) -> u64 {
        self.losses.traffic(self.id.slot).map_or(0, |traffic| traffic.sent_packets)
    }

    fn is_member(&self, cgroup: u64) -> bool {
        self.slots.is_member(cgroup, self.id).unwrap_or(false)
    }

    fn place(&self, cgroup: &Path, step: &'static str) -> Result<(), CanaryError> {
        let written = fs::write(cgroup.join("cgroup.procs"), self.process.id().to_string());
        written.map_err(failed(step))
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        end(&mut self.process);
        if let Some(guard) = self.guard.take() {
            self.links.release(guard);
        }
        if let Err(error) = self.slots.unwatch(self.id) {
            tracing::error!(%error, "the self-test's slot stays taken");
        }
    }
}

/// Which of the counted hooks an act of every round goes through.
pub(crate) fn hook_of(act: &str) -> u16 {
    match act {
        "sys_enter" => hook::SYSCALL,
        "sys_enter (socket)" | "socket_create" | "sock_create (refusal)" => hook::SOCKET,
        "sys_exit_mmap" | "mmap_file" => hook::MEMORY,
        objects::SIGNAL => hook::REACH,
        "connect4" | "connect6" | "connect4 (refusal)" => hook::CONNECT,
        "sendmsg4" | "sendmsg6" | SENT => hook::SEND,
        "bind4" | "bind6" => hook::BIND,
        _ if act.starts_with("inet_sock_set_state") => hook::BIND,
        "sched_process_exec" => hook::EXEC,
        "sched_process_fork" => hook::FORK,
        "sched_process_exit" => hook::EXIT,
        MKDIR | RMDIR => hook::CGROUP,
        _ if act.starts_with("cgroup_attach_task") => hook::ATTACH,
        _ => hook::OPEN,
    }
}

fn failed(step: &'static str) -> impl FnOnce(io::Error) -> CanaryError {
    move |source| CanaryError::Process { step, source }
}

fn start(program: &Path, home: &Path, place: &Path) -> Result<(Child, Truth), CanaryError> {
    let spawned = Command::new(program)
        .arg(WORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // It keeps nobody's directory busy, and what a terminal tells Picket is not meant for it.
        .current_dir("/")
        .process_group(0)
        .spawn();
    let mut process = spawned.map_err(failed("starting it"))?;
    // Only once it has said so its own exec is over: `spawn` returns a moment before that.
    let ready = hear(&mut process, PATIENCE).and_then(|line| match line.as_deref() {
        Some(READY) => Truth::of(&process, program, home, place),
        Some(other) => Err(unreadable(other)),
        None => Err(io::ErrorKind::TimedOut.into()),
    });
    match ready {
        Ok(truth) => Ok((process, truth)),
        Err(source) => {
            end(&mut process);
            Err(CanaryError::Process { step: "hearing it", source })
        }
    }
}

/// Harmless for one that has ended.
fn end(process: &mut Child) {
    // It waits for nothing and has nothing to put away, and may be frozen.
    drop(process.stdin.take());
    if let Err(error) = process.kill().and_then(|()| process.wait().map(drop)) {
        tracing::error!(%error, "ending the self-test's process");
    }
}

/// The number the kernel calls our mount namespace by.
fn own_mount_namespace() -> io::Result<u32> {
    let number = fs::metadata("/proc/self/ns/mnt")?.ino();
    u32::try_from(number)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no 32-bit number"))
}

/// One line of the canary's, which says one at a time and only when asked; `None` when that takes longer.
fn hear(process: &mut Child, within: Duration) -> io::Result<Option<String>> {
    let out = process.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
    let deadline = Instant::now() + within;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if !crate::poll::readable(&[out.as_raw_fd()], left)? {
            if line.is_empty() && left.is_zero() {
                return Ok(None);
            }
            continue;
        }
        let mut bytes = [0; 64];
        match out.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => line.extend(bytes.iter().take(length)),
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
}
