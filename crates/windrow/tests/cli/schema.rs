//! `windrow schema`.

use crate::windrow::run;

#[test]
fn the_schema_is_printed_as_it_is_shipped() {
    assert_eq!(run(["schema"]).expect(0).text(), include_str!("../../../../pipelines/windrow.schema.json"));
}
