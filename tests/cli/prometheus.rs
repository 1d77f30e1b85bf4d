//! Debian's Prometheus and its `promtool` on a running Picket.
//!
//! Needs Debian's package `prometheus`; `cargo xtask test kernel` installs it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use libc::SIGINT;
use picket::export::registry::metric;
use picket_tests::{PATIENCE, wait_for};
use serde_json::Value;
use tempfile::TempDir;

use super::plugin::{LINGER, Plugin};
use super::run::Run;
use super::scrape::{get, start};

/// A plugin that was found out and frozen: whatever Picket has to count, it has counted.
fn contained(plugin: &Plugin) -> (Run, SocketAddr) {
    plugin.write("secret", "");
    let (run, address) = start(plugin, &[], &format!("cat secret; {LINGER}"), "");
    run.await_report("held");
    (run, address)
}

/// Names of the families in a scrape.
fn scraped(scrape: &str) -> BTreeSet<String> {
    let rows = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    rows.map(|row| row.split_once(' ').unwrap().0.to_owned()).collect()
}

/// One of the package's programs; a test that lacks it fails by name.
pub(crate) fn program(name: &str) -> Command {
    let command = Command::new(name);
    let found = Command::new(name).arg("--version").output();
    found.unwrap_or_else(|error| panic!("{name}: {error}; install Debian's package prometheus"));
    command
}

/// Fails with what `promtool check metrics` has to say.
pub(crate) fn promtool_check(scrape: &str) {
    let mut promtool = program("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut child = promtool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&said), "", "{scrape}");
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn promtool_has_nothing_to_say_about_a_scrape() {
    let plugin = Plugin::new().held();
    let (run, address) = contained(&plugin);
    let (_, scrape) = get(address, "/metrics");
    promtool_check(&scrape);
    run.signal(SIGINT);
    assert_eq!(run.end().code, 120);
}

/// A Prometheus of our own that scrapes one address. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Server {
    /// Scrapes each second, and evaluates these files of rules as often.
    pub(crate) fn start(target: SocketAddr, rules: &[PathBuf]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: {rules:?}\n\
             scrape_configs:\n  - job_name: picket\n    static_configs: [ {{ targets: [ \"{target}\" ] }} ]\n"
        );
        fs::write(&config, text).unwrap();
        // Free a moment ago; whoever takes it first makes the server end, which is noticed.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = program("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        command.stdout(Stdio::null());
        command.stderr(File::create(directory.path().join("log")).unwrap());
        Self { child: command.spawn().unwrap(), address, directory }
    }

    /// The results of a query; `None` while the server does not answer yet.
    pub(crate) fn query(&mut self, query: &str) -> Option<Vec<Value>> {
        let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        Some(self.api(&format!("query?query={query}"))?["data"]["result"].as_array()?.clone())
    }

    /// An answer of its API, an error too; `None` while it does not answer yet.
    pub(crate) fn api(&mut self, path: &str) -> Option<Value> {
        if let Some(status) = self.child.try_wait().unwrap() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
            panic!("prometheus ended with {status}: {log}");
        }
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Of version 1.0, so that the answer comes in one piece.
        write!(stream, "GET /api/v1/{path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn debians_prometheus_takes_in_every_family_of_a_scrape_and_only_registered_ones() {
    let plugin = Plugin::new().held();
    let (run, address) = contained(&plugin);
    // What a sandbox uses is read once a second.
    let scrape = wait_for("a reading", || {
        let text = get(address, "/metrics").1;
        text.contains("picket_sandbox_cpu_seconds_total{").then_some(text)
    });
    let registered: BTreeSet<_> = metric::ALL.iter().map(|one| one.name.to_owned()).collect();
    assert!(scraped(&scrape).is_subset(&registered), "{scrape}");

    let mut server = Server::start(address, &[]);
    wait_for("a scrape by the server", || {
        let up = server.query("up")?;
        (up.first()?["value"][1] == "1").then_some(())
    });
    let found: BTreeSet<String> = wait_for("what was scraped", || {
        let series = server.query("{__name__=~\"picket_.*\"}")?;
        let names = series.iter().filter_map(|one| one["metric"]["__name__"].as_str());
        let names: BTreeSet<_> = names.map(|name| family(name, &scrape)).collect();
        (!names.is_empty()).then_some(names)
    });
    assert_eq!(found, scraped(&scrape));
    // Of the shell and of what it runs. The kernel's counters are read once a second.
    let fired = "sum(picket_kernel_events_total{hook=\"exec\",outcome=\"fired\"})";
    wait_for("two execs", || (server.query(fired)?.first()?["value"][1] == "2").then_some(()));
    run.signal(SIGINT);
    assert_eq!(run.end().code, 120);
}

/// The family of a series: a histogram has three kinds.
fn family(name: &str, scrape: &str) -> String {
    let families = scraped(scrape);
    let parts = ["_bucket", "_sum", "_count"];
    let whole = parts.iter().filter_map(|part| name.strip_suffix(part));
    let histogram = whole.into_iter().find(|name| families.contains(*name));
    histogram.unwrap_or(name).to_owned()
}
