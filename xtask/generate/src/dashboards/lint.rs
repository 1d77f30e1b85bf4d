//! The rules of Grafana's dashboard linter that can be broken by a dashboard for Prometheus, on the made dashboard.
//!
//! The linter is a program in Go; what it looks for is written again here, under its names. Whether the queries are
//! PromQL is asked of a real server (tests/cli/dashboards.rs).

use std::{fs, path::Path};

use serde_json::Value;

use crate::registry::{PATH, Registry};

fn dashboard() -> Value {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let registry = Registry::parse(&fs::read_to_string(top.join(PATH)).unwrap()).unwrap();
    let made = super::made(&registry).unwrap();
    let made = made.iter().find(|made| made.path.ends_with("picket-overview.json")).unwrap();
    serde_json::from_str(&made.text).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

/// Rows are headings.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels: Vec<&Value> =
        list(dashboard, "panels").iter().filter(|panel| panel["type"] != "row").collect();
    assert!(20 < panels.len(), "{}", panels.len());
    panels
}

/// Title of its panel, and the query.
fn queries(dashboard: &Value) -> Vec<(&str, &str)> {
    panels(dashboard)
        .into_iter()
        .flat_map(|panel| {
            let title = panel["title"].as_str().unwrap();
            list(panel, "targets")
                .iter()
                .map(move |target| (title, target["expr"].as_str().unwrap()))
        })
        .collect()
}

fn variable<'a>(dashboard: &'a Value, name: &str) -> &'a Value {
    let all = list(&dashboard["templating"], "list");
    all.iter().find(|variable| variable["name"] == name).unwrap()
}

/// What stands in braces after each metric.
fn selectors(query: &str) -> Vec<&str> {
    query.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect()
}

#[test]
fn template_datasource_there_is_one_to_choose() {
    let dashboard = dashboard();
    let all = list(&dashboard["templating"], "list");
    assert_eq!(all.iter().filter(|variable| variable["type"] == "datasource").count(), 1);
    let variable = variable(&dashboard, "datasource");
    assert_eq!(
        (&variable["query"], &variable["label"]),
        (&"prometheus".into(), &"Data source".into())
    );
}

#[test]
fn template_job_and_instance_are_lists_of_many_with_all() {
    let dashboard = dashboard();
    for (name, label) in
        [("job", "Job"), ("instance", "Instance"), ("node", "Node"), ("plugin", "Plugin")]
    {
        let variable = variable(&dashboard, name);
        assert_eq!(variable["type"], "query", "{name}");
        assert_eq!(variable["label"], label, "{name}");
        assert_eq!(variable["datasource"]["uid"], "${datasource}", "{name}");
        assert_eq!(
            (&variable["multi"], &variable["allValue"]),
            (&true.into(), &".+".into()),
            "{name}"
        );
    }
}

#[test]
fn template_on_time_change_reload_every_list_is_read_again() {
    let dashboard = dashboard();
    let all = list(&dashboard["templating"], "list").iter();
    for variable in all.filter(|variable| variable["type"] == "query") {
        assert_eq!(variable["refresh"], 2, "{}", variable["name"]);
    }
}

#[test]
fn panel_datasource_every_panel_and_target_asks_the_chosen_one() {
    for panel in panels(&dashboard()) {
        let targets = list(panel, "targets").iter();
        for asked in targets.chain([panel]) {
            assert_eq!(asked["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
    }
}

#[test]
fn panel_title_description_and_units_every_panel_has_them() {
    for panel in panels(&dashboard()) {
        for words in
            [&panel["title"], &panel["description"], &panel["fieldConfig"]["defaults"]["unit"]]
        {
            assert!(words.as_str().is_some_and(|words| !words.is_empty()), "{panel:#}");
        }
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{}", panel["title"]);
    }
}

#[test]
fn panel_no_targets_every_panel_asks_something() {
    for panel in panels(&dashboard()) {
        assert!(!list(panel, "targets").is_empty(), "{}", panel["title"]);
    }
}

#[test]
fn target_job_and_instance_every_metric_is_narrowed_to_the_chosen_ones() {
    for (title, query) in queries(&dashboard()) {
        let all = selectors(query);
        assert_eq!(
            all.len(),
            query.matches("picket_").count(),
            "{title}: a metric without braces: {query}"
        );
        for selector in all {
            for wanted in ["job=~\"$job\"", "instance=~\"$instance\"", "node=~\"$node\""] {
                assert!(selector.contains(wanted), "{title}: {wanted} is missing: {query}");
            }
        }
    }
}

#[test]
fn target_rate_interval_windows_are_of_grafanas_choice() {
    for (title, query) in queries(&dashboard()) {
        for window in query.split('[').skip(1).map(|rest| rest.split(']').next().unwrap()) {
            assert!(["$__rate_interval", "$__range"].contains(&window), "{title}: {window}");
        }
        // What is drawn over time asks for what is new at each point of it.
        for rate in query.split("rate(").skip(1) {
            assert!(
                rate.split(')').next().unwrap().ends_with("[$__rate_interval]"),
                "{title}: {query}"
            );
        }
    }
}

/// A counter is asked for its growth; or whether it was there a window ago, which [`super::query::gained`] needs.
#[test]
fn target_counter_agg_no_counter_is_shown_bare() {
    let counters = ["_total{", "_bucket{", "_sum{", "_count{"];
    for (title, query) in queries(&dashboard()) {
        for (at, suffix) in counters.iter().flat_map(|suffix| query.match_indices(suffix)) {
            let start = query[..at]
                .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .map_or(0, |at| at + 1);
            let rest = query[at + suffix.len()..].split_once('}').unwrap().1;
            let grows = ["rate(", "increase("].iter().any(|call| query[..start].ends_with(call));
            assert!(
                grows || rest.starts_with(" unless ") || rest.starts_with(" offset "),
                "{title}: {query}"
            );
        }
    }
}

#[test]
fn uneditable_dashboard_it_is_changed_where_it_is_made() {
    let dashboard = dashboard();
    assert_eq!(dashboard["editable"], false);
    assert_eq!(dashboard["uid"], "picket-overview");
    assert!(dashboard.get("__inputs").is_none() && dashboard.get("id").is_none());
}

#[test]
fn no_panel_covers_another_or_leaves_the_grid() {
    let dashboard = dashboard();
    let place =
        |panel: &Value| ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
    let places: Vec<[u64; 4]> = list(&dashboard, "panels").iter().map(place).collect();
    for (number, [x, y, w, h]) in places.iter().enumerate() {
        assert!(x + w <= 24);
        for [other_x, other_y, other_w, other_h] in places.iter().skip(number + 1) {
            let apart = x + w <= *other_x
                || other_x + other_w <= *x
                || y + h <= *other_y
                || other_y + other_h <= *y;
            assert!(apart, "panel {}", number + 1);
        }
    }
}
