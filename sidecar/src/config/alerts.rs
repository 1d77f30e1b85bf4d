//! Who is told of incidents.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::Url;

use super::{Secret, schema};
use crate::document::{Fault, Faults, Fix, Once, Position, Text, values};
use crate::export::OperatorWord;

/// Where messages wait unless the configuration says otherwise.
pub(super) const OUTBOX: &str = "/var/lib/picket/alerts.db";
/// How long a message is tried unless the configuration says otherwise.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_PATIENCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MIN_PATIENCE: Duration = Duration::from_secs(60);
/// Messages a minute to one webhook: unless said otherwise, and at most.
pub(super) const RATE: u32 = 60;
pub(super) const MAX_RATE: u32 = 1_000;
/// Each has a client and series of its own.
pub(super) const MAX_TARGETS: usize = 16;
/// Fits every label and file name.
pub(super) const NAME: &str = "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?";
/// What other outputs are called.
const TAKEN: [&str; 2] = ["otlp", "alerts"];
pub(super) const KINDS: [&str; 2] = ["alertmanager", "webhook"];
/// The new secret, the old one, and one to spare.
const MAX_SECRETS: usize = 3;
/// Bytes of a secret, by the standard.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// A bundle of certificates is larger than any other file we read.
const MAX_CA_BYTES: usize = 1 << 20;

/// Who is told of incidents, and how hard it is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// The file in which messages wait.
    pub outbox: PathBuf,
    /// A message that was not taken for so long is given up.
    pub give_up_after: Duration,
    /// At least one; names are unique.
    pub targets: Vec<AlertTarget>,
}

/// One that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertTarget {
    /// What metrics and `picket alerts` call it.
    pub name: OperatorWord,
    /// What it understands.
    pub kind: TargetKind,
    /// Where requests go.
    pub url: Url,
    /// As it stands in the file.
    pub(super) written_url: String,
    /// The token it is shown.
    pub bearer: Option<Secret>,
    /// Certificates that are trusted instead of the system's.
    pub ca_file: Option<Certificates>,
}

/// Certificates, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    pub(super) path: PathBuf,
    /// The file's bytes; at least one certificate is in them.
    pub pem: Vec<u8>,
}

/// What a target understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// Alertmanager's API, version 2.
    Alertmanager,
    /// JSON signed by Standard Webhooks.
    Webhook {
        /// What it is signed with; several while one is being replaced.
        secrets: Secret,
        /// Messages a minute at most.
        rate: u32,
    },
}

impl TargetKind {
    /// One word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Webhook { .. } => "webhook",
        }
    }
}

impl AlertTarget {
    /// Files it was made of beside the configuration.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let secrets = match &self.kind {
            TargetKind::Webhook { secrets, .. } => Some(secrets.path()),
            TargetKind::Alertmanager => None,
        };
        let bearer = self.bearer.as_ref().map(Secret::path);
        let ca = self.ca_file.as_ref().map(|ca| ca.path.as_path());
        secrets.into_iter().chain(bearer).chain(ca)
    }
}

/// Judges the section; relative files are taken from `directory`.
pub(super) fn check(
    written: &schema::Alerts,
    directory: &Path,
    faults: &mut Faults,
    warnings: &mut Vec<Fault>,
) -> Option<Alerts> {
    let outbox =
        written.outbox.as_ref().map(|text| faults.take(text.position, outbox(&text.value)));
    let patience = written
        .give_up_after
        .as_ref()
        .map(|text| faults.take(text.position, patience(&text.value)));
    let listed = &written.targets;
    if listed.value.is_empty() || MAX_TARGETS < listed.value.len() {
        faults.add(
            listed.position,
            format!("{} targets are named", listed.value.len()),
            format!("name 1 to {MAX_TARGETS}, or leave `alerts` out"),
        );
    }
    let mut names = Once::new();
    let mut targets = Vec::new();
    for entry in &listed.value {
        let what = format!("a target `{}`", entry.name.value);
        names.declare(entry.name.value.clone(), &what, entry.name.position, faults);
        targets.extend(target(entry, directory, faults, warnings));
    }
    Some(Alerts {
        outbox: outbox.unwrap_or_else(|| Some(PathBuf::from(OUTBOX)))?,
        give_up_after: patience.unwrap_or(Some(GIVE_UP_AFTER))?,
        targets,
    })
}

