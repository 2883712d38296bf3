// Values of the fields of rows: how they are shown, and how they changed.

import { formatExact, shorten } from "/assets/shared/format.js";

/** @import { FeatureView } from "/types/job-api.js" */

const MAX_SAMPLES = 60;
const MAX_SERIES = 2000;

/** @param {string} text */
export const parseNumber = (text) =>
	text !== "" && Number.isFinite(Number(text)) ? Number(text) : null;

/**
 * Formats a value: shortens long fractions and texts, and leaves everything else as it is in Redis.
 * @param {string} text
 */
export function formatFieldValue(text) {
	const value = parseNumber(text);
	if (value === null) return shorten(text, 80);
	if (/\.\d{5,}/.test(text))
		return value.toLocaleString("en-US", { maximumFractionDigits: 4 });
	return /^-?\d{5,}$/.test(text) && Number.isSafeInteger(value)
		? formatExact(value)
		: text;
}

/** The numbers that were written to each field: those the server remembers, then the changes that this page sees. */
export class FieldHistory {
	/** By Redis key and field. @type {Map<string, { at: number, value: number }[]>} */
	#series = new Map();

	/**
	 * Adds the rows of a view.
	 * @param {FeatureView} view
	 * @param {number} now
	 */
	addRows(view, now) {
		for (const { redis_key, fields, at_ms } of view.recent)
			for (const [name, text] of fields)
				this.#add(redis_key, name, at_ms, text, "every write");
		for (const { redis_key, fields, age_ms } of view.current)
			for (const [name, text] of fields)
				this.#add(redis_key, name, now - (age_ms ?? 0), text, "changes");
	}

	/**
	 * @param {string} redisKey
	 * @param {string} name
	 * @param {number} at
	 * @param {string} text
	 * @param {"every write" | "changes"} wanted
	 */
	#add(redisKey, name, at, text, wanted) {
		const value = parseNumber(text);
		if (value === null) return;
		const id = `${redisKey}\u0000${name}`;
		const samples = this.#series.get(id) ?? [];
		const last = samples.at(-1);
		if (last && at <= last.at) return;
		if (wanted === "changes" && last?.value === value) return;
		samples.push({ at, value });
		if (samples.length > MAX_SAMPLES) samples.shift();
		this.#series.set(id, samples);
		if (this.#series.size > MAX_SERIES) {
			const [oldest] = this.#series.keys();
			this.#series.delete(oldest);
		}
	}

	/**
	 * @param {string} redisKey
	 * @param {string} name
	 */
	valuesOf(redisKey, name) {
		const samples = this.#series.get(`${redisKey}\u0000${name}`) ?? [];
		return samples.map(({ value }) => value);
	}
}
