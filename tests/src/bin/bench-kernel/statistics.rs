//! Medians, and how a table shows them.

/// Nanoseconds of an operation.
pub(crate) type Nanos = f64;

/// The middle one; the mean of the middle two.
pub(crate) fn median(mut values: Vec<Nanos>) -> Nanos {
    values.sort_by(Nanos::total_cmp);
    let half = values.len() / 2;
    let upper = values.get(half).copied().unwrap_or(Nanos::NAN);
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = half.checked_sub(1).and_then(|half| values.get(half)).copied();
    lower.map_or(upper, |lower| f64::midpoint(lower, upper))
}

/// The smallest.
pub(crate) fn least(values: impl Iterator<Item = Nanos>) -> Nanos {
    values.fold(Nanos::INFINITY, Nanos::min)
}
