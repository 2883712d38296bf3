//! Properties that hold for every text and every key.

use std::collections::BTreeMap;

use proptest::prelude::*;
use windrow_core::{EventTime, Window};
use windrow_spec::{KeyTemplate, PipelineOverride, RenderStyle, SHIPPED_PIPELINE, parse};

/// Parses and renders `text`; neither may panic.
fn assert_no_panic(text: &str, overrides: &[PipelineOverride]) {
    if let Err(mistakes) = parse("p.toml", text, overrides) {
        assert!(mistakes.len() > 0);
        let rendered = mistakes.render(RenderStyle::Plain);
        assert!(rendered.ends_with("in p.toml\n"), "{rendered}");
        assert!(mistakes.render(RenderStyle::Colored).contains("error"));
    }
}

/// Generates the shipped file with parts of it removed, doubled or replaced.
fn mutated_shipped_file() -> impl Strategy<Value = String> {
    const SCRAPS: [&str; 24] = [
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        "=",
        ".",
        "\n",
        "#",
        "\"\"\"",
        "\\",
        "\u{0}",
        "한",
        "{{",
        "(",
        ")",
        "NOT ",
        "-",
        "1e999",
        "99999999999999999999",
        "[feature_view.x]\n",
        "\r",
        "🙂",
    ];
    let edit = (0..SHIPPED_PIPELINE.len(), 0..40_usize, prop::sample::select(SCRAPS.to_vec()), any::<bool>());
    prop::collection::vec(edit, 1..8).prop_map(|edits| {
        let mut text = SHIPPED_PIPELINE.to_owned();
        for (at, length, scrap, keep) in edits {
            let start = text.floor_char_boundary(at.min(text.len()));
            let end = if keep { start } else { text.floor_char_boundary((start + length).min(text.len())) };
            text.replace_range(start..end, scrap);
        }
        text
    })
}

/// Generates key templates, some of them ambiguous and some valid.
fn template() -> impl Strategy<Value = String> {
    let piece =
        prop::sample::select(vec!["{u}", "{window_start}", "{window_end}", ":", "-", "1", "a", "ab", "b:", "{{"]);
    prop::collection::vec(piece, 1..7).prop_map(|pieces| pieces.concat())
}

/// Generates keys that are valid alone, while many pairs of them collide.
fn neighbouring_key() -> impl Strategy<Value = String> {
    let own: [&str; 12] = [
        "{u}",
        "a{u}",
        "ab{u}",
        "b{u}",
        "{u}b",
        "{u}a",
        "a{u}:1",
        "a{u}:{window_start}",
        "ab{u}:{window_end}",
        "{window_start}:{u}",
        "1:{u}",
        "a:{u}:b",
    ];
    prop::sample::select(own.to_vec()).prop_map(str::to_owned)
}

/// Generates users from few characters, so that they resemble parts of keys.
fn user() -> impl Strategy<Value = String> {
    "[-:1ab{]{0,5}"
}

fn window() -> impl Strategy<Value = Window> {
    (prop::sample::select(vec![-11_i64, -1, 0, 1, 11, 111]), prop::sample::select(vec![-1_i64, 0, 1, 11]))
        .prop_map(|(start, end)| Window { start: EventTime::from_ms(start), end: EventTime::from_ms(end) })
}

/// Returns the templates of a pipeline with one view for each of `keys`, if it is accepted.
fn accepted_templates(keys: &[String]) -> Option<Vec<KeyTemplate>> {
    let mut text = r#"
        name = "p"
        source.kafka = { brokers = "b:9092", topic = "t", group = "g" }
        event = { key = "u", time = "at" }
        watermark.max_out_of_orderness = "0s"
        sink.redis.url = "redis://h"
    "#
    .to_owned();
    for (index, key) in keys.iter().enumerate() {
        let view = format!("window.tumbling.size = '1h', key = '{key}', ttl = '1h', features.n.count = '*'");
        text.push_str(&format!("feature_view.v{index} = {{ {view} }}\n"));
    }
    let pipeline = parse("p.toml", &text, &[]).ok()?;
    Some(pipeline.views_with_redis_specs().map(|(_, redis)| redis.key_template.clone()).collect())
}

