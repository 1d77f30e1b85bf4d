//! Programs that others wrote: Debian's Alertmanager, another implementation of Standard Webhooks, TLS of OpenSSL.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use picket_tests::{wait_for, wait_until};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SECRET, Stage, alerts, freeze_one, remove, stage, target, tell, told, webhook};

/// A Python with the packages `standardwebhooks` and `jsonschema`; a test that lacks it fails by name.
fn python() -> Command {
    let name = "PICKET_WEBHOOKS_PYTHON";
    let path = env::var_os(name).unwrap_or_else(|| {
        panic!("{name} names no Python; run these tests by `cargo xtask test kernel`")
    });
    Command::new(path)
}

const JUDGE: &str = r#"
import json, sys, jsonschema
from standardwebhooks.webhooks import Webhook
asked = json.load(sys.stdin)
schema = jsonschema.Draft202012Validator(asked["schema"])
for one in asked["messages"]:
    for secret in asked["secrets"]:
        Webhook(secret).verify(one["body"].encode(), one["headers"])
    schema.validate(json.loads(one["body"]))
    broken = dict(json.loads(one["body"]), path="/etc/shadow")
    assert not schema.is_valid(broken), "the schema lets anything pass"
    try:
        Webhook(asked["secrets"][0]).verify(one["body"].replace("firing", "burning").encode() + b" ", one["headers"])
    except Exception:
        continue
    raise SystemExit("a changed body passes")
print("good")
"#;

#[test]
fn another_implementation_verifies_each_signature_and_the_schema_fits_every_body() {
    let mut stage = stage();
    let other = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5";
    stage.plugin.write("soc.secret", format!("{SECRET}\n{other}\n"));
    let receiver = told(&stage, &[]);
    let daemon = stage.watching();
    freeze_one(&mut stage, &daemon, "one");
    receiver.await_noted(1);
    remove(&stage, "one");
    receiver.await_noted(2);
    assert_eq!(alerts(&stage, &["test", "soc"]).0, 0);
    let messages: Vec<Value> = receiver
        .await_noted(3)
        .iter()
        .map(|noted| {
            let headers: serde_json::Map<String, Value> = noted
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect();
            json!({ "headers": headers, "body": noted.body })
        })
        .collect();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alert.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let asked = json!({ "schema": schema, "secrets": [SECRET, other], "messages": messages });
    let mut judge = python();
    judge.args(["-c", JUDGE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut judge = judge.stderr(Stdio::piped()).spawn().unwrap();
    judge.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let said = judge.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&[said.stdout, said.stderr].concat()), "good\n");
}

/// An Alertmanager of our own that passes on to one webhook. Dropping it ends it.
struct Manager {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Manager {
    fn start(passes_on_to: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.yml");
        let text = format!(
            "route: {{ receiver: on, group_by: [plugin], group_wait: 1s, group_interval: 1s }}\n\
             receivers:\n  - name: on\n    webhook_configs: [ {{ url: \"http://{passes_on_to}/\" }} ]\n"
        );
        fs::write(&config, text).unwrap();
        // Free a moment ago; whoever takes it first makes the server end, and the test fail.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.path={}", directory.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}")).arg("--cluster.listen-address=");
        command.stdout(Stdio::null());
        command.stderr(File::create(directory.path().join("log")).unwrap());
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{error}; install Debian's package prometheus-alertmanager")
        });
        Self { child, address, _directory: directory }
    }

    /// Alerts that are active, by its own tool.
    fn active(&self) -> Option<Vec<Value>> {
        let mut amtool = Command::new("amtool");
        amtool.arg(format!("--alertmanager.url=http://{}", self.address));
        let output = amtool.args(["alert", "query", "--output=json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn debians_alertmanager_receives_groups_and_resolves_incidents() {
    let mut stage = stage();
    let pager = super::Receiver::start(&[]);
    let manager = Manager::start(pager.address);
    wait_for("an Alertmanager that answers", || manager.active());
    let url = format!("http://{}", manager.address);
    tell(&stage, &format!("    - {{ name: oncall, type: alertmanager, url: \"{url}\" }}\n"));
    let daemon = stage.watching();
    freeze_one(&mut stage, &daemon, "one");
    freeze_one(&mut stage, &daemon, "two");
    let active = wait_for("two alerts", || manager.active().filter(|all| all.len() == 2));
    for alert in &active {
        let labels = &alert["labels"];
        assert_eq!(labels["alertname"], "PicketIncident");
        assert_eq!(
            (&labels["severity"], &labels["plugin"]),
            (&"critical".into(), &stage.plugin.name().into())
        );
        assert_eq!(alert["annotations"]["outcome"], "done", "{alert}");
    }
    assert_ne!(active[0]["labels"]["incident"], active[1]["labels"]["incident"]);
    let grouped = |page: &Value, status: &str| {
        let alerts = page["alerts"].as_array().unwrap();
        alerts.len() == 2 && alerts.iter().all(|alert| alert["status"] == status)
    };
    let paged = |status: &str| pager.noted().iter().any(|page| grouped(&page.json(), status));
    wait_until("one page for both", || paged("firing"));
    remove(&stage, "one");
    wait_until("one is over", || manager.active().is_some_and(|all| all.len() == 1));
    remove(&stage, "two");
    wait_until("both are over", || manager.active().is_some_and(|all| all.is_empty()));
    let resolved = |page: &Value| page["status"] == "resolved";
    wait_until("the pager is told", || pager.noted().iter().any(|page| resolved(&page.json())));
}

/// A server of Python's that speaks TLS with a certificate of OpenSSL's. Dropping it ends it.
struct Secured {
    child: Child,
    port: u16,
}

const SECURED: &str = r#"
import http.server, ssl, sys
class Taker(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Taker)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

impl Secured {
    fn start(stage: &Stage) -> Self {
        let (certificate, key) = (stage.plugin.path("server.pem"), stage.plugin.path("server.key"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-nodes", "-days", "2", "-subj", "/CN=picket test"]);
        openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"]).arg(&key);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        assert!(openssl.arg("-out").arg(&certificate).output().unwrap().status.success());
        fs::set_permissions(&certificate, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .unwrap();
        let mut command = Command::new("python3");
        command.args(["-c", SECURED]).arg(certificate).arg(key).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_certificate_is_trusted_only_if_the_configuration_says_so() {
    let mut stage = stage();
    let server = Secured::start(&stage);
    let url = format!("https://127.0.0.1:{}/hook", server.port);
    tell(&stage, &webhook(&url));
    let daemon = stage.watching();
    freeze_one(&mut stage, &daemon, "one");
    let refused = wait_for("a refusal", || {
        target(&stage, "soc").filter(|target| target["state"] == "failing")
    });
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert_eq!(refused["pending"], 1);
    tell(&stage, &webhook(&url).replace(" }", ", ca_file: server.pem }"));
    wait_until("it is taken", || target(&stage, "soc").unwrap()["state"] == "up");
    assert_eq!(target(&stage, "soc").unwrap()["pending"], 0);
}
