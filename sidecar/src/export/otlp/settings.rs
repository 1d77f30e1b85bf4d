//! Where telemetry goes and how: defaults, then the configuration, then the environment, as OpenTelemetry names it.
//!
//! Every variable that is read is judged. One that makes no sense is an error that names it, never a silent default:
//! whoever wrote it believes in it.

mod variables;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{Url, header::HeaderMap};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use zeroize::Zeroizing;

use super::headers;
use crate::export::registry::attribute;
use variables::Variables;

/// Attributes of the resource, by their names.
pub(super) type Resource = BTreeMap<String, String>;

/// How the collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

impl Protocol {
    /// Both, by the words of `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub const ALL: [(&'static str, Self); 2] =
        [("http/protobuf", Self::Http), ("grpc", Self::Grpc)];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

/// What the configuration's section `otlp` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The collector.
    pub endpoint: Url,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Headers for each request.
    pub headers_file: Option<PathBuf>,
    /// Who may vouch for the collector, instead of the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// How often metrics are sent.
    pub interval: Duration,
}

impl Written {
    /// How often metrics are sent unless said otherwise.
    pub const INTERVAL: Duration = Duration::from_secs(60);
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {why}")]
pub struct SettingsError {
    /// The variable, or the key of the configuration.
    pub name: String,
    /// What is wrong with it, and what would be right. No secret.
    pub why: String,
}

/// Everything that has to be known before the first message; at least one signal.
#[derive(Debug)]
pub struct Settings {
    pub(super) logs: Option<Target>,
    pub(super) traces: Option<Target>,
    pub(super) metrics: Option<Target>,
    pub(super) log_batch: Batch,
    pub(super) span_batch: Batch,
    pub(super) interval: Duration,
    pub(super) is_kubernetes: bool,
    pub(super) service: Option<String>,
    pub(super) resource: Resource,
}

/// Where one signal goes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) protocol: Protocol,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) authorities: Option<Vec<u8>>,
    pub(super) identity: Option<Identity>,
}

/// Certificate and key that the collector may ask for, in PEM.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Identity")
    }
}

/// How messages are sent together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    /// How long the first of a batch waits for others.
    pub(super) delay: Duration,
    /// The most of them.
    pub(super) size: usize,
    /// How long all attempts may take.
    pub(super) timeout: Duration,
}

impl Settings {
    /// What the configuration and this process's environment say; `None`: nothing is exported.
    ///
    /// # Errors
    /// A value makes no sense, or a file cannot be used.
    pub fn from_environment(file: Option<&Written>) -> Result<Option<Self>, SettingsError> {
        Self::read(&|name| std::env::var_os(name), file)
    }

    /// As [`Settings::from_environment`], with another environment.
    ///
    /// # Errors
    /// A value makes no sense, or a file cannot be used.
    pub fn read(
        environment: &dyn Fn(&str) -> Option<OsString>,
        file: Option<&Written>,
    ) -> Result<Option<Self>, SettingsError> {
        let variables = Variables(environment);
        if variables.flag("OTEL_SDK_DISABLED")? {
            return Ok(None);
        }
        let [logs, traces, metrics] = [Signal::Logs, Signal::Traces, Signal::Metrics]
            .map(|signal| signal.target(&variables, file));
        let (logs, traces, metrics) = (logs?, traces?, metrics?);
        if logs.is_none() && traces.is_none() && metrics.is_none() {
            return Ok(None);
        }
        let written = file.map_or(Written::INTERVAL, |file| file.interval);
        let interval = variables.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 100..=86_400_000)?;
        variables.only("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", &["cumulative"])?;
        let limit = |target: &Option<Target>| {
            target.as_ref().map_or(variables::TIMEOUT, |target| target.timeout)
        };
        Ok(Some(Self {
            log_batch: variables.batch("OTEL_BLRP", Duration::from_secs(1), limit(&logs))?,
            span_batch: variables.batch("OTEL_BSP", Duration::from_secs(5), limit(&traces))?,
            interval: interval.unwrap_or(written),
            is_kubernetes: variables.text("NODE_NAME")?.is_some(),
            service: variables.text("OTEL_SERVICE_NAME")?,
            resource: variables.resource()?,
            logs,
            traces,
            metrics,
        }))
    }

    /// Who sends. What the environment says of it comes before what Picket knows.
    pub(super) fn resource(&self, node: &str, instance: u64, tier: &'static str) -> Resource {
        let mut all = BTreeMap::from(
            [
                (attribute::SERVICE, "picket".to_owned()),
                (attribute::PICKET_VERSION, env!("CARGO_PKG_VERSION").to_owned()),
                (attribute::INSTANCE, format!("{instance:016x}")),
                (attribute::HOST, node.to_owned()),
                (attribute::TIER, tier.to_owned()),
            ]
            .map(|(name, value)| (name.as_str().to_owned(), value)),
        );
        if self.is_kubernetes {
            all.insert(attribute::NODE.as_str().to_owned(), node.to_owned());
        }
        all.extend(self.resource.clone());
        if let Some(service) = &self.service {
            all.insert(attribute::SERVICE.as_str().to_owned(), service.clone());
        }
        all
    }
}

#[derive(Clone, Copy)]
enum Signal {
    Logs,
    Traces,
    Metrics,
}

impl Signal {
    const fn word(self) -> &'static str {
        match self {
            Self::Logs => "LOGS",
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }

