//! The demo's props: a directory with the plugin, its data and manifests, a server on loopback, and what plugins say.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, PipeWriter},
    net::Ipv4Addr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use picket_engine::SandboxId;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, unix::pipe},
    sync::mpsc,
};

use crate::{session::Launch, supervisor::Exit};

const PLUGIN: &str = include_str!("plugin.sh");
const MANIFEST: &str = include_str!("manifest.yaml");

/// Lines of plugins that wait to be told.
const LINES: usize = 256;

/// Who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Honest,
    Reads,
    Connects,
    Executes,
}

impl Role {
    pub(super) const ROGUES: [Self; 3] = [Self::Reads, Self::Connects, Self::Executes];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Reads => "rogue-1",
            Self::Connects => "rogue-2",
            Self::Executes => "rogue-3",
        }
    }

    pub(super) fn deed(self) -> &'static str {
        match self {
            Self::Honest => "does only what it declared",
            Self::Reads => "starts the same way and then reads a file it never declared",
            Self::Connects => "starts the same way and then connects where it never declared",
            Self::Executes => "starts the same way and then executes `id`",
        }
    }

    /// The script's argument.
    fn word(self) -> &'static str {
        match self {
            Self::Honest => "works",
            Self::Reads => "reads",
            Self::Connects => "connects",
            Self::Executes => "executes",
        }
    }

    /// The honest one works for as long as the rogues take.
    fn rounds(self) -> u32 {
        if self == Self::Honest { 12 } else { 1 }
    }
}

/// Everything the demo needs; gone when it is dropped.
#[derive(Debug)]
pub(super) struct Scene {
    directory: PathBuf,
    port: u16,
    other_port: u16,
    // Open, so that the undeclared destination really would answer.
    _other: TcpListener,
    lines: mpsc::Receiver<(Role, String)>,
    tell: mpsc::Sender<(Role, String)>,
    ended: BTreeMap<SandboxId, Exit>,
}

impl Scene {
    pub(super) async fn set() -> io::Result<Self> {
        let directory = fresh_directory()?;
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (port, other_port) = (server.local_addr()?.port(), other.local_addr()?.port());
        tokio::spawn(answer(server));
        fs::create_dir(directory.join("data"))?;
        fs::write(directory.join("data/orders.txt"), "one\ntwo\nthree\n")?;
        fs::write(directory.join("customers.txt"), "Ada, Grace, Edsger\n")?;
        fs::write(directory.join("plugin.sh"), PLUGIN)?;
        make_executable(&directory.join("plugin.sh"))?;
        for role in [Role::Honest].into_iter().chain(Role::ROGUES) {
            let text = MANIFEST
                .replace("NAME", role.name())
                .replace("DIRECTORY", &directory.display().to_string())
                .replace("PORT", &port.to_string());
            fs::write(directory.join(format!("{}.yaml", role.name())), text)?;
        }
        let (tell, lines) = mpsc::channel(LINES);
        Ok(Self { directory, port, other_port, _other: other, lines, tell, ended: BTreeMap::new() })
    }

    pub(super) fn manifest(&self, role: Role) -> PathBuf {
        self.directory.join(format!("{}.yaml", role.name()))
    }

    pub(super) fn prologue(&self) -> Vec<String> {
        vec![
            String::new(),
            "Four plugins run the same script under the same manifest. It declares:".to_owned(),
            "    execute   plugin.sh with bash; wc, cat, sleep".to_owned(),
            "    read      plugin.sh and data/, and what every program needs to start".to_owned(),
            format!("    connect   127.0.0.1 port {}, tcp", self.port),
            "Anything else: freeze at once, keep for 1 s, then kill.".to_owned(),
            String::new(),
        ]
    }

    pub(super) fn epilogue(&self) -> Vec<String> {
        vec![
            String::new(),
            "What to try next:".to_owned(),
            "    picket exec --record run.trace -- COMMAND            what your own plugin does".to_owned(),
            "    picket manifest suggest --from run.trace -o my.yaml  a manifest for it".to_owned(),
            "    picket manifest explain my.yaml                      what that allows, in sentences".to_owned(),
            "    picket exec -m my.yaml -- COMMAND                    the same plugin, watched".to_owned(),
            "    picket doctor                                        what this host lets Picket do".to_owned(),
        ]
    }

    /// How a role is started; from here on its output is told.
    pub(super) fn launch(&self, role: Role) -> io::Result<Launch> {
        let (reader, writer) = io::pipe()?;
        let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        tokio::spawn(listen(reader, role, self.tell.clone()));
        let nothing: Arc<OwnedFd> = Arc::new(fs::File::open("/dev/null")?.into());
        let writer = Arc::new(writer_of(writer));
        let arguments = [
            self.directory.join("plugin.sh").into_os_string(),
            self.port.to_string().into(),
            self.other_port.to_string().into(),
            role.word().into(),
            role.rounds().to_string().into(),
        ];
        Ok(Launch {
            program: self.directory.join("plugin.sh"),
            arguments: arguments.into(),
            // Without HOME and SHELL bash looks its user up in /etc/passwd, which nobody declared.
            environment: [("PATH", "/usr/bin:/bin"), ("HOME", "/"), ("SHELL", "/bin/bash")]
                .map(|(name, value)| (OsString::from(name), OsString::from(value)))
                .into(),
            working_directory: self.directory.clone(),
            standard: Some([nothing, Arc::clone(&writer), writer]),
        })
    }

    pub(super) async fn next_line(&mut self) -> Option<(Role, String)> {
        self.lines.recv().await
    }

    pub(super) fn remember_end(&mut self, id: SandboxId, exit: Exit) {
        self.ended.insert(id, exit);
    }

    pub(super) fn early_end(&self, id: SandboxId) -> Option<Exit> {
        self.ended.get(&id).copied()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A directory in the temporary directory that cannot be removed is the system's to clean.
        drop(fs::remove_dir_all(&self.directory));
    }
}

fn writer_of(writer: PipeWriter) -> OwnedFd {
    writer.into()
}

/// A new directory that nobody else could have prepared.
fn fresh_directory() -> io::Result<PathBuf> {
    let base = std::env::temp_dir().canonicalize()?;
    let directory = base.join(format!("picket-demo.{}", std::process::id()));
    fs::create_dir(&directory)?;
    Ok(directory)
}

fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// The plugin's server: thanks for each line.
async fn answer(server: TcpListener) -> io::Result<()> {
    loop {
        let (mut stream, _) = server.accept().await?;
        tokio::spawn(async move {
            let (reader, mut writer) = stream.split();
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(_)) = lines.next_line().await {
                if writer.write_all(b"thank you\n").await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn listen(reader: pipe::Receiver, role: Role, tell: mpsc::Sender<(Role, String)>) {
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if tell.send((role, line)).await.is_err() {
            return;
        }
    }
}
