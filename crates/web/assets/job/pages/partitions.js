// Partitions: who reads what, and how far.

import { empty, h, setAttr, setText } from "/assets/shared/dom.js";
import {
	ago,
	bytes,
	count,
	exact,
	plural,
	rate,
	span,
	time,
	timeBeside,
	timeExact,
} from "/assets/shared/format.js";
import { pair, table } from "/assets/shared/table.js";

export const title = () => "Partitions";
export const twin = () => "/api/partitions";

const owned = (row) => row.instance !== null && row.instance !== undefined;

export function mount(root) {
	let now = 0;
	const summary = h("p", { class: "lead" });
	const doing = (row) =>
		!owned(row)
			? "nobody reads it"
			: row.idle
				? "idle"
				: row.lag === 0
					? "caught up"
					: "reading";
	const list = table({
		caption: "Partitions of the topic",
		filter: "Filter partitions",
		stickFirst: true,
		sort: { column: "partition", descending: false },
		key: (row) => row.partition,
		mark: (row) => (owned(row) ? null : "act"),
		empty: empty(
			"No partitions known yet",
			"The topic is looked up when the job starts. If this stays, check that Kafka is reachable and the topic exists.",
		),
		columns: [
			{
				id: "partition",
				label: "Partition",
				numeric: false,
				text: (row) => row.partition,
				value: (row) => row.partition,
			},
			{
				id: "state",
				label: "State",
				text: doing,
				exact: (row) =>
					!owned(row)
						? "Start an instance, or wait for the group to hand it out"
						: row.idle
							? "Everything there is was read, and nothing came for ten seconds"
							: null,
			},
			{
				id: "rate",
				label: "Events/s",
				numeric: true,
				text: (row) => (owned(row) ? count(row.records_per_s) : "–"),
				value: (row) => row.records_per_s,
				exact: (row) =>
					exact(
						row.records_per_s,
						"events per second, over the last ten seconds",
					),
				copy: (row) => row.records_per_s ?? "",
			},
			{
				id: "lag",
				label: "Lag",
				numeric: true,
				text: (row) => count(row.lag),
				value: (row) => row.lag,
				exact: (row) => exact(row.lag, "records to read"),
				copy: (row) => row.lag ?? "",
			},
			{
				id: "watermark",
				label: "Watermark",
				title: "How far its event time is complete",
				text: (row) => time(row.watermark_ms),
				value: (row) => row.watermark_ms,
				exact: (row) => timeExact(row.watermark_ms),
				copy: (row) => row.watermark_ms ?? "",
				fill: (cell, row) =>
					pair(
						cell,
						time(row.watermark_ms),
						typeof row.watermark_ms === "number"
							? [
									`−${span(Math.max(0, now - row.watermark_ms))}`,
									timeBeside(row.watermark_ms),
								]
									.filter(Boolean)
									.join(" · ")
							: "",
					),
			},
			{
				id: "owner",
				label: "Owner",
				text: (row) => (owned(row) ? row.host : "–"),
				copy: (row) => row.instance ?? "",
				exact: (row) =>
					owned(row)
						? `instance ${row.instance} on ${row.host}, worker ${row.worker}, epoch ${row.epoch}`
						: null,
				fill: (cell, row) =>
					pair(
						cell,
						owned(row) ? row.host : "–",
						owned(row) ? `worker ${row.worker}` : "",
					),
			},
			{
				id: "offset",
				label: "Offset",
				numeric: true,
				title: "The offset of the next record",
				text: (row) =>
					(row.offset ?? null) === null ? "–" : exact(row.offset),
				value: (row) => row.offset,
				exact: (row) =>
					`next ${exact(row.offset)}, end of the topic ${exact(row.end_offset)}`,
				copy: (row) => row.offset ?? "",
			},
			{
				id: "users",
				label: "Users",
				numeric: true,
				title: "Users with state",
				text: (row) => count(row.entities),
				value: (row) => row.entities,
				exact: (row) => exact(row.entities, "users with state"),
				copy: (row) => row.entities ?? "",
			},
			{
				id: "state_bytes",
				label: "State size",
				numeric: true,
				title: "Bytes of the last checkpoint, all layers",
				text: (row) => bytes(row.state_bytes),
				value: (row) => row.state_bytes,
				exact: (row) => exact(row.state_bytes, "bytes"),
				copy: (row) => row.state_bytes ?? "",
			},
			{
				id: "checkpoint",
				label: "Checkpoint",
				numeric: true,
				title: "Age of the last complete checkpoint",
				text: (row) => ago(row.checkpoint_age_ms),
				value: (row) => row.checkpoint_age_ms,
				exact: (row) =>
					`${exact(row.checkpoint_age_ms, "ms")}, at offset ${exact(row.checkpoint_offset)}`,
				copy: (row) => row.checkpoint_age_ms ?? "",
			},
		],
	});
	root.append(
		h("h1", { text: "Partitions" }),
		summary,
		h("section", { class: "section tight" }, list.element),
	);
	return {
		update(data) {
			now = data.now_ms;
			const rows = data.partitions ?? [];
			const nobody = rows.filter((row) => !owned(row)).length;
			setText(
				summary,
				`${data.topic}: ${plural(rows.length, "partition")}, ${plural(new Set(rows.filter(owned).map((row) => row.instance)).size, "instance")}, ` +
					`${rate(rows.reduce((sum, row) => sum + (row.records_per_s ?? 0), 0))}` +
					(nobody
						? `. Nobody reads ${nobody} of them: start an instance, or wait for the group to hand them out.`
						: "."),
			);
			setAttr(summary, "title", null);
			list.update(rows);
		},
	};
}
