//! Runs of a plugin, recorded by `picket exec --record`.

use std::error::Error;
use std::fs;
use std::io::{Seek, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use picket_tests::{picket, unique};
use tempfile::TempDir;

use super::kinds::Kind;
use super::misdeeds::{How, Misdeed};

const CALLS: &str = "['@basic-io', '@file-system', '@io-event', '@network-io', '@process', '@signal', '@timer', \
                     pipe2, ptrace]";
/// Pages, inputs, sources: what any of the plugins finds in its directory.
const DIRECTORIES: [&str; 11] =
    ["site", "secrets", "in", "out", "other", "lib", "src", "obj", "cache", "log", "state"];

/// Where a plugin runs.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    kind: &'a Kind,
    directory: TempDir,
    /// Takes in what is sent, and is never read.
    sink: UdpSocket,
    recorded: u32,
}

/// Calm recordings: to learn, to calibrate, and to come after.
#[derive(Debug)]
pub(crate) struct Traces {
    pub(crate) learned: Vec<PathBuf>,
    pub(crate) calibrated: Vec<PathBuf>,
    pub(crate) after: Vec<PathBuf>,
}

impl<'a> Place<'a> {
    pub(crate) fn new(kind: &'a Kind) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name);
        for name in DIRECTORIES {
            fs::create_dir(path(name))?;
        }
        for number in 0..8 {
            fs::write(path(&format!("site/page-{number}")), format!("page {number}\n"))?;
            fs::write(
                path(&format!("lib/{number}.pl")),
                format!("$main::sum = {number} + 1; 1;\n"),
            )?;
            fs::write(path(&format!("log/app-{number}.log")), "one\ntwo\nthree\n")?;
            for part in 1..=3 {
                fs::write(path(&format!("in/{number}-{part}")), "b\na\n")?;
            }
        }
        for name in ["src/a", "src/b", "src/c", "src/d", "secrets/key", "other/in"] {
            fs::write(path(name), "x\n")?;
        }
        let place = Self { kind, directory, sink: UdpSocket::bind("127.0.0.1:0")?, recorded: 0 };
        fs::write(place.path("manifest.yaml"), place.manifest())?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn manifest(&self) -> String {
        let Kind { name, declared, programs, .. } = self.kind;
        let programs: String =
            programs.iter().map(|program| format!("  - path: /usr/bin/{program}\n")).collect();
        let directory = self.directory.path().display().to_string();
        format!(
            "version: 1\nplugin: {{ name: {}, version: 1.0.0 }}\nmode: observe\nexec:\n{programs}\
             syscalls: {{ allow: {CALLS} }}\nprocesses: {{ max: 64 }}\n{}",
            unique(name),
            declared.replace("DIRECTORY", &directory)
        )
    }

    /// Records a run.
    pub(crate) fn record(
        &mut self,
        turn: u32,
        misdeed: Option<&Misdeed>,
    ) -> Result<PathBuf, Box<dyn Error>> {
        self.recorded += 1;
        let trace = self.path(&format!("{}.trace", self.recorded));
        let turn = turn % self.kind.turns;
        let (code, request) = match misdeed.map(|misdeed| &misdeed.how) {
            None => ("", ""),
            Some(How::Code(code)) => (*code, ""),
            Some(How::Request(request)) => ("", *request),
        };
        let mut requests = tempfile::tempfile()?;
        for page in 0..6 {
            writeln!(requests, "GET page-{}", (turn + page) % 8)?;
        }
        requests.write_all(request.as_bytes())?;
        requests.rewind()?;
        let [language, option] = self.kind.language;
        let mut command = picket();
        command.arg("exec").arg("--manifest").arg(self.path("manifest.yaml"));
        command.args(["--output", "json", "--report-to"]).arg(self.path("reports"));
        command.arg("--record").arg(&trace).args(["--", language, option]);
        command.arg(self.kind.program.replace("MISDEED", code));
        if language == "sh" {
            command.arg("sh");
        }
        command.args([turn.to_string(), self.sink.local_addr()?.port().to_string()]);
        command.current_dir(self.directory.path()).stdin(requests).stdout(Stdio::null());
        let output = command.stderr(Stdio::piped()).output()?;
        if misdeed.is_none() && !output.status.success() {
            let (name, told) = (self.kind.name, String::from_utf8_lossy(&output.stderr));
            return Err(format!("{name} did not run: {}: {told}", output.status).into());
        }
        Ok(trace)
    }
}

impl Traces {
    /// So many of each, none of which departs from what is declared.
    pub(crate) fn record(place: &mut Place<'_>, third: u32) -> Result<Self, Box<dyn Error>> {
        let mut some = || -> Result<Vec<PathBuf>, Box<dyn Error>> {
            let traces: Result<Vec<_>, _> =
                (0..third).map(|turn| place.record(turn, None)).collect();
            let traces = traces?;
            for trace in &traces {
                calm(trace)?;
            }
            Ok(traces)
        };
        Ok(Self { learned: some()?, calibrated: some()?, after: some()? })
    }
}

fn calm(trace: &Path) -> Result<(), Box<dyn Error>> {
    match super::judged::declared(trace)? {
        None => Ok(()),
        Some(found) => {
            Err(format!("{}: a calm run departs: {}", trace.display(), found.reason).into())
        }
    }
}
