//! An OTLP receiver that is not made of the exporter's crates: `receiver.py`, of OpenTelemetry's Python messages.
//!
//! Needs a Python that has them, in `PICKET_PYTHON`; `cargo xtask test kernel` makes one.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A receiver. Dropping it ends it.
pub(crate) struct Collector {
    child: Child,
    port: u16,
    scheme: &'static str,
    directory: TempDir,
}

/// A certificate for the loopback address that nobody vouches for but itself.
pub(crate) struct Identity(TempDir);

impl Identity {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-nodes", "-days", "2", "-subj", "/CN=picket-test"]);
        command.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command.args(["-keyout", "key.pem", "-out", "certificate.pem"]);
        let output = command.current_dir(directory.path()).output();
        let output = output.unwrap_or_else(|error| panic!("openssl: {error}; install it"));
        assert!(output.status.success(), "{output:?}");
        Self(directory)
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }
}

impl Collector {
    /// See `receiver.py` for what it may do.
    pub(crate) fn start(protocol: &str, behaviour: &str) -> Self {
        Self::begin(protocol, behaviour, None)
    }

    /// One that takes everything, by TLS.
    pub(crate) fn start_with(protocol: &str, identity: &Identity) -> Self {
        Self::begin(protocol, "good", Some(identity))
    }

    fn begin(protocol: &str, behaviour: &str, identity: Option<&Identity>) -> Self {
        let Some(python) = env::var_os("PICKET_PYTHON") else {
            panic!(
                "PICKET_PYTHON names no Python with opentelemetry-proto and grpcio; run these tests by `cargo xtask \
                 test kernel`"
            );
        };
        let directory = tempfile::tempdir().unwrap();
        let receiver = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/otlp/receiver.py");
        let mut command = Command::new(python);
        command.arg(receiver).args([protocol, behaviour]).arg(directory.path().join("requests"));
        if let Some(Identity(directory)) = identity {
            command.args(["certificate.pem", "key.pem"]).current_dir(directory.path());
        }
        // A handshake that fails is what a test wants, and no news.
        command.env("GRPC_VERBOSITY", "NONE");
        // The pipe tells it when this test is gone.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let port = port.trim().parse().expect("the receiver prints its port");
        let scheme = if identity.is_some() { "https" } else { "http" };
        Self { child, port, scheme, directory }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// Everything it was sent, whatever it answered.
    pub(crate) fn text(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join("requests")).unwrap_or_default();
        // The last line may be half written.
        text[..text.rfind('\n').map_or(0, |end| end + 1)].to_owned()
    }

    pub(crate) fn requests(&self, signal: &str) -> Vec<Value> {
        let text = self.text();
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        all.filter(|request| request["signal"] == signal).collect()
    }

    pub(crate) fn logs(&self) -> Vec<Value> {
        self.all("logs", ["resource_logs", "scope_logs", "log_records"])
    }

    pub(crate) fn spans(&self) -> Vec<Value> {
        self.all("traces", ["resource_spans", "scope_spans", "spans"])
    }

    /// The metrics of the newest round, by name.
    pub(crate) fn metrics(&self) -> BTreeMap<String, Value> {
        let newest = self.requests("metrics").pop().into_iter();
        newest
            .flat_map(|request| inner(&request, ["resource_metrics", "scope_metrics", "metrics"]))
            .map(|metric| (metric["name"].as_str().unwrap().to_owned(), metric))
            .collect()
    }

    fn all(&self, signal: &str, way: [&str; 3]) -> Vec<Value> {
        self.requests(signal).iter().flat_map(|request| inner(request, way)).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What lies three lists deep.
fn inner(request: &Value, way: [&str; 3]) -> Vec<Value> {
    way.iter().fold(vec![request["content"].clone()], |outer, key| {
        outer.iter().filter_map(|one| one[key].as_array()).flatten().cloned().collect()
    })
}

/// An attribute of a record, span, data point or resource, as text.
pub(crate) fn attribute(of: &Value, name: &str) -> Option<String> {
    let all = of["attributes"].as_array()?;
    let found = all.iter().find(|one| one["key"] == name)?;
    let value = found["value"].as_object()?.values().next()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
