//! The rendered text of every kind of mistake: one snapshot for each file of `tests/mistakes`.
//!
//! A new mistake belongs in the file of its section. `INSTA_UPDATE=always cargo test -p windrow-spec` rewrites the
//! snapshots; review their diff.

use std::{collections::BTreeSet, fs, path::Path};

use windrow_spec::{DiagnosticCode, DiagnosticPlace, Diagnostics, RenderStyle};

fn parse_mistakes(path: &Path) -> Diagnostics {
    let text = fs::read_to_string(path).expect("a file of the corpus");
    let name = path.file_name().expect("a name").to_string_lossy();
    windrow_spec::parse(&format!("mistakes/{name}"), &text, &[]).expect_err("every file of the corpus has mistakes")
}

#[test]
fn every_mistake_is_shown_with_its_place() {
    insta::glob!("mistakes/*.toml", |path| {
        let found = parse_mistakes(path);
        let rendered = found.render(RenderStyle::Plain);
        for one in &found {
            let DiagnosticPlace::File { line, column } = one.place else { panic!("{one:?} is in the file") };
            assert!(rendered.contains(&format!(":{line}:{column}\n")), "{line}:{column} is shown:\n{rendered}");
        }
        insta::assert_snapshot!(rendered);
    });
}

#[test]
fn five_different_mistakes_are_all_reported_at_once() {
    let found = parse_mistakes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes/five.toml"));
    let codes: BTreeSet<DiagnosticCode> = found.iter().map(|one| one.code).collect();
    assert_eq!((found.len(), codes.len()), (5, 5), "{codes:?}");
    let places: Vec<String> = found.iter().map(|one| one.place.to_string()).collect();
    assert_eq!(places, ["5:1", "13:14", "16:24", "21:1", "25:41"]);
}

#[test]
fn every_code_is_in_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut seen = BTreeSet::from([DiagnosticCode::BadOverride]); // in tests/overrides.rs
    for entry in fs::read_dir(folder).expect("the corpus") {
        seen.extend(parse_mistakes(&entry.expect("an entry").path()).iter().map(|one| one.code));
    }
    let missing: Vec<&DiagnosticCode> = DiagnosticCode::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no example of {missing:?}");
}

#[test]
fn a_redis_address_is_never_shown() {
    let text = windrow_spec::SHIPPED_PIPELINE.replace("redis://localhost:6379", "http://:hunter2@localhost:6379");
    let found = windrow_spec::parse("p.toml", &text, &[]).expect_err("http is not Redis");
    assert_eq!(found.len(), 1);
    let rendered = found.render(RenderStyle::Plain);
    assert!(rendered.contains("--> p.toml:30:7"), "{rendered}");
    assert!(!rendered.contains("hunter2"), "{rendered}");
}

#[test]
fn colour_changes_nothing_but_colour() {
    let found = parse_mistakes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes/five.toml"));
    let (plain, mut colored) = (found.render(RenderStyle::Plain), found.render(RenderStyle::Colored));
    assert!(colored.contains("\u{1b}["), "{colored}");
    while let Some(start) = colored.find("\u{1b}[") {
        let length = colored[start..].find('m').expect("the end of a colour") + 1;
        colored.replace_range(start..start + length, "");
    }
    assert_eq!(plain, colored);
}
