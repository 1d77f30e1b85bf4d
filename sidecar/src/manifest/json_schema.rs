//! The manifest's JSON Schema. `docs/manifest.schema.json` is this text.

use picket_engine::{Action, Capability, Mode, OnExpiry, Protocol, SocketClass};
use serde_json::{Value, json};

use super::{
    PluginReport, capabilities,
    check::{network::names, rest},
    groups, syscalls,
};
use crate::document::json_schema as shape;

const ADDRESS: &str = "urn:picket:manifest:1";

/// What is another file for every process, as an expression.
const OWN: &str = "/proc/(self|thread-self)|/dev/(fd|stdin|stdout|stderr)";

const EXPIRES: &str = "When the grant ends, in UTC, such as 2030-12-01T00:00:00Z.";

/// The JSON Schema (draft 2020-12) of manifests.
///
/// It cannot say what depends on other values or on the machine: keys and grants written twice, protected files that
/// are granted, host bits of networks, empty ranges of ports, ranges of times and sizes, dates that do not exist.
pub fn json_schema() -> String {
    shape::document("Picket manifest", ADDRESS, root())
}

pub(super) fn root() -> Value {
    let modes = Mode::ALL.iter().map(|mode| mode.as_str());
    let capability = shape::word("A Linux capability.", capabilities::names());
    let report = shape::word("A report.", PluginReport::ALL.map(PluginReport::as_str));
    let mut processes = shape::number(
        "Processes alive at once, the entry point included; threads do not count.",
        1..=rest::MAX_PROCESSES,
    );
    processes = shape::with(processes, "default", json!(rest::DEFAULT_PROCESSES));
    let descriptor = shape::number("A descriptor.", 0..=rest::MAX_DESCRIPTOR);
    let mut mode = shape::word("Report only, report what would be done, or do it.", modes);
    mode = shape::with(mode, "default", json!("enforce"));
    shape::object(
        "What a plugin may do. What is not written is not granted.",
        [
            ("version!", shape::version("Version of this format.")),
            ("plugin!", plugin()),
            ("mode", mode),
            (
                "confinement",
                shape::with(
                    shape::word(
                        "How the plugin is confined from the start.",
                        ["standard", "strict"],
                    ),
                    "default",
                    json!("standard"),
                ),
            ),
            ("exec", shape::list("Programs it may run, its entry point included.", &exec())),
            ("files", files()),
            ("network", network()),
            ("syscalls", calls()),
            ("memory", memory()),
            ("capabilities", shape::set("Linux capabilities it keeps.", &capability)),
            ("processes", shape::object("How many processes it may be.", [("max", processes)])),
            ("descriptors", shape::set("Descriptors the entry point inherits.", &descriptor)),
            ("resources", resources()),
            ("reports", shape::set("What it has to report. Not enforced yet.", &report)),
            ("actions", actions()),
            ("containment", containment()),
        ],
    )
}

pub(super) fn plugin() -> Value {
    let inner = rest::MAX_NAME - 2;
    // An editor takes `name: 7` and `version: 1.4` for numbers.
    let or_number = |text| shape::with(text, "type", json!(["string", "number"]));
    let name = shape::text(
        "Up to 63 of a-z, 0-9, - and _, a letter or digit first and last.",
        &format!("[a-z0-9]([a-z0-9_-]{{0,{inner}}}[a-z0-9])?"),
    );
    let version = shape::text(
        "Up to 64 ASCII characters without spaces.",
        &format!("[!-~]{{1,{}}}", rest::MAX_VERSION),
    );
    shape::object(
        "Which plugin this is.",
        [
            ("name!", or_number(name)),
            ("version!", or_number(version)),
            (
                "digest",
                shape::digest("Digest of the entry point's file, verified before the start."),
            ),
        ],
    )
}

pub(super) fn exec() -> Value {
    let argument = json!({
        "type": ["string", "number", "boolean"],
        "maxLength": 4096,
        "pattern": r"^([^\\]|\\[*\\])*$",
    });
    let mut argv = shape::list(
        "One pattern an argument, the program's own name first; without it any arguments.",
        &argument,
    );
    argv = shape::with(argv, "minItems", json!(1));
    shape::object(
        "A program.",
        [
            ("path!", path("The program's file; with `interpreter`, the script.")),
            ("interpreter", path("Which program may interpret the script.")),
            ("argv", argv),
            ("expires", shape::moment(EXPIRES)),
        ],
    )
}

fn path(what: &str) -> Value {
    shape::pattern(what, OWN)
}

pub(super) fn files() -> Value {
    let grant = json!({ "anyOf": [path("Which files: `*` is any run inside one segment, `**` any run of segments."), detailed()] });
    let mut runtime = shape::boolean("Whether it may open what any program needs to start.");
    runtime = shape::with(runtime, "default", json!(true));
    let protect = path("A file; no wildcards.");
    shape::object(
        "Files it may open.",
        [
            ("runtime", runtime),
            ("read", shape::list("Files it may open for reading.", &grant)),
            (
                "write",
                shape::list("Files it may open for writing; does not imply reading.", &grant),
            ),
            ("execute", shape::list("Files it may run, with any arguments.", &grant)),
            ("protect", shape::set("Files that are never opened, by any name.", &protect)),
        ],
    )
}

