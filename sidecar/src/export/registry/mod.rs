//! The names that may leave the node. They are made of `sidecar/telemetry.yaml`, and only there can one be added: the
//! fields of these types are private to this module.

// Made, not written: see its head.
#[rustfmt::skip]
mod names;

pub use names::{alert, annotation, attribute, key, label, metric};

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// A metric with its labels, as Prometheus has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    labels: &'static [Label],
}

impl Metric {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What it says.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.help
    }

    /// Its labels, in the order in which their values are given.
    #[must_use]
    pub const fn labels(&self) -> &'static [Label] {
        self.labels
    }
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
