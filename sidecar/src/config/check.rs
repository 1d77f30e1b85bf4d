//! From the written configuration to the one in force: every value is judged, every fault is kept.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use picket_engine::{Mode, Pattern};

use super::{
    Alerts, Api, Baselines, Kubernetes, Meant, Rule, alerts, baselines, group, kubernetes,
    manifests::Manifests,
    schema::{self, Document},
};
use crate::{
    document::{At, Fault, Faults, Fix, Position, Text, values},
    export::{OperatorWord, SeriesBudget, otlp::Written},
    supervisor,
};

/// Where metrics are served unless the configuration says otherwise.
pub(super) const METRICS: &str = "127.0.0.1:9464";
/// Where the daemon is asked unless the configuration says otherwise.
pub(super) const SOCKET: &str = "/run/picket/picket.sock";
/// What `sun_path` holds before its NUL.
pub(super) const MAX_SOCKET: usize = 107;
/// Sandboxes watched at once: unless said otherwise, and at most. The engine keeps a slot for each.
pub(super) const SANDBOXES: u32 = 256;
pub(super) const MAX_SANDBOXES: u32 = 1024;
/// Longer than any runtime takes from an empty cgroup to an exec; a cgroup without one is judged after that.
pub(super) const SETUP: Duration = Duration::from_secs(10);
pub(super) const MAX_SETUP: Duration = Duration::from_secs(10 * 60);

/// Where cgroup2 is usually mounted: people copy the whole path.
const MOUNT: &str = "/sys/fs/cgroup";

/// What to write when nothing would be watched.
const WATCH: &str = "say what to watch: `sandboxes: [{ cgroup: /plugins/*, manifest: plugin.yaml }]`, or `kubernetes`";

/// What the configuration says, and what to warn of.
pub(super) struct Checked {
    pub(super) node: Option<OperatorWord>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) series: SeriesBudget,
    pub(super) api: Api,
    pub(super) max_sandboxes: u32,
    pub(super) otlp: Option<Written>,
    pub(super) alerts: Option<Alerts>,
    pub(super) baselines: Option<Baselines>,
    pub(super) kubernetes: Option<Kubernetes>,
    pub(super) sandboxes: Vec<Rule>,
    pub(super) warnings: Vec<Fault>,
}

/// Judges the whole document and the manifests that it names. Those with faults of their own are kept by `manifests`.
pub(super) fn check(
    path: &Path,
    document: Document,
    manifests: &mut Manifests,
) -> Result<Checked, Vec<Fault>> {
    let mut faults = Faults::default();
    let mut warnings = Vec::new();
    faults.take(Position::START, only_ours(path));
    version(&document.version, &mut faults);
    let node =
        document.node.as_ref().and_then(|text| faults.take(text.position, node(&text.value)));
    let series = document
        .metrics
        .series
        .as_ref()
        .and_then(|text| faults.take(text.position, series(&text.value)));
    let metrics = metrics(&document.metrics, &mut faults, &mut warnings);
    let api = api(&document.api, &mut faults);
    let max_sandboxes = document.limits.sandboxes.as_ref().and_then(|text| {
        faults.take(text.position, values::number(&text.value, 1..=MAX_SANDBOXES))
    });
    let mut sandboxes = match &document.sandboxes {
        Some(written) => sandboxes(written, document.kubernetes.is_some(), manifests, &mut faults),
        None => Vec::new(),
    };
    if document.sandboxes.is_none() && document.kubernetes.is_none() {
        faults.add(Position::START, "nothing says what to watch", WATCH);
    }
    let kubernetes = document.kubernetes.as_ref().and_then(|written| {
        let (kubernetes, bound) =
            kubernetes::check(written, manifests, &mut faults, &mut warnings)?;
        sandboxes.extend(bound);
        Some(kubernetes)
    });
    let otlp = document.otlp.as_ref().and_then(|otlp| super::otlp::check(path, otlp, &mut faults));
    let directory = path.parent().unwrap_or(Path::new(""));
    let alerts = document.alerts.as_ref();
    let alerts =
        alerts.and_then(|written| alerts::check(written, directory, &mut faults, &mut warnings));
    let all_good = faults.is_empty();
    let baselines = document
        .baselines
        .as_ref()
        .and_then(|written| baselines::check(written, &sandboxes, all_good, &mut faults));
    if !faults.is_empty() {
        return Err(faults.into_inner());
    }
    let max_sandboxes = max_sandboxes.unwrap_or(SANDBOXES);
    let series = series.unwrap_or(SeriesBudget::DEFAULT);
    Ok(Checked {
        node,
        metrics,
        series,
        api,
        max_sandboxes,
        otlp,
        alerts,
        baselines,
        kubernetes,
        sandboxes,
        warnings,
    })
}

