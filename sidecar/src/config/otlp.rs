//! The section `otlp`: where telemetry is sent. The environment may say otherwise, see `export::otlp`.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::{schema, show};
use crate::{
    document::{Faults, Fix, Text, json_schema as shape, quoted, values},
    export::otlp::{self, Protocol, Written},
};

/// Metrics more often than this are load; less often than this, nobody sees.
const INTERVAL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(86_400));

/// Judges the section of the configuration at `config`, and the files that it names.
pub(super) fn check(config: &Path, written: &schema::Otlp, faults: &mut Faults) -> Option<Written> {
    let directory = config.parent().unwrap_or(Path::new(""));
    let endpoint = {
        let text = &written.endpoint;
        let url = otlp::check_endpoint(&text.value).map_err(|(why, hint)| Fix::new(why, hint));
        faults.take(text.position, url)
    };
    let known = Protocol::ALL;
    let protocol = faults.word("a protocol", written.protocol.as_ref(), &known, Protocol::Http);
    if let (Some(url), Protocol::Grpc) = (&endpoint, protocol)
        && !matches!(url.path(), "" | "/")
    {
        faults.add(
            written.endpoint.position,
            format!("`{url}` has a path, and gRPC has none"),
            "write scheme, host and port, or `protocol: http/protobuf`",
        );
    }
    // Read again at the start: what is judged here is not kept, so that it is shown nowhere.
    let headers = |path: &Path| otlp::read_headers_file(path).map(drop);
    let authorities = |path: &Path| otlp::read_certificates(path).map(drop);
    let headers_file = file(directory, written.headers_file.as_ref(), headers, faults);
    let ca_file = file(directory, written.ca_file.as_ref(), authorities, faults);
    let interval = written.interval.as_ref().and_then(|text| {
        let (least, most) = INTERVAL;
        let interval = values::duration(&text.value).and_then(|interval| {
            if (least..=most).contains(&interval) {
                return Ok(interval);
            }
            Err(Fix::new(
                format!("`{}` is no time between two rounds of metrics", text.value),
                "write 100ms to 1d, such as 60s",
            ))
        });
        faults.take(text.position, interval)
    });
    let interval = interval.unwrap_or(Written::INTERVAL);
    Some(Written { endpoint: endpoint?, protocol, headers_file, ca_file, interval })
}

fn file(
    directory: &Path,
    text: Option<&Text>,
    read: impl Fn(&Path) -> Result<(), String>,
    faults: &mut Faults,
) -> Option<PathBuf> {
    let text = text?;
    let path = super::absolute(&directory.join(&text.value));
    let outcome = read(&path).map_err(|why| {
        Fix::new(
            format!("{} {why}", path.display()),
            "correct the file or its path; one that does not start with / is taken from the configuration's directory",
        )
    });
    faults.take(text.position, outcome).map(|()| path)
}

/// As `picket config show` prints it. The headers' file is named, not opened.
pub(super) fn show(f: &mut fmt::Formatter<'_>, written: Option<&Written>) -> fmt::Result {
    let Some(Written { endpoint, protocol, headers_file, ca_file, interval }) = written else {
        return writeln!(f, "# otlp: none; the environment may name an endpoint");
    };
    writeln!(f, "otlp:\n  endpoint: {}", quoted(endpoint.as_str()))?;
    let is_default = *protocol == Protocol::Http;
    writeln!(f, "  protocol: {}{}", quoted(protocol.as_str()), show::default(is_default))?;
    for (key, file) in [("headers_file", headers_file), ("ca_file", ca_file)] {
        match file {
            Some(file) => writeln!(f, "  {key}: {}", show::path(file))?,
            None => writeln!(f, "  # {key}: none")?,
        }
    }
    let is_default = *interval == Written::INTERVAL;
    writeln!(f, "  interval: {}{}", show::duration(*interval), show::default(is_default))
}

pub(super) fn json_schema() -> Value {
    let words = Protocol::ALL.iter().map(|(word, _)| *word);
    let protocol = shape::with(
        shape::word("How the collector is spoken to.", words),
        "default",
        json!("http/protobuf"),
    );
    let mut interval = shape::duration("How often metrics are sent: 100ms to 1d.");
    interval = shape::with(interval, "default", json!("60s"));
    shape::object(
        "Where telemetry is sent by OTLP. Nothing is sent without it, unless the environment names an endpoint.",
        [
            (
                "endpoint!",
                shape::text("The collector: scheme, host and port.", "[hH][tT][tT][pP][sS]?:.*"),
            ),
            ("protocol", protocol),
            (
                "headers_file",
                shape::text("Headers for each request, one `name: value` a line.", ".*"),
            ),
            ("ca_file", shape::text("Who may vouch for the collector, in PEM.", ".*")),
            ("interval", interval),
        ],
    )
}
