//! Replaces escapes of lone surrogates in JSON text.
//!
//! JSON's grammar allows an escape such as `\ud83d` without its second half, and `JSON.stringify` writes one for a text
//! that was cut inside an emoji. Such an escape stands for no character, so `serde_json` refuses it.

/// The number of bytes of an escape such as `\ud83d`.
const ESCAPE_BYTES: usize = 6;

/// Returns `json` with `replacement` in place of each escape of a lone surrogate, or `None` if there is no such escape.
pub(super) fn replace_lone_surrogates(json: &str, replacement: &str) -> Option<String> {
    let mut replaced = String::new();
    let mut copied = 0;
    let mut searched = 0;
    while let Some(found) = json[searched..].find('\\') {
        let at = searched + found;
        searched = match parse_unicode_escape(json, at) {
            Some(0xd800..=0xdbff) if is_low_surrogate(parse_unicode_escape(json, at + ESCAPE_BYTES)) => {
                at + 2 * ESCAPE_BYTES
            }
            Some(0xd800..=0xdfff) => {
                replaced.push_str(&json[copied..at]);
                replaced.push_str(replacement);
                copied = at + ESCAPE_BYTES;
                copied
            }
            Some(_) => at + ESCAPE_BYTES,
            // Skips the escaped character, which may be a backslash.
            None => at + 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
    }
    if copied == 0 {
        return None;
    }
    replaced.push_str(&json[copied..]);
    Some(replaced)
}

fn is_low_surrogate(code_unit: Option<u16>) -> bool {
    matches!(code_unit, Some(0xdc00..=0xdfff))
}

/// Returns the code unit of the escape `\uXXXX` at the position `at`.
fn parse_unicode_escape(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE_BYTES)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::replace_lone_surrogates;

    #[test]
    fn only_lone_surrogates_are_replaced() {
        for (json, expected) in [
            (r#""\ud83d""#, r#""?""#),
            (r#""\uDE00""#, r#""?""#),
            (r#""a\ud83dz""#, r#""a?z""#),
            (r#""\ud83d\n""#, r#""?\n""#),
            (r#""\ud83d\u0041""#, r#""?\u0041""#),
            (r#""\ud83d\ud83d\ude00""#, r#""?\ud83d\ude00""#),
            (r#""\ude00\ud83d""#, r#""??""#),
            (r#""\\\ud83d한""#, r#""\\?한""#),
        ] {
            assert_eq!(replace_lone_surrogates(json, "?").as_deref(), Some(expected), "{json}");
        }
        for json in [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\u00e9""#, r#""\"""#, r"\", r"\한", r"\u12", r"\u한글"]
        {
            assert_eq!(replace_lone_surrogates(json, "?"), None, "{json}");
        }
    }
}
