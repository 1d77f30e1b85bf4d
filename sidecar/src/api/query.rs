//! What stands behind the question mark of a request.

/// Names and values in their order.
///
/// # Errors
/// A percent sign without two hexadecimal digits, or bytes that are no UTF-8; the message says which part.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            decode(name)
                .zip(decode(value))
                .ok_or_else(|| format!("`{part}` is not percent-encoded UTF-8"))
        })
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        match first {
            b'%' => {
                let (digits, others) = others.split_at_checked(2)?;
                // `from_str_radix` would take a sign.
                let high = char::from(*digits.first()?).to_digit(16)?;
                let low = char::from(*digits.last()?).to_digit(16)?;
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = others;
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// A name or value as it may stand in a query.
pub(crate) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_may_come_twice_and_a_value_may_be_missing() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs("plugin=a+b&&plugin=%C3%A4&follow").unwrap(),
            [pair("plugin", "a b"), pair("plugin", "ä"), pair("follow", "")]
        );
    }

    #[test]
    fn what_is_not_encoded_as_it_should_be_is_named() {
        for part in ["plugin=%", "plugin=%4", "plugin=%+4", "plugin=%ff"] {
            let error = pairs(&format!("event=exec&{part}")).unwrap_err();
            assert!(error.contains(&format!("`{part}`")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_what_was_meant(name: String, value: String) {
            let query = format!("{}={}", encode(&name), encode(&value));
            let expected = if query == "=" { vec![(String::new(), String::new())] } else { vec![(name, value)] };
            prop_assert_eq!(pairs(&query).unwrap(), expected);
        }
    }
}
