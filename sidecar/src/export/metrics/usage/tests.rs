use picket_engine::SandboxId;

use super::*;
use crate::export::{
    Metrics, SeriesBudget,
    metrics::{
        budget::{OF_SANDBOX, RESERVED},
        counts::OF_RELEASE,
        tests::{count, n_counted, samples, sandbox, subject, sum, with_room_for},
    },
};

fn used(amounts: &[(Resource, u64)]) -> Usage {
    amounts.iter().copied().collect()
}

fn everything() -> Usage {
    Resource::ALL.iter().map(|resource| (*resource, 3)).collect()
}

fn is(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-9
}

#[test]
fn what_a_sandbox_has_used_is_told_in_base_units() {
    let metrics = Metrics::for_tests(SeriesBudget::DEFAULT);
    let series = metrics.sandbox(sandbox(3), &subject("greeter", "1"));
    series.used(&used(&[
        (Resource::CpuUser, 1_500_000),
        (Resource::IoPressure, 250_000),
        (Resource::Memory, 4_096),
        (Resource::IoWritten, 7),
    ]));
    let there = samples(&metrics);
    let of = |family, label| sum(&there, family, &[("plugin", "greeter"), ("slot", "3"), label]);
    assert!(is(of("picket_sandbox_cpu_seconds_total", ("mode", "user")), 1.5));
    assert!(is(of("picket_sandbox_pressure_seconds_total", ("resource", "io")), 0.25));
    assert!(is(of("picket_sandbox_memory_bytes", ("node", "node")), 4_096.0));
    assert!(is(of("picket_sandbox_io_bytes_total", ("direction", "write")), 7.0));
}

#[test]
fn what_nobody_counts_of_a_sandbox_has_no_series_and_none_is_zero() {
    let metrics = Metrics::for_tests(SeriesBudget::DEFAULT);
    let series = metrics.sandbox(sandbox(0), &subject("p", "1"));
    let n_before = n_counted(&samples(&metrics));
    series.used(&used(&[(Resource::Tasks, 0)]));
    let there = samples(&metrics);
    assert_eq!(n_counted(&there), n_before + 1);
    assert_eq!(count(&there, "picket_sandbox_tasks"), 1);
    assert!(is(
        sum(&there, "picket_metric_series", &[]),
        f64::from(u32::try_from(n_before).unwrap() + 1)
    ));
}

#[test]
fn a_sandbox_whose_slot_was_anothers_has_nothing_of_the_others() {
    let metrics = Metrics::for_tests(SeriesBudget::DEFAULT);
    let former = metrics.sandbox(sandbox(0), &subject("p", "1"));
    former.used(&everything());
    let next = SandboxId { generation: 2, ..sandbox(0) };
    let _next = metrics.sandbox(next, &subject("p", "1"));
    assert_eq!(count(&samples(&metrics), "picket_sandbox_memory_bytes"), 0);
}

#[test]
fn sandboxes_without_series_of_their_own_have_none_of_these() {
    let metrics = with_room_for(OF_RELEASE + OF_SANDBOX);
    let all = [0, 1].map(|slot| metrics.sandbox(sandbox(slot), &subject("p", "1")));
    all.iter().for_each(|series| series.used(&everything()));
    let there = samples(&metrics);
    assert_eq!(count(&there, "picket_sandbox_cpu_seconds_total"), 2);
    assert!(n_counted(&there) <= OF_RELEASE + OF_SANDBOX + RESERVED);
}
