//! The dashboard "Picket / Overview": what Grafana needs around the rows of panels.
//!
//! Classic JSON, which every Grafana of the last years and those who provision it by file or ConfigMap read.

mod panel;
mod plugins;
mod sight;
mod usage;

use serde_json::{Value, json};

use super::query::Names;
use crate::Made;
use panel::{Row, datasource, with};

const PATH: &str = "dashboards/picket-overview.json";
/// Grafana's grid has as many columns.
const COLUMNS: u32 = 24;

/// Which Pickets. A label of each variable's name is asked for with its value.
const INSTANCES: &str = "job=~\"$job\",instance=~\"$instance\",node=~\"$node\"";

/// The file; an error names the panel or variable.
pub(crate) fn made(names: &Names<'_>) -> Result<Made, String> {
    let rows = [
        plugins::now(),
        plugins::conduct(),
        plugins::latency(),
        usage::usage(),
        sight::coverage(),
        sight::loss(),
        sight::own(),
    ];
    let mut panels = Vec::new();
    let mut y = 0;
    for row in rows {
        y = place(names, row, y, &mut panels)?;
    }
    let dashboard = json!({
        "uid": "picket-overview",
        "title": "Picket / Overview",
        "description": "What untrusted plugins did, what was done about it, and how much of it Picket can see.",
        "tags": ["picket", "security"],
        "schemaVersion": 41,
        "version": 1,
        "editable": false,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": "now-6h", "to": "now" },
        "timezone": "",
        "annotations": { "list": [] },
        "links": [],
        "templating": { "list": variables(names)? },
        "panels": panels,
    });
    Ok(Made { path: PATH.into(), text: format!("{dashboard:#}\n") })
}

/// Puts a row's panels from left to right; answers where the next row begins.
fn place(names: &Names<'_>, row: Row, y: u32, panels: &mut Vec<Value>) -> Result<u32, String> {
    let id = |panels: &Vec<Value>| panels.len() + 1;
    panels.push(json!({
        "id": id(panels),
        "type": "row",
        "title": row.title,
        "collapsed": false,
        "panels": [],
        "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
    }));
    let (mut x, mut y, mut tallest) = (0, y + 1, 0);
    for panel in row.panels {
        let (width, height) = panel.size();
        if COLUMNS < x + width {
            (x, y, tallest) = (0, y + tallest, 0);
        }
        for target in &panel.targets {
            let place = format!("panel `{}`", panel.title);
            names.check(&place, &target.expr)?;
            let labels = target.legend.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
            labels.map(|(label, _)| label).try_for_each(|label| names.check_any(&place, label))?;
        }
        let grid = json!({ "x": x, "y": y, "w": width, "h": height });
        panels.push(with(panel.json(), json!({ "id": id(panels), "gridPos": grid })));
        (x, tallest) = (x + width, tallest.max(height));
    }
    Ok(y + tallest)
}

fn variables(names: &Names<'_>) -> Result<Vec<Value>, String> {
    let mut list = vec![json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "refresh": 1,
        "regex": "",
    })];
    let mut narrowed: Vec<String> = Vec::new();
    for (name, label, metric) in [
        ("job", "Job", "picket_build_info"),
        ("instance", "Instance", "picket_build_info"),
        ("node", "Node", "picket_build_info"),
        ("plugin", "Plugin", "picket_sandboxes"),
    ] {
        // Each variable offers what those before it leave.
        let selector = if narrowed.is_empty() {
            metric.to_owned()
        } else {
            format!("{metric}{{{}}}", narrowed.join(","))
        };
        let place = format!("variable `{name}`");
        names.check(&place, &selector)?;
        names.check_any(&place, name)?;
        let query = format!("label_values({selector}, {name})");
        list.push(json!({
            "name": name,
            "label": label,
            "type": "query",
            "datasource": datasource(),
            "definition": query,
            "query": { "qryType": 1, "query": query, "refId": "Variable" },
            "refresh": 2,
            "sort": 1,
            "multi": true,
            "includeAll": true,
            "allValue": ".+",
            "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
            "hide": 0,
            "regex": "",
        }));
        narrowed.push(format!("{name}=~\"${name}\""));
    }
    Ok(list)
}
