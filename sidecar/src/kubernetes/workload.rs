//! From a pod's name to what may control it.
//!
//! A controller names its pods after itself, so the name is in there, and where it ends cannot always be told: `web-0`
//! may be a pod of the StatefulSet `web` or a pod called so. Therefore the answer is a list, and whoever binds manifests
//! takes the longest name that something is bound to.

/// What names are made of that Kubernetes makes up: no vowels, so that no words come out, and no 0, 1, 3.
const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Names that may be those of the controller of the pod of this name, the longest first, the pod's own included.
///
/// | controller | its pods |
/// |---|---|
/// | none | `NAME` |
/// | StatefulSet | `NAME-<ordinal>` |
/// | DaemonSet, Job, `generateName` | `NAME-<5 made up>` |
/// | Deployment | `NAME-<hash of the template>-<5 made up>` |
/// | CronJob, indexed Job | `NAME-<minutes or index>-<5 made up>` |
/// | CronJob of an indexed Job | `NAME-<minutes>-<index>-<5 made up>` |
pub fn workloads(pod: &str) -> Vec<&str> {
    let mut names = vec![pod];
    if let Some(base) = without(pod, is_number) {
        names.push(base);
    }
    if let Some(base) = without(pod, |last| last.len() == 5 && is_safe(last)) {
        names.push(base);
        names.extend(without(base, |last| last.len() <= 10 && is_safe(last)));
        let once = without(base, is_number);
        names.extend(once);
        names.extend(once.and_then(|base| without(base, is_number)));
    }
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.dedup();
    names
}

/// The name without its last part, if that is one of these.
fn without(name: &str, is_it: impl Fn(&str) -> bool) -> Option<&str> {
    let (base, last) = name.rsplit_once('-')?;
    (!base.is_empty() && is_it(last)).then_some(base)
}

fn is_safe(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| SAFE.contains(&byte))
}

/// As Kubernetes writes numbers: without zeros before them.
fn is_number(part: &str) -> bool {
    part == "0"
        || !part.is_empty()
            && part.len() <= 10
            && !part.starts_with('0')
            && part.bytes().all(|byte| byte.is_ascii_digit())
}