/// Returns what the key of a user and a window must distinguish: view, user, and the named parts of the window.
fn expected_reading(
    index: usize,
    key: &KeyTemplate,
    user: &str,
    window: Window,
) -> (usize, String, Option<i64>, Option<i64>) {
    let has = |segment| key.segments().contains(&segment);
    let start = has(windrow_spec::KeySegment::WindowStart).then(|| window.start.ms());
    let end = has(windrow_spec::KeySegment::WindowEnd).then(|| window.end.ms());
    (index, user.to_owned(), start, end)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        assert_no_panic(&text, &[]);
    }

    #[test]
    fn no_toml_makes_it_panic(text in "([a-z\"'=.\\[\\]{}# \r\n\t\\\\0-9한🙂-]|event|source|kafka|feature_view|key|window){0,80}") {
        assert_no_panic(&text, &[]);
    }

    #[test]
    fn no_edit_of_the_shipped_file_makes_it_panic(text in mutated_shipped_file()) {
        assert_no_panic(&text, &[]);
    }

    #[test]
    fn no_override_makes_it_panic(text in mutated_shipped_file(), path in "[a-z.\"' _=]{0,12}", value in "\\PC{0,30}") {
        assert_no_panic(&text, &[PipelineOverride { path, value: value.clone() }]);
        assert_no_panic(SHIPPED_PIPELINE, &[PipelineOverride { path: "feature_view.user_features.key".to_owned(), value: value.clone() }]);
        assert_no_panic(SHIPPED_PIPELINE, &[PipelineOverride { path: "feature_view.x".to_owned(), value }]);
    }

    #[test]
    fn no_condition_makes_it_panic(
        text in "(event_type|price|'x'|\"|'|1|-| |=|<>|<|>=|\\(|\\)|,|NOT |IN |IS |NULL|AND |OR |TRUE|[a-z한*;$`.]){0,40}"
    ) {
        let path = "feature_view.user_features.features.view_count_1h.where".to_owned();
        assert_no_panic(SHIPPED_PIPELINE, &[PipelineOverride { path, value: text.clone() }]);
        // In the file, where mistakes point into the text.
        assert_no_panic(&SHIPPED_PIPELINE.replace("event_type = 'view'", &text.replace(['"', '\\'], "")), &[]);
    }

    #[test]
    fn keys_of_an_accepted_pipeline_never_collide(
        keys in prop::collection::vec(prop_oneof![template(), neighbouring_key(), neighbouring_key()], 1..4),
        rows in prop::collection::vec((user(), window()), 1..60),
    ) {
        let Some(templates) = accepted_templates(&keys) else { return Ok(()) };
        let mut seen = BTreeMap::new();
        for (index, template) in templates.iter().enumerate() {
            for (user, window) in &rows {
                let mut key = Vec::new();
                template.append_redis_key(&mut key, user, *window);
                let row = expected_reading(index, template, user, *window);
                let earlier = seen.insert(key.clone(), row.clone());
                prop_assert!(
                    earlier.as_ref().is_none_or(|earlier| *earlier == row),
                    "{keys:?}: {:?} is {earlier:?} and {row:?}", String::from_utf8_lossy(&key)
                );
            }
        }
    }

    #[test]
    fn a_written_key_is_read_back_and_only_by_its_user(
        key in template(), rows in prop::collection::vec((user(), window()), 1..20),
    ) {
        let Some(templates) = accepted_templates(&[key]) else { return Ok(()) };
        let template = &templates[0];
        for (user, window) in &rows {
            let mut key = Vec::new();
            template.append_redis_key(&mut key, user, *window);
            let (_, _, start, end) = expected_reading(0, template, user, *window);
            let read = template.parse_redis_key(user, &key);
            prop_assert_eq!(read.map(|read| (read.start.map(EventTime::ms), read.end.map(EventTime::ms))), Some((start, end)));
            for (other, _) in rows.iter().filter(|(other, _)| other != user) {
                prop_assert_eq!(template.parse_redis_key(other, &key), None, "{:?} is not {}'s", &key, other);
            }
        }
    }
}

#[test]
fn the_key_properties_try_templates_of_both_kinds() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut count = [0_u32; 2];
    for _ in 0..500 {
        let tree = template().new_tree(&mut runner).expect("a template");
        let fine = accepted_templates(&[proptest::strategy::ValueTree::current(&tree)]).is_some();
        count[usize::from(fine)] += 1;
    }
    assert!(count[0] > 50 && count[1] > 50, "refused and accepted: {count:?}");
}

#[test]
fn hostile_texts_are_answered_quickly() {
    let deep = |open: &str, close: &str| format!("a = {}{}", open.repeat(50_000), close.repeat(50_000));
    let nested = |one: &str| {
        let condition = one.repeat(4_000 / one.len());
        SHIPPED_PIPELINE.replace("event_type = 'view'", &condition)
    };
    let views: String =
        (0..40).map(|n| format!("[feature_view.v{n}]\nkey = \"{{user_id}}{}\"\n", "ab".repeat(120))).collect();
    let start = std::time::Instant::now();
    for text in [
        deep("[", "]"),
        deep("{a=", "}"),
        format!("{}a = 1", "a.".repeat(50_000)),
        "a = 1\n".repeat(2_000),
        nested("("),
        nested("NOT "),
        nested("- "),
        nested("price in ("),
        nested("price in (("),
        nested("price > 1 OR "),
        nested("NOT (price IN (1, "),
        format!("{SHIPPED_PIPELINE}{views}"),
    ] {
        assert_no_panic(&text, &[]);
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
