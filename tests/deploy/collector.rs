//! The Collector's configuration in `docs/otlp.md`. No Collector can be had here, so only this much is known of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

#[test]
fn the_example_for_a_collector_is_yaml_whose_pipelines_are_made_of_what_it_defines() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/otlp.md");
    let page = fs::read_to_string(page).unwrap();
    let examples = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let example = examples.into_iter().find(|text| text.contains("pipelines:")).unwrap();
    let example: Value = serde_saphyr::from_str(example).unwrap();
    let pipelines = example["service"]["pipelines"].as_object().unwrap();
    let signals: BTreeSet<&str> = pipelines.keys().map(String::as_str).collect();
    assert_eq!(signals, BTreeSet::from(["logs", "metrics", "traces"]));
    for (signal, pipeline) in pipelines {
        for (kind, names) in pipeline.as_object().unwrap() {
            for name in names.as_array().unwrap() {
                let defined = example[kind].get(name.as_str().unwrap());
                assert!(defined.is_some(), "{signal}: {kind}: {name}");
            }
        }
    }
}
