// Formats numbers, durations, sizes and times in a short form, and in an exact form for titles.
// An unknown value is a dash, never 0.

/** @typedef {number | null | undefined} Num */

export const UNKNOWN = "–";

const GAP = "\u00a0";

/**
 * @param {unknown} value
 * @returns {value is number}
 */
export const isNumber = (value) =>
	typeof value === "number" && Number.isFinite(value);

/** @param {string} text */
const trimZeros = (text) =>
	text.includes(".") ? text.replace(/\.?0+$/, "") : text;

/** @param {number} value */
function threeDigits(value) {
	const size = Math.abs(value);
	if (size >= 100) return String(Math.round(value));
	if (size >= 10) return trimZeros(value.toFixed(1));
	return trimZeros(value.toFixed(size >= 1 ? 1 : 2));
}

/** @type {[unit: string, factor: number, from: number][]} */
const COUNT_UNITS = [
	["G", 1e9, 0.9995e9],
	["M", 1e6, 0.9995e6],
	["K", 1e3, 1e4],
];

/**
 * 1204 → "1,204"; 48200 → "48.2 K"; 1.2e6 → "1.2 M".
 * @param {Num} value
 */
export function formatCount(value) {
	if (!isNumber(value)) return UNKNOWN;
	const size = Math.abs(value);
	for (const [unit, factor, from] of COUNT_UNITS)
		if (size >= from) return `${threeDigits(value / factor)}${GAP}${unit}`;
	return Number.isInteger(value) || size >= 1000
		? formatExact(Math.round(value))
		: threeDigits(value);
}

/**
 * 48203 → "48,203", of any size.
 * @param {Num} value
 */
export function formatExact(value, unit = "") {
	if (!isNumber(value)) return "not known";
	const text = value.toLocaleString("en-US", {
		maximumFractionDigits: Number.isInteger(value) ? 0 : 3,
	});
	return unit ? `${text} ${unit}` : text;
}

/**
 * 48200 → "48.2 K/s".
 * @param {Num} value
 */
export const formatRate = (value) =>
	isNumber(value) ? `${formatCount(value)}/s` : UNKNOWN;

/** @type {[unit: string, factor: number][]} */
const BYTE_UNITS = [
	["TB", 1e12],
	["GB", 1e9],
	["MB", 1e6],
	["kB", 1e3],
];

/**
 * 41000000 → "41 MB".
 * @param {Num} value
 */
export function formatBytes(value) {
	if (!isNumber(value)) return UNKNOWN;
	for (const [unit, factor] of BYTE_UNITS)
		if (value >= factor) return `${threeDigits(value / factor)}${GAP}${unit}`;
	return `${formatExact(Math.round(value))}${GAP}B`;
}

/**
 * Formats milliseconds with at most two units: 300 → "0.3 s"; 11520000 → "3 h 12 m".
 * @param {Num} ms
 * @returns {string}
 */
export function formatDuration(ms) {
	if (!isNumber(ms)) return UNKNOWN;
	if (ms < 0) return `−${formatDuration(-ms)}`;
	if (ms < 100) return `${threeDigits(ms)}${GAP}ms`;
	if (ms < 10_000) return `${trimZeros((ms / 1000).toFixed(1))}${GAP}s`;
	const seconds = Math.floor(ms / 1000);
	if (seconds < 60) return `${seconds}${GAP}s`;
	/** @type {[number, string][]} */
	const parts = [
		[Math.floor(seconds / 86400), "d"],
		[Math.floor(seconds / 3600) % 24, "h"],
		[Math.floor(seconds / 60) % 60, "m"],
		[seconds % 60, "s"],
	];
	const first = parts.findIndex(([n]) => n > 0);
	return parts
		.slice(first, first + 2)
		.filter(([n]) => n > 0)
		.map(([n, unit]) => `${n}${GAP}${unit}`)
		.join(" ");
}

/** @type {[unit: string, factor: number][]} */
const SETTING_UNITS = [
	["d", 86_400_000],
	["h", 3_600_000],
	["min", 60_000],
	["s", 1000],
];

/**
 * Formats a configured duration in its largest whole unit: 3600000 → "1 h", 600000 → "10 min".
 * @param {Num} ms
 */
export function formatSetting(ms) {
	if (!isNumber(ms)) return UNKNOWN;
	for (const [unit, factor] of SETTING_UNITS)
		if (ms >= factor && ms % factor === 0) return `${ms / factor}${GAP}${unit}`;
	return `${ms}${GAP}ms`;
}

/**
 * Formats an age in milliseconds: "12 s ago".
 * @param {Num} ms
 */
export function formatAge(ms) {
	if (!isNumber(ms)) return UNKNOWN;
	return ms < 1000
		? "just now"
		: `${formatDuration(Math.floor(ms / 1000) * 1000)} ago`;
}

