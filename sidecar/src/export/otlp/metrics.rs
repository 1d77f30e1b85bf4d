//! The metrics of the scrape, in OTLP's words: same names, labels, values and buckets, since the start of this Picket.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_client::MetricsServiceClient,
    },
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
    },
    resource::v1::Resource,
};
use prometheus::proto::{LabelPair, MetricFamily, MetricType};
use prost::Message as _;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tonic::{Code, Request, codec::CompressionEncoding};

use super::{
    METRICS,
    lane::Books,
    settings::{Resource as Words, Target},
    transport::Wire,
};
use crate::export::Metrics;

/// An answer of a collector that is longer is no answer.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Sends the metrics again and again, and a last time at the end.
pub(super) struct Pushing {
    pub(super) metrics: Arc<Metrics>,
    pub(super) resource: Words,
    pub(super) target: Target,
    pub(super) wire: Wire,
    pub(super) interval: Duration,
    pub(super) books: Books,
}

impl Pushing {
    pub(super) async fn run(mut self, mut ending: watch::Receiver<bool>) {
        let start = nanos(SystemTime::now());
        let queued = self.metrics.queued(METRICS);
        let mut last = false;
        while !last {
            // A round that was not taken is not sent again: the next one says all that it said.
            last = timeout(self.interval, ending.wait_for(|is| *is)).await.is_ok();
            queued.inc();
            let request = self.request(start);
            let limit = self.target.timeout;
            let outcome = timeout(limit, self.send(request)).await;
            let late = |_| Err(format!("no answer within {limit:?}"));
            self.books.book(1, outcome.unwrap_or_else(late));
            // One that fails at once must not make this a busy loop, whatever the interval.
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn request(&self, start: u64) -> ExportMetricsServiceRequest {
        let words = self.resource.iter();
        let attributes = words.map(|(name, value)| pair(name, value)).collect();
        let resource = Resource { attributes, ..Resource::default() };
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let metrics = translated(&self.metrics.gather(), start, nanos(SystemTime::now()));
        let scope_metrics =
            vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }];
        let all = ResourceMetrics {
            resource: Some(resource),
            scope_metrics,
            ..ResourceMetrics::default()
        };
        ExportMetricsServiceRequest { resource_metrics: vec![all] }
    }

    async fn send(&self, request: ExportMetricsServiceRequest) -> Result<(), String> {
        let answer = match &self.wire {
            Wire::Grpc { channel, metadata } => {
                let mut client = MetricsServiceClient::new(channel.clone())
                    .max_decoding_message_size(LONGEST_ANSWER);
                if self.target.gzip {
                    client = client.send_compressed(CompressionEncoding::Gzip);
                }
                let mut request = Request::new(request);
                *request.metadata_mut() = metadata.clone();
                let answer = client.export(request).await;
                // Its message may be anything; its code is one of a list.
                answer.map_err(|status| format!("gRPC code {}", code(status.code())))?.into_inner()
            }
            Wire::Http { client } => self.post(client, &request).await?,
        };
        match answer.partial_success {
            Some(partial) if 0 < partial.rejected_data_points => {
                Err(format!("{} data points were rejected", partial.rejected_data_points))
            }
            _ => Ok(()),
        }
    }

    async fn post(
        &self,
        client: &reqwest::Client,
        request: &ExportMetricsServiceRequest,
    ) -> Result<ExportMetricsServiceResponse, String> {
        let mut body = request.encode_to_vec();
        let mut post = client.post(self.target.url.clone());
        if self.target.gzip {
            body = gzip(&body).map_err(|error| error.to_string())?;
            post = post.header(CONTENT_ENCODING, "gzip");
        }
        let sent = post.header(CONTENT_TYPE, "application/x-protobuf").body(body).send().await;
        // Without the address, which stands before it already.
        let mut answer = sent.map_err(|error| causes(&error.without_url()))?;
        if !answer.status().is_success() {
            return Err(format!("status {}", answer.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| causes(&error.without_url()))?
        {
            if LONGEST_ANSWER < bytes.len() + chunk.len() {
                return Err("an answer without end".to_owned());
            }
            bytes.extend_from_slice(&chunk);
        }
        // The status has said that it was taken; some say no more, or say it in JSON.
        Ok(ExportMetricsServiceResponse::decode(bytes.as_slice()).unwrap_or_default())
    }
}

/// An error with what lies behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text.push_str(&format!(": {deeper}"));
        cause = deeper.source();
    }
    text
}

fn code(code: Code) -> String {
    format!("{} ({code:?})", i32::from(code))
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn translated(families: &[MetricFamily], start: u64, now: u64) -> Vec<Metric> {
    let span = Span { start, now };
    families.iter().filter_map(|family| span.metric(family)).collect()
}

/// Between which moments something was counted.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    now: u64,
}

impl Span {
    fn metric(self, family: &MetricFamily) -> Option<Metric> {
        const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
        let all = family.get_metric().iter();
        let data = match family.get_field_type() {
            MetricType::COUNTER => metric::Data::Sum(Sum {
                data_points: all
                    .map(|one| {
                        self.number(one.get_label(), one.get_counter().get_value(), self.start)
                    })
                    .collect(),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            }),
            MetricType::GAUGE => metric::Data::Gauge(Gauge {
                // What is now was not counted since a beginning.
                data_points: all
                    .map(|one| self.number(one.get_label(), one.get_gauge().get_value(), 0))
                    .collect(),
            }),
            MetricType::HISTOGRAM => metric::Data::Histogram(Histogram {
                data_points: all
                    .map(|one| self.histogram(one.get_label(), one.get_histogram()))
                    .collect(),
                aggregation_temporality: CUMULATIVE,
            }),
            // Picket has none.
            MetricType::SUMMARY | MetricType::UNTYPED => return None,
        };
        Some(Metric {
            name: family.name().to_owned(),
            description: family.help().to_owned(),
            unit: unit(family.name()).to_owned(),
            data: Some(data),
            ..Metric::default()
        })
    }

    fn number(self, labels: &[LabelPair], value: f64, start: u64) -> NumberDataPoint {
        NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: start,
            time_unix_nano: self.now,
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        }
    }

    fn histogram(
        self,
        labels: &[LabelPair],
        histogram: &prometheus::proto::Histogram,
    ) -> HistogramDataPoint {
        let mut before = 0;
        let mut bucket_counts = Vec::new();
        let mut explicit_bounds = Vec::new();
        for bucket in histogram.get_bucket() {
            // Prometheus counts all below a bound, OTLP what lies between two.
            bucket_counts.push(bucket.cumulative_count().saturating_sub(before));
            before = bucket.cumulative_count();
            explicit_bounds.push(bucket.upper_bound());
        }
        bucket_counts.push(histogram.get_sample_count().saturating_sub(before));
        HistogramDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            count: histogram.get_sample_count(),
            sum: Some(histogram.get_sample_sum()),
            bucket_counts,
            explicit_bounds,
            ..HistogramDataPoint::default()
        }
    }
}

fn attributes(labels: &[LabelPair]) -> Vec<KeyValue> {
    labels.iter().map(|label| pair(label.name(), label.value())).collect()
}

fn pair(name: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: name.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// The unit that the name ends with, as UCUM writes it.
fn unit(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
