/**
 * The JSON of the job's pages: docs/rest_api.md describes it, crates/web/src/api writes it.
 * Times are epoch milliseconds; `null` is "not known" or "none".
 */

/** Urgency of a stage, a notice or a row: all is well, look soon, act now. */
export type Level = "well" | "soon" | "act";

/** The process that reported an item. */
export interface ReportSource {
	instance: string;
	host: string;
	here: boolean;
}

export interface Attention {
	level: Level;
	what: string;
	todo: string;
}

// GET /api/overview

export interface JobSummary {
	id: string;
	name: string;
	topic: string;
	group: string;
	state: "starting" | "running" | "stopping" | "degraded";
	started_at_ms: number;
	version: string;
}

export interface InstanceSummary extends ReportSource {
	pid: number;
	version: string;
	/** Empty where the instance serves no pages. */
	listen: string;
	state: string;
	started_at_ms: number;
	reported_at_ms: number;
	workers: number;
	partitions: number;
}

export interface Totals {
	records_per_s: number;
	rows_per_s: number;
	records: number;
	rows: number;
	late_events: number;
	dead_letters: number;
	refused_rows: number;
	entities: number;
	lag: number | null;
	behind_ms: number | null;
	watermark_ms: number | null;
	watermark_delay_ms: number | null;
	partitions_owned: number;
	partitions: number;
	/** The three shares of the workers' time add up to about 1. */
	busy: number;
	idle: number;
	backpressured: number;
}

export interface LastCheckpoint {
	age_ms: number | null;
	every_ms: number;
	state_bytes: number;
	added_bytes: number;
	duration_ms: number | null;
	failed: number;
}

export interface Quantiles {
	p50_ms: number | null;
	p99_ms: number | null;
}

export interface SourceStage {
	id: string;
	kind: "source";
	name: string;
	detail: string;
	rate_per_s: number;
	level: Level;
	facts: { lag: number | null; behind_ms: number | null };
	away_since_ms: number | null;
	reason: string | null;
}

export interface DecodeStage {
	id: string;
	kind: "decode";
	name: string;
	detail: string;
	rate_per_s: number;
	level: Level;
	facts: { dead_letters: number };
	away_since_ms?: undefined;
	reason?: undefined;
}

export interface FeatureViewStage {
	id: string;
	kind: "feature_view";
	name: string;
	detail: string;
	rate_per_s: number;
	level: Level;
	facts: { rows: number; late_events: number; entities: number };
	away_since_ms?: undefined;
	reason?: undefined;
}

export interface SinkStage {
	id: string;
	kind: "sink";
	name: string;
	detail: string;
	rate_per_s: number;
	level: Level;
	facts: {
		transaction_ms: number | null;
		waiting_bytes: number;
		waiting_bytes_limit: number;
		refused_rows: number;
	};
	away_since_ms: number | null;
	reason: string | null;
}

export type Stage = SourceStage | DecodeStage | FeatureViewStage | SinkStage;

/** Series of the last hour, all of one length, oldest first. */
export type HistorySeries =
	| "records_per_s"
	| "rows_per_s"
	| "lag"
	| "watermark_delay_ms"
	| "freshness_p50_ms"
	| "freshness_p99_ms";

export type History = Record<HistorySeries, (number | null)[]> & {
	step_ms: number;
	from_ms: number;
};

/** A moment worth a mark on the charts. */
export interface Mark {
	at_ms: number;
	/** `started`, `assigned`, `revoked`, `savepoint`, `checkpoint_failed`. */
	kind: string;
	text: string;
	instance: string;
}

export interface Overview {
	now_ms: number;
	job: JobSummary;
	instances: InstanceSummary[];
	totals: Totals;
	checkpoint: LastCheckpoint;
	freshness: { append: Quantiles; event_time: Quantiles };
	stages: Stage[];
	attention: Attention[];
	/** Left out of most messages of the live stream. */
	history?: History;
	marks: Mark[];
}

// GET /api/partitions

export interface OwnedPartition extends ReportSource {
	partition: number;
	epoch: number;
	worker: number;
	offset: number | null;
	end_offset: number | null;
	lag: number | null;
	watermark_ms: number | null;
	event_time_ms: number | null;
	idle: boolean;
	follows_clock: boolean;
	last_record_at_ms: number | null;
	last_appended_ms: number | null;
	records: number;
	records_per_s: number;
	entities: number;
	state_bytes: number;
	checkpoint_offset: number | null;
	checkpoint_age_ms: number | null;
}

/** A partition that the instance has parked because of a fault, and does not read. */
export interface ParkedPartition extends ReportSource {
	partition: number;
	since_ms: number;
	retry_at_ms: number;
	fault: string;
	todo: string;
}

/** A partition that is not read has its number, and its fault if it is parked. */
export type UnownedPartition = {
	[Field in Exclude<
		keyof OwnedPartition,
		"partition" | "instance" | "host"
	>]?: null;
} & {
	partition: number;
	instance: null;
	host: null;
	parked: ParkedPartition | null;
};

export type Partition = OwnedPartition | UnownedPartition;

export interface Partitions {
	now_ms: number;
	topic: string;
	partitions: Partition[];
}

// GET /api/checkpoints

export interface Checkpoint extends ReportSource {
	partition: number;
	epoch: number;
	number: number;
	savepoint: string | null;
	status: "in_progress" | "completed" | "failed";
	began_at_ms: number;
	ended_at_ms: number | null;
	offset: number;
	added_bytes: number;
	state_bytes: number;
	failure: string | null;
	place: string;
}

