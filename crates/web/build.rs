//! Builds again when a file of the pages is added or gone.

fn main() {
    println!("cargo::rerun-if-changed=assets");
}
