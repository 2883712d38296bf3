//! Finds circles of imports: files of a crate that import each other, directly or through other files.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use crate::imports::{FileImport, SubmoduleImports, find_file_imports};
use crate::module_tree::ModuleTree;

/// Returns a text for each group of files that import each other. The text shows the shortest circle of imports and all
/// files of the group.
#[must_use]
pub fn describe_import_circles(tree: &ModuleTree, submodule_imports: SubmoduleImports) -> Vec<String> {
    let imports = find_file_imports(tree, submodule_imports);
    let mut targets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for FileImport { importing_file_index: from, imported_file_index: to } in imports.keys() {
        targets.entry(*from).or_default().push(*to);
    }
    let reachable: Vec<BTreeSet<usize>> =
        (0..tree.files.len()).map(|file| find_reachable_files(&targets, file)).collect();
    let mut reported: BTreeSet<usize> = BTreeSet::new();
    let mut circles = Vec::new();
    for file in 0..tree.files.len() {
        if !reachable[file].contains(&file) || reported.contains(&file) {
            continue;
        }
        let members: BTreeSet<usize> =
            reachable[file].iter().copied().filter(|other| reachable[*other].contains(&file)).collect();
        reported.extend(&members);
        circles.push(describe_circle(tree, &imports, &targets, &members));
    }
    circles
}

fn find_reachable_files(targets: &BTreeMap<usize, Vec<usize>>, from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        for &next in targets.get(&file).into_iter().flatten() {
            if reached.insert(next) {
                queue.push_back(next);
            }
        }
    }
    reached
}

fn describe_circle(
    tree: &ModuleTree,
    imports: &BTreeMap<FileImport, String>,
    targets: &BTreeMap<usize, Vec<usize>>,
    members: &BTreeSet<usize>,
) -> String {
    let shortest = members.iter().map(|&file| find_shortest_circle(targets, members, file)).min_by_key(Vec::len);
    let circle = shortest.unwrap_or_default();
    let mut text = format!("{} files import each other; the shortest circle of imports:", members.len());
    for pair in circle.windows(2) {
        let import = FileImport { importing_file_index: pair[0], imported_file_index: pair[1] };
        let path = imports.get(&import).map_or("", String::as_str);
        // Writing to a `String` never fails.
        let _ = write!(text, "\n    {} imports {} ({path})", tree.files[pair[0]].path, tree.files[pair[1]].path);
    }
    let names: Vec<_> = members.iter().map(|&file| tree.files[file].path.as_str()).collect();
    let _ = write!(text, "\n    all files in these circles: {}", names.join(", "));
    text
}

/// Returns the shortest circle of imports from the file `start` back to `start`, through files in `members` only.
/// `members` is a group of files that import each other. The result begins and ends with `start`.
fn find_shortest_circle(targets: &BTreeMap<usize, Vec<usize>>, members: &BTreeSet<usize>, start: usize) -> Vec<usize> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for &next in targets.get(&file).into_iter().flatten().filter(|next| members.contains(next)) {
            if next == start {
                let mut circle = vec![start, file];
                let mut last = file;
                while let Some(&previous) = before.get(&last) {
                    circle.push(previous);
                    last = previous;
                }
                circle.reverse();
                return circle;
            }
            if let Entry::Vacant(entry) = before.entry(next) {
                entry.insert(file);
                queue.push_back(next);
            }
        }
    }
    Vec::new()
}