    fn target(
        self,
        variables: &Variables<'_>,
        file: Option<&Written>,
    ) -> Result<Option<Target>, SettingsError> {
        let word = self.word();
        let exporter = variables.only(&format!("OTEL_{word}_EXPORTER"), &["otlp", "none"])?;
        let protocol = match variables.one_of(word, "PROTOCOL")? {
            None => file.map_or(Protocol::Http, |file| file.protocol),
            Some((name, text)) => {
                let known = Protocol::ALL.iter().find(|(word, _)| *word == text);
                let wrong =
                    || variables::unknown(&name, &text, &Protocol::ALL.map(|(word, _)| word));
                known.ok_or_else(wrong)?.1
            }
        };
        let path = format!("v1/{}", word.to_lowercase());
        let own = format!("OTEL_EXPORTER_OTLP_{word}_ENDPOINT");
        let common = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let (name, url, is_own) = if let Some(text) = variables.text(&own)? {
            (own.as_str(), parsed(&own, &text)?, true)
        } else if let Some(text) = variables.text(common)? {
            (common, parsed(common, &text)?, false)
        } else if let Some(file) = file {
            ("otlp.endpoint", file.endpoint.clone(), false)
        } else {
            return Ok(None);
        };
        if exporter.as_deref() == Some("none") {
            return Ok(None);
        }
        let url = match protocol {
            Protocol::Http if is_own => url,
            Protocol::Http => below(url, &path),
            Protocol::Grpc if matches!(url.path(), "" | "/") => url,
            Protocol::Grpc => {
                let why =
                    format!("`{url}` has a path, and gRPC has none: write scheme, host and port");
                return Err(SettingsError { name: name.to_owned(), why });
            }
        };
        let headers = match variables.one_of(word, "HEADERS")? {
            Some((name, text)) => {
                let wrong = |why| format!("{why}; write name=value,name=value");
                headers::parse_list(&text).map_err(|why| SettingsError { name, why: wrong(why) })?
            }
            None => of_file(
                "otlp.headers_file",
                file.and_then(|file| file.headers_file.as_deref()),
                headers::read_file,
            )?
            .unwrap_or_default(),
        };
        let authorities = match variables.one_of(word, "CERTIFICATE")? {
            Some((name, path)) => of_file(&name, Some(Path::new(&path)), read_certificates)?,
            None => of_file(
                "otlp.ca_file",
                file.and_then(|file| file.ca_file.as_deref()),
                read_certificates,
            )?,
        };
        Ok(Some(Target {
            url,
            protocol,
            headers,
            timeout: variables.timeout(word)?,
            gzip: variables.gzip(word)?,
            authorities,
            identity: identity(variables, word)?,
        }))
    }
}

/// A file's content, or which setting names one that cannot be used.
fn of_file<T>(
    name: &str,
    path: Option<&Path>,
    read: impl Fn(&Path) -> Result<T, String>,
) -> Result<Option<T>, SettingsError> {
    let Some(path) = path else { return Ok(None) };
    let wrong =
        |why| SettingsError { name: name.to_owned(), why: format!("{} {why}", path.display()) };
    read(path).map(Some).map_err(wrong)
}

fn identity(variables: &Variables<'_>, word: &str) -> Result<Option<Identity>, SettingsError> {
    let certificate = variables.one_of(word, "CLIENT_CERTIFICATE")?;
    let key = variables.one_of(word, "CLIENT_KEY")?;
    let ((name, path), (key_name, key_path)) = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some((name, _)), None) | (None, Some((name, _))) => {
            let why = "needs the other half: set both CLIENT_CERTIFICATE and CLIENT_KEY".to_owned();
            return Err(SettingsError { name, why });
        }
    };
    let certificate = of_file(&name, Some(Path::new(&path)), read_certificates)?;
    let key = of_file(&key_name, Some(Path::new(&key_path)), |path| {
        let pem = headers::read_secret(path)?;
        let whole = PrivateKeyDer::from_pem_slice(&pem);
        whole.map_err(|_| "holds no private key in PEM".to_owned())?;
        Ok(pem)
    })?;
    Ok(certificate.zip(key).map(|(certificate, key)| Identity { certificate, key }))
}

/// A file of certificates in PEM; at least one.
///
/// # Errors
/// It cannot be read, or holds none.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let pem = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|_| "holds a certificate that is not whole PEM".to_owned())?;
        count += 1;
    }
    if count == 0 {
        return Err("holds no certificate in PEM".to_owned());
    }
    Ok(pem)
}

fn parsed(name: &str, text: &str) -> Result<Url, SettingsError> {
    let wrong =
        |(why, hint)| SettingsError { name: name.to_owned(), why: format!("{why}; {hint}") };
    endpoint(text).map_err(wrong)
}

/// The address of a collector.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(crate) fn endpoint(text: &str) -> Result<Url, (String, &'static str)> {
    const HINT: &str = "write scheme, host and port, such as http://127.0.0.1:4318";
    // Not repeated before it is known that there is no password in it.
    let url = Url::parse(text).map_err(|error| (format!("this is no address: {error}"), HINT))?;
    if !url.username().is_empty() || url.password().is_some() {
        let why = "there are credentials in this address, where they would be shown".to_owned();
        return Err((why, "give them as a header"));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err((format!("`{text}` is neither http:// nor https://"), HINT));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err((format!("`{text}` has more than a path"), HINT));
    }
    Ok(url)
}

fn below(mut url: Url, path: &str) -> Url {
    let whole = format!("{}/{path}", url.path().trim_end_matches('/'));
    url.set_path(&whole);
    url
}

/// Text with `%` escapes; `None` where one is none, or where they make no UTF-8.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        plain.push(u8::try_from(high << 4 | low).ok()?);
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests;
