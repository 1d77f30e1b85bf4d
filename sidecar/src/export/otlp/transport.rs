//! Connections to a collector. One is opened with the first request, and again when it has broken.

use std::time::Duration;

use opentelemetry_otlp::{
    Compression, ExporterBuildError, LogExporter, Protocol as Otlp, RetryPolicy, SpanExporter,
    WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use reqwest::redirect;
use tonic::{
    metadata::MetadataMap,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::settings::{Protocol, Target};

/// How Picket presents itself to a collector.
const AGENT: &str = concat!("picket/", env!("CARGO_PKG_VERSION"));

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// A way to one collector.
#[derive(Debug)]
pub(super) enum Wire {
    Grpc { channel: Channel, metadata: MetadataMap },
    Http { client: reqwest::Client },
}

/// The settings look good and yet do not work.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Of a client for HTTP.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// Of a channel for gRPC.
    #[error(transparent)]
    Grpc(#[from] tonic::transport::Error),
    /// Of an exporter.
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
}

impl Wire {
    /// Must be called within a runtime.
    pub(super) fn open(target: &Target) -> Result<Self, OpenError> {
        match target.protocol {
            Protocol::Grpc => Self::open_grpc(target),
            Protocol::Http => Self::open_http(target),
        }
    }

    fn open_grpc(target: &Target) -> Result<Self, OpenError> {
        let mut endpoint = Endpoint::from_shared(target.url.to_string())?
            .user_agent(AGENT)?
            .connect_timeout(CONNECT.min(target.timeout))
            .timeout(target.timeout);
        if target.url.scheme() == "https" {
            let tls = ClientTlsConfig::new();
            let mut tls = match &target.authorities {
                Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
                None => tls.with_native_roots(),
            };
            if let Some(own) = &target.identity {
                tls = tls.identity(Identity::from_pem(&own.certificate, &*own.key));
            }
            endpoint = endpoint.tls_config(tls)?;
        }
        let metadata = MetadataMap::from_headers(target.headers.clone());
        Ok(Self::Grpc { channel: endpoint.connect_lazy(), metadata })
    }

    fn open_http(target: &Target) -> Result<Self, OpenError> {
        // Not to another host: the headers are for this one.
        let mut client = reqwest::Client::builder()
            .user_agent(AGENT)
            .default_headers(target.headers.clone())
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT.min(target.timeout))
            .timeout(target.timeout);
        if target.url.scheme() == "http" {
            // The system's authorities are not even read: they take room, and a small image has none.
            client = client.tls_certs_only([]);
        } else if let Some(pem) = &target.authorities {
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem)?);
        }
        if let Some(own) = &target.identity {
            let both = [own.key.as_slice(), own.certificate.as_slice()].join(&b'\n');
            client = client.identity(reqwest::Identity::from_pem(&both)?);
        }
        Ok(Self::Http { client: client.build()? })
    }

    pub(super) fn logs(&self, target: &Target) -> Result<LogExporter, OpenError> {
        let builder = LogExporter::builder();
        Ok(match self {
            Self::Grpc { channel, metadata } => {
                by_grpc(builder.with_tonic(), channel, metadata, target).build()
            }
            Self::Http { client } => by_http(builder.with_http(), client, target).build(),
        }?)
    }

    pub(super) fn spans(&self, target: &Target) -> Result<SpanExporter, OpenError> {
        let builder = SpanExporter::builder();
        Ok(match self {
            Self::Grpc { channel, metadata } => {
                by_grpc(builder.with_tonic(), channel, metadata, target).build()
            }
            Self::Http { client } => by_http(builder.with_http(), client, target).build(),
        }?)
    }
}

fn by_grpc<B: WithTonicConfig + WithExportConfig>(
    builder: B,
    channel: &Channel,
    metadata: &MetadataMap,
    target: &Target,
) -> B {
    let builder = builder
        .with_channel(channel.clone())
        .with_metadata(metadata.clone())
        .with_timeout(target.timeout)
        .with_retry_policy(patience());
    if target.gzip { builder.with_compression(Compression::Gzip) } else { builder }
}

fn by_http<B: WithHttpConfig + WithExportConfig>(
    builder: B,
    client: &reqwest::Client,
    target: &Target,
) -> B {
    let builder = builder
        .with_http_client(client.clone())
        .with_endpoint(target.url.to_string())
        .with_protocol(Otlp::HttpBinary)
        .with_timeout(target.timeout)
        .with_retry_policy(patience());
    if target.gzip { builder.with_compression(Compression::Gzip) } else { builder }
}

/// Enough attempts to fill the time a request has: a collector that is being replaced is back within it.
fn patience() -> RetryPolicy {
    RetryPolicy::recommended().with_max_retries(8).with_max_delay(Duration::from_secs(3))
}
