//! The text forms of feature values, as files and Redis store them.

/// Appends the shortest text that parses to the same double: `29.99`, `0.0`, `1e+300`. NaN and the infinities become
/// `NaN`, `Infinity` and `-Infinity`, as in Java.
pub(crate) fn append_double_text(out: &mut Vec<u8>, number: f64) {
    let text = if number.is_nan() {
        "NaN"
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }
    } else {
        out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
        return;
    };
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn append_decimal_integer(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends `text` as a JSON string, quoted and escaped.
pub(crate) fn append_json_string(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, text).is_err() {
        // Serializing text into memory cannot fail.
        out.truncate(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_keep_their_shortest_exact_form() {
        let shown = |number| {
            let mut out = Vec::new();
            append_double_text(&mut out, number);
            String::from_utf8(out).expect("digits are UTF-8")
        };
        for (number, text) in [
            (29.99, "29.99"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (100.0, "100.0"),
            (1.0 / 3.0, "0.3333333333333333"),
            (0.1 + 0.2, "0.30000000000000004"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(shown(number), text);
            if !number.is_nan() {
                assert_eq!(text.replace("Infinity", "inf").parse::<f64>().expect(text).to_bits(), number.to_bits());
            }
        }
    }
}
