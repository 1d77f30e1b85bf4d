//! PromQL of ours: every metric and label in it is registered, or is one that Prometheus itself adds.
//!
//! Whether it is PromQL at all is for `promtool` and a real server to say; this looks at names only.

use std::{collections::BTreeMap, iter::Peekable, str::CharIndices};

use crate::registry::{Kind, OUTPUTS, Registry};

/// Labels that Prometheus gives to every series of a scrape.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];
const HISTOGRAM_PARTS: [&str; 3] = ["_bucket", "_count", "_sum"];
const OPERATORS: [&str; 5] = ["and", "or", "unless", "offset", "bool"];
/// What is followed by a list of labels.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// What may be asked for: name, and labels beside those that are everywhere.
pub(crate) struct Names<'a> {
    metrics: BTreeMap<String, Vec<&'a str>>,
    everywhere: Vec<&'a str>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(registry: &'a Registry) -> Self {
        let mut names = BTreeMap::from([("up".to_owned(), Vec::new())]);
        for metric in &registry.metrics {
            let fields = registry.fields.iter().filter(|field| metric.labels.contains(&field.name));
            let labels: Vec<&str> =
                fields.filter_map(|field| (OUTPUTS[0].spelling)(field)).collect();
            if metric.kind == Kind::Histogram {
                for part in HISTOGRAM_PARTS {
                    let mut labels = labels.clone();
                    labels.extend((part == "_bucket").then_some("le"));
                    names.insert(format!("{}{part}", metric.name), labels);
                }
            } else {
                names.insert(metric.name.clone(), labels);
            }
        }
        let constant =
            registry.fields.iter().filter(|field| registry.constant_labels.contains(&field.name));
        let constant = constant.filter_map(|field| (OUTPUTS[0].spelling)(field));
        Self { metrics: names, everywhere: OF_PROMETHEUS.into_iter().chain(constant).collect() }
    }

    /// A recording rule's result has a name, too.
    pub(crate) fn record(&mut self, name: &str, labels: &[&'a str]) {
        self.metrics.insert(name.to_owned(), labels.to_vec());
    }

    /// Refuses what is not registered. `place`: the panel or rule that the error names.
    pub(crate) fn check(&self, place: &str, query: &str) -> Result<(), String> {
        let mut chars = query.char_indices().peekable();
        let mut asked: Option<&str> = None;
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => skip_text(&mut chars),
                '[' => while chars.next_if(|(_, c)| *c != ']').is_some() {},
                '$' | '0'..='9' => {
                    while chars.next_if(|(_, c)| is_word(*c) || *c == '.').is_some() {}
                }
                '{' => {
                    let name =
                        asked.take().ok_or(format!("{place}: labels without a metric: {query}"))?;
                    for label in labels_in(query, &mut chars, '}') {
                        self.check_label(place, name, label)?;
                    }
                }
                c if is_word(c) => {
                    let word = word(query, at, &mut chars);
                    let rest = query.get(at + word.len()..).unwrap_or_default().trim_start();
                    let called =
                        ["(", "by ", "by(", "without"].iter().any(|next| rest.starts_with(next));
                    if GROUPINGS.contains(&word) {
                        while chars.next_if(|(_, c)| *c != '(').is_some() {}
                        chars.next();
                        for label in labels_in(query, &mut chars, ')') {
                            self.check_any(place, label)?;
                        }
                    } else if !called && !OPERATORS.contains(&word) {
                        if !self.metrics.contains_key(word) {
                            return Err(format!("{place}: `{word}` is no registered metric"));
                        }
                        asked = Some(word);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_label(&self, place: &str, metric: &str, label: &str) -> Result<(), String> {
        let own = self.metrics.get(metric).is_some_and(|labels| labels.contains(&label));
        if own || self.everywhere.contains(&label) {
            return Ok(());
        }
        Err(format!("{place}: `{metric}` has no registered label `{label}`"))
    }

    /// Of a list of labels nobody says which metric they belong to; some metric must have each.
    pub(crate) fn check_any(&self, place: &str, label: &str) -> Result<(), String> {
        if self.everywhere.contains(&label)
            || self.metrics.values().any(|labels| labels.contains(&label))
        {
            return Ok(());
        }
        Err(format!("{place}: no metric has a registered label `{label}`"))
    }
}

type Chars<'q> = Peekable<CharIndices<'q>>;

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || char == ':'
}

fn word<'q>(query: &'q str, at: usize, chars: &mut Chars<'q>) -> &'q str {
    while chars.next_if(|(_, c)| is_word(*c)).is_some() {}
    let end = chars.peek().map_or(query.len(), |(end, _)| *end);
    query.get(at..end).unwrap_or_default()
}

fn skip_text(chars: &mut Chars<'_>) {
    while let Some((_, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '"' => return,
            _ => {}
        }
    }
}

/// The words up to `end`, texts left out.
fn labels_in<'q>(query: &'q str, chars: &mut Chars<'q>, end: char) -> Vec<&'q str> {
    let mut labels = Vec::new();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => skip_text(chars),
            c if c == end => break,
            c if is_word(c) => labels.push(word(query, at, chars)),
            _ => {}
        }
    }
    labels
}

/// What a counter gained in the last `window`, by `labels`.
///
/// `increase` alone counts nothing of a series that began at 1, and the first finding of a plugin is such a series: it
/// is the one that matters. So a series that was not there a window ago counts with all it has.
pub(crate) fn gained(labels: &str, selector: &str, window: &str) -> String {
    let by = if labels.is_empty() { "sum ".to_owned() } else { format!("sum by ({labels}) ") };
    format!(
        "{by}(\n  ({selector} unless {selector} offset {window})\n  or increase({selector}[{window}])\n)"
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::registry::PATH;

    fn said(query: &str) -> Result<(), String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PATH);
        let registry = Registry::parse(&fs::read_to_string(path).unwrap()).unwrap();
        Names::of(&registry).check("panel `P`", query)
    }

    #[test]
    fn registered_names_pass_wherever_they_stand() {
        for query in [
            "sum by (hook, job) (rate(picket_records_total{hook=~\"a}b\\\"picket_z\",node=\"n\"}[$__rate_interval])) > 0.5",
            "up == 0 and on (job, instance) picket_records_total offset 5m",
            "histogram_quantile(0.99, sum by (le) (rate(picket_event_to_decision_seconds_bucket{le=\"1\"}[1h])))",
        ] {
            assert_eq!(said(query), Ok(()), "{query}");
        }
    }

    #[test]
    fn a_name_that_is_not_registered_is_an_error_that_names_the_panel() {
        for (query, wrong) in [
            ("sum(picket_z_total)", "panel `P`: `picket_z_total` is no registered metric"),
            (
                "picket_event_to_decision_seconds",
                "panel `P`: `picket_event_to_decision_seconds` is no registered metric",
            ),
            (
                "picket_records_total{path=\"/etc\"}",
                "panel `P`: `picket_records_total` has no registered label `path`",
            ),
            (
                "picket_event_to_decision_seconds_sum{hook=\"a\"}",
                "panel `P`: `picket_event_to_decision_seconds_sum` has no registered label `hook`",
            ),
            (
                "sum by (path) (picket_records_total)",
                "panel `P`: no metric has a registered label `path`",
            ),
            ("{job=\"picket\"}", "panel `P`: labels without a metric: {job=\"picket\"}"),
        ] {
            assert_eq!(said(query), Err(wrong.to_owned()));
        }
    }
}
