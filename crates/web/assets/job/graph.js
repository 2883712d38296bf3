// The pipeline as a picture: source → decode → each feature view → Redis, with rates at the edges. HTML boxes on a grid,
// SVG curves between them; one below the other where there is no room.

import {
	h,
	keyedList,
	s,
	setAttr,
	setLevel,
	setText,
} from "/assets/shared/dom.js";
import {
	formatBytes,
	formatCount,
	formatDuration,
	formatExact,
	formatExactTime,
	formatRate,
	isNumber,
	plural,
	shorten,
} from "/assets/shared/format.js";
import { icon } from "/assets/shared/widgets.js";

/** @import { Num } from "/assets/shared/format.js" */
/** @import { Stage } from "/types/job-api.js" */

/** @typedef {[text: string, title: string]} Fact */

/** More views than this share one rate to the sink. */
const MAX_RATES = 8;
/** The beginning of the reason why Redis counts as unreachable although it answers. */
const NOT_ACKNOWLEDGED = "written rows are not acknowledged yet";
const TROUBLES = {
	source: "falling behind",
	decode: "busy",
	feature_view: "busy",
	sink: "holds the rest back",
};

/**
 * Creates a list whose items are texts with titles.
 * @template {HTMLElement} Parent
 * @param {Parent} parent
 */
function createFactLine(parent) {
	const list = keyedList(
		parent,
		/** @param {Fact} _fact */
		(_fact, index) => index,
		() => {
			const element = h("span");
			return {
				element,
				/** @param {Fact} fact */
				update([text, title]) {
					setText(element, text);
					setAttr(element, "title", title);
				},
			};
		},
	);
	return { element: parent, update: list.update };
}

/**
 * Returns what the box of a stage says of it in one line.
 * @param {Stage} stage
 * @returns {(Fact | false)[]}
 */
function stageFacts(stage) {
	switch (stage.kind) {
		case "source": {
			const { lag, behind_ms: behind } = stage.facts;
			return [
				isNumber(lag) && [
					lag === 0 ? "caught up" : `${formatCount(lag)} to read`,
					`lag: ${formatExact(lag, "records")}`,
				],
				isNumber(behind) &&
					behind > 0 && [
						`${formatDuration(behind)} behind`,
						formatExact(behind, "ms"),
					],
			];
		}
		case "decode": {
			const { dead_letters: dead } = stage.facts;
			return [
				[
					plural(dead, "dead letter"),
					`${formatExact(dead)} records were no events`,
				],
			];
		}
		case "feature_view": {
			const { entities, late_events: late } = stage.facts;
			return [
				[
					`${formatCount(entities)} users`,
					formatExact(entities, "users with state"),
				],
				[`${formatCount(late)} late`, formatExact(late, "late events")],
			];
		}
		case "sink": {
			const {
				transaction_ms: ms,
				waiting_bytes: waiting,
				waiting_bytes_limit: limit,
				refused_rows: refused,
			} = stage.facts;
			return [
				isNumber(ms) && [
					`${formatDuration(ms)} a write`,
					`${formatExact(ms, "ms")} for a typical transaction`,
				],
				waiting > 0 && [
					`${formatBytes(waiting)} pending`,
					`${formatExact(waiting)} of at most ${formatExact(limit, "bytes")}`,
				],
				refused > 0 && [
					`${formatCount(refused)} refused`,
					formatExact(refused, "rows refused"),
				],
			];
		}
	}
}

/**
 * Returns in a few words why a stage needs attention, or null.
 * @param {Stage} stage
 * @param {number} now
 */
function stageTrouble(stage, now) {
	if (isNumber(stage.away_since_ms)) {
		const duration = formatDuration(now - stage.away_since_ms);
		// Redis answers, and only replicas or disks lack written rows.
		const answers = stage.reason?.startsWith(NOT_ACKNOWLEDGED);
		return `${answers ? "rows not acknowledged" : "unreachable"} for ${duration}`;
	}
	return stage.level === "well" ? null : TROUBLES[stage.kind];
}

/** Creates the chip that names a stage's trouble. */
function createTroubleChip() {
	const iconBox = h("span", { class: "chip-icon" });
	const word = h("span");
	const element = h("span", { class: "chip", hidden: true }, iconBox, word);
	/** @type {Parameters<typeof icon>[0] | null} */
	let shownIcon = null;
	return {
		element,
		/**
		 * @param {Stage} stage
		 * @param {string | null} trouble
		 */
		update(stage, trouble) {
			element.hidden = trouble === null;
			if (trouble === null) return;
			const since = stage.away_since_ms;
			const wanted = isNumber(since) ? "unreachable" : stage.level;
			if (shownIcon !== wanted) iconBox.replaceChildren(icon(wanted));
			shownIcon = wanted;
			setText(word, trouble);
			const title = isNumber(since) ? `since\n${formatExactTime(since)}` : null;
			setAttr(element, "title", title);
		},
	};
}