fn version(version: &Text, faults: &mut Faults) {
    if version.value != "1" {
        faults.add(
            version.position,
            format!("configuration version `{}` is not one this Picket reads", version.value),
            "write `version: 1`",
        );
    }
}

fn node(text: &str) -> Result<OperatorWord, Fix> {
    let wrong = |why: &str| {
        let hint = "write the node's name, such as worker-1, or leave `node` out: then it is $NODE_NAME, or the host's name";
        Err(Fix::new(format!("`{}` is no name for a node: {why}", text.escape_debug()), hint))
    };
    if text.trim().is_empty() {
        return wrong("it is empty");
    }
    if OperatorWord::MAX_BYTES < text.len() {
        return wrong("it is longer than 128 bytes");
    }
    if text.contains(char::is_control) {
        return wrong("it has control characters");
    }
    Ok(OperatorWord::new(text))
}

fn series(text: &str) -> Result<SeriesBudget, Fix> {
    let number = values::number(text, SeriesBudget::LEAST..=SeriesBudget::MOST)?;
    Ok(SeriesBudget::new(number).expect("the number is within its range"))
}

fn metrics(
    written: &schema::Metrics,
    faults: &mut Faults,
    warnings: &mut Vec<Fault>,
) -> Option<SocketAddr> {
    let text = written.listen.as_ref();
    let written = text.map_or(METRICS, |text| &text.value);
    if written == "off" {
        return None;
    }
    let position = text.map_or(Position::START, |text| text.position);
    let address: SocketAddr = faults.take(
        position,
        written.parse().map_err(|_| {
            Fix::new(
                format!("`{written}` is not an address to listen on"),
                "write an IP address and a port, such as 127.0.0.1:9464 or \"[::1]:9464\", or off",
            )
        }),
    )?;
    if !address.ip().to_canonical().is_loopback() {
        warnings.push(Fault::warning(
            "public-metrics",
            position,
            format!("metrics are served to everybody who reaches {address}, without a password"),
            format!("write 127.0.0.1:{} unless a firewall stands before it", address.port()),
        ));
    }
    Some(address)
}

fn api(written: &schema::Api, faults: &mut Faults) -> Api {
    let socket =
        written.socket.as_ref().and_then(|text| faults.take(text.position, socket(&text.value)));
    let group = written
        .group
        .as_ref()
        .and_then(|text| faults.take(text.position, group_number(&text.value)));
    Api { socket: socket.unwrap_or_else(|| PathBuf::from(SOCKET)), group }
}

fn socket(text: &str) -> Result<PathBuf, Fix> {
    let wrong = |why: &str, hint: &str| {
        Err(Fix::new(format!("`{text}` is no place for a socket: {why}"), hint))
    };
    let hint = "write a path such as /run/picket/picket.sock";
    if !text.starts_with('/') {
        return wrong("it does not start with `/`", hint);
    }
    if text.ends_with('/') || text.ends_with("/..") {
        return wrong("it is a directory", hint);
    }
    if MAX_SOCKET < text.len() {
        return wrong(
            "it is longer than 107 bytes",
            "choose a shorter path: the kernel takes no longer one",
        );
    }
    Ok(PathBuf::from(text))
}

fn group_number(text: &str) -> Result<u32, Fix> {
    // The highest number stands for "no group" in the kernel's calls.
    let number =
        text.bytes().all(|c| c.is_ascii_digit()).then(|| values::number(text, 0..=u32::MAX - 1));
    if let Some(number) = number.filter(|_| !text.is_empty()) {
        return number;
    }
    group::number(text).ok_or_else(|| {
        Fix::new(
            format!("there is no group `{text}` on this machine"),
            "write a name from /etc/group, create it (`groupadd --system NAME`), or write a group's number",
        )
    })
}

