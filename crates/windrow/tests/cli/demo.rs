//! `windrow demo`: rows of the shipped pipeline with nothing installed.

use crate::windrow::run;

#[test]
fn a_few_seconds_show_rows_of_both_views() {
    let shown = run(["demo", "--plain", "--time", "5s"]).expect(0);
    for (view, features) in [
        ("user_features", ["view_count_1h=", "avg_viewed_price_1h="]),
        ("session_features", ["event_count=", "duration_seconds="]),
    ] {
        let of_view = |line: &&str| line.starts_with(&format!("{view} u"));
        let row = shown.text().lines().find(of_view).expect("a row of the view");
        assert!(features.iter().all(|feature| row.contains(feature)), "{row}");
    }
}
