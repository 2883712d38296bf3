//! Rebuilds when a file of the pages is added or deleted.

fn main() {
    println!("cargo::rerun-if-changed=assets");
}
