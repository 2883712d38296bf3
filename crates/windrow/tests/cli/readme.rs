//! README.md and README.ko.md show the same, and what they show of `windrow` is true.

use std::fs;

use crate::windrow::{project_root, run};

const PAGES: [&str; 2] = ["README.md", "README.ko.md"];

fn read_page(name: &str) -> String {
    fs::read_to_string(project_root().join(name)).expect("the page is readable")
}

/// Returns the texts between `start` and `end`.
fn texts_between<'page>(page: &'page str, start: &str, end: &str) -> Vec<&'page str> {
    page.split(start).skip(1).filter_map(|rest| rest.split_once(end)).map(|(text, _)| text).collect()
}

/// Returns the code blocks, each with its language in the first line.
fn code_blocks(page: &str) -> Vec<&str> {
    page.split("\n```").skip(1).step_by(2).collect()
}

/// Returns the level of each heading. A line of a code block is no heading.
fn heading_levels(page: &str) -> Vec<usize> {
    let lines = page.split("\n```").step_by(2).flat_map(str::lines);
    lines.filter(|line| line.starts_with('#')).map(|line| line.find(' ').expect("a title")).collect()
}

/// Returns the only pipeline file of the page.
fn pipeline_file(page: &str) -> &str {
    let files: Vec<_> = code_blocks(page).into_iter().filter_map(|block| block.strip_prefix("toml\n")).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0]
}

#[test]
fn both_languages_show_the_same() {
    let [english, korean] = PAGES.map(read_page);
    assert!(code_blocks(&english).len() > 3, "{english}");
    assert_eq!(code_blocks(&english), code_blocks(&korean));
    for attribute in [" srcset=\"", " src=\""] {
        let pictures = texts_between(&english, attribute, "\"");
        assert!(!pictures.is_empty(), "{attribute}");
        assert_eq!(pictures, texts_between(&korean, attribute, "\""));
    }
    assert_eq!(heading_levels(&english), heading_levels(&korean), "the levels of the headings");
    let links = korean.replace("](README.md)", "](README.ko.md)");
    assert_eq!(texts_between(&english, "](", ")"), texts_between(&links, "](", ")"));
}

#[test]
fn the_pipeline_file_passes_the_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in PAGES {
        let path = folder.path().join("spending.toml");
        fs::write(&path, pipeline_file(&read_page(name))).expect("the file is written");
        run(["check", path.to_str().expect("UTF-8")]).expect(0);
    }
}

#[test]
fn the_commands_give_the_row_of_the_page() {
    let page = read_page(PAGES[0]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::write(place("spending.toml"), pipeline_file(&page)).expect("the file is written");
    for command in ["generate ", "replay "] {
        let line = texts_between(&page, &format!("\n$ windrow {command}"), "\n");
        assert_eq!(line.len(), 1, "{command}: {line:?}");
        let words = line[0].split_whitespace().map(|word| {
            let is_file = [".toml", ".jsonl"].iter().any(|ending| word.ends_with(ending));
            if is_file { place(word) } else { word.to_owned() }
        });
        run([command.trim().to_owned()].into_iter().chain(words)).expect(0);
    }
    let rows = fs::read_to_string(place("rows.jsonl")).expect("rows");
    let shown = texts_between(&page, "\n$ head -1 rows.jsonl\n", "\n");
    assert_eq!(shown, [rows.lines().next().expect("a row")]);
}
