//! Names as Kubernetes has them: what is none is refused before it is kept, compared or shown.

/// Namespaces and containers: a DNS label (RFC 1123).
const LABEL: usize = 63;
/// Pods and what controls them: labels with dots between.
const SUBDOMAIN: usize = 253;

/// Whether this can be the name of a namespace or a container.
pub(super) fn is_label(name: &str) -> bool {
    let outer = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= LABEL
        && bytes.first().is_some_and(outer)
        && bytes.last().is_some_and(outer)
        && bytes.iter().all(|byte| outer(byte) || *byte == b'-')
}

/// Whether this can be the name of a pod or of what controls it. A label in it may be longer than 63 bytes: Kubernetes
/// checks the whole.
pub(super) fn is_subdomain(name: &str) -> bool {
    let outer = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(outer)
            && bytes.last().is_some_and(outer)
            && bytes.iter().all(|byte| outer(byte) || *byte == b'-')
    };
    name.len() <= SUBDOMAIN && name.split('.').all(is_part)
}
