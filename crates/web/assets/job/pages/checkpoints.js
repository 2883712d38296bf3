// Checkpoints: what was saved, what failed, what was restored, and savepoints.

import {
	copyable,
	empty,
	guarded,
	h,
	icon,
	keyed,
	setAttr,
	setLevel,
	setText,
} from "/assets/shared/dom.js";
import {
	ago,
	bytes,
	count,
	exact,
	middle,
	plural,
	setting,
	span,
	time,
	timeExact,
} from "/assets/shared/format.js";
import { table } from "/assets/shared/table.js";
import { fromCommand, savepointForm } from "./savepoint.js";

export const title = () => "Checkpoints";
export const twin = () => "/api/checkpoints";

const STATUS = {
	completed: ["well", "completed"],
	failed: ["act", "failed"],
	in_progress: ["plain", "being taken"],
};

function figure(label) {
	const value = h("div", { class: "figure-value" });
	const note = h("div", { class: "figure-note" });
	return {
		node: h(
			"div",
			{ class: "figure" },
			h("div", { class: "figure-label", text: label }),
			value,
			note,
		),
		set(text, below, exactly) {
			setText(value, text);
			setText(note, below);
			setAttr(value, "title", exactly);
		},
	};
}

const took = (row) =>
	row.ended_at_ms ? row.ended_at_ms - row.began_at_ms : null;
const median = (list) =>
	list.length
		? [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]
		: null;

function status(cell, row) {
	const [level, word] = STATUS[row.status] ?? ["plain", row.status];
	if (cell.dataset.level !== level) {
		cell.dataset.level = level;
		cell.replaceChildren(
			h(
				"span",
				{ class: "chip" },
				icon(row.status === "in_progress" ? "busy" : level),
				h("span"),
			),
		);
		setLevel(cell.firstChild, level);
	}
	setText(cell.querySelector(".chip > span"), word);
}