fn target(
    entry: &schema::AlertTarget,
    directory: &Path,
    faults: &mut Faults,
    warnings: &mut Vec<Fault>,
) -> Option<AlertTarget> {
    let name = faults.take(entry.name.position, name(&entry.name.value));
    let known: Vec<_> = KINDS.into_iter().map(|kind| (kind, Some(kind))).collect();
    let kind = faults.word("a type of target", Some(&entry.kind), &known, None);
    let url = faults.take(entry.url.position, url(&entry.url.value, kind == Some("alertmanager")));
    let file = |text: &Text| directory.join(&text.value);
    let mut secret = |text: &Option<Text>, most, judge: fn(&str) -> Result<(), &'static str>| {
        let text = text.as_ref()?;
        faults.take(text.position, Secret::read(&file(text), most, judge))
    };
    let secrets = secret(&entry.secret_file, MAX_SECRETS, signing_secret);
    let bearer = secret(&entry.bearer_file, 1, bearer_token);
    let ca = entry
        .ca_file
        .as_ref()
        .and_then(|text| faults.take(text.position, certificates(&file(text))));
    let rate = entry.rate.as_ref();
    let rate =
        rate.and_then(|text| faults.take(text.position, values::number(&text.value, 1..=MAX_RATE)));
    let kind = match kind? {
        "webhook" => {
            if entry.secret_file.is_none() {
                faults.add(
                    entry.kind.position,
                    "a webhook is signed, and `secret_file` is missing",
                    "write a secret into a file of your own: echo \"whsec_$(openssl rand -base64 32)\" > FILE; \
                     chmod 600 FILE",
                );
            }
            TargetKind::Webhook { secrets: secrets?, rate: rate.unwrap_or(RATE) }
        }
        _ => {
            for (text, key) in [(&entry.secret_file, "secret_file"), (&entry.rate, "rate")] {
                if let Some(text) = text {
                    let hint = "remove it, or write `type: webhook`";
                    faults.add(text.position, format!("an Alertmanager has no `{key}`"), hint);
                }
            }
            TargetKind::Alertmanager
        }
    };
    let url = url?;
    let is_secret = entry.bearer_file.is_some() || entry.secret_file.is_some();
    clear_text(&url, is_secret, entry.url.position, faults, warnings);
    if url.scheme() == "http"
        && let Some(text) = &entry.ca_file
    {
        faults.add(text.position, "http has no certificates", "write https, or remove `ca_file`");
    }
    Some(AlertTarget {
        name: OperatorWord::new(&name?),
        kind,
        url,
        written_url: entry.url.value.clone(),
        bearer,
        ca_file: ca,
    })
}

fn outbox(text: &str) -> Result<PathBuf, Fix> {
    if !text.starts_with('/') || text.ends_with('/') || text.ends_with("/..") {
        return Err(Fix::new(
            format!("`{text}` is no place for the outbox"),
            format!("write a path such as {OUTBOX}"),
        ));
    }
    Ok(PathBuf::from(text))
}

fn patience(text: &str) -> Result<Duration, Fix> {
    let patience = values::duration(text)?;
    if (MIN_PATIENCE..=MAX_PATIENCE).contains(&patience) {
        return Ok(patience);
    }
    Err(Fix::new(format!("`{text}` is not from 1m to 30d"), "write a duration such as 24h"))
}

fn name(text: &str) -> Result<String, Fix> {
    let is_plain = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let is_good = (1..=32).contains(&text.len())
        && text.bytes().all(is_plain)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if !is_good {
        return Err(Fix::new(
            format!("`{text}` is no name for a target"),
            "write 1 to 32 of a-z, 0-9 and -, such as oncall",
        ));
    }
    if TAKEN.contains(&text) {
        let message = format!("`{text}` is what another output is called");
        return Err(Fix::new(message, "choose another name, such as oncall"));
    }
    Ok(text.to_owned())
}

fn url(text: &str, is_alertmanager: bool) -> Result<Url, Fix> {
    let hint = "write a URL such as https://alerts.example.org/picket";
    let wrong = |why: &str, hint: &str| Err(Fix::new(format!("`url` {why}"), hint));
    let mut url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return wrong(&format!("cannot be read: {error}"), hint),
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return wrong("is not one of http or https", hint);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("holds a name or password", "write a token into a file: `bearer_file: FILE`");
    }
    if url.fragment().is_some() {
        return wrong("has a fragment, which no server is sent", "remove what follows #");
    }
    if is_alertmanager {
        let base = url.path().trim_end_matches('/').to_owned();
        if base.ends_with("/alerts") || url.query().is_some() {
            return wrong(
                "is more than the Alertmanager's own address",
                "write it as the Alertmanager's --web.external-url has it: /api/v2/alerts is added to it",
            );
        }
        url.set_path(&format!("{base}/api/v2/alerts"));
    }
    Ok(url)
}

/// What is sent without encryption can be read and changed on its way.
fn clear_text(
    url: &Url,
    is_secret: bool,
    position: Position,
    faults: &mut Faults,
    warnings: &mut Vec<Fault>,
) {
    // As the URL standard has it: an address of version 6 is in brackets.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    if url.scheme() == "https" || is_here {
        return;
    }
    let hint = "write https";
    if is_secret {
        faults.add(
            position,
            "a secret would be used without encryption, beyond this machine",
            hint,
        );
    } else {
        warnings.push(Fault::warning(
            "clear-text-alerts",
            position,
            "alerts leave this machine without encryption: they can be read, changed and held back",
            hint,
        ));
    }
}

fn signing_secret(line: &str) -> Result<(), &'static str> {
    const HINT: &str = "write whsec_ and 24 to 64 random bytes in base64 a line, as \
                        `echo \"whsec_$(openssl rand -base64 32)\"` prints them";
    let base64 = line.strip_prefix("whsec_").ok_or(HINT)?;
    let bytes = base64.trim_end_matches('=').len() * 3 / 4;
    let is_base64 = standardwebhooks::Webhook::new(base64).is_ok();
    (is_base64 && SECRET_BYTES.contains(&bytes)).then_some(()).ok_or(HINT)
}

fn bearer_token(line: &str) -> Result<(), &'static str> {
    let is_plain = line.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then_some(()).ok_or("write the token alone, without `Bearer` and without spaces")
}

fn certificates(path: &Path) -> Result<Certificates, Fix> {
    let name = path.display();
    let hint = "name a file of certificates in PEM, such as the one of the authority that signed the server's";
    let wrong = |why: String| Fix::new(format!("`{name}` {why}"), hint);
    super::check::only_ours(path)?;
    let pem = fs::read(path).map_err(|cause| wrong(format!("cannot be read: {cause}")))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem);
    if MAX_CA_BYTES < pem.len() || !found.is_ok_and(|found| !found.is_empty()) {
        return Err(wrong("holds no certificate".to_owned()));
    }
    Ok(Certificates { path: super::absolute(path), pem })
}
