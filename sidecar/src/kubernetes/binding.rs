//! What a manifest is meant for, as its file's name says.
//!
//! `NAMESPACE_WORKLOAD_CONTAINER.yaml`: a ConfigMap mounts as one flat directory, its keys may contain `_`, and no name
//! in Kubernetes does.

use std::fmt;

use super::name::{is_label, is_subdomain};

/// The containers that a manifest is meant for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The namespace of their pods.
    pub namespace: String,
    /// What controls the pods, or the pod's own name.
    pub workload: String,
    /// Their name in the pods.
    pub container: String,
}

/// Why a file's name is no binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBinding {
    /// It ends otherwise.
    #[error("it does not end in .yaml")]
    Ending,
    /// There are not three parts.
    #[error("it is not three names with _ between them")]
    Parts,
    /// The first part is none.
    #[error("its first part is no name of a namespace")]
    Namespace,
    /// The second part is none.
    #[error("its second part is no name of a workload")]
    Workload,
    /// The third part is none.
    #[error("its third part is no name of a container")]
    Container,
}

impl Binding {
    /// Reads the name of a manifest's file.
    ///
    /// # Errors
    /// [`NoBinding`].
    pub fn of_file(name: &str) -> Result<Self, NoBinding> {
        let stem = name.strip_suffix(".yaml").ok_or(NoBinding::Ending)?;
        let [namespace, workload, container] =
            <[&str; 3]>::try_from(stem.split('_').collect::<Vec<_>>())
                .map_err(|_| NoBinding::Parts)?;
        let checks = [
            (is_label(namespace), NoBinding::Namespace),
            (is_subdomain(workload), NoBinding::Workload),
            (is_label(container), NoBinding::Container),
        ];
        if let Some((_, why)) = checks.into_iter().find(|(good, _)| !good) {
            return Err(why);
        }
        let [namespace, workload, container] = [namespace, workload, container].map(str::to_owned);
        Ok(Self { namespace, workload, container })
    }
}

impl fmt::Display for Binding {
    /// As its file is called, without the ending.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.namespace, self.workload, self.container)
    }
}
