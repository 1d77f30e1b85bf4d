//! The scrape in OTLP's words.

use prometheus::{Histogram, HistogramOpts, Registry, core::Collector as _};
use proptest::prelude::*;

use super::*;
use crate::export::SeriesBudget;

fn families(collector: &dyn Fn(&Registry)) -> Vec<MetricFamily> {
    let registry = Registry::new();
    collector(&registry);
    registry.gather()
}

#[test]
fn every_family_of_the_scrape_is_there_with_its_name_help_and_series() {
    let metrics = Metrics::for_tests(SeriesBudget::DEFAULT);
    let gathered = metrics.gather();
    let told = translated(&gathered, 1, 2);
    assert_eq!(told.len(), gathered.len());
    for (told, family) in told.iter().zip(&gathered) {
        assert_eq!((told.name.as_str(), told.description.as_str()), (family.name(), family.help()));
        let series = match told.data.as_ref().unwrap() {
            metric::Data::Sum(sum) => {
                assert!(sum.is_monotonic && told.name.ends_with("_total"), "{}", told.name);
                assert!(sum.data_points.iter().all(|point| point.start_time_unix_nano == 1));
                sum.data_points.len()
            }
            metric::Data::Gauge(gauge) => gauge.data_points.len(),
            metric::Data::Histogram(histogram) => histogram.data_points.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(series, family.get_metric().len(), "{}", told.name);
    }
}

#[test]
fn a_unit_is_what_a_name_ends_with() {
    for (name, expected) in [
        ("picket_ring_backlog_bytes", "By"),
        ("picket_event_to_decision_seconds", "s"),
        ("picket_events_total", ""),
    ] {
        assert_eq!(unit(name), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn buckets_hold_each_observation_once_and_their_sum_is_the_count(
        values in prop::collection::vec(0.0_f64..4.0, 0..50),
    ) {
        let bounds = vec![0.5, 1.0, 2.0];
        let options = HistogramOpts::new("h_seconds", "h").buckets(bounds.clone());
        let histogram = Histogram::with_opts(options).unwrap();
        values.iter().for_each(|value| histogram.observe(*value));
        prop_assert_eq!(histogram.desc().len(), 1);
        let family = families(&|registry| registry.register(Box::new(histogram.clone())).unwrap());
        let told = translated(&family, 1, 2);
        let Some(metric::Data::Histogram(told)) = &told[0].data else { panic!("{told:?}") };
        let point = &told.data_points[0];
        let within = |low: f64, high: f64| {
            let count = values.iter().filter(|value| low < **value && **value <= high).count();
            u64::try_from(count).unwrap()
        };
        let expected = [within(-1.0, 0.5), within(0.5, 1.0), within(1.0, 2.0), within(2.0, 9.0)];
        prop_assert_eq!(&point.bucket_counts, &expected);
        prop_assert_eq!(&point.explicit_bounds, &bounds);
        prop_assert_eq!(point.count, expected.iter().sum::<u64>());
    }
}
