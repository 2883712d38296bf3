//! Whole workers: scripted sources, stores in memory, and a clock that only the test advances.

mod clock_rules;
mod idle_partitions;
mod late_store_writes;
mod lost_rows;
mod openings;
mod overdue_checkpoints;
mod parking;
mod parking_lost_offsets;
mod parking_store_faults;
mod published_metrics;
mod row_numbering;
mod stop;
mod support;
