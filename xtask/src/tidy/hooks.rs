//! Every hook says which hook it is, why that one, since which kernel, and what it sends.

use super::Report;
use super::tree::Tree;

const PLACE: &str = "ebpf/src/hooks/";
const FACTS: [&str; 4] = ["Hook:", "Why here:", "Since:", "Emits:"];

pub(super) fn headers(tree: &Tree, report: &mut Report) {
    let hooks =
        tree.rust().filter(|file| file.name.starts_with(PLACE) && !file.name.ends_with("/mod.rs"));
    let mut n_hooks = 0_usize;
    for file in hooks {
        n_hooks += 1;
        let header: Vec<&str> =
            file.text().lines().take_while(|line| line.starts_with("//!")).collect();
        for fact in FACTS {
            if !header.iter().any(|line| line.contains(fact)) {
                report.broken(&file.name, 1, &format!("its header lacks `{fact}`"));
            }
        }
    }
    if n_hooks == 0 {
        report.broken(PLACE, 1, "holds no hook; did they move?");
    }
}
