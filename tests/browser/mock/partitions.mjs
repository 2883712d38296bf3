// Partitions, checkpoints and savepoints.

import { noise, ownerOf } from "./state.mjs";

/** @import { Checkpoint, Checkpoints, Partition, Partitions, RestoredPartition, Savepoint } from "/types/job-api.js" */
/** @import { MockState } from "./state.mjs" */

const NUMBERS = [0, 1, 2, 3];
const CHECKPOINT_EVERY_MS = 30_000;
const CHECKPOINTS = 30;
const PLACE = "/ecommerce-4be1c1f2";

/**
 * @param {MockState} state
 * @param {number} partition
 * @returns {Partition}
 */
function partitionRow(state, partition) {
	const { now } = state;
	if (state.is("broken") && partition === 3)
		return { partition, instance: null, host: null, parked: null };
	if (state.is("broken") && partition === 2)
		return {
			partition,
			instance: null,
			host: null,
			parked: {
				...ownerOf(partition),
				partition,
				since_ms: now - 95_000,
				retry_at_ms: now + 25_000,
				fault:
					"no checkpoint of partition 2 in file:./.windrow/checkpoints can be read",
				todo: "Nothing was changed. Restore the folder from a backup, or start from a savepoint with `--from`",
			},
		};
	const second = Math.floor(now / 1000);
	const offset =
		128_400_000 +
		partition * 71_003 +
		Math.floor((now - state.startedAt) / 1000) * 11_000;
	const lag =
		partition === 2 ? 0 : Math.round(200 + 300 * noise(second + partition));
	const idle = partition === 2 && state.is("calm");
	return {
		...ownerOf(partition),
		partition,
		epoch: 7,
		worker: partition % 2,
		offset,
		end_offset: offset + lag,
		lag,
		watermark_ms: now - 10_400 - partition * 300,
		event_time_ms: now - 400,
		idle,
		follows_clock: idle,
		last_record_at_ms: now - 20,
		last_appended_ms: now - 40,
		records: 1_000_000,
		records_per_s: idle ? 0 : 11_000 + 900 * noise(second * 7 + partition),
		entities: 45_000 + partition * 113,
		state_bytes: 10_300_000 + partition * 91_000,
		checkpoint_offset: offset - 100_000,
		checkpoint_age_ms: (now + partition * 7000) % CHECKPOINT_EVERY_MS,
	};
}

/**
 * @param {MockState} state
 * @returns {Partitions}
 */
export const partitions = (state) => ({
	now_ms: state.now,
	topic: "ecommerce-events",
	partitions: state.unlessEmpty(
		NUMBERS.map((number) => partitionRow(state, number)),
		[],
	),
});

/**
 * @param {MockState} state
 * @param {number} age in checkpoints
 * @param {number} partition
 * @returns {Checkpoint}
 */
function checkpoint(state, age, partition) {
	const shift = partition * 7000;
	const turn = Math.floor((state.now - shift) / CHECKPOINT_EVERY_MS) - age;
	const began = turn * CHECKPOINT_EVERY_MS + shift;
	const failed = state.is("broken") && age < 2 && partition === 1;
	const number = Math.floor(began / CHECKPOINT_EVERY_MS) % 100_000;
	return {
		...ownerOf(partition),
		partition,
		epoch: 7,
		number,
		savepoint: null,
		status: failed ? "failed" : "completed",
		began_at_ms: began,
		ended_at_ms: began + 180 + Math.round(250 * noise(age * 4 + partition)),
		offset: 128_400_000 + (Math.floor(began / 1000) % 1e6),
		added_bytes: 90_000 + Math.round(40_000 * noise(age + partition)),
		state_bytes: 10_300_000,
		failure: failed
			? "Redis is unreachable: rows before this checkpoint are not written yet"
			: null,
		place: `file:./.windrow/checkpoints${PLACE}/p${partition}/e7/c${number}`,
	};
}

/** @param {MockState} state */
const checkpointHistory = (state) =>
	Array.from({ length: CHECKPOINTS }, (_, age) =>
		NUMBERS.map((number) => checkpoint(state, age, number)),
	)
		.flat()
		.sort((a, b) => b.began_at_ms - a.began_at_ms);

/**
 * @param {MockState} state
 * @param {number} partition
 * @returns {RestoredPartition}
 */
const restored = (state, partition) => ({
	...ownerOf(partition),
	partition,
	epoch: 6,
	number: 88_120 + partition,
	at_ms: state.startedAt + 900,
	took_ms: 210 + partition * 31,
	savepoint:
		partition === 0
			? state.text(0, "file:/var/lib/windrow/savepoints/20261120-0830")
			: null,
	offset: 128_000_000 + partition,
});

/**
 * @param {MockState} state
 * @returns {Savepoint}
 */
const savepoint = (state) => ({
	id: state.text(0, "20261125-1021-6f1c"),
	place: state.text(
		1,
		`file:/var/lib/windrow/checkpoints${PLACE}/savepoints/20261125-1021-6f1c`,
	),
	taken_at_ms: state.now - 1_100_000,
	bytes: 41_300_000,
	partitions: 4,
});

/**
 * @param {MockState} state
 * @returns {Checkpoints}
 */
export const checkpoints = (state) => ({
	now_ms: state.now,
	every_ms: CHECKPOINT_EVERY_MS,
	keep: 3,
	place: `file:/var/lib/windrow/checkpoints${PLACE}`,
	counts: {
		completed: state.unlessEmpty(1543, 0),
		failed: state.is("broken") ? 3 : 0,
		in_progress: 0,
		restored: state.unlessEmpty(4, 0),
		fenced: 0,
		missing_rows: 0,
	},
	checkpoints: state.unlessEmpty(checkpointHistory(state), []),
	restored: state.unlessEmpty(
		NUMBERS.map((number) => restored(state, number)),
		[],
	),
	savepoints: state.unlessEmpty([savepoint(state)], []),
});
