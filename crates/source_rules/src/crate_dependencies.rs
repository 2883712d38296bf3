//! Finds the dependencies between crates that no arrow in ARCHITECTURE.md allows.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::CrateFolder;

/// Returns for each crate the names of the crates on which it may depend. Reads the names from the first `text` block
/// with arrows in ARCHITECTURE.md.
///
/// A line `web ──► connectors, engine` allows `web` to depend on `connectors` and on `engine`. A line `web ──►
/// everything below` allows `web` to depend on all crates that later lines name.
#[must_use]
pub fn read_drawn_dependencies(architecture: &str, crates: &[CrateFolder]) -> BTreeMap<String, BTreeSet<String>> {
    let drawing = architecture.split("```text\n").find(|block| block.contains("──►")).unwrap_or_default();
    let lines: Vec<&str> = drawing.split("```").next().unwrap_or_default().lines().collect();
    let is_crate = |word: &str| crates.iter().any(|folder| folder.name == word);
    let crates_in = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
            .filter(|word| is_crate(word))
            .map(str::to_owned)
            .collect()
    };
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        let parts: Vec<&str> = line.split('►').collect();
        for pair in parts.windows(2) {
            let Some(from) = crates_in(pair[0]).pop() else { continue };
            // In a line with an arrow, two spaces end the list of crates. The text after the two spaces is an
            // explanation and is ignored.
            let listed = pair[1].trim_start().split("  ").next().unwrap_or_default();
            let mut to = crates_in(listed);
            if listed.contains("everything below") {
                to = lines[index + 1..].iter().flat_map(|line| crates_in(line)).collect();
            }
            arrows.entry(from).or_default().extend(to);
        }
    }
    arrows
}

/// Returns a text for each dependency between crates that no arrow in ARCHITECTURE.md allows.
#[must_use]
pub fn describe_undrawn_dependencies(
    crates: &[CrateFolder],
    drawn: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut undrawn = Vec::new();
    for folder in crates {
        for dependency in &folder.dependencies {
            if !drawn.get(&folder.name).is_some_and(|targets| targets.contains(dependency)) {
                undrawn.push(format!("crates/{} depends on crates/{dependency}", folder.name));
            }
        }
    }
    undrawn
}