export interface RestoredPartition extends ReportSource {
	partition: number;
	epoch: number;
	number: number;
	at_ms: number;
	took_ms: number;
	savepoint: string | null;
	offset: number | null;
}

export interface Savepoint {
	id: string;
	place: string;
	taken_at_ms: number;
	bytes: number;
	partitions: number;
}

export interface CheckpointCounts {
	completed: number;
	failed: number;
	in_progress: number;
	restored: number;
	fenced: number;
	missing_rows: number;
}

export interface Checkpoints {
	now_ms: number;
	every_ms: number;
	keep: number;
	place: string;
	counts: CheckpointCounts;
	checkpoints: Checkpoint[];
	restored: RestoredPartition[];
	savepoints: Savepoint[];
}

// POST /api/savepoints, GET /api/savepoints/REQUEST

export interface SavepointRequest {
	request: string;
}

export type SavepointProgress =
	| {
			status: "in_progress";
			saved: number;
			partitions: number;
			location: null;
			failure: null;
	  }
	| {
			status: "completed";
			saved: number;
			partitions: number;
			location: string;
			failure: null;
	  }
	| {
			status: "failed";
			saved: null;
			partitions: null;
			location: null;
			failure: string;
	  };

// GET /api/features, GET /api/rows

/** Name and value, as Redis holds them. */
export type RowField = [name: string, value: string];

export interface CurrentRow {
	redis_key: string;
	window_start_ms: number | null;
	window_end_ms: number | null;
	fields: RowField[];
	age_ms: number | null;
	ttl_left_ms: number | null;
	/** The type that Redis holds at the key where it is no hash. */
	other_type: string | null;
}

export interface RecentRow {
	at_ms: number;
	redis_key: string;
	fields: RowField[];
}

/** A feature whose windows before a time may lack events. */
export interface IncompleteFeature {
	feature: string;
	complete_from_ms: number;
}

export interface FeatureView {
	name: string;
	window: string;
	session: boolean;
	rows: number;
	rows_per_s: number;
	late_events: number;
	late_after_idle: number;
	entities: number;
	ttl_ms: number | null;
	incomplete: IncompleteFeature[];
	current: CurrentRow[];
	recent: RecentRow[];
}

export interface Features {
	now_ms: number;
	user: string | null;
	key_field: string;
	redis: { away_since_ms: number | null; reason: string | null };
	search: { done: boolean; failure: string | null };
	feature_views: FeatureView[];
	late_events: LateEvent[];
	dead_letters: DeadLetter[];
}

export interface WrittenRow extends RecentRow {
	feature_view: string;
	ttl_ms: number | null;
}

export interface WrittenRows {
	now_ms: number;
	rows: WrittenRow[];
}

// GET /api/problems

/** Bytes of a record as text; `bytes` is their number before they were cut. */
export interface RecordBytes {
	text: string;
	utf8: boolean;
	bytes: number;
}

export interface LateEvent extends ReportSource {
	at_ms: number;
	feature_views: string[];
	key: string;
	event_time_ms: number;
	watermark_ms: number | null;
	partition: number;
	offset: number;
	record: RecordBytes;
}

export interface DeadLetter extends ReportSource {
	at_ms: number;
	kind: "record" | "row";
	reason: string;
	partition: number | null;
	offset: number | null;
	key: RecordBytes | null;
	record: RecordBytes | null;
}

export interface Exception extends ReportSource {
	at_ms: number;
	level: "warn" | "error";
	target: string;
	message: string;
}

export interface ProblemCounts {
	late_events: number;
	dead_letters: number;
	refused_rows: number;
}

export interface Problems {
	now_ms: number;
	counts: ProblemCounts;
	late_events: LateEvent[];
	dead_letters: DeadLetter[];
	exceptions: Exception[];
	attention: Attention[];
}

// GET /api/pipeline

export interface SlidingWindow {
	size_ms: number;
	slide_ms: number;
	pane_ms: number;
}

export interface SessionWindow {
	gap_ms: number;
}

export type WindowPlan = { sliding?: SlidingWindow; session?: SessionWindow };

export interface FeaturePlan {
	name: string;
	aggregate: string;
	where: string | null;
	default: string | number | boolean | null;
}

export interface FeatureViewPlan {
	name: string;
	window: WindowPlan;
	allowed_lateness_ms: number;
	when_empty: "keep" | "zero" | "delete";
	key: string;
	ttl_ms: number | null;
	features: FeaturePlan[];
}

export interface PipelinePlan {
	name: string;
	source: {
		brokers: string;
		topic: string;
		group: string;
		on_lost_offset: "halt" | "earliest";
		on_partition_fault: "park" | "halt";
		on_misplaced: "warn" | "dead_letter" | "halt";
		partitioner: "murmur2" | "crc32" | null;
		group_protocol: "classic" | "consumer";
		session_timeout_ms: number | null;
	};
	event: {
		key: string;
		time: string;
		time_unit: "s" | "ms" | "us" | "ns" | null;
		time_format: string | null;
		time_zone: string;
		types: "lenient" | "strict";
		fields: { name: string; type: string }[];
	};
	watermark: {
		max_out_of_orderness_ms: number;
		idle_timeout_ms: number | null;
		idle_timeout_includes_history: boolean;
		max_future_ms: number | null;
	};
	checkpoint: {
		every_ms: number;
		store: string;
		keep: number;
		savepoints: string[];
	};
	sink: { redis: string; wait_replicas: number; wait_aof: boolean };
	feature_views: FeatureViewPlan[];
}

export interface Pipeline {
	name: string;
	text: string;
	plan: PipelinePlan;
}
