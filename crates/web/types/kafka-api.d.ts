/**
 * The JSON of the Kafka UI: docs/kafka_ui.md describes it, crates/web/src/kafka writes it.
 * Times are epoch milliseconds; `null` is "not known" or "none".
 */

// GET /api/cluster

export interface Broker {
	id: number;
	host: string;
	port: number;
	rack: string | null;
	leads: number;
	replicas: number;
	bytes: number | null;
	disk_total_bytes: number | null;
	disk_free_bytes: number | null;
	/** Why the broker's disks are not known. */
	trouble: string | null;
}

export interface Cluster {
	cluster_id: string | null;
	controller: number | null;
	brokers: Broker[];
	topics: number;
	partitions: number;
	under_replicated: number;
	leaderless: number;
}

export interface ClusterAnswer {
	now_ms: number;
	addresses: string;
	cluster: Cluster;
}

// GET /api/topics, GET /api/topics/TOPIC

export interface TopicSummary {
	topic: string;
	internal: boolean;
	partitions: number;
	replication: number;
	records: number | null;
	bytes: number | null;
	replica_bytes: number | null;
	under_replicated: number;
	leaderless: number;
}

export interface TopicsAnswer {
	now_ms: number;
	topics: TopicSummary[];
}

export interface PartitionDetails {
	partition: number;
	leader: number | null;
	replicas: number[];
	in_sync: number[];
	first: number | null;
	end: number | null;
	records: number | null;
	bytes: number | null;
}

export interface TopicSetting {
	name: string;
	value: string | null;
	source: "topic" | "broker" | "cluster" | "default" | "other";
	default: boolean;
	secret: boolean;
}

export interface Topic extends TopicSummary {
	partition_list: PartitionDetails[];
	config: TopicSetting[];
	config_trouble: string | null;
}

// GET /api/topics/TOPIC/messages, GET /api/topics/TOPIC/tail

/** A key, a value or a header's value, possibly cut. */
export type KafkaBytes = { bytes: number; whole: boolean } & (
	| { text: string; base64?: undefined }
	| { base64: string; text?: undefined }
);

export interface KafkaHeader {
	name: string;
	value: KafkaBytes | null;
}

export interface KafkaRecord {
	partition: number;
	offset: number;
	timestamp_ms: number | null;
	timestamp_by: "create" | "append";
	key: KafkaBytes | null;
	value: KafkaBytes | null;
	headers: KafkaHeader[];
	header_count: number;
	bytes: number;
}

export interface RecordPage {
	now_ms: number;
	records: KafkaRecord[];
	going_back: boolean;
	ended: "full" | "edge" | "time" | "trouble";
	looked_at: number;
	left: number;
	/** Positions to go back or on from, as `before` and `after` take them. */
	older: string;
	newer: string;
	has_older: boolean;
	has_newer: boolean;
	trouble: string | null;
}

/** One message of the tail. */
export type TailMessage =
	| {
			records: KafkaRecord[];
			looked_at: number;
			left_out: number;
			trouble: string | null;
			errors?: undefined;
	  }
	| { errors: string[] };

// POST /api/topics/TOPIC/messages

export interface SentRecord {
	topic: string;
	partition: number;
	offset: number;
	timestamp_ms: number | null;
	partitions: number;
	warnings: string[];
}

// GET /api/groups, GET /api/groups/GROUP

export interface GroupSummary {
	group: string;
	kind: string;
	state: string;
	coordinator: number;
	members: number | null;
	topics: string[];
	lag: number | null;
}

export interface GroupsAnswer {
	now_ms: number;
	groups: GroupSummary[];
}

export interface GroupMember {
	member: string;
	instance: string | null;
	client: string;
	host: string;
	partitions: number | null;
}

export interface GroupPartitionProgress {
	topic: string;
	partition: number;
	committed: number | null;
	first: number | null;
	end: number | null;
	lag: number | null;
	member: string | null;
	client: string | null;
	host: string | null;
}

export interface Group extends GroupSummary {
	assignor: string;
	member_list: GroupMember[];
	partition_list: GroupPartitionProgress[];
}