/**
 * 0.41 → "41 %".
 * @param {Num} share
 */
export const formatPercent = (share) =>
	isNumber(share) ? `${Math.round(share * 100)}${GAP}%` : UNKNOWN;

/**
 * (2, "row") → "2 rows".
 * @param {Num} n
 * @param {string} one
 */
export const plural = (n, one, many = `${one}s`) =>
	`${formatCount(n)} ${n === 1 ? one : many}`;

/**
 * Joins the parts that are there with dots.
 * @param {(string | null | false | undefined)[]} parts
 */
export const joinParts = (...parts) => parts.filter(Boolean).join(" · ");

/** @param {string} text */
export const capitalize = (text) =>
	text.charAt(0).toUpperCase() + text.slice(1);

/**
 * "it broke" → "It broke."
 * @param {string} text
 */
export const toSentence = (text) =>
	/[.!?]$/.test(text) ? capitalize(text) : `${capitalize(text)}.`;

/**
 * Shortens a long text in the middle to `most` code points.
 * @param {string} text
 */
export function shorten(text, most = 32) {
	const signs = Array.from(text);
	if (signs.length <= most) return text;
	const head = Math.ceil((most - 1) * 0.6);
	const tail = signs.length - (most - 1 - head);
	return `${signs.slice(0, head).join("")}…${signs.slice(tail).join("")}`;
}

// Times: in the browser's zone, and in the zone of event times where the two differ at that moment.

let eventZone = "UTC";
/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * Sets the zone of event times; a zone that the browser does not know becomes UTC.
 * @param {string} zone an IANA name
 */
export function setEventZone(zone) {
	try {
		new Intl.DateTimeFormat("en-GB", { timeZone: zone });
		eventZone = zone;
	} catch {
		eventZone = "UTC";
	}
}

export const getEventZone = () => eventZone;

export const getBrowserZone = () =>
	Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** @param {string} zone */
function dateFormat(zone) {
	let format = formats.get(zone);
	if (!format) {
		format = new Intl.DateTimeFormat("en-GB", {
			timeZone: zone,
			hourCycle: "h23",
			year: "numeric",
			month: "2-digit",
			day: "2-digit",
			hour: "2-digit",
			minute: "2-digit",
			second: "2-digit",
		});
		formats.set(zone, format);
	}
	return format;
}

/**
 * @param {number} ms
 * @param {string} zone
 */
function dateAndClock(ms, zone) {
	const parts = dateFormat(zone).formatToParts(new Date(ms));
	const p = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
	return {
		date: `${p.year}-${p.month}-${p.day}`,
		clock: `${p.hour}:${p.minute}:${p.second}`,
	};
}

/**
 * Returns whether the time is within what a calendar shows.
 * @param {Num} ms
 * @returns {ms is number}
 */
const isDate = (ms) => isNumber(ms) && Math.abs(ms) <= 8.64e15;

/**
 * "10:41:07"
 * @param {Num} ms
 */
export function formatClock(ms, zone = getBrowserZone()) {
	if (isDate(ms)) return dateAndClock(ms, zone).clock;
	return isNumber(ms) ? "out of range" : UNKNOWN;
}

/**
 * "2026-11-25", or null for a time of today.
 * @param {Num} ms
 */
export function formatOtherDay(ms, zone = getBrowserZone()) {
	if (!isDate(ms)) return null;
	const { date } = dateAndClock(ms, zone);
	return date === dateAndClock(Date.now(), zone).date ? null : date;
}

/**
 * "10:41:07", with the date in front if it is not today.
 * @param {Num} ms
 */
export const formatTime = (ms, zone = getBrowserZone()) =>
	[formatOtherDay(ms, zone), formatClock(ms, zone)].filter(Boolean).join(" ");

/**
 * Formats a time in the zone of event times, with the zone's name; null where it equals the browser's time.
 * @param {Num} ms
 */
export function formatEventZoneTime(ms) {
	if (!isDate(ms)) return null;
	const [here, there] = [getBrowserZone(), eventZone].map((zone) => {
		const { date, clock } = dateAndClock(ms, zone);
		return `${date} ${clock.slice(0, 5)}`;
	});
	return here === there ? null : `${formatTime(ms, eventZone)} ${eventZone}`;
}

/**
 * Formats a time for titles: in the browser's zone, in UTC, in the zone of event times, and as a number.
 * @param {Num} ms
 */
export function formatExactTime(ms) {
	if (!isDate(ms))
		return isNumber(ms)
			? `${ms} ms since 1970, beyond what a calendar shows`
			: "not known";
	const lines = [...new Set([getBrowserZone(), "UTC", eventZone])].map(
		(zone) => {
			const { date, clock } = dateAndClock(ms, zone);
			return `${date} ${clock} ${zone}`;
		},
	);
	return `${lines.join("\n")}\n${ms} ms since 1970`;
}