export function mount(root) {
	const [last, done, failed, size, restored] = [
		"last completed",
		"completed",
		"failed",
		"state",
		"restored",
	].map(figure);
	const place = copyable("", "the place of the checkpoints");
	const rule = h("p", { class: "lead" });
	const form = savepointForm();
	const savepoints = h("div", { class: "savepoints" });
	const none = h("p", {
		class: "muted",
		text: "None yet. A savepoint is a copy of all state that Windrow never deletes: take one before an upgrade or a change of the pipeline.",
	});
	const history = table({
		caption: "History of checkpoints",
		filter: "Filter history",
		sort: { column: "began", descending: true },
		key: (row) =>
			`${row.instance} ${row.partition} ${row.epoch}.${row.number} ${row.savepoint ?? ""}`,
		mark: (row) => (row.status === "failed" ? "act" : null),
		empty: empty(
			"No checkpoint yet",
			"The first one comes when the interval is over and an event was read. Until then a restart reads from where it began.",
		),
		columns: [
			{
				id: "began",
				label: "Began",
				text: (row) => time(row.began_at_ms),
				value: (row) => row.began_at_ms,
				exact: (row) => timeExact(row.began_at_ms),
				copy: (row) => row.began_at_ms,
			},
			{
				id: "status",
				label: "Status",
				text: (row) => STATUS[row.status]?.[1] ?? row.status,
				fill: status,
			},
			{
				id: "partition",
				label: "Partition",
				numeric: true,
				text: (row) => row.partition,
				value: (row) => row.partition,
			},
			{
				id: "kind",
				label: "Kind",
				text: (row) => (row.savepoint ? "savepoint" : "checkpoint"),
				exact: (row) => row.savepoint ?? null,
			},
			{
				id: "number",
				label: "Epoch.number",
				numeric: true,
				text: (row) => `${row.epoch}.${row.number}`,
				value: (row) => row.epoch * 1e7 + row.number,
			},
			{
				id: "took",
				label: "Took",
				numeric: true,
				text: (row) => span(took(row)),
				value: took,
				exact: (row) => exact(took(row), "ms"),
				copy: (row) => took(row) ?? "",
			},
			{
				id: "added",
				label: "Added",
				numeric: true,
				title: "Bytes this checkpoint added",
				text: (row) => bytes(row.added_bytes),
				value: (row) => row.added_bytes,
				exact: (row) => exact(row.added_bytes, "bytes"),
				copy: (row) => row.added_bytes,
			},
			{
				id: "state",
				label: "State",
				numeric: true,
				title: "Bytes of all its layers",
				text: (row) => bytes(row.state_bytes),
				value: (row) => row.state_bytes,
				exact: (row) => exact(row.state_bytes, "bytes"),
				copy: (row) => row.state_bytes,
			},
			{
				id: "offset",
				label: "Offset",
				numeric: true,
				text: (row) => exact(row.offset),
				value: (row) => row.offset,
				copy: (row) => row.offset,
			},
			{
				id: "host",
				label: "Host",
				text: (row) => row.host ?? "",
				exact: (row) => `instance ${row.instance}`,
			},
			{
				id: "failure",
				label: "Failure, or place",
				mono: true,
				text: (row) => row.failure ?? middle(row.place ?? "", 40),
				exact: (row) => row.failure ?? row.place,
				copy: (row) => row.failure ?? row.place,
			},
		],
	});
	const restores = table({
		caption: "Restored partitions",
		sort: { column: "at", descending: true },
		key: (row) => `${row.instance} ${row.partition} ${row.at_ms}`,
		empty: empty(
			"Nothing was restored",
			"Every partition began without a checkpoint, or is still being opened.",
		),
		columns: [
			{
				id: "at",
				label: "Restored",
				text: (row) => time(row.at_ms),
				value: (row) => row.at_ms,
				exact: (row) => timeExact(row.at_ms),
				copy: (row) => row.at_ms,
			},
			{
				id: "partition",
				label: "Partition",
				numeric: true,
				text: (row) => row.partition,
				value: (row) => row.partition,
			},
			{
				id: "number",
				label: "Epoch.number",
				numeric: true,
				text: (row) => `${row.epoch}.${row.number}`,
			},
			{
				id: "took",
				label: "Took",
				numeric: true,
				text: (row) => span(row.took_ms),
				value: (row) => row.took_ms,
				exact: (row) => exact(row.took_ms, "ms"),
				copy: (row) => row.took_ms,
			},
			{
				id: "offset",
				label: "Offset",
				numeric: true,
				text: (row) =>
					row.offset === null || row.offset === undefined
						? "–"
						: exact(row.offset),
				value: (row) => row.offset,
				copy: (row) => row.offset ?? "",
			},
			{
				id: "host",
				label: "Host",
				text: (row) => row.host ?? "",
				exact: (row) => `instance ${row.instance}`,
			},
			{
				id: "from",
				label: "From",
				mono: true,
				text: (row) =>
					row.savepoint ? middle(row.savepoint, 48) : "its own checkpoint",
				exact: (row) => row.savepoint,
				copy: (row) => row.savepoint ?? "",
			},
		],
	});

	const figures = h(
		"section",
		{ class: "figures compact", "aria-label": "Summary" },
		last.node,
		done.node,
		failed.node,
		size.node,
		restored.node,
	);
	const historySection = h(
		"section",
		{ class: "section", "aria-label": "History" },
		h(
			"div",
			{ class: "section-head" },
			h("h2", { text: "History" }),
			h("span", { class: "muted tiny", text: "per partition, newest first" }),
		),
		history.element,
	);
	root.append(
		h(
			"div",
			{ class: "page-head" },
			h("h1", { text: "Checkpoints" }),
			rule,
			place,
		),
		figures,
		h(
			"section",
			{ class: "section", "aria-label": "Savepoints" },
			h("div", { class: "section-head" }, h("h2", { text: "Savepoints" })),
			form.element,
			none,
			savepoints,
		),
		historySection,
		h(
			"section",
			{ class: "section", "aria-label": "Restored" },
			h("div", { class: "section-head" }, h("h2", { text: "Restored" })),
			restores.element,
		),
	);

	return {
		update(data) {
			const list = data.checkpoints ?? [];
			const complete = list.filter(
				(row) => row.status === "completed" && !row.savepoint,
			);
			const newest = complete[0];
			setText(
				rule,
				`Every ${setting(data.every_ms)}, the last ${data.keep} of each partition are kept at`,
			);
			place.set(data.place ?? "");
			guarded(figures, () => {
				last.set(
					newest
						? ago(Math.max(0, data.now_ms - newest.ended_at_ms))
						: "none yet",
					newest
						? `partition ${newest.partition}`
						: "the first comes after the interval",
					newest ? timeExact(newest.ended_at_ms) : null,
				);
				const { counts } = data;
				const middleTook = median(
					complete.map(took).filter((ms) => ms !== null),
				);
				done.set(
					count(counts.completed),
					middleTook === null ? "" : `typically ${span(middleTook)}`,
					exact(counts.completed),
				);
				failed.set(
					count(counts.failed),
					counts.in_progress > 0
						? `${count(counts.in_progress)} being taken now`
						: "none being taken now",
					exact(counts.failed),
				);
				setLevel(failed.node, counts.failed > 0 ? "soon" : "plain");
				const newestOf = new Map();
				for (const row of complete)
					if (!newestOf.has(row.partition)) newestOf.set(row.partition, row);
				const total = [...newestOf.values()].reduce(
					(sum, row) => sum + row.state_bytes,
					0,
				);
				size.set(
					newestOf.size ? bytes(total) : "–",
					newestOf.size ? `in ${plural(newestOf.size, "partition")}` : "",
					exact(total, "bytes"),
				);
				restored.set(
					count(counts.restored),
					counts.fenced > 0
						? `${count(counts.fenced)} taken over by another instance`
						: "partitions since the start",
					exact(counts.restored),
				);
			});
			guarded(historySection, () => history.update(list));
			restores.update(data.restored ?? []);
			const saved = data.savepoints ?? [];
			none.hidden = saved.length > 0;
			keyed(
				savepoints,
				saved,
				(each) => each.place || each.id,
				() =>
					h(
						"details",
						{ class: "entry" },
						h(
							"summary",
							null,
							h("span"),
							h("span", { class: "muted" }),
							h("span", { class: "muted mono ellipsis" }),
						),
						h(
							"div",
							{ class: "entry-body stack" },
							h("span", { class: "muted tiny", text: "Place" }),
							copyable("", "the savepoint's place"),
							h("span", {
								class: "muted tiny",
								text: "A job that begins there",
							}),
							copyable("", "the command"),
						),
					),
				(node, each) => {
					const [at, what, id] = node.firstChild.children;
					setText(at, time(each.taken_at_ms));
					setAttr(at, "title", timeExact(each.taken_at_ms));
					setText(
						what,
						`${plural(each.partitions, "partition")}, ${bytes(each.bytes)}`,
					);
					setAttr(what, "title", exact(each.bytes, "bytes"));
					setText(id, each.id);
					const [where, command] = node.querySelectorAll(".copyable");
					where.set(each.place);
					command.set(fromCommand(each.place));
				},
			);
		},
		close: () => form.close(),
	};
}
