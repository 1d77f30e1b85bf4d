//! Metrics made of registered names and filled with exportable values, and of nothing else.
//!
//! Names, help and labels come from the registry; how many values a metric takes is part of its type.

use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto,
};

use crate::export::{
    OperatorWord,
    registry::{self, Kind, Metric},
};

/// Value of a label. There is no way to make one of a word of the watched code.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Of a closed list in the code.
    Closed(&'static str),
    /// Counted or numbered by Picket.
    Number(u32),
    /// An operator's.
    Operator(&'a OperatorWord),
}

impl From<&'static str> for Value<'_> {
    fn from(word: &'static str) -> Self {
        Self::Closed(word)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a OperatorWord> for Value<'a> {
    fn from(word: &'a OperatorWord) -> Self {
        Self::Operator(word)
    }
}

impl Value<'_> {
    fn text(self) -> String {
        match self {
            Self::Closed(word) => word.to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Operator(word) => word.as_str().to_owned(),
        }
    }
}

const VALID: &str = "the registry's names and labels follow Prometheus' rules";
const ONCE: &str = "each metric is made once";

fn options<K: Kind, const N: usize>(metric: &Metric<K, N>) -> Opts {
    Opts::new(metric.name(), metric.help())
}

fn labels<K: Kind, const N: usize>(metric: &Metric<K, N>) -> [&'static str; N] {
    metric.labels().map(registry::Label::as_str)
}

fn add(registry: &Registry, collector: impl Collector + 'static) {
    registry.register(Box::new(collector)).expect(ONCE);
}

pub(in crate::export) fn counter(
    registry: &Registry,
    metric: &Metric<registry::Counter, 0>,
) -> IntCounter {
    let made = IntCounter::with_opts(options(metric)).expect(VALID);
    add(registry, made.clone());
    made
}

pub(in crate::export) fn gauge(
    registry: &Registry,
    metric: &Metric<registry::Gauge, 0>,
) -> IntGauge {
    let made = IntGauge::with_opts(options(metric)).expect(VALID);
    add(registry, made.clone());
    made
}

/// A gauge of seconds.
pub(in crate::export) fn seconds(
    registry: &Registry,
    metric: &Metric<registry::Gauge, 0>,
) -> Gauge {
    let made = Gauge::with_opts(options(metric)).expect(VALID);
    add(registry, made.clone());
    made
}

pub(in crate::export) fn histogram(
    registry: &Registry,
    metric: &Metric<registry::Histogram, 0>,
    buckets: &[f64],
) -> Histogram {
    let options = HistogramOpts::from(options(metric)).buckets(buckets.to_vec());
    let made = Histogram::with_opts(options).expect(VALID);
    add(registry, made.clone());
    made
}

/// Histograms by labels.
#[derive(Clone, Debug)]
pub(in crate::export) struct Histograms<const N: usize>(HistogramVec);

impl<const N: usize> Histograms<N> {
    pub(in crate::export) fn new(
        registry: &Registry,
        metric: &Metric<registry::Histogram, N>,
        buckets: &[f64],
    ) -> Self {
        let options = HistogramOpts::from(options(metric)).buckets(buckets.to_vec());
        let made = HistogramVec::new(options, &labels(metric)).expect(VALID);
        add(registry, made.clone());
        Self(made)
    }

    /// The one of these values; it exists from then on.
    pub(in crate::export) fn of(&self, values: [Value<'_>; N]) -> Histogram {
        self.0.with_label_values(&values.map(Value::text))
    }
}

/// Counters by labels.
#[derive(Clone, Debug)]
pub(in crate::export) struct Counters<const N: usize>(IntCounterVec);

impl<const N: usize> Counters<N> {
    pub(in crate::export) fn new(
        registry: &Registry,
        metric: &Metric<registry::Counter, N>,
    ) -> Self {
        let made = IntCounterVec::new(options(metric), &labels(metric)).expect(VALID);
        add(registry, made.clone());
        Self(made)
    }

    /// The one of these values; it exists from then on.
    pub(in crate::export) fn of(&self, values: [Value<'_>; N]) -> IntCounter {
        self.0.with_label_values(&values.map(Value::text))
    }
}

/// Gauges by labels.
#[derive(Clone, Debug)]
pub(in crate::export) struct Gauges<const N: usize>(IntGaugeVec);

impl<const N: usize> Gauges<N> {
    pub(in crate::export) fn new(registry: &Registry, metric: &Metric<registry::Gauge, N>) -> Self {
        let made = IntGaugeVec::new(options(metric), &labels(metric)).expect(VALID);
        add(registry, made.clone());
        Self(made)
    }

    /// The one of these values; it exists from then on.
    pub(in crate::export) fn of(&self, values: [Value<'_>; N]) -> IntGauge {
        self.0.with_label_values(&values.map(Value::text))
    }

    /// The one of these values is no more.
    pub(in crate::export) fn remove(&self, values: [Value<'_>; N]) {
        // Absent already: the same.
        drop(self.0.remove_label_values(&values.map(Value::text)));
    }
}

/// What a registry has to know of a family before it is there.
pub(super) fn description<K: Kind, const N: usize>(metric: &Metric<K, N>) -> Desc {
    let labels = labels(metric).map(str::to_owned).to_vec();
    Desc::new(metric.name().to_owned(), metric.help().to_owned(), labels, Default::default())
        .expect(VALID)
}

/// A family that is made at the moment it is asked for, of numbers that are kept elsewhere.
pub(super) struct Family<K: 'static, const N: usize> {
    metric: &'static Metric<K, N>,
    samples: Vec<proto::Metric>,
}

/// A type whose samples are one number.
pub(super) trait Plain: Kind {
    const TYPE: proto::MetricType;
    fn set(sample: &mut proto::Metric, value: f64);
}

impl Plain for registry::Counter {
    const TYPE: proto::MetricType = proto::MetricType::COUNTER;

    fn set(sample: &mut proto::Metric, value: f64) {
        let mut counter = proto::Counter::default();
        counter.set_value(value);
        sample.set_counter(counter);
    }
}

impl Plain for registry::Gauge {
    const TYPE: proto::MetricType = proto::MetricType::GAUGE;

    fn set(sample: &mut proto::Metric, value: f64) {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        sample.set_gauge(gauge);
    }
}

impl<K: Plain, const N: usize> Family<K, N> {
    pub(super) fn new(metric: &'static Metric<K, N>) -> Self {
        Self { metric, samples: Vec::new() }
    }

    #[expect(clippy::cast_precision_loss, reason = "samples are floats, exact to 2^53")]
    pub(super) fn add(&mut self, values: [Value<'_>; N], value: u64) {
        self.sample(values, value as f64);
    }

    fn sample(&mut self, values: [Value<'_>; N], value: f64) {
        let mut pairs: Vec<_> = self.metric.labels().iter().zip(values).map(pair).collect();
        // As the library orders those of its own metrics.
        pairs.sort_by(|one, other| one.name().cmp(other.name()));
        let mut sample = proto::Metric::from_label(pairs);
        K::set(&mut sample, value);
        self.samples.push(sample);
    }

    /// The same in seconds.
    #[expect(clippy::cast_precision_loss, reason = "samples are floats, exact to 2^53")]
    pub(super) fn add_micros(&mut self, values: [Value<'_>; N], micros: u64) {
        self.sample(values, micros as f64 / 1e6);
    }

    pub(super) fn done(self) -> proto::MetricFamily {
        let mut family = proto::MetricFamily::default();
        family.set_name(self.metric.name().to_owned());
        family.set_help(self.metric.help().to_owned());
        family.set_field_type(K::TYPE);
        family.set_metric(self.samples);
        family
    }
}

fn pair((label, value): (&registry::Label, Value<'_>)) -> proto::LabelPair {
    let mut pair = proto::LabelPair::default();
    pair.set_name(label.as_str().to_owned());
    pair.set_value(value.text());
    pair
}
