//! YAML for the few shapes that rules and their tests have.

use serde_json::Value;

/// Block style, keys in the order of their names. Words in double quotes, or as a block where they have lines.
pub(crate) fn text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

/// Writes what stands behind `key:` or `-`, its line's end included.
fn write(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                text.push_str(&format!("{indent}{key}:"));
                behind(text, value, depth);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for item in list {
                let mut inner = String::new();
                write(&mut inner, item, depth + 1);
                // The dash takes the place of the first line's indent.
                text.push_str(&format!("{indent}- {}", inner.trim_start()));
            }
        }
        scalar => text.push_str(&format!("{indent}{scalar}\n")),
    }
}

fn behind(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty(value) => {
            text.push('\n');
            write(text, value, depth + 1);
        }
        Value::String(words) if words.contains('\n') => {
            text.push_str(" |-\n");
            for line in words.lines() {
                text.push_str(&format!("{indent}  {line}\n"));
            }
        }
        // A text of JSON is one of YAML, and so are its numbers and empty lists.
        scalar => text.push_str(&format!(" {scalar}\n")),
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let value = serde_json::json!({
            "groups": [ { "name": "a: \"b\" # c", "rules": [ { "expr": "x\n  or y", "labels": {}, "n": 7 }, { "none": [] } ] } ]
        });
        let read: Value = serde_saphyr::from_str(&text(&value)).unwrap();
        assert_eq!(read, value, "{}", text(&value));
    }
}
