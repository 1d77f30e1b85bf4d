//! The names that may leave the node. They are made of `sidecar/telemetry.yaml`, and only there can one be added: the
//! fields of these types are private to this module.

// Made, not written: see its head.
#[rustfmt::skip]
mod names;

use std::{fmt, marker::PhantomData};

pub use names::{alert, annotation, attribute, key, label, metric};

/// Type of a metric.
pub trait Kind: fmt::Debug + Copy {
    /// As Prometheus calls it.
    const WORD: &'static str;
}

/// Only grows.
#[derive(Clone, Copy, Debug)]
pub struct Counter;

/// Goes up and down.
#[derive(Clone, Copy, Debug)]
pub struct Gauge;

/// A distribution.
#[derive(Clone, Copy, Debug)]
pub struct Histogram;

impl Kind for Counter {
    const WORD: &'static str = "counter";
}

impl Kind for Gauge {
    const WORD: &'static str = "gauge";
}

impl Kind for Histogram {
    const WORD: &'static str = "histogram";
}

/// A metric with `N` labels of its own, beside [`label::CONSTANT`]. Type and number are part of its type, so that
/// one that is made or filled as another does not compile.
#[derive(Clone, Copy, Debug)]
pub struct Metric<K, const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [Label; N],
    kind: PhantomData<K>,
}

impl<K: Kind, const N: usize> Metric<K, N> {
    const fn new(name: &'static str, help: &'static str, labels: [Label; N]) -> Self {
        Self { name, help, labels, kind: PhantomData }
    }

    const fn listed(&'static self) -> Listed {
        Listed { name: self.name, kind: K::WORD, labels: &self.labels }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it says.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.help
    }

    /// Its labels, in the order in which their values are given.
    #[must_use]
    pub const fn labels(&self) -> &[Label; N] {
        &self.labels
    }
}

/// A metric whatever its type, for those who compare what is registered with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: &'static str,
    /// Its type, as Prometheus calls it.
    pub kind: &'static str,
    /// Its own labels.
    pub labels: &'static [Label],
}

/// Defines a spelling for one output.
macro_rules! spelling {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(&'static str);

        impl $name {
            /// As it is written there.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                self.0
            }
        }
    };
}

spelling!(
    /// Label of a metric.
    Label
);
spelling!(
    /// Attribute of an OpenTelemetry record, span or resource.
    Attribute
);
spelling!(
    /// Key in the JSON of a webhook.
    Key
);
spelling!(
    /// Label of an Alertmanager alert.
    AlertLabel
);
spelling!(
    /// Annotation of an Alertmanager alert.
    Annotation
);
