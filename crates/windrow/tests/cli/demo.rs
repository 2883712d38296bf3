//! `windrow demo`: rows of the shipped pipeline with nothing installed.

use crate::windrow::run;

const VIEWS: [(&str, [&str; 2]); 2] = [
    ("user_features", ["view_count_1h=", "avg_viewed_price_1h="]),
    ("session_features", ["event_count=", "duration_seconds="]),
];

#[test]
fn a_few_seconds_show_rows_of_both_views() {
    let demo = run(["demo", "--plain", "--time", "8s"]).expect(0);
    let rows: Vec<&str> = demo.text().lines().filter(|line| !line.starts_with('…')).collect();
    for (view, features) in VIEWS {
        let rows: Vec<_> = rows.iter().filter(|row| row.starts_with(&format!("{view} u"))).collect();
        assert!(!rows.is_empty(), "no row of {view}:\n{}", demo.text());
        for row in rows {
            assert!(features.iter().all(|feature| row.contains(feature)), "{row}");
        }
    }
}