fn sandboxes(
    written: &At<Vec<schema::Sandbox>>,
    may_be_empty: bool,
    manifests: &mut Manifests,
    faults: &mut Faults,
) -> Vec<Rule> {
    if written.value.is_empty() && !may_be_empty {
        faults.add(written.position, "no sandbox is named, so nothing would be watched", WATCH);
    }
    let mut earlier: Vec<At<Pattern>> = Vec::new();
    let mut rules = Vec::new();
    for entry in &written.value {
        let cgroup = faults.take(entry.cgroup.position, cgroup(&entry.cgroup.value));
        if let Some(pattern) = &cgroup {
            if let Some(first) = earlier.iter().find(|first| first.value.covers(pattern)) {
                faults.add(
                    entry.cgroup.position,
                    format!(
                        "`{pattern}` is never reached: `{}` in line {} comes first and matches all of it",
                        first.value,
                        first.position.line()
                    ),
                    "write the narrower pattern first, or remove one of the two",
                );
            }
            earlier.push(entry.cgroup.with(pattern.clone()));
        }
        let manifest = manifests.load(&entry.manifest, faults);
        let mode = mode(entry.mode.as_ref(), faults);
        let setup = setup(entry.setup.as_ref(), faults);
        if let (Some(cgroup), Some((manifest_path, manifest))) = (cgroup, manifest) {
            let position = entry.cgroup.position;
            let meant = Meant::Cgroup(cgroup);
            rules.push(Rule { meant, manifest, manifest_path, mode, setup, position });
        }
    }
    rules
}

/// Sandboxes that Picket starts itself have their own manifest and supervisor, and lie below one cgroup.
fn cgroup(text: &str) -> Result<Pattern, Fix> {
    if let Some(rest) =
        text.strip_prefix(MOUNT).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    {
        let rest = if rest.len() < 2 { "/plugins/*" } else { rest };
        return Err(Fix::new(
            format!("`{text}` names a directory; a cgroup is named from the cgroup2 mount on"),
            format!("write {rest}"),
        ));
    }
    let pattern = Pattern::parse(text).map_err(|error| {
        Fix::new(format!("`{text}` is not a pattern for cgroups"), error.why.as_str())
    })?;
    if pattern.matches(b"/") {
        return Err(Fix::new(
            format!("`{text}` means the root cgroup, too: every process of the machine"),
            "name the cgroup that holds the sandboxes, such as /plugins/*",
        ));
    }
    let home = supervisor::CGROUP_HOME;
    // A path below the home matches the pattern exactly when the pattern's first segment takes the home in.
    let first = text.split('/').nth(1).unwrap_or_default();
    let reaches = first == "**"
        || Pattern::parse(&format!("/{first}"))
            .is_ok_and(|first| first.matches(format!("/{home}").as_bytes()));
    if reaches {
        return Err(Fix::new(
            format!("`{text}` reaches /{home}, where the sandboxes of `picket exec` are"),
            "name the first segment of the cgroups that others start, such as /plugins/**",
        ));
    }
    Ok(pattern)
}

fn mode(text: Option<&Text>, faults: &mut Faults) -> Option<Mode> {
    let known: Vec<_> = Mode::ALL.iter().map(|&mode| (mode.as_str(), Some(mode))).collect();
    faults.word("a mode", text, &known, None)
}

fn setup(text: Option<&Text>, faults: &mut Faults) -> Duration {
    let setup = text.and_then(|text| {
        let setup = values::duration(&text.value).and_then(|setup| {
            if setup <= MAX_SETUP {
                return Ok(setup);
            }
            Err(Fix::new(
                format!("`{}` is too long to set up a sandbox", text.value),
                "write 0s to 10m; a cgroup is judged from its first exec on, whatever is written here",
            ))
        });
        faults.take(text.position, setup)
    });
    setup.unwrap_or(SETUP)
}

/// Whoever can write the file decides what is frozen; its owner may, nobody else.
pub(super) fn only_ours(path: &Path) -> Result<(), Fix> {
    // A file that cannot be looked at is complained of where it is read.
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    let mode = metadata.permissions().mode();
    let who = match (mode & 0o020 != 0, mode & 0o002 != 0) {
        _ if !metadata.is_file() => return Ok(()),
        (false, false) => return Ok(()),
        (true, false) => "its group",
        (_, true) => "everybody",
    };
    Err(Fix::new(
        format!("`{}` can be written by {who}, and decides what Picket stops", path.display()),
        format!("chmod go-w {}", path.display()),
    ))
}