pub(super) fn detailed() -> Value {
    shape::object(
        "Files, and when their grant ends.",
        [("path!", path("Which files.")), ("expires", shape::moment(EXPIRES))],
    )
}

pub(super) fn network() -> Value {
    let connect = shape::list("Where it may connect and send to.", &connect());
    let listen = shape::list("Where it may listen.", &listen());
    let kind = shape::word("A kind of socket.", names().map(SocketClass::as_str));
    let sockets = shape::set("Sockets that it may have besides TCP, UDP and Unix ones.", &kind);
    let name = shape::text("An abstract name; `*` is any run of bytes.", "@.+");
    let unix = shape::set("Unix sockets of others, without a file, that it may talk to.", &name);
    shape::object(
        "What it may do on the network.",
        [("connect", connect), ("listen", listen), ("sockets", sockets), ("unix", unix)],
    )
}

pub(super) fn connect() -> Value {
    let mut to = shape::text(
        "A network such as 10.0.0.0/8, an address, or a host name.",
        "[0-9A-Fa-f.:]+(/[0-9]{1,3})?|[0-9A-Za-z_.-]+",
    );
    to = shape::with(to, "not", json!({ "enum": ["any", "all"] }));
    endpoint("A destination.", ("to!", to))
}

pub(super) fn listen() -> Value {
    let what = "A network or an address such as 127.0.0.1; 0.0.0.0 is all interfaces.";
    endpoint("A local address.", ("address!", shape::text(what, "[0-9A-Fa-f.:]+(/[0-9]{1,3})?")))
}

fn endpoint(what: &str, host: (&str, Value)) -> Value {
    let mut protocol = shape::word("Transport.", Protocol::ALL.iter().map(|one| one.as_str()));
    protocol = shape::with(protocol, "default", json!(Protocol::Tcp.as_str()));
    shape::object(
        what,
        [
            host,
            ("port!", shape::ports("One port (8080), a range (8000-8099) or any.")),
            ("protocol", protocol),
            ("expires", shape::moment(EXPIRES)),
        ],
    )
}

pub(super) fn calls() -> Value {
    let names = groups::GROUPS.iter().map(|group| group.name).chain(syscalls::names());
    let mut runtime = shape::boolean("Whether the group @runtime is granted.");
    runtime = shape::with(runtime, "default", json!(true));
    let mut foreign =
        shape::boolean("Whether it may make 32-bit and x32 calls, whichever they are.");
    foreign = shape::with(foreign, "default", json!(false));
    let call = shape::word("A system call of x86_64, or a group.", names);
    shape::object(
        "System calls it may use.",
        [
            ("runtime", runtime),
            ("allow", shape::set("Names of calls, and groups.", &call)),
            ("foreign_abi", foreign),
        ],
    )
}

pub(super) fn memory() -> Value {
    let mut executable = shape::boolean(
        "Whether it may run what it has written to memory, or to files it may write to: compilers at run time do.",
    );
    executable = shape::with(executable, "default", json!(false));
    shape::object("What it may do with memory.", [("executable", executable)])
}

pub(super) fn resources() -> Value {
    shape::object(
        "What it may use up. Checked, not enforced yet.",
        [
            ("memory", shape::size("Memory, such as 256MiB.")),
            ("cpu", shape::percent("Share of one CPU, such as 50%.")),
            ("pids", shape::number("Processes and threads.", 1..=rest::MAX_PROCESSES)),
        ],
    )
}

pub(super) fn actions() -> Value {
    let kind = |capability: Capability| {
        // What left is no longer contained, so an alert alone is no answer to an escape.
        let told = |action: &&Action| capability != Capability::Escape || **action != Action::Alert;
        let known = Action::ALL.iter().filter(told).map(|action| action.as_str());
        let what = format!("What follows a departure of the kind `{capability}`.");
        (capability.as_str(), shape::word(&what, known))
    };
    let known = || Action::ALL.iter().map(|action| action.as_str());
    let denied = "What follows the first system calls that `confinement: strict` refuses.";
    let repeated = "What follows the third of an incident, and those after it.";
    let denials = [
        ("denied", shape::word(denied, known())),
        ("denied_repeatedly", shape::word(repeated, known())),
    ];
    let kinds = Capability::declared().map(kind).chain(denials);
    shape::object("What follows a departure.", kinds)
}

pub(super) fn containment() -> Value {
    let mut hold = shape::duration("How long a freeze lasts before `on_expiry`: 1s to 30d.");
    hold = shape::with(hold, "default", json!("30s"));
    let then = OnExpiry::ALL.iter().map(|then| then.as_str());
    let mut on_expiry = shape::word("It stays frozen until a person decides, or is killed.", then);
    on_expiry = shape::with(on_expiry, "default", json!(OnExpiry::Hold.as_str()));
    shape::object("What follows a freeze.", [("hold", hold), ("on_expiry", on_expiry)])
}
