//! The JSON Schema of the pipeline file. `tests/browser/schema.test.mjs` validates pipeline files against it.

use std::fs;
use std::path::Path;

/// Holds a value for every variable and every file.
struct AnySecret;

impl windrow_spec::SecretSource for AnySecret {
    fn read_variable(&self, _name: &str) -> Result<String, String> {
        Ok("secret".to_owned())
    }

    fn read_file(&self, _path: &str) -> Result<String, String> {
        Ok("redis://redis:6379".to_owned())
    }
}

#[test]
fn the_stored_schema_has_the_settings_of_the_readers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/windrow.schema.json");
    let stored = fs::read_to_string(path).unwrap_or_default();
    let differs = stored.lines().zip(windrow_spec::pipeline_file_schema().lines()).position(|(a, b)| a != b);
    assert!(
        stored == windrow_spec::pipeline_file_schema(),
        "pipelines/windrow.schema.json is old, first in line {}. Run:\n  \
         cargo run -p windrow -- schema > pipelines/windrow.schema.json",
        differs.map_or(1, |line| line + 1)
    );
}

#[test]
fn the_files_that_the_schema_must_accept_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accepted");
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a pipeline file");
        if let Err(mistakes) = windrow_spec::parse_with_secrets(&path.to_string_lossy(), &text, &[], &AnySecret) {
            panic!("{}", mistakes.render(windrow_spec::RenderStyle::Plain));
        }
    }
}
