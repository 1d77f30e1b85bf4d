//! What the kernel keeps: locked memory of the maps, with few sandboxes and with many.

use std::collections::BTreeMap;
use std::fs;

use aya::maps::loaded_maps;
use picket::probe::{Probe, Settings};
use serde_json::{Map, Value, json};

use crate::{Figures, Outcome};

/// Two sizes; the difference is what a sandbox costs.
const SIZES: [u32; 2] = [64, 4_000];

pub(crate) fn run() -> Outcome<Figures> {
    let few = bytes_of_maps(SIZES[0])?;
    let many = bytes_of_maps(SIZES[1])?;
    let more = u64::from(SIZES[1] - SIZES[0]);
    let mut text = format!(
        "memory of the kernel's maps, bytes\n{:<20} {:>14} {:>14} {:>14}\n",
        "map", "64 sandboxes", "4,000", "each sandbox"
    );
    let mut told = Map::new();
    let mut total = [0; 3];
    for (name, few) in few {
        let many = many.get(&name).copied().unwrap_or_default();
        let each = many.saturating_sub(few) / more;
        for (sum, bytes) in total.iter_mut().zip([few, many, each]) {
            *sum += bytes;
        }
        text.push_str(&format!("{name:<20} {few:>14} {many:>14} {each:>14}\n"));
        told.insert(name, json!({ "at_64": few, "at_4000": many, "each": each }));
    }
    let [few, many, each] = total;
    text.push_str(&format!("{:<20} {few:>14} {many:>14} {each:>14}", "all"));
    told.insert("all".to_owned(), json!({ "at_64": few, "at_4000": many, "each": each }));
    Ok(Figures { text, json: Value::Object(told) })
}

/// As the kernel accounts for it, by name, for a kernel side of its own.
fn bytes_of_maps(max_sandboxes: u32) -> Outcome<BTreeMap<String, u64>> {
    let ids = || loaded_maps().filter_map(Result::ok).map(|map| map.id());
    let before: Vec<u32> = ids().collect();
    let probe = Probe::load(Settings { max_sandboxes, refusals: false })?;
    let mut bytes = BTreeMap::new();
    for map in loaded_maps().filter_map(Result::ok).filter(|map| !before.contains(&map.id())) {
        let name = map.name_as_str().unwrap_or("?").to_owned();
        let descriptor = map.fd()?;
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&descriptor));
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
        let memory: u64 = line.ok_or("the kernel does not say what a map takes")?.trim().parse()?;
        *bytes.entry(name).or_default() += memory;
    }
    drop(probe);
    Ok(bytes)
}
