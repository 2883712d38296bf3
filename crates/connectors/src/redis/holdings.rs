//! The partitions that were granted to this process, and what their fences should say.
//!
//! Owns: judging what a fence says, which rows of a flight are to be dropped. Does not own: reading and writing it.
//! Invariants: (1) a partition that was lost stays lost until a larger epoch is granted; (2) rows are sent only under the
//! epoch that was granted last. After a crash: nothing of this survives; the next owner claims anew.

use std::collections::BTreeMap;

use windrow_core::ViewId;
use windrow_engine::{Epoch, Loss, Lost, Origin, Partition};

use super::batch::Flight;
use super::fault::Fault;
use super::fence::{FenceKeys, FenceValue};

/// One partition.
#[derive(Debug)]
struct Holding {
    /// What Redis acknowledged last.
    value: FenceValue,
    text: String,
    /// What was sent since and not answered: it may be there as well.
    sent: Option<String>,
    lost: Option<Loss>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Holdings {
    keys: FenceKeys,
    held: BTreeMap<Partition, Holding>,
}

/// One partition's rows in a flight, and what its fence says with them.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) origin: Origin,
    pub(super) key: String,
    pub(super) text: String,
    value: FenceValue,
}

/// What is known about a flight before Redis is asked.
#[derive(Default, Debug)]
pub(super) struct Boarding {
    /// Partitions whose rows may go, in their order.
    pub(super) passages: Vec<Passage>,
    /// Partitions whose rows are dropped.
    pub(super) lost: Vec<Lost>,
}

impl Boarding {
    /// Whether rows of `origin` are dropped.
    pub(super) fn drops(&self, origin: Origin) -> bool {
        self.lost.iter().any(|lost| lost.origin == origin)
    }
}

impl Holdings {
    pub(super) fn new(keys: FenceKeys) -> Self {
        Self { keys, held: BTreeMap::new() }
    }

    /// The key of a partition's fence.
    pub(super) fn key(&self, partition: Partition) -> String {
        self.keys.of(partition)
    }

    /// A claim was granted, and `value` is in Redis.
    pub(super) fn granted(&mut self, partition: Partition, value: FenceValue) {
        let text = value.text();
        self.held.insert(partition, Holding { value, text, sent: None, lost: None });
    }

    /// Sorts the rows of `flight` by what may be done with them. The fault is a bug: rows that nobody claimed.
    pub(super) fn board(&self, flight: &Flight) -> Result<Boarding, Fault> {
        let mut rows: BTreeMap<(Partition, Epoch), BTreeMap<ViewId, u64>> = BTreeMap::new();
        for run in flight.runs() {
            let numbers = rows.entry((run.origin.partition, run.origin.epoch)).or_default();
            let last = numbers.entry(run.view).or_default();
            *last = run.number.max(*last);
        }
        let mut boarding = Boarding::default();
        for ((partition, epoch), numbers) in rows {
            let origin = Origin { partition, epoch };
            let Some(holding) = self.held.get(&partition).filter(|holding| holding.value.epoch >= epoch) else {
                return Err(unclaimed(origin));
            };
            let overtaken = (holding.value.epoch > epoch).then_some(Loss::Fenced(holding.value.epoch));
            if let Some(why) = overtaken.or(holding.lost) {
                boarding.lost.push(Lost { origin, why });
                continue;
            }
            let mut value = holding.value.clone();
            for (view, number) in numbers {
                let count = value.counts.get_mut(view.0).ok_or_else(|| unclaimed(origin))?;
                count.rows = count.rows.max(number);
            }
            let text = value.text();
            boarding.passages.push(Passage { origin, key: self.keys.of(partition), text, value });
        }
        Ok(boarding)
    }

    /// Whether the fence of `passage`, which says `stored`, lets its rows through; if not, the partition is lost.
    pub(super) fn judge(&mut self, passage: &Passage, stored: Option<&[u8]>) -> Result<Option<Loss>, Fault> {
        let Some(holding) = self.held.get_mut(&passage.origin.partition) else {
            return Err(unclaimed(passage.origin));
        };
        let loss = match stored {
            None => Loss::Rewound,
            Some(stored) if stored == holding.text.as_bytes() => return Ok(None),
            Some(stored) if holding.sent.as_ref().is_some_and(|sent| sent.as_bytes() == stored) => return Ok(None),
            Some(stored) => match FenceValue::read(&passage.key, stored)?.epoch {
                epoch if epoch > passage.origin.epoch => Loss::Fenced(epoch),
                // Nobody else writes under this epoch: with other counts or a smaller epoch it is an earlier state.
                _ => Loss::Rewound,
            },
        };
        holding.lost = Some(loss);
        Ok(Some(loss))
    }

    /// The rows of `passages` are about to be sent; from now on their outcome is open.
    pub(super) fn sending(&mut self, passages: &[Passage]) {
        for passage in passages {
            if let Some(holding) = self.held.get_mut(&passage.origin.partition) {
                holding.sent = Some(passage.text.clone());
            }
        }
    }

    /// The rows of `passages` are in Redis.
    pub(super) fn arrived(&mut self, passages: Vec<Passage>) {
        for Passage { origin, value, text, .. } in passages {
            if let Some(holding) = self.held.get_mut(&origin.partition) {
                (holding.value, holding.text, holding.sent) = (value, text, None);
            }
        }
    }
}

fn unclaimed(Origin { partition, epoch }: Origin) -> Fault {
    Fault::Bug(format!(
        "rows of partition {partition} under epoch {epoch} came to Redis without a claim; this is a bug in Windrow"
    ))
}
