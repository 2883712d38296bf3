//! `windrow demo`: rows of the shipped pipeline with nothing installed.

use crate::windrow::run;

const VIEWS: [(&str, [&str; 2]); 2] = [
    ("user_features", ["view_count_1h=", "avg_viewed_price_1h="]),
    ("session_features", ["event_count=", "duration_seconds="]),
];

/// Which rows are the newest depends on the time of day, so what is shown need not be of both views; both have fired.
#[test]
fn a_few_seconds_fire_rows_of_both_views_and_show_the_newest() {
    let demo = run(["demo", "--plain", "--time", "5s"]).expect(0);
    let rows: Vec<&str> = demo.text().lines().filter(|line| !line.starts_with('…')).collect();
    assert!(!rows.is_empty(), "no rows are shown");
    for row in rows {
        let (_, features) =
            VIEWS.iter().find(|(view, _)| row.starts_with(&format!("{view} u"))).expect("a view's name");
        assert!(features.iter().all(|feature| row.contains(feature)), "{row}");
    }
    for (view, _) in VIEWS {
        let (_, fired) = demo.stderr.split_once(&format!("{view}: ")).expect("a line for the view at the end");
        assert!(!fired.starts_with("0 rows"), "{view}: {fired}");
    }
}
