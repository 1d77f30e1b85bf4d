//! One panel: what it asks, how it looks, how much room it takes.

use serde_json::{Value, json};

use super::INSTANCES;

/// Whatever data source the reader has chosen.
pub(super) fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// An object with the fields of another beside its own.
pub(super) fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut object, more) {
        fields.extend(more);
    }
    object
}

/// Panels under a heading.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) panels: Vec<Panel>,
}

/// How the answer is shown.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// One number; anything above zero is bad.
    Bad,
    /// One number that is neither good nor bad.
    Number,
    /// Lines over time.
    Lines,
    /// Areas upon one another.
    Stacked,
    /// Bars upon one another: counts of things that are rare.
    Bars,
    /// One row for each series, now.
    Table,
}

pub(super) struct Target {
    pub(super) expr: String,
    /// Template of the series' name; empty where there is one series only.
    pub(super) legend: &'static str,
}

pub(super) struct Panel {
    pub(super) title: &'static str,
    description: &'static str,
    look: Look,
    /// Grafana's word for it.
    unit: &'static str,
    width: u32,
    pub(super) targets: Vec<Target>,
}

impl Panel {
    /// `wide`: columns of 24.
    pub(super) fn new(
        look: Look,
        wide: u32,
        unit: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self { title, description, look, unit, width: wide, targets: Vec::new() }
    }

    /// One more question. `@` stands for the instances chosen, `@plugin` for the plugins chosen on them.
    pub(super) fn ask(mut self, legend: &'static str, expr: impl AsRef<str>) -> Self {
        let plugins = format!("{INSTANCES},plugin=~\"$plugin\"");
        let expr = expr.as_ref().replace("@plugin", &plugins).replace('@', INSTANCES);
        self.targets.push(Target { expr, legend });
        self
    }

    pub(super) fn size(&self) -> (u32, u32) {
        let height = match self.look {
            Look::Bad | Look::Number => 4,
            Look::Lines | Look::Stacked | Look::Bars | Look::Table => 8,
        };
        (self.width, height)
    }

    pub(super) fn json(&self) -> Value {
        let table = matches!(self.look, Look::Table);
        let targets: Vec<Value> = self
            .targets
            .iter()
            .zip('A'..='Z')
            .map(|(target, id)| {
                json!({
                    "refId": id.to_string(),
                    "datasource": datasource(),
                    "expr": target.expr,
                    "legendFormat": if target.legend.is_empty() { "__auto" } else { target.legend },
                    "format": if table { "table" } else { "time_series" },
                    "instant": self.is_instant(),
                    "range": !self.is_instant(),
                })
            })
            .collect();
        let panel = json!({
            "type": self.kind(),
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "targets": targets,
            "fieldConfig": { "defaults": self.field(), "overrides": [] },
            "options": self.options(),
        });
        if !table {
            return panel;
        }
        // The time of the question and the metric's name are columns that say nothing.
        let hidden = json!({ "excludeByName": { "Time": true, "__name__": true } });
        with(panel, json!({ "transformations": [ { "id": "organize", "options": hidden } ] }))
    }

    const fn is_instant(&self) -> bool {
        matches!(self.look, Look::Bad | Look::Number | Look::Table)
    }

    const fn kind(&self) -> &'static str {
        match self.look {
            Look::Bad | Look::Number => "stat",
            Look::Lines | Look::Stacked | Look::Bars => "timeseries",
            Look::Table => "table",
        }
    }

    fn field(&self) -> Value {
        let steps = match self.look {
            Look::Bad => {
                json!([ { "color": "green", "value": null }, { "color": "red", "value": 0.5 } ])
            }
            _ => json!([ { "color": "blue", "value": null } ]),
        };
        let field = json!({
            "unit": self.unit,
            "thresholds": { "mode": "absolute", "steps": steps },
            "color": { "mode": if self.is_instant() { "thresholds" } else { "palette-classic" } },
        });
        let (style, fill, stacking) = match self.look {
            Look::Lines => ("line", 5, "none"),
            Look::Stacked => ("line", 40, "normal"),
            Look::Bars => ("bars", 80, "normal"),
            Look::Bad | Look::Number | Look::Table => return field,
        };
        let custom = json!({
            "drawStyle": style,
            "fillOpacity": fill,
            "lineWidth": 1,
            "showPoints": "never",
            // A gap is a time at which nobody looked; it must not read as calm.
            "spanNulls": false,
            "stacking": { "mode": stacking, "group": "A" },
        });
        with(field, json!({ "min": 0, "custom": custom }))
    }

    fn options(&self) -> Value {
        match self.look {
            Look::Bad | Look::Number => json!({
                "colorMode": "value",
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
                "textMode": "value",
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            }),
            Look::Lines | Look::Stacked | Look::Bars => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Look::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
        }
    }
}