/** Creates the box of a stage. */
function createStageBox() {
	const name = h("span", { class: "stage-name" });
	const chip = createTroubleChip();
	const detail = h("p", { class: "stage-detail muted tiny" });
	const facts = createFactLine(h("p", { class: "stage-facts tiny" }));
	const reason = h("p", { class: "stage-reason tiny", hidden: true });
	const element = h(
		"li",
		{ class: "stage" },
		h("div", { class: "stage-head" }, name, chip.element),
		detail,
		facts.element,
		reason,
	);
	return {
		element,
		/** @param {{ stage: Stage, now: number }} values */
		update({ stage, now }) {
			setText(name, shorten(stage.name, 48));
			setAttr(name, "title", stage.name);
			setText(detail, stage.detail);
			setAttr(detail, "title", stage.detail);
			facts.update(stageFacts(stage).filter((fact) => fact !== false));
			const trouble = stageTrouble(stage, now);
			const level = stage.level === "well" && trouble ? "soon" : stage.level;
			setLevel(element, level);
			element.classList.toggle("troubled", trouble !== null);
			chip.update(stage, trouble);
			reason.hidden = !stage.reason;
			setText(reason, stage.reason);
		},
	};
}

/**
 * Returns curves from the middle to `n` boxes, or from the boxes to the middle.
 * @param {number} n
 * @param {"apart" | "together"} direction
 */
const fanPath = (n, direction) =>
	Array.from({ length: n }, (_, index) => ((index + 0.5) / n) * 100)
		.map((y) =>
			direction === "together"
				? `M0 ${y}C50 ${y} 50 50 100 50`
				: `M0 50C50 50 50 ${y} 100 ${y}`,
		)
		.join("");

/**
 * Creates the edge between two columns of boxes: curves, with rates beside them.
 */
function createEdge() {
	const curves = s("path", { "vector-effect": "non-scaling-stroke" });
	const labels = h("div", { class: "edge-labels" });
	const facts = createFactLine(labels);
	return {
		element: h(
			"li",
			{ class: "edge", "aria-hidden": "true" },
			s("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, curves),
			labels,
		),
		/**
		 * @param {string} path
		 * @param {Fact[]} rates from top to bottom
		 */
		update(path, rates) {
			setAttr(curves, "d", path);
			facts.update(rates);
			for (const [index, label] of [...labels.children].entries())
				if (label instanceof HTMLElement)
					label.style.top = `${((index + 0.5) / rates.length) * 100}%`;
		},
	};
}

/**
 * @param {Num} rate
 * @param {string} unit
 * @returns {Fact}
 */
const rateFact = (rate, unit) => [formatRate(rate), formatExact(rate, unit)];

/** Creates the three edges between the columns of boxes. */
function createEdges() {
	const [toDecode, toViews, toSink] = [0, 1, 2].map(createEdge);
	return {
		toDecode: toDecode.element,
		toViews: toViews.element,
		toSink: toSink.element,
		/** @param {Stage[]} stages */
		update(stages) {
			/** @param {Stage["kind"]} kind */
			const rateOf = (kind) => stages.find((s) => s.kind === kind)?.rate_per_s;
			const views = stages.filter(({ kind }) => kind === "feature_view");
			const n = Math.max(1, views.length);
			toDecode.update("M0 50H100", [
				rateFact(rateOf("source"), "records per second"),
			]);
			toViews.update(fanPath(n, "apart"), [
				rateFact(rateOf("decode"), "events per second, to every view"),
			]);
			toSink.update(
				fanPath(n, "together"),
				n <= MAX_RATES
					? views.map(({ rate_per_s: rate, name }) =>
							rateFact(rate, `rows per second from ${name}`),
						)
					: [rateFact(rateOf("sink"), "rows per second")],
			);
		},
	};
}

/** Creates the picture. */
export function createPipelineGraph() {
	const boxes = {
		source: createStageBox(),
		decode: createStageBox(),
		sink: createStageBox(),
	};
	const edges = createEdges();
	const views = h("ul", { class: "stage-views" });
	const viewBoxes = keyedList(
		views,
		/** @param {{ stage: Stage, now: number }} values */
		({ stage }) => stage.id,
		createStageBox,
	);
	const element = h(
		"ul",
		{
			class: "graph",
			"aria-label": "The pipeline: Kafka, decode, feature views, Redis",
		},
		boxes.source.element,
		edges.toDecode,
		boxes.decode.element,
		edges.toViews,
		h("li", { class: "stage-stack" }, views),
		edges.toSink,
		boxes.sink.element,
	);
	return {
		element,
		/**
		 * @param {Stage[]} stages
		 * @param {number} now
		 */
		update(stages, now) {
			for (const stage of stages)
				if (stage.kind !== "feature_view")
					boxes[stage.kind].update({ stage, now });
			const list = stages.filter(({ kind }) => kind === "feature_view");
			viewBoxes.update(list.map((stage) => ({ stage, now })));
			edges.update(stages);
			element.dataset.views = String(Math.max(1, list.length));
		},
	};
}
