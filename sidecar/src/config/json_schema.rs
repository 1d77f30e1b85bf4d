//! The configuration's JSON Schema. `docs/picket.schema.json` is this text.

use picket_engine::Mode;
use serde_json::{Value, json};

use super::{Scope, alerts as alerting, check, kubernetes};
use crate::{
    document::json_schema as shape,
    export::{OperatorWord, SeriesBudget},
    supervisor,
};

const ADDRESS: &str = "urn:picket:configuration:1";

/// The JSON Schema (draft 2020-12) of configurations.
///
/// It cannot say what depends on other values or on the machine: rules behind others, keys written twice, manifests
/// that are bad or missing, groups, permissions, and ranges of times.
pub fn json_schema() -> String {
    shape::document("Picket's daemon configuration", ADDRESS, root())
}

pub(super) fn root() -> Value {
    let all = shape::object(
        "What `picket run` watches, and how it is asked.",
        [
            ("version!", shape::version("Version of this format.")),
            ("node", node()),
            ("metrics", metrics()),
            ("api", api()),
            ("limits", limits()),
            ("otlp", super::otlp::json_schema()),
            ("alerts", alerts()),
            ("baselines", super::baselines::json_schema()),
            ("kubernetes", kubernetes()),
            ("sandboxes", sandboxes()),
        ],
    );
    let some =
        json!({ "required": ["sandboxes"], "properties": { "sandboxes": { "minItems": 1 } } });
    shape::with(all, "anyOf", json!([some, { "required": ["kubernetes"] }]))
}

fn kubernetes() -> Value {
    let mut logs = shape::text("The kubelet's directory of logs, absolute.", "/.*");
    logs = shape::with(logs, "default", json!(kubernetes::LOGS));
    let scopes = [Scope::Node, Scope::Pod].map(Scope::as_str);
    let mut scope = shape::word(
        "Whose containers: all of this node's, or those of the pod that Picket itself runs in.",
        scopes,
    );
    scope = shape::with(scope, "default", json!(kubernetes::SCOPE.as_str()));
    let manifests = "Directory of manifests, relative to this file; each is called NAMESPACE_WORKLOAD_CONTAINER.yaml.";
    shape::object(
        "Containers of Kubernetes, and the manifests they are judged by.",
        [("manifests!", shape::text(manifests, ".+")), ("logs", logs), ("scope", scope)],
    )
}

fn node() -> Value {
    let node = shape::text(
        "What the node is called in all that leaves it; otherwise $NODE_NAME, or the host's name.",
        r"[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*",
    );
    shape::with(node, "maxLength", json!(OperatorWord::MAX_BYTES))
}

fn metrics() -> Value {
    const ADDRESS: &str = r"off|[0-9.]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\]:[0-9]{1,5}";
    let listen = json!({
        "description": "Where Prometheus metrics are served: an IP address and a port, or off.",
        "default": check::METRICS,
        "anyOf": [
            { "type": "string", "pattern": format!("^({ADDRESS})$") },
            // What `off` is to tools that read YAML as it was before 2009.
            { "enum": [false] },
        ],
    });
    let range = SeriesBudget::LEAST..=SeriesBudget::MOST;
    let mut series = shape::number("Series that plugins and sandboxes may have at most.", range);
    series = shape::with(series, "default", json!(SeriesBudget::DEFAULT.get()));
    shape::object("Metrics for Prometheus.", [("listen", listen), ("series", series)])
}

fn api() -> Value {
    let mut socket = shape::text("Path of the Unix socket, absolute.", "/.*[^/]");
    socket = shape::with(socket, "maxLength", json!(check::MAX_SOCKET));
    socket = shape::with(socket, "default", json!(check::SOCKET));
    let group = json!({
        "description": "The group that may use the socket beside root: a name from /etc/group, or a number.",
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": u32::MAX - 1 },
            { "type": "string", "pattern": "^[^:/]+$" },
        ],
    });
    shape::object("How the daemon is asked.", [("socket", socket), ("group", group)])
}

fn limits() -> Value {
    let mut sandboxes = shape::number("Sandboxes watched at once.", 1..=check::MAX_SANDBOXES);
    sandboxes = shape::with(sandboxes, "default", json!(check::SANDBOXES));
    shape::object("Limits of the daemon.", [("sandboxes", sandboxes)])
}

fn alerts() -> Value {
    let mut rate = shape::number(
        "Messages a minute that a webhook is sent at most; what is more is summed up.",
        1..=alerting::MAX_RATE,
    );
    rate = shape::with(rate, "default", json!(alerting::RATE));
    let file = |what: &str| shape::text(what, ".+");
    let target = shape::object(
        "One that is told.",
        [
            ("name!", shape::text("What metrics and `picket alerts` call it.", alerting::NAME)),
            ("type!", shape::word("What it understands.", alerting::KINDS)),
            ("url!", shape::text("Where it is.", "https?://.+")),
            ("secret_file", file("File of the secrets that a webhook is signed with.")),
            ("bearer_file", file("File of a bearer token.")),
            ("ca_file", file("File of certificates, PEM; no others are trusted then.")),
            ("rate", rate),
        ],
    );
    let mut targets = shape::list("Who is told of incidents.", &target);
    targets = shape::with(targets, "minItems", json!(1));
    targets = shape::with(targets, "maxItems", json!(alerting::MAX_TARGETS));
    let outbox = shape::text("File of what is still to be said.", "/.*[^/]");
    let patience = shape::duration("How long a message is tried: 1m to 30d.");
    shape::object(
        "Who is told of incidents.",
        [
            ("outbox", shape::with(outbox, "default", json!(alerting::OUTBOX))),
            ("give_up_after", shape::with(patience, "default", json!("24h"))),
            ("targets!", targets),
        ],
    )
}

fn sandboxes() -> Value {
    let cgroup = shape::pattern(
        "Which cgroups, from the cgroup2 mount on: `*` is any run inside one segment, `**` any run of segments. The \
         first rule that matches counts.",
        &format!("/sys/fs/cgroup|/[*]|/[*][*]|/{}|/", supervisor::CGROUP_HOME),
    );
    let modes = Mode::ALL.iter().map(|mode| mode.as_str());
    let mut setup = shape::duration(
        "How long a cgroup that is found empty may be set up before it is judged without an exec: 0s to 10m.",
    );
    setup = shape::with(setup, "default", json!("10s"));
    let rule = shape::object(
        "Sandboxes, and the manifest they are judged by.",
        [
            ("cgroup!", cgroup),
            ("manifest!", shape::text("Path of the manifest, relative to this file.", ".+")),
            ("mode", shape::word("How far Picket may go; the manifest's mode otherwise.", modes)),
            ("setup", setup),
        ],
    );
    shape::list("What is watched.", &rule)
}
