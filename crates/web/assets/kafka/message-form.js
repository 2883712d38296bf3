// The form that chooses records. The address holds the choice, so a link leads to the same records.

import { h, setText } from "/assets/shared/dom.js";
import { actionButton } from "/assets/shared/widgets.js";

/** A direction and the positions to go from, as an answer named them. @typedef {{ way: "before" | "after", positions: string }} Direction */

const LIMITS = [25, 50, 100, 200];
const MAX_PARTITIONS = 1000;
const HOUR_MS = 3_600_000;

/**
 * Returns a time as the input for it takes it, in the browser's zone.
 * @param {number} ms
 */
function toLocalInput(ms) {
	const offset = new Date(ms).getTimezoneOffset() * 60_000;
	const at = new Date(ms - offset);
	return Number.isNaN(at.getTime()) ? "" : at.toISOString().slice(0, 19);
}

/**
 * @param {string | number} value
 * @param {string | number} text
 */
const option = (value, text) => h("option", { value, text });

/**
 * @param {string} label
 * @param {HTMLElement} control
 */
const field = (label, control, classes = "field") =>
	h("div", { class: classes }, h("span", { text: label }), control);

/** Creates the choice of where to begin: newest, oldest, an offset, or a time. */
function createStartSelect() {
	const kind = h(
		"select",
		{ class: "input", "aria-label": "Begin at", on: { change: showInput } },
		option("newest", "Newest"),
		option("oldest", "Oldest"),
		option("offset", "Offset …"),
		option("time", "Time …"),
	);
	const offset = h("input", {
		class: "input",
		type: "text",
		inputmode: "numeric",
		placeholder: "offset",
		"aria-label": "Offset",
		autocomplete: "off",
	});
	const time = h("input", {
		class: "input",
		type: "datetime-local",
		step: "1",
		"aria-label": "Time",
	});
	/** Shows the input that the kind needs. */
	function showInput() {
		offset.hidden = kind.value !== "offset";
		time.hidden = kind.value !== "time";
		if (kind.value === "offset") offset.focus();
		if (kind.value === "time" && !time.value)
			time.value = toLocalInput(Date.now() - HOUR_MS);
	}
	return {
		element: field("From", h("div", { class: "from" }, kind, offset, time)),
		/** Returns the choice as the parameter `from`. */
		read() {
			if (kind.value === "offset")
				return `offset:${offset.value.trim() || "0"}`;
			if (kind.value === "time")
				return `time:${new Date(time.value).getTime() || 0}`;
			return kind.value;
		},
		/** @param {string} from */
		show(from) {
			const [name] = from.split(":");
			const value = from.slice(name.length + 1);
			const known = [...kind.options].some((each) => each.value === name);
			kind.value = known ? name : "newest";
			if (name === "offset") offset.value = value;
			if (name === "time" && Number.isFinite(Number(value)))
				time.value = toLocalInput(Number(value));
			showInput();
		},
	};
}

/** Creates the choice of one partition or all. */
function createPartitionSelect() {
	const select = h(
		"select",
		{ class: "input", "aria-label": "Partition" },
		option("", "All"),
	);
	return {
		select,
		/** @param {string} partition */
		show(partition) {
			const known = [...select.options].some(
				({ value }) => value === partition,
			);
			if (!known) select.append(option(partition, partition));
			select.value = partition;
		},
		/** @param {number} count */
		setCount(count) {
			const chosen = select.value;
			const length = Math.min(count, MAX_PARTITIONS);
			select.replaceChildren(
				option("", "All"),
				...Array.from({ length }, (_, number) => option(number, number)),
			);
			select.value = chosen;
		},
	};
}

const createContainsInput = () =>
	h("input", {
		class: "input",
		type: "search",
		placeholder: "text in key, value or headers",
		"aria-label": "Contains",
		autocomplete: "off",
		spellcheck: "false",
	});

function createLimitSelect() {
	const limit = h(
		"select",
		{ class: "input", "aria-label": "Records a page" },
		LIMITS.map((number) => option(number, number)),
	);
	limit.value = "50";
	return limit;
}

/**
 * Returns the direction that the address names.
 * @param {URLSearchParams} asked
 * @returns {Direction | null}
 */
function directionOf(asked) {
	const [before, after] = [asked.get("before"), asked.get("after")];
	if (before !== null) return { way: "before", positions: before };
	return after === null ? null : { way: "after", positions: after };
}

/** The form. */
export class MessageForm {
	/** Pages before or after those first shown. @type {Direction | null} */
	#direction = null;
	#start = createStartSelect();
	#partition = createPartitionSelect();
	#contains = createContainsInput();
	#limit = createLimitSelect();
	#tailButton;

	/**
	 * @param {() => void} show shows the chosen records
	 * @param {() => void} toggleTail begins or ends following
	 */
	constructor(show, toggleTail) {
		this.#tailButton = actionButton("Follow live", toggleTail);
		/** @param {SubmitEvent} event */
		const submit = (event) => {
			event.preventDefault();
			this.setDirection(null);
			show();
		};
		this.element = h(
			"form",
			{ class: "message-form", on: { submit } },
			this.#start.element,
			field("Partition", this.#partition.select),
			field("Contains", this.#contains, "field grow"),
			field("A page", this.#limit),
			h(
				"div",
				{ class: "form-buttons" },
				h("button", { class: "button primary", type: "submit" }, "Show"),
				this.#tailButton,
			),
		);
	}

	/** Returns the filter: partition and text. */
	filterQuery() {
		const query = new URLSearchParams();
		const partition = this.#partition.select.value;
		if (partition) query.set("partition", partition);
		if (this.#contains.value) query.set("contains", this.#contains.value);
		return query;
	}

	/** Returns the whole choice. */
	query() {
		const query = new URLSearchParams();
		if (this.#direction)
			query.set(this.#direction.way, this.#direction.positions);
		else query.set("from", this.#start.read());
		for (const [name, value] of this.filterQuery()) query.set(name, value);
		query.set("limit", this.#limit.value);
		return query;
	}

	/**
	 * Goes from the shown records to those before or after them, or back to the choice of the form. The address gets the
	 * choice as a step of the browser's history.
	 * @param {Direction | null} direction
	 */
	setDirection(direction) {
		this.#direction = direction;
		const search = `?${this.query()}`;
		if (search !== location.search)
			history.pushState(null, "", `${location.pathname}${search}`);
	}

	/** Reads the choice from the address. */
	readAddress() {
		const asked = new URLSearchParams(location.search);
		this.#start.show(asked.get("from") ?? "newest");
		this.#partition.show(asked.get("partition") ?? "");
		this.#contains.value = asked.get("contains") ?? "";
		const limit = asked.get("limit") ?? "";
		if (LIMITS.includes(Number(limit))) this.#limit.value = limit;
		this.#direction = directionOf(asked);
	}

	/** @param {number} count */
	setPartitionCount(count) {
		this.#partition.setCount(count);
	}

	/** @param {boolean} following */
	setFollowing(following) {
		setText(this.#tailButton, following ? "Stop following" : "Follow live");
	}
}
