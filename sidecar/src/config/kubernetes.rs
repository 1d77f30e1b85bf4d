//! Containers of Kubernetes and the manifests bound to them: a directory in which files are called after what they are
//! meant for.

use std::{path::PathBuf, sync::Arc};

use super::{Kubernetes, Meant, Rule, Scope, check, manifests::Manifests, schema};
use crate::{
    document::{Fault, Faults, Fix, Text},
    kubernetes::Binding,
};

/// Where the kubelet keeps logs unless the configuration says otherwise.
pub(super) const LOGS: &str = "/var/log";
/// Whose containers are watched unless the configuration says otherwise.
pub(super) const SCOPE: Scope = Scope::Node;
/// A ConfigMap has room for a mebibyte; a directory with more files than this is another one than was meant.
const BINDINGS: usize = 4_096;

/// Judges the section and every manifest in its directory.
pub(super) fn check(
    written: &schema::Kubernetes,
    manifests: &mut Manifests,
    faults: &mut Faults,
    warnings: &mut Vec<Fault>,
) -> Option<(Kubernetes, Vec<Rule>)> {
    let logs = written.logs.as_ref().map_or(Some(PathBuf::from(LOGS)), |text| {
        faults.take(text.position, directory(&text.value))
    });
    let scopes = [Scope::Node, Scope::Pod].map(|scope| (scope.as_str(), scope));
    let scope = faults.word("a scope", written.scope.as_ref(), &scopes, SCOPE);
    let text = &written.manifests;
    if text.value.is_empty() {
        faults.add(text.position, "no directory is named", "write the path of the manifests");
        return None;
    }
    let (directory, files) = manifests.list(text, faults)?;
    if BINDINGS < files.len() {
        let message = format!("{} has {} files", directory.display(), files.len());
        let hint = format!("name a directory of at most {BINDINGS} manifests and nothing else");
        faults.add(text.position, message, hint);
        return None;
    }
    if files.is_empty() {
        warnings.push(Fault::warning(
            "no-manifests",
            text.position,
            format!("{} is empty, so no container is watched", directory.display()),
            "add files called NAMESPACE_WORKLOAD_CONTAINER.yaml; they are noticed when they appear",
        ));
    }
    let bound = files.iter().filter_map(|file| rule(text, file, manifests, faults)).collect();
    Some((Kubernetes { manifests: directory, logs: logs?, scope }, bound))
}

/// The rule that one file of the directory makes.
fn rule(
    text: &Text,
    file: &std::path::Path,
    manifests: &mut Manifests,
    faults: &mut Faults,
) -> Option<Rule> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let binding = faults.take(
        text.position,
        Binding::of_file(&name).map_err(|why| {
            Fix::new(
                format!("`{}` says no container: {why}", file.display()),
                "call it NAMESPACE_WORKLOAD_CONTAINER.yaml, such as shop_web_app.yaml, or remove it",
            )
        }),
    )?;
    let (manifest_path, manifest) =
        manifests.load(&text.with(file.to_str()?.to_owned()), faults)?;
    Some(Rule {
        meant: Meant::Container(binding),
        manifest: Arc::clone(&manifest),
        manifest_path,
        mode: None,
        setup: check::SETUP,
        position: text.position,
    })
}

fn directory(text: &str) -> Result<PathBuf, Fix> {
    if text.starts_with('/') {
        return Ok(PathBuf::from(text));
    }
    Err(Fix::new(
        format!("`{text}` is no absolute path of a directory"),
        format!("write the directory that has `pods` and `containers` in it, such as {LOGS}"),
    ))
}
